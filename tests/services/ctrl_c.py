"""Ctrl-C for programs that tests start."""

from __future__ import annotations

import signal


def heed_ctrl_c() -> None:
    """Have a child heed an interrupt, even where the tests run in the background and ignore it themselves."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
