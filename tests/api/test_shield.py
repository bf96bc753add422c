"""What surrounds every route: bounded bodies, slow clients, strange pages, headers."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from starlette.responses import StreamingResponse

from mixdown.api import create_app
from mixdown.api.patience import PatientProtocol
from mixdown.api.problems import answer_problems
from mixdown.api.shield import BoundedBody
from mixdown.model import StoredObject
from mixdown.settings import Settings
from mixdown.storage import ObjectStore
from mixdown.studio import Studio, open_studio

#: Far longer than anything here may take, in seconds.
PATIENCE_S = 60.0


class Hasty(PatientProtocol):
    """As the real one, with less patience."""

    HEADERS_S = 0.5
    UNTAKEN_S = 0.5


def small() -> FastAPI:
    """An app that takes a body and gives a lot, bounded as the real one, with less patience."""
    app = FastAPI()

    @app.post("/take")
    async def take(request: Request) -> int:
        return len(await request.body())

    @app.get("/give")
    def give() -> StreamingResponse:
        return StreamingResponse(bytes(1 << 20) for _ in range(200))

    answer_problems(app)
    app.add_middleware(BoundedBody, most_bytes=1000, rest_s=0.5, grace_s=1.0)
    return app


@contextmanager
def served(app: FastAPI) -> Iterator[tuple[uvicorn.Server, int]]:
    """A real server in a thread, and its port."""
    config = uvicorn.Config(
        app, http=Hasty, ws="none", log_level="critical", timeout_keep_alive=2, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0), backlog=500) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield server, listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A small app behind a real socket."""
    with served(small()) as (_, port):
        yield port


def connected(port: int) -> socket.socket:
    """A connection that waits for long."""
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)


def everything(connection: socket.socket) -> bytes:
    """What comes until the other side hangs up; it must."""
    said = b""
    try:
        while piece := connection.recv(1 << 16):
            said += piece
    except ConnectionResetError:
        pass
    return said


def drip(connection: socket.socket, piece: bytes, every_s: float) -> float:
    """Send a piece again and again until the other side hangs up; after how many seconds it did."""
    began_s = time.monotonic()
    connection.settimeout(every_s)
    while time.monotonic() - began_s < PATIENCE_S:
        try:
            connection.sendall(piece)
            if not connection.recv(1 << 16):
                break
        except TimeoutError:
            continue
        except (ConnectionResetError, BrokenPipeError):
            break
    return time.monotonic() - began_s


def test_a_client_that_says_nothing_is_cut_off(port: int) -> None:
    """A connection alone is no request."""
    with connected(port) as connection:
        assert everything(connection) == b""


def test_headers_that_come_byte_by_byte_are_cut_off(port: int) -> None:
    """Slowloris: each byte is in time, all of them are not."""
    with connected(port) as connection:
        connection.sendall(b"GET /give HTTP/1.1\r\nHost: x\r\nX-A: ")
        assert drip(connection, b"a", 0.1) < PATIENCE_S


def test_the_next_request_must_come_in_time_as_well(port: int) -> None:
    """After an answer a client may rest, but not drip."""
    with connected(port) as connection:
        connection.sendall(b"POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
        assert b"200 OK" in connection.recv(1 << 16)
        assert drip(connection, b"G", 0.1) < PATIENCE_S


def test_a_body_that_rests_is_a_408(port: int) -> None:
    """The client is told, and cut off."""
    with connected(port) as connection:
        connection.sendall(b"POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        said = everything(connection)

    assert said.startswith(b"HTTP/1.1 408 ")
    assert b'"too_slow"' in said


def test_a_body_that_drips_is_cut_off(port: int) -> None:
    """A byte now and then is no progress."""
    with connected(port) as connection:
        connection.sendall(b"POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n")
        assert drip(connection, b"a", 0.1) < PATIENCE_S


def test_an_answer_that_nobody_takes_is_given_up(port: int) -> None:
    """A client that stops reading holds nothing for ever."""
    with connected(port) as connection:
        connection.sendall(b"GET /give HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(3.0)
        taken = len(everything(connection))

    assert taken < 200 << 20


def test_a_body_that_is_announced_too_long_is_not_awaited(port: int) -> None:
    """413 before a byte of it was sent."""
    with connected(port) as connection:
        connection.sendall(b"POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n")
        said = everything(connection)

    assert said.startswith(b"HTTP/1.1 413 ")
    assert b'"too_large"' in said


def test_a_body_of_unknown_length_is_counted(port: int) -> None:
    """Chunks that never end are a 413 when they have become too many."""
    with connected(port) as connection:
        connection.sendall(b"POST /take HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(11):
            connection.sendall(b"64\r\n" + b"a" * 100 + b"\r\n")
        said = everything(connection)

    assert said.startswith(b"HTTP/1.1 413 ")


def test_a_body_within_bounds_is_taken(port: int) -> None:
    """To the last byte that is allowed."""
    with connected(port) as connection:
        connection.sendall(b"POST /take HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1000\r\n\r\n")
        connection.sendall(b"a" * 1000)
        said = everything(connection)

    assert said.startswith(b"HTTP/1.1 200 ")
    assert said.endswith(b"1000")


def test_many_slow_clients_stop_nobody() -> None:
    """While 300 connections drip, others are answered; then the 300 are gone."""
    with served(small()) as (server, port):
        slow = [connected(port) for _ in range(300)]
        for connection in slow:
            connection.sendall(b"GET / HTTP/1.1\r\nX-")
        with connected(port) as connection:
            connection.sendall(
                b"POST /take HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi"
            )
            assert everything(connection).startswith(b"HTTP/1.1 200 ")
        assert [everything(connection) for connection in slow] == [b""] * 300
        for connection in slow:
            connection.close()
        deadline_s = time.monotonic() + PATIENCE_S
        while server.server_state.connections and time.monotonic() < deadline_s:
            time.sleep(0.05)
        assert not server.server_state.connections


def test_every_answer_has_its_headers(client: TestClient) -> None:
    """Nothing of ours is framed, sniffed, cached or told to others; errors included."""
    for path in ("/v1/jobs", "/nowhere", "/health/live"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["x-request-id"]


class Bug(ObjectStore):
    """A store that nobody has thought of."""

    def put_file(self, *_: object, **__: object) -> StoredObject:
        """Fail as no store should."""
        raise ZeroDivisionError("at /home/somebody/secret")


def test_a_bug_is_answered_like_everything_else(tmp_path: Path) -> None:
    """As a problem, with every header and the id of the request, and without what only the log is told."""
    settings = Settings(home=tmp_path / "home", cors_origins="https://app.example.com")
    studio = open_studio(settings, objects=Bug(str(tmp_path / "results")))
    with TestClient(create_app(studio, open_to_all=True), raise_server_exceptions=False) as client:
        answer = client.post(
            "/v1/jobs",
            files={"file": ("talk.wav", b"RIFF")},
            headers={"x-request-id": "mine", "origin": "https://app.example.com"},
        )
        fine = client.get("/v1/jobs")

    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == "mine"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["access-control-allow-origin"] == "https://app.example.com"
    assert "secret" not in answer.text
    assert fine.status_code == 200


def test_what_is_down_is_told_without_where_it_lies(tmp_path: Path) -> None:
    """The operator's folders are nobody else's business: neither in an answer, nor in what a job tells."""
    (tmp_path / "results").write_text("no folder")
    studio = open_studio(Settings(home=tmp_path / "home", results_url=str(tmp_path / "results")))
    with TestClient(create_app(studio, open_to_all=True), raise_server_exceptions=False) as client:
        answer = client.post("/v1/jobs", files={"file": ("talk.wav", b"RIFF")})

    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    assert "the folder “results”" in answer.json()["detail"].lower()
    assert str(tmp_path) not in answer.text


def test_a_request_keeps_the_id_it_came_with(client: TestClient) -> None:
    """If it is one: anything else could forge a line of a log."""
    assert client.get("/v1/jobs", headers={"x-request-id": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert client.get("/v1/jobs", headers={"x-request-id": "a b{}"}).headers["x-request-id"] != "a b{}"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "localhost:8000"}, 200),
        ({"host": "[::1]:8000"}, 200),
        ({"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:8000"}, 200),
        ({"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:9000"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"host": "rebound.evil.example:8000"}, 403),
        ({"host": "127.0.0.1.evil.example"}, 403),
        ({"host": "["}, 200),
    ],
)
def test_without_keys_no_strange_page_gets_in(client: TestClient, headers: dict[str, str], status: int) -> None:
    """A browser on this machine must not ask for a page of somebody else, nor for a name that was rebound."""
    assert client.get("/v1/jobs", headers=headers).status_code == status


def test_only_named_origins_may_ask_from_a_browser(studio: Studio) -> None:
    """Others get no permission; nobody is trusted with credentials."""
    changed = studio.settings.model_copy(update={"cors_origins": "https://app.example.com/, https://b.example"})
    client = TestClient(create_app(replace(studio, settings=changed)), raise_server_exceptions=False)
    asks = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}

    good = client.options("/v1/jobs", headers={"origin": "https://app.example.com", **asks})
    bad = client.options("/v1/jobs", headers={"origin": "https://evil.example", **asks})
    plain = client.get("/v1/jobs", headers={"origin": "https://evil.example"})

    assert good.headers["access-control-allow-origin"] == "https://app.example.com"
    assert "access-control-allow-credentials" not in good.headers
    assert "access-control-allow-origin" not in bad.headers
    assert "access-control-allow-origin" not in plain.headers


def test_the_page_about_the_api_loads_nothing_from_elsewhere(client: TestClient) -> None:
    """It tells of every address, runs no script, and its policy would let none run."""
    answer = client.get("/docs")

    assert all(path in answer.text for path in client.get("/openapi.json").json()["paths"])
    assert "script" not in answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    assert "://" not in re.sub(r"<pre>.*?</pre>|<td>.*?</td>|<p>.*?</p>", "", answer.text, flags=re.DOTALL)
