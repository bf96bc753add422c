"""Messages that many are sent: one set of bytes, straight to their connections."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from mixdown.api.bundle import Bundle, offer, offered
from mixdown.model import Stage
from mixdown.studio import Studio
from tests.api.test_events import PATIENCE_S, end_badly, kinds, parsed, served
from tests.services.ledger_samples import claimed, submit_one


class Wire:
    """A connection that keeps what it is given."""

    def __init__(self) -> None:
        self.sent = b""
        self.untaken_bytes = 0
        self.closing = False

    def get_write_buffer_size(self) -> int:
        """What the other side has not taken yet."""
        return self.untaken_bytes

    def is_closing(self) -> bool:
        """Whether it is over."""
        return self.closing

    def write(self, data: bytes) -> None:
        """Send."""
        self.sent += data


def scope(**about: str) -> dict[str, object]:
    """A request."""
    return {"type": "http", "http_version": "1.1", "method": "GET", **about}


def test_a_bundle_is_a_chunk() -> None:
    """Its length in hexadecimal digits, and the messages."""
    assert Bundle.of([b"data: 1\n\n", b"data: 22\n\n"]) == (
        2,
        b"data: 1\n\ndata: 22\n\n",
        b"13\r\ndata: 1\n\ndata: 22\n\n\r\n",
    )


def _closes(wire: Wire) -> None:
    wire.closing = True


def _takes_nothing(wire: Wire) -> None:
    wire.untaken_bytes = 1 << 24


@pytest.mark.parametrize("trouble", [_closes, _takes_nothing])
def test_a_connection_that_takes_nothing_is_written_no_more(trouble: Callable[[Wire], None]) -> None:
    """Such chunks go the usual way, which waits for the client or cuts it off."""
    asked, wire = scope(), Wire()
    offer(asked, wire, lambda: True)
    write = offered(asked)
    assert write is not None
    assert write(b"1\r\na\r\n")

    trouble(wire)

    assert not write(b"1\r\nb\r\n")
    assert wire.sent == b"1\r\na\r\n"


def test_nothing_is_written_behind_the_end_of_an_answer() -> None:
    """The next answer of the connection would be spoiled."""
    asked, wire = scope(), Wire()
    offer(asked, wire, lambda: False)
    write = offered(asked)

    assert write is not None
    assert not write(b"1\r\na\r\n")
    assert wire.sent == b""


@pytest.mark.parametrize("about", [{"http_version": "1.0"}, {"method": "HEAD"}])
def test_answers_without_chunks_are_not_written_to(about: dict[str, str]) -> None:
    """HTTP/1.0 knows none, and the answer to HEAD has no body."""
    asked = scope(**about)
    offer(asked, Wire(), lambda: True)

    assert offered(asked) is None


def test_a_connection_serves_again_after_a_stream(studio: Studio) -> None:
    """The stream is sound HTTP to its end: the same connection asks for something else afterwards."""
    claim = claimed(studio.jobs, submit_one(studio.jobs))
    with served(studio) as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE_S)
        connection.request("GET", f"/v1/jobs/{claim.job_id}/events")
        answer = connection.getresponse()
        assert any(b'"claimed"' in answer.readline() for _ in range(100))
        studio.jobs.advance(claim, Stage.validate)  # told while the listener waits
        assert any(b'"validated"' in answer.readline() for _ in range(100))
        end_badly(studio, claim)
        rest = parsed(answer.read().decode())

        assert kinds(rest)[-1] == "failed"
        assert rest[-1].name == "end"
        connection.request("GET", f"/v1/jobs/{claim.job_id}")
        assert b'"failed"' in connection.getresponse().read()
        connection.close()


def test_a_client_of_old_gets_a_stream_too(studio: Studio) -> None:
    """HTTP/1.0: no chunks among the events."""
    claim = claimed(studio.jobs, submit_one(studio.jobs))
    with served(studio) as url:
        parts = urlsplit(url)
        with socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE_S) as client:
            client.sendall(f"GET /v1/jobs/{claim.job_id}/events HTTP/1.0\r\nhost: {parts.netloc}\r\n\r\n".encode())
            got = b""
            while b'"claimed"' not in got:
                got += client.recv(4096)
            end_badly(studio, claim)
            while part := client.recv(4096):
                got += part
    head, _, body = got.decode().partition("\r\n\r\n")

    assert "chunked" not in head
    assert "\r" not in body
    assert parsed(body)[-1].name == "end"
