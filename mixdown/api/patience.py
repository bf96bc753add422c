"""Connections of slow clients are cut off: uvicorn itself waits for ever for a header or a reader."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

from mixdown.api.bundle import offer


class PatientProtocol(H11Protocol):
    """HTTP/1.1 whose patience ends. Bodies are not its concern while they are read: `BoundedBody` times them."""

    #: The headers of a request must be there within this, in seconds; after an answer, what is left of its request.
    HEADERS_S: ClassVar[float] = 10.0

    #: An answer that is not taken for this long is given up, in seconds.
    UNTAKEN_S: ClassVar[float] = 60.0

    _until_headers: asyncio.TimerHandle | None = None
    _until_taken: asyncio.TimerHandle | None = None
    _left_bytes: int = 0
    _is_resting: bool = False  #: between an answer and the first byte of the next request

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._expect_headers(self.HEADERS_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._call_off_headers()
        self._call_off_taking()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; once a request has begun, its headers must follow."""
        if self._is_resting:
            self._is_resting = False
            self._expect_headers(self.HEADERS_S)
        super().data_received(data)

    def handle_events(self) -> None:
        """Work on a request as soon as its headers are there."""
        before = self.cycle
        super().handle_events()
        if self._is_answering():
            self._call_off_headers()
        cycle: Any = self.cycle
        if cycle is not None and cycle is not before:  # its app has not begun yet
            offer(cycle.scope, self.transport, lambda: not cycle.response_complete)

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        super().on_response_complete()
        if not self._is_answering():
            self._is_resting = True
            self._expect_headers(self.timeout_keep_alive + self.HEADERS_S)

    def pause_writing(self) -> None:
        """The client takes nothing at the moment."""
        super().pause_writing()
        self._call_off_taking()
        self._until_taken = self.loop.call_later(self.UNTAKEN_S, self._cut)

    def resume_writing(self) -> None:
        """The client takes its answer again."""
        self._call_off_taking()
        super().resume_writing()

    def _is_answering(self) -> bool:
        cycle: Any = self.cycle
        return cycle is not None and not cycle.response_complete

    def _expect_headers(self, within_s: float) -> None:
        self._call_off_headers()
        self._left_bytes = self.transport.get_write_buffer_size()
        self._until_headers = self.loop.call_later(within_s, self._give_up, within_s)

    def _give_up(self, waited_s: float) -> None:
        # The end of an answer may still be on its way to a client that takes it slowly, but takes it.
        if 0 < self.transport.get_write_buffer_size() < self._left_bytes:
            self._expect_headers(waited_s)
        else:
            self._cut()

    def _cut(self) -> None:
        connection = self.transport.get_extra_info("socket")
        if connection is not None:  # the kernel forgets what was not taken, too
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def _call_off_headers(self) -> None:
        if self._until_headers is not None:
            self._until_headers.cancel()

    def _call_off_taking(self) -> None:
        if self._until_taken is not None:
            self._until_taken.cancel()
