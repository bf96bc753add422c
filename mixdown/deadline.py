"""An end to patience with a server: httpx's own time limits start anew with every byte that arrives."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Any, Self


class Deadline:
    """Cuts the connection of a request that is not over in time.

    Hand `trace` to the request as its extension of that name; it tells which socket to cut.
    """

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._ends_at_s = time.monotonic() + timeout_s
        self._socket: socket.socket | None = None
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()

    @property
    def passed(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self._ends_at_s

    @property
    def left_s(self) -> float:
        """What is left of the time, in seconds; never quite nothing, which would mean no limit to some."""
        return max(self._ends_at_s - time.monotonic(), 0.001)

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Note the socket of a connection that httpcore has just made."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = info["return_value"].get_extra_info("socket")
            if self._timer is None:  # it is a thread, which a request that opens no connection need not begin
                self._timer = threading.Timer(self.left_s, self._cut)
                self._timer.daemon = True
                self._timer.start()

    def _cut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # closed already
                self._socket.shutdown(socket.SHUT_RDWR)
