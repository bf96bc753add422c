"""Sources behind http, and what servers do."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import httpx
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from mixdown.errors import (
    EmptyFile,
    InvalidRequest,
    MixdownError,
    SourceChanged,
    SourceForbidden,
    SourceNotFound,
    SourceTooLarge,
    SourceUnavailable,
)
from mixdown.fetch import Fetched, fetch
from mixdown.model import Limits, Source
from tests.services.raw_server import Connection, raw_server

BODY = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(BODY).hexdigest()
LIMIT_BYTES = 2 << 20


@pytest.fixture
def to(tmp_path: Path) -> Path:
    """Where the copy is written."""
    return tmp_path / "source"


def fetched(url: str, to: Path, *, timeout_s: float = 20, filename: str | None = None) -> Fetched:
    """Fetch with the usual limits."""
    source = Source(uri=url, filename=filename)
    return fetch(source, to, limits=Limits(source_bytes=LIMIT_BYTES), timeout_s=timeout_s)


def refused(url: str, to: Path, error: type[MixdownError], *, timeout_s: float = 20) -> str:
    """The message of a fetch that must fail, and leave nothing."""
    with pytest.raises(error) as caught:
        fetched(url, to, timeout_s=timeout_s)
    assert not to.exists()
    return caught.value.message


def head(status: str = "200 OK", **headers: object) -> bytes:
    """The start of an answer."""
    lines = [f"HTTP/1.1 {status}"] + [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


# -- what is fine ---------------------------------------------------------------------------------


def test_a_body_is_written_and_hashed(httpserver: HTTPServer, to: Path) -> None:
    """A recording arrives byte for byte, in a file of its own."""
    httpserver.expect_request("/a/My talk.mp3").respond_with_data(BODY)

    found = fetched(httpserver.url_for("/a/My%20talk.mp3") + "?token=secret", to)

    assert found == Fetched(path=to, sha256=SHA256, size_bytes=len(BODY), filename="My talk.mp3")
    assert to.read_bytes() == BODY


def test_a_body_without_length_is_written_whole(to: Path) -> None:
    """Chunks, and an answer that ends with its connection, are bodies too."""

    def chunked(connection: Connection) -> None:
        connection.send(head(transfer_encoding="chunked") + b"5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n")

    def until_closed(connection: Connection) -> None:
        connection.send(head(connection="close") + b"firstsecond")

    for answer in (chunked, until_closed):
        with raw_server(answer) as (url, _):
            assert fetched(url + "/talk.wav", to).size_bytes == 11
        assert to.read_bytes() == b"firstsecond"


def test_who_asks_is_told(httpserver: HTTPServer, to: Path) -> None:
    """A request says who it comes from, asks for the bytes as they are, and passes the address's credentials on."""
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return Response(BODY)

    httpserver.expect_request("/talk.wav").respond_with_handler(answer)
    fetched(httpserver.url_for("/talk.wav").replace("://", "://user:pass%40word@"), to)

    assert seen[0].headers["accept-encoding"] == "identity"
    assert seen[0].headers["user-agent"].startswith("mixdown/")
    assert (seen[0].authorization.username, seen[0].authorization.password) == ("user", "pass@word")


def test_no_proxy_of_the_machine_is_asked(
    httpserver: HTTPServer, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the environment says about proxies is not for us."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    httpserver.expect_request("/talk.wav").respond_with_data(BODY)

    assert fetched(httpserver.url_for("/talk.wav"), to).sha256 == SHA256


def test_a_transport_can_be_handed_in(to: Path) -> None:
    """Who wants a say in which addresses are connected to brings a transport."""
    asked: list[httpx.URL] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(200, content=BODY)

    found = fetch(
        Source(uri="https://example.org/talk.wav"),
        to,
        limits=Limits(),
        timeout_s=9,
        transport=httpx.MockTransport(answer),
    )

    assert found.sha256 == SHA256
    assert [str(url) for url in asked] == ["https://example.org/talk.wav"]


# -- redirects ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(httpserver: HTTPServer, to: Path, status: int) -> None:
    """Up to five redirects, relative ones too; the last address names the file."""
    for step in range(5):
        location = f"/{step + 1}" if step < 4 else "../files/the%20talk.wav"
        httpserver.expect_request(f"/{step}").respond_with_data(status=status, headers={"location": location})
    httpserver.expect_request("/files/the talk.wav").respond_with_data(BODY)

    found = fetched(httpserver.url_for("/0"), to)

    assert (found.sha256, found.filename) == (SHA256, "the talk.wav")


def test_an_endless_redirect_ends(httpserver: HTTPServer, to: Path) -> None:
    """The sixth redirect is one too many."""
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return Response(status=302, headers={"location": f"/{len(seen)}"})

    httpserver.expect_request("/").respond_with_handler(answer)
    for step in range(1, 9):
        httpserver.expect_request(f"/{step}").respond_with_handler(answer)

    assert "more than 5 redirects" in refused(httpserver.url_for("/"), to, SourceNotFound)
    assert len(seen) == 6


def test_credentials_stay_with_their_host(httpserver: HTTPServer, to: Path) -> None:
    """A redirect to another host does not take the password along."""
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return Response(BODY)

    httpserver.expect_request("/elsewhere.wav").respond_with_handler(answer)
    away = httpserver.url_for("/elsewhere.wav").replace("localhost", "127.0.0.1")
    with raw_server(lambda connection: connection.send(head("302 Found", location=away))) as (url, _):
        fetched(url.replace("://127.0.0.1", "://user:secret@localhost"), to)

    assert "authorization" not in seen[0].headers


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://example.org/a.wav", "http://[", "s3://a/b"])
def test_a_redirect_leads_to_http_only(httpserver: HTTPServer, to: Path, location: str) -> None:
    """A server cannot send us to a file of this machine or into another protocol."""
    httpserver.expect_request("/talk.wav").respond_with_data(status=302, headers={"location": location})

    with pytest.raises((InvalidRequest, SourceUnavailable)):
        fetched(httpserver.url_for("/talk.wav"), to)
    assert not to.exists()


# -- what servers answer --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (404, SourceNotFound),
        (410, SourceNotFound),
        (401, SourceForbidden),
        (403, SourceForbidden),
        (451, SourceForbidden),
        (400, SourceForbidden),
        (418, SourceForbidden),
        (408, SourceUnavailable),
        (429, SourceUnavailable),
        (500, SourceUnavailable),
        (502, SourceUnavailable),
        (503, SourceUnavailable),
        (206, SourceUnavailable),
        (304, SourceUnavailable),
    ],
)
def test_every_status_has_its_error(
    httpserver: HTTPServer, to: Path, status: int, error: type[MixdownError]
) -> None:
    """What cannot change is permanent, what may pass is worth trying again; the message says what was answered."""
    httpserver.expect_request("/talk.wav").respond_with_data("secret page", status=status)

    message = refused(httpserver.url_for("/talk.wav"), to, error)

    assert "talk.wav" in message
    assert str(status) in message
    assert "secret" not in message


def test_an_empty_body_is_an_empty_file(httpserver: HTTPServer, to: Path) -> None:
    """Nothing is not a recording."""
    httpserver.expect_request("/talk.wav").respond_with_data(b"")

    refused(httpserver.url_for("/talk.wav"), to, EmptyFile)


def test_a_claim_is_checked(httpserver: HTTPServer, to: Path) -> None:
    """A copy that is not what was promised is not kept."""
    httpserver.expect_request("/talk.wav").respond_with_data(BODY)

    with pytest.raises(SourceChanged):
        fetch(Source(uri=httpserver.url_for("/talk.wav"), sha256="0" * 64), to, limits=Limits(), timeout_s=20)
    assert not to.exists()


# -- servers that misbehave -----------------------------------------------------------------------


def test_a_connection_that_breaks_off_is_unavailable(to: Path) -> None:
    """Half a body is no recording, whichever way its end was announced."""

    def short(connection: Connection) -> None:
        connection.send(head(content_length=2000) + bytes(1000))

    def half_a_chunk(connection: Connection) -> None:
        connection.send(head(transfer_encoding="chunked") + b"400\r\n" + bytes(100))

    def nothing(connection: Connection) -> None:
        """Say nothing at all."""

    def nonsense(connection: Connection) -> None:
        connection.send(b"220 mail.example.org ESMTP\r\n")

    for answer in (short, half_a_chunk, nothing, nonsense):
        with raw_server(answer) as (url, _):
            assert "talk.wav" in refused(url + "/talk.wav", to, SourceUnavailable)


def test_more_than_announced_is_not_read(to: Path) -> None:
    """A body ends where its length says, whatever follows."""
    with raw_server(lambda connection: connection.send(head(content_length=5) + b"firstsecond")) as (url, _):
        assert fetched(url, to).size_bytes == 5


def test_a_body_that_is_too_large_is_refused_by_its_length(to: Path) -> None:
    """What announces itself as too large is not read at all."""

    def answer(connection: Connection) -> None:
        connection.send(head(content_length=LIMIT_BYTES + 1))
        while connection.send(bytes(65_536)):
            pass

    with raw_server(answer) as (url, [*_]):
        refused(url + "/talk.wav", to, SourceTooLarge)


def test_a_body_that_does_not_end_is_cut_at_the_limit(to: Path) -> None:
    """A body without end is read to the limit and no further than what is on its way already."""

    def answer(connection: Connection) -> None:
        connection.send(head(transfer_encoding="chunked"))
        while connection.send(b"10000\r\n" + bytes(65_536) + b"\r\n"):
            pass

    with raw_server(answer) as (url, connections):
        refused(url + "/talk.wav", to, SourceTooLarge)

    assert LIMIT_BYTES < connections[0].sent_bytes < LIMIT_BYTES + (16 << 20)


def test_a_compressed_bomb_is_bounded_by_what_it_unpacks_to(to: Path) -> None:
    """A server that compresses unasked cannot smuggle more than the limit through."""
    bomb = gzip.compress(bytes(64 << 20))

    def answer(connection: Connection) -> None:
        connection.send(head(content_encoding="gzip", content_length=len(bomb)) + bomb)

    with raw_server(answer) as (url, _):
        refused(url + "/talk.wav", to, SourceTooLarge)


def test_a_compressed_body_is_unpacked(httpserver: HTTPServer, to: Path) -> None:
    """A server that compresses unasked is understood all the same; broken compression is a broken body."""
    httpserver.expect_request("/talk.wav").respond_with_data(
        gzip.compress(BODY), headers={"content-encoding": "gzip"}
    )
    httpserver.expect_request("/bad.wav").respond_with_data(b"no gzip", headers={"content-encoding": "gzip"})

    assert fetched(httpserver.url_for("/talk.wav"), to).sha256 == SHA256
    to.unlink()
    refused(httpserver.url_for("/bad.wav"), to, SourceUnavailable)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("part", ["body", "header", "silence"])
def test_a_slow_server_meets_the_deadline(to: Path, part: str) -> None:
    """The time limit is for the whole of it: a byte now and then does not extend it."""

    def answer(connection: Connection) -> None:
        if part == "body":
            connection.send(head(content_length=1_000_000))
        if part == "header":
            connection.send(b"HTTP/1.1 200 OK\r\nx-slow: ")
        connection.drip(b"x" * 1000, every_s=60 if part == "silence" else 0.05)

    with raw_server(answer) as (url, _):
        message = refused(url + "/talk.wav", to, SourceUnavailable, timeout_s=0.5)

    assert message == "talk.wav did not arrive within 0.5 s."


def test_a_server_that_is_not_there_is_unavailable(to: Path) -> None:
    """Nobody listens, nobody knows the name, no certificate: all may change, none shows the credentials."""
    for address in ("127.0.0.1:1", "nowhere.invalid"):
        message = refused(f"http://user:secret@{address}/talk.wav?sig=secret", to, SourceUnavailable)
        assert "talk.wav" in message
        assert "secret" not in message
    with raw_server(lambda connection: None) as (url, _):
        refused(url.replace("http:", "https:") + "/talk.wav", to, SourceUnavailable, timeout_s=2)


# -- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("disposition", "path", "name"),
    [
        ('attachment; filename="My talk.mp3"', "/x", "My talk.mp3"),
        ("attachment; filename*=UTF-8''%C3%9Cbung%20%E2%82%AC.mp3", "/x", "Übung €.mp3"),
        ("attachment; filename=\"plain.mp3\"; filename*=UTF-8''better.mp3", "/x", "better.mp3"),
        ('attachment; filename="../../etc/passwd"', "/x", "passwd"),
        ('attachment; filename="C:\\\\temp\\\\talk.mp3"', "/x", "talk.mp3"),
        ('attachment; filename="-rf.mp3"', "/x", "rf.mp3"),
        ("attachment; filename*=bogus'';%%%", "/talk.mp3", "talk.mp3"),
        ("attachment", "/a/b/talk.mp3", "talk.mp3"),
        ("", "/a/%2e%2e%2fpasswd.mp3", "passwd.mp3"),
        ("", "/a/talk%0Awith%00controls.mp3", "talk withcontrols.mp3"),
        ("", "/" + "long" * 99 + ".mp3", ("long" * 25) + ".mp3"),
        ("", "/a/", "a"),
    ],
)
def test_the_name_of_a_file_is_made_safe(to: Path, disposition: str, path: str, name: str) -> None:
    """The server's name for the file, else the last part of its address; never a path, never a control."""
    headers = {"content_disposition": disposition} if disposition else {}
    with raw_server(lambda connection: connection.send(head(content_length=1, **headers) + b"x")) as (url, _):
        assert fetched(url + path, to).filename == name
        assert fetched(url + path, to, filename="Its owner's.wav").filename == "Its owner's.wav"
