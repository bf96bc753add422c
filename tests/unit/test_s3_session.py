"""When there is no talking to an S3 endpoint."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from botocore.awsrequest import AWSRequest

from mixdown.storage.s3 import EndpointUnreachable, PromptSession

PATIENCE_S = 0.2


class Greeting(BaseHTTPRequestHandler):
    """An endpoint that is well."""

    def do_GET(self) -> None:
        """Say so."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    """Its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Greeting) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def asked(url: str, *, pauses: int) -> tuple[int, bytes]:
    """Status and body, for a process that is paused so many times in the middle of connecting."""
    left = pauses

    def paused(address: Any) -> socket.socket:
        nonlocal left
        if left:
            left -= 1
            time.sleep(3 * PATIENCE_S)
        return socket.socket(*address[:3])

    async def ask() -> tuple[int, bytes]:
        async with PromptSession(timeout=(PATIENCE_S, 30), connector_args={"socket_factory": paused}) as session:
            answer = await session.send(AWSRequest("GET", url).prepare())
            return answer.status_code, await answer.content

    return asyncio.run(ask())


def test_a_pause_of_ones_own_is_not_taken_for_the_endpoints_silence(endpoint: str) -> None:
    """A machine that was suspended finds its timeouts over when it wakes: it asks once more."""
    assert asked(endpoint, pauses=1) == (200, b"hello")


def test_an_endpoint_that_stays_silent_is_given_up(endpoint: str) -> None:
    """Trying the job again later is the ledger's part."""
    with pytest.raises(EndpointUnreachable, match="no answer in time"):
        asked(endpoint, pauses=2)
