"""Brings a source within reach: local paths where they lie, everything else as a verified copy."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx

from mixdown.errors import (
    EmptyFile,
    InvalidRequest,
    NotARegularFile,
    SourceChanged,
    SourceForbidden,
    SourceNotFound,
    SourceTooLarge,
    SourceUnavailable,
)
from mixdown.model import Limits, Source
from mixdown.storage import S3Options
from mixdown.storage.folder import path_of

_CHUNK_BYTES = 1 << 20
_REMOTE = ("s3", "http", "https")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A source within reach of this process."""

    path: Path  #: the original where it is local, else the copy
    sha256: str
    size_bytes: int
    filename: str  #: the owner's name for it


def display_name(source: Source) -> str:
    """What to call a source in a message: its owner's name for it, never a credential or a query."""
    if source.filename:
        return source.filename
    path = path_of(source.uri)
    if path is not None:
        return path.name or str(path)
    parts = urlsplit(source.uri)
    return unquote(parts.path.rstrip("/").rpartition("/")[2]) or parts.hostname or parts.scheme


def fetch(
    source: Source,
    to: Path,
    *,
    limits: Limits,
    s3: S3Options | None = None,
    timeout_s: float,
    transport: httpx.BaseTransport | None = None,
) -> Fetched:
    """Read a source once, checked and hashed; remote ones are written to the new file `to`.

    A local source stays where it is and is never copied. `transport` is for who wants a say in which
    addresses may be connected to.
    """
    name = display_name(source)
    path = path_of(source.uri)
    if path is None:
        scheme = source.uri.partition("://")[0].lower()
        if scheme not in _REMOTE:
            raise InvalidRequest(
                f"{name} cannot be fetched: addresses of the kind {scheme}:// are not known here."
            )
        raise InvalidRequest(f"{name} cannot be fetched yet.")
    sha256, size_bytes = _hash_file(path, name, limits)
    _check_claim(source, sha256, name)
    return Fetched(path=path, sha256=sha256, size_bytes=size_bytes, filename=name)


def source_version(source: Source, s3: S3Options | None = None) -> str:
    """A cheap fingerprint of what lies at a source now: "missing" when nothing does, "" when only reading would tell."""
    path = path_of(source.uri)
    if path is None:
        return ""
    try:
        found = path.stat()
    except OSError:
        return "missing"
    return f"{found.st_size}:{found.st_mtime_ns}:{found.st_ino}"


def _hash_file(path: Path, name: str, limits: Limits) -> tuple[str, int]:
    fd = _open_regular(path, name)
    try:
        before = os.fstat(fd)
        if before.st_size > limits.source_bytes:
            raise SourceTooLarge(f"{name} is larger than {limits.source_bytes} bytes.")
        digest, size_bytes = hashlib.sha256(), 0
        for chunk in _descriptor_chunks(fd):
            digest.update(chunk)
            size_bytes += len(chunk)
            if size_bytes > limits.source_bytes:
                raise SourceTooLarge(f"{name} is larger than {limits.source_bytes} bytes.")
        after = os.fstat(fd)
    finally:
        os.close(fd)
    if size_bytes == 0:
        raise EmptyFile(f"{name} is empty.")
    if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, size_bytes):
        raise SourceUnavailable(f"{name} is still being written.")
    return digest.hexdigest(), size_bytes


def _open_regular(path: Path, name: str) -> int:
    """A descriptor of a regular file; a link is refused and a pipe does not block."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceNotFound(f"There is no file {name}.") from error
    except PermissionError as error:
        raise SourceForbidden(f"{name} may not be read by this process.") from error
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise NotARegularFile(f"{name} is a link or a device, not a file.") from error
        raise SourceUnavailable(f"{name} cannot be read ({error.strerror}).") from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise NotARegularFile(f"{name} is not a file.")
    return fd


def _descriptor_chunks(fd: int) -> Iterator[bytes]:
    while chunk := os.read(fd, _CHUNK_BYTES):
        yield chunk


def _check_claim(source: Source, sha256: str, name: str) -> None:
    if source.sha256 and source.sha256 != sha256:
        raise SourceChanged(f"{name} is not the file whose SHA-256 was given.")
