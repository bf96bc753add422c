"""Processes that end with the one that started them, so that whoever is killed leaves no orphans."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1

#: Where a process that serves deployments tells its own id to the runs that it starts.
_SERVED_BY = "MIXDOWN_SERVED_BY"


def end_with(parent_pid: int) -> None:
    """End this process at once when its parent, which has this id, does.

    On Linux the kernel sees to it, even while Python is busy elsewhere; other systems are asked every second.
    The setting outlives `exec`, but children of this process do not inherit it.
    """
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    else:
        threading.Thread(target=_watch, args=(parent_pid,), daemon=True, name="parent").start()
    if os.getppid() != parent_pid:  # it ended before this was set
        os._exit(1)


def _watch(parent_pid: int) -> None:
    while os.getppid() == parent_pid:
        time.sleep(1)
    os._exit(1)


def serve_as_parent() -> None:
    """Let the runs that this process starts end with it."""
    os.environ[_SERVED_BY] = str(os.getpid())


def end_with_server() -> None:
    """In a flow run's own process that `mixdown serve` has started: end when that does."""
    served_by = os.environ.get(_SERVED_BY, "")
    started_as = getattr(sys.modules.get("__main__"), "__spec__", None)
    if served_by.isdecimal() and started_as is not None and started_as.name == "prefect.engine":
        end_with(int(served_by))


def command(module: str, *arguments: str) -> list[str]:
    """The command of a module as a child of this process that ends with it."""
    return [sys.executable, "-m", "flows.child", str(os.getpid()), module, *arguments]
