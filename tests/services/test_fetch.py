"""Sources that lie on this machine and in S3."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from mixdown.errors import (
    EmptyFile,
    InvalidRequest,
    MixdownError,
    NotARegularFile,
    ScratchFull,
    SourceChanged,
    SourceForbidden,
    SourceNotFound,
    SourceTooLarge,
    SourceUnavailable,
)
from mixdown.fetch import Fetched, fetch, source_version
from mixdown.model import Limits, Source
from mixdown.storage import S3Options
from tests.services.s3_server import S3

BODY = bytes(range(256)) * 40
SHA256 = hashlib.sha256(BODY).hexdigest()


def fetched(uri: str, to: Path, *, s3: S3Options | None = None, limit_bytes: int = 1 << 20) -> Fetched:
    """Fetch with the usual limits."""
    return fetch(Source(uri=uri), to, limits=Limits(source_bytes=limit_bytes), s3=s3, timeout_s=20)


@pytest.fixture
def to(tmp_path: Path) -> Path:
    """Where a copy would be written."""
    return tmp_path / "scratch" / "source"


@pytest.fixture(autouse=True)
def _scratch(to: Path) -> None:
    to.parent.mkdir()


# -- local ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["talk.wav", "100 %25 Übung #1?.wav", "a+b&c=d;e.wav", "  spaces  .wav", "üñí.wav"]
)
def test_a_local_file_is_hashed_where_it_lies(name: str, tmp_path: Path, to: Path) -> None:
    """By path or `file://` address, whatever its name: no copy is made."""
    path = tmp_path / name
    path.write_bytes(BODY)

    for uri in (str(path), path.as_uri(), path.as_uri().replace("file://", "file://localhost")):
        found = fetched(uri, to)
        assert (found.path, found.sha256, found.size_bytes) == (path, SHA256, len(BODY))
    assert not to.exists()


def test_the_signs_of_a_query_are_part_of_a_file_name(tmp_path: Path, to: Path) -> None:
    """A `file://` address that somebody put together without escaping means the file it looks like."""
    path = tmp_path / "what? #2.wav"
    path.write_bytes(BODY)

    assert fetched(f"file://{path}", to).path == path


def test_what_is_no_file_is_refused(tmp_path: Path, to: Path) -> None:
    """A folder, a link, a pipe, a socket and a device are refused, none is waited for."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(BODY)
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        for path in [tmp_path / name for name in ("folder", "link", "pipe", "socket")] + [Path("/dev/zero")]:
            with pytest.raises(NotARegularFile) as caught:
                fetched(str(path), to)
            assert path.name in caught.value.message
            assert str(tmp_path) not in caught.value.message


def test_what_is_not_there_or_empty_is_named(tmp_path: Path, to: Path) -> None:
    """Missing and empty files end with a code of their own and the name their owner knows."""
    (tmp_path / "empty.wav").touch()
    (tmp_path / "file").touch()

    for missing in ("missing.wav", "file/below.wav"):
        with pytest.raises(SourceNotFound):
            fetched(str(tmp_path / missing), to)
    with pytest.raises(EmptyFile, match=r"empty\.wav"):
        fetched(str(tmp_path / "empty.wav"), to)


_AS_NOBODY = """
import os, sys
from pathlib import Path
from mixdown.errors import SourceForbidden
from mixdown.fetch import fetch
from mixdown.model import Limits, Source
os.chdir(sys.argv[1])
os.setgid(65534); os.setuid(65534)
try:
    fetch(Source(uri="private.wav"), Path("copy"), limits=Limits(), timeout_s=9)
except SourceForbidden as error:
    print(error.message)
"""


def test_a_file_that_may_not_be_read_is_forbidden(tmp_path: Path, to: Path) -> None:
    """A file without permission for us is forbidden, not missing."""
    (tmp_path / "private.wav").write_bytes(BODY)
    (tmp_path / "private.wav").chmod(0)
    if os.geteuid() != 0:
        with pytest.raises(SourceForbidden, match=r"private\.wav"):
            fetched(str(tmp_path / "private.wav"), to)
        return
    with tempfile.TemporaryDirectory() as folder:  # root reads everything: another user has to try
        Path(folder).chmod(0o755)
        shutil.move(tmp_path / "private.wav", folder)
        command = [sys.executable, "-c", _AS_NOBODY, folder]
        assert "private.wav" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_file_over_the_limit_is_refused(tmp_path: Path, to: Path) -> None:
    """The limit is inclusive."""
    path = tmp_path / "talk.wav"
    path.write_bytes(BODY)

    assert fetched(str(path), to, limit_bytes=len(BODY)).size_bytes == len(BODY)
    with pytest.raises(SourceTooLarge, match=r"talk\.wav"):
        fetched(str(path), to, limit_bytes=len(BODY) - 1)


def test_a_file_that_is_still_growing_is_not_used(tmp_path: Path, to: Path) -> None:
    """A recording in progress is unavailable for now, instead of cut off."""
    path = tmp_path / "live.wav"
    path.write_bytes(bytes(64 << 20))
    done = threading.Event()

    def record() -> None:
        with path.open("ab") as file:
            while not done.is_set():
                file.write(BODY)
                file.flush()

    recorder = threading.Thread(target=record)
    recorder.start()
    try:
        with pytest.raises(SourceUnavailable, match="still being written"):
            fetched(str(path), to, limit_bytes=1 << 40)
    finally:
        done.set()
        recorder.join()


def test_a_claim_is_checked(tmp_path: Path, to: Path) -> None:
    """A SHA-256 that came with the request must be that of the file."""
    path = tmp_path / "talk.wav"
    path.write_bytes(BODY)
    limits = Limits()

    assert fetch(Source(uri=str(path), sha256=SHA256), to, limits=limits, timeout_s=9).sha256 == SHA256
    with pytest.raises(SourceChanged, match=r"talk\.wav"):
        fetch(Source(uri=str(path), sha256="0" * 64), to, limits=limits, timeout_s=9)


def test_strange_addresses_are_refused(to: Path) -> None:
    """What nothing here can fetch is an invalid request, and no library is asked to try."""
    for uri in (
        "ftp://example.org/a.wav",
        "file://elsewhere/a.wav",
        "data://x",
        "s3://",
        "s3://bucket/",
        "s3:///a",
    ):
        with pytest.raises(InvalidRequest):
            fetched(uri, to)


def test_the_version_of_a_local_source_is_cheap_and_telling(tmp_path: Path) -> None:
    """It changes when the file does, by content or by being another file, and says so when nothing is there."""
    path = tmp_path / "talk.wav"
    missing = source_version(Source(uri=str(path)))
    path.write_bytes(BODY)
    first = source_version(Source(uri=str(path)))
    again = source_version(Source(uri=path.as_uri()))
    os.utime(path, ns=(1, 1))
    touched = source_version(Source(uri=str(path)))
    shutil.copy2(path, tmp_path / "copy.wav")
    (tmp_path / "copy.wav").replace(path)
    replaced = source_version(Source(uri=str(path)))

    assert missing == "missing"
    assert first == again
    assert len({missing, first, touched, replaced}) == 4
    assert source_version(Source(uri="https://example.org/talk.wav")) == ""
    assert source_version(Source(uri="bad\0name")) == "missing"


# -- S3 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["talk.wav", "a b/Übung 100%.wav", "x/what?v=1#2 + 3.wav"])
def test_an_object_is_copied(s3: S3, to: Path, key: str) -> None:
    """An object of any name is written to the given file, hashed and counted."""
    s3.client.put_object(Bucket=s3.bucket, Key=key, Body=BODY)

    found = fetched(f"s3://{s3.bucket}/{key}", to, s3=s3.options)

    assert (found.path, found.sha256, found.size_bytes) == (to, SHA256, len(BODY))
    assert to.read_bytes() == BODY


def test_an_object_that_cannot_be_had_is_named(s3: S3, to: Path) -> None:
    """Missing, empty, too large: each with its code, without a copy, under its own name."""
    s3.client.put_object(Bucket=s3.bucket, Key="a/talk.wav", Body=BODY)
    s3.client.put_object(Bucket=s3.bucket, Key="a/empty.wav", Body=b"")

    for uri, limit_bytes, error in (
        (f"s3://{s3.bucket}/a/missing.wav", 1 << 20, SourceNotFound),
        (f"s3://{s3.bucket}/a", 1 << 20, SourceNotFound),
        ("s3://mixdown-no-such-bucket/a/talk.wav", 1 << 20, SourceNotFound),
        (f"s3://{s3.bucket}/a/empty.wav", 1 << 20, EmptyFile),
        (f"s3://{s3.bucket}/a/talk.wav", len(BODY) - 1, SourceTooLarge),
    ):
        with pytest.raises(error) as caught:
            fetched(uri, to, s3=s3.options, limit_bytes=limit_bytes)
        assert uri.rpartition("/")[2] in caught.value.message
        assert not to.exists()


def test_s3_that_is_not_there_is_unavailable(to: Path) -> None:
    """A source in an S3 that cannot be reached is worth trying again."""
    options = S3Options(endpoint_url="http://127.0.0.1:1", key="key", secret="secret", region="us-east-1")

    with pytest.raises(SourceUnavailable) as caught:
        fetched("s3://bucket/talk.wav", to, s3=options)
    with pytest.raises(SourceUnavailable):
        source_version(Source(uri="s3://bucket/talk.wav"), options)

    assert "secret" not in caught.value.message


def test_s3_that_refuses_is_forbidden(s3: S3, to: Path) -> None:
    """A wrong secret is not tried again; at submission it leaves the version open."""
    if s3.engine == "moto":
        return  # it lets everyone in
    options = replace(s3.options, secret="wrong")

    with pytest.raises(SourceForbidden, match=r"talk\.wav|refuses"):
        fetched(f"s3://{s3.bucket}/talk.wav", to, s3=options)
    assert source_version(Source(uri=f"s3://{s3.bucket}/talk.wav"), options) == ""


def test_the_version_of_an_object_follows_its_content(s3: S3) -> None:
    """It is the ETag; a missing object has the version "missing"."""
    source = Source(uri=f"s3://{s3.bucket}/talk.wav")
    versions = [source_version(source, s3.options)]
    for body in (BODY, BODY, b"other"):
        s3.client.put_object(Bucket=s3.bucket, Key="talk.wav", Body=body)
        versions.append(source_version(source, s3.options))

    assert versions[0] == "missing"
    assert versions[1] == versions[2] != versions[3]


def test_a_full_scratch_disk_is_named(s3: S3, full_folder: Path) -> None:
    """A copy that does not fit is the scratch disk's fault."""
    s3.client.put_object(Bucket=s3.bucket, Key="talk.wav", Body=BODY * 10)

    with pytest.raises(ScratchFull):
        fetched(f"s3://{s3.bucket}/talk.wav", full_folder / "source", s3=s3.options)
    assert list(full_folder.iterdir()) == []


def test_every_error_of_a_source_is_ours(tmp_path: Path, to: Path) -> None:
    """Whatever text is given as an address, the answer is one of our errors."""
    for uri in (
        "\0",
        "http://",
        "http://[",
        "https://exa mple/",
        "s3://b/\0",
        "file:",
        "file:///",
        "//",
        ".",
        "~",
    ):
        with pytest.raises(MixdownError):
            fetched(uri, to)
    assert list(tmp_path.rglob("*")) == [to.parent]
