"""A reverse proxy on loopback that does to requests and answers what networks and servers do to them."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

_HOP_BY_HOP = frozenset(("connection", "keep-alive", "transfer-encoding", "content-length", "expect"))


class Fault(Enum):
    """What may happen to one request."""

    error_500 = auto()
    error_503 = auto()
    refused = auto()
    cut_request = auto()  #: the connection ends in the middle of the request's body
    cut_answer = auto()  #: … of the answer's body
    damaged_request = auto()  #: one bit of the request's body is flipped
    damaged_answer = auto()  #: … of the answer's body


@dataclass(frozen=True)
class Request:
    """What a fault is chosen by."""

    method: str
    path: str
    body: bytes


@contextmanager
def faulty_proxy(target_url: str, choose: Callable[[Request], Fault | None], *, port: int = 0) -> Iterator[str]:
    """A proxy before `target_url` that lets `choose` decide the fate of each request; yields its address."""
    server = _Server(("127.0.0.1", port), _Handler)
    server.target = urlsplit(target_url).netloc
    server.choose = choose
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.hang_up()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    target: str
    choose: Callable[[Request], Fault | None]

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._connections: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def close_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().close_request(request)

    def hang_up(self) -> None:
        """End the connections that clients keep open, so that their threads end."""
        for connection in tuple(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error of the proxy's."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are written apart: 40 ms a request otherwise
    server: _Server

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Keep quiet."""

    def _relay(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        fault = self.server.choose(Request(self.command, self.path, body))
        if fault is Fault.cut_request:
            self.close_connection = True
            return
        if fault in _ANSWERS:
            self._answer(*_ANSWERS[fault], {"content-type": "application/xml"})
            return
        if fault is Fault.damaged_request:
            body = _damaged(body)
        status, headers, answer = self._ask(body)
        if fault is Fault.damaged_answer:
            answer = _damaged(answer)
        self._answer(status, answer, headers, cut=fault is Fault.cut_answer)

    do_GET = do_PUT = do_POST = do_DELETE = _relay  # noqa: N815 (http.server looks for these names)

    def do_HEAD(self) -> None:
        """Relay; the length of what is not sent is the target's word."""
        fault = self.server.choose(Request(self.command, self.path, b""))
        status, headers, _ = (_ANSWERS[fault][0], {}, b"") if fault in _ANSWERS else self._ask(b"")
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.server.target)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        try:
            connection.request(self.command, self.path, body=body or None, headers=headers)
            answer = connection.getresponse()
            kept = {
                name: value
                for name, value in answer.getheaders()
                if self.command == "HEAD" or name.lower() not in _HOP_BY_HOP
            }
            return answer.status, kept, answer.read()
        finally:
            connection.close()

    def _answer(self, status: int, body: bytes, headers: dict[str, str], *, cut: bool = False) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = self.close_connection or cut


_ANSWERS: dict[Fault | None, tuple[int, bytes]] = {
    Fault.error_500: (500, b"<Error><Code>InternalError</Code><Message>by and by</Message></Error>"),
    Fault.error_503: (503, b"<Error><Code>SlowDown</Code><Message>by and by</Message></Error>"),
    Fault.refused: (403, b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"),
}


def _damaged(body: bytes) -> bytes:
    return body[:-1] + bytes([body[-1] ^ 1]) if body else body
