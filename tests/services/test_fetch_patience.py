"""Fetching: what does not serve is said, how long it asked to be left alone, and being stopped."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from mixdown.errors import ScratchFull, SourceUnavailable
from mixdown.fetch import fetch, origin_of
from mixdown.model import Limits, Source
from mixdown.owner import host
from mixdown.storage import S3Options
from tests.services.s3_server import S3

BODY = bytes(range(256)) * (1 << 15)


class Stop(Exception):
    """Somebody wants it to end."""


def unavailable(uri: str, to: Path, *, s3: S3Options | None = None) -> SourceUnavailable:
    """The error of a fetch that must fail for now."""
    with pytest.raises(SourceUnavailable) as caught:
        fetch(Source(uri=uri), to, limits=Limits(), s3=s3, timeout_s=20)
    return caught.value


@pytest.mark.parametrize("status", [429, 502, 503])
def test_a_busy_server_says_for_how_long(httpserver: HTTPServer, tmp_path: Path, status: int) -> None:
    """What a server asks for is passed on, with the server that it is."""
    httpserver.expect_request("/talk.wav").respond_with_data(status=status, headers={"retry-after": "17"})

    error = unavailable(httpserver.url_for("/talk.wav"), tmp_path / "copy")

    assert error.retry_after_s == 17.0
    assert error.dependency == origin_of(Source(uri=httpserver.url_for("/")))


def test_a_date_is_understood_and_nobody_waits_for_ever(httpserver: HTTPServer, tmp_path: Path) -> None:
    """The time to come back may be a date; more than an hour is not granted; silence is no wish."""
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=600), usegmt=True)
    for path, value in (("/soon", soon), ("/late", "864000"), ("/endless", "9" * 400)):
        httpserver.expect_request(path).respond_with_data(status=503, headers={"retry-after": value})
    httpserver.expect_request("/silent").respond_with_data(status=503)

    waits = [
        unavailable(httpserver.url_for(path), tmp_path / "copy").retry_after_s
        for path in ("/soon", "/late", "/endless", "/silent")
    ]

    assert waits[0] is not None
    assert 500 < waits[0] <= 601
    assert waits[1:] == [3600.0, 3600.0, None]


def test_a_server_that_is_away_is_named(tmp_path: Path) -> None:
    """A server or store that cannot be reached is named, without the secrets of the address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    nobody = S3Options(endpoint_url=f"http://127.0.0.1:{port}", key="k", secret="s", region="x")

    web = unavailable(f"http://otto:secret@127.0.0.1:{port}/talk.wav?token=1", tmp_path / "copy")
    store = unavailable("s3://bucket/talk.wav", tmp_path / "copy", s3=nobody)

    assert (web.dependency, store.dependency) == (f"http://127.0.0.1:{port}", "s3://bucket")
    assert web.retry_after_s is None


def test_a_full_scratch_disk_is_this_machines(httpserver: HTTPServer, full_folder: Path) -> None:
    """When a copy does not fit, it is the scratch disk of this machine that does not serve."""
    httpserver.expect_request("/talk.wav").respond_with_data(BODY)

    with pytest.raises(ScratchFull) as caught:
        fetch(Source(uri=httpserver.url_for("/talk.wav")), full_folder / "copy", limits=Limits(), timeout_s=20)

    assert caught.value.dependency == f"scratch:{host()}"


def stops_after(calls: int) -> Callable[[], None]:
    """A check that has had enough after some calls."""
    left = iter(range(calls))

    def check() -> None:
        if next(left, None) is None:
            raise Stop

    return check


def test_hashing_a_local_file_can_be_stopped(tmp_path: Path) -> None:
    """A check that raises ends the reading of a local file in the middle."""
    path = tmp_path / "talk.wav"
    path.write_bytes(BODY)

    with pytest.raises(Stop):
        fetch(Source(uri=str(path)), tmp_path / "copy", limits=Limits(), timeout_s=20, check=stops_after(3))


def test_a_download_can_be_stopped(httpserver: HTTPServer, tmp_path: Path) -> None:
    """A check that raises ends a download in the middle, and nothing is left of it."""
    httpserver.expect_request("/talk.wav").respond_with_data(BODY)
    source = Source(uri=httpserver.url_for("/talk.wav"))

    with pytest.raises(Stop):
        fetch(source, tmp_path / "copy", limits=Limits(), timeout_s=20, check=stops_after(3))

    assert not (tmp_path / "copy").exists()


def test_a_read_from_s3_can_be_stopped(s3: S3, tmp_path: Path) -> None:
    """The same for what lies in S3; the connection can be used again."""
    s3.client.put_object(Bucket=s3.bucket, Key="talk.wav", Body=BODY)
    source, limits = Source(uri=f"s3://{s3.bucket}/talk.wav"), Limits()

    with pytest.raises(Stop):
        fetch(source, tmp_path / "copy", limits=limits, s3=s3.options, timeout_s=20, check=stops_after(1))

    assert not (tmp_path / "copy").exists()
    assert fetch(source, tmp_path / "copy", limits=limits, s3=s3.options, timeout_s=20).size_bytes == len(BODY)
