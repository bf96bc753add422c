"""A server on loopback that says exactly what a test wants said, byte for byte, as slowly as it wants."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class Connection:
    """One client: what it asked, and a way to answer it."""

    def __init__(self, peer: socket.socket, over: threading.Event) -> None:
        self._peer = peer
        self._over = over
        self.request = b""
        self.sent_bytes = 0

    def read_request(self) -> None:
        """Read to the end of the request's headers, and its body if one is announced."""
        while b"\r\n\r\n" not in self.request:
            self._receive()
        head, _, _ = self.request.partition(b"\r\n\r\n")
        lengths = [
            line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
        ]
        while lengths and len(self.request) < len(head) + 4 + int(lengths[0]):
            self._receive()

    def send(self, data: bytes) -> bool:
        """Send, unless the client has had enough or the test is over; whether it went out."""
        try:
            self._peer.sendall(data)
        except OSError:
            return False
        self.sent_bytes += len(data)
        return not self._over.is_set()

    def drip(self, data: bytes, *, every_s: float) -> None:
        """Send byte by byte, for as long as anyone wants it."""
        for byte in data:
            if not self.send(bytes([byte])) or self._over.wait(every_s):
                return

    def _receive(self) -> None:
        data = self._peer.recv(65_536)
        if not data:
            raise ConnectionError
        self.request += data


@contextmanager
def raw_server(answer: Callable[[Connection], None]) -> Iterator[tuple[str, list[Connection]]]:
    """Calls `answer` for each connection, once its request is read; yields the address and the connections."""
    connections: list[Connection] = []
    threads: list[threading.Thread] = []
    over = threading.Event()

    def serve(peer: socket.socket) -> None:
        with peer, suppress(OSError):
            connection = Connection(peer, over)
            connection.read_request()
            connections.append(connection)
            answer(connection)
            peer.shutdown(socket.SHUT_WR)
            while peer.recv(65_536):  # until the client hangs up: closing at once could reset what was sent
                pass

    def accept(server: socket.socket) -> None:
        while not over.is_set():
            with suppress(TimeoutError):
                peer, _ = server.accept()
                peer.settimeout(10)
                threads.append(threading.Thread(target=serve, args=(peer,)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        accepting = threading.Thread(target=accept, args=(server,))
        accepting.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}", connections
        finally:
            over.set()
            accepting.join()
            for thread in threads:
                thread.join()
