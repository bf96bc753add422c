"""Ports below those that the system gives to outgoing connections: nobody takes one while its owner is down."""

from __future__ import annotations

import random
import socket

_RANGE = (15_000, 30_000)


def steady_port() -> int:
    """A port of loopback that is free now and will be free again."""
    while True:
        port = random.SystemRandom().randrange(*_RANGE)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
