"""Brings a source within reach: local files where they lie, everything else as a copy, hashed as it comes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from email.message import Message
from email.utils import collapse_rfc2231_value
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import httpx

from mixdown import __version__
from mixdown.codec.sniff import open_regular
from mixdown.deadline import Deadline
from mixdown.errors import (
    EmptyFile,
    InvalidRequest,
    SourceChanged,
    SourceForbidden,
    SourceNotFound,
    SourceTooLarge,
    SourceUnavailable,
)
from mixdown.model import Limits, Source
from mixdown.storage import S3Options, path_of, safe_name, scratch_errors, translated

if TYPE_CHECKING:
    from mixdown.storage.s3 import S3Bucket

_CHUNK_BYTES = 1 << 20
_MAX_REDIRECTS = 5
#: Longest silence of a server, in seconds; the deadline is for all of it together.
_SILENCE_S = 30.0
_REFUSED = frozenset((401, 402, 403, 407, 451))
_TRY_AGAIN = frozenset((408, 423, 425, 429))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A source within reach of this process."""

    path: Path  #: the original where it is local, else the copy
    sha256: str
    size_bytes: int
    filename: str  #: a safe form of its owner's name for it


def fetch(
    source: Source,
    to: Path,
    *,
    limits: Limits,
    s3: S3Options | None = None,
    timeout_s: float,
    transport: httpx.BaseTransport | None = None,
) -> Fetched:
    """Read a source to its end, checked and hashed; a remote one is written to the file `to`.

    A local source is not copied: the path of the result is its own. Nothing is left at `to` after an
    error. `transport` is the seam for who wants a say in which addresses are connected to.

    Raises
    ------
    SourceNotFound, SourceForbidden, NotARegularFile, EmptyFile, SourceTooLarge, SourceChanged, InvalidRequest
    SourceUnavailable, ScratchFull
        Worth trying again.
    """
    name = source.name
    if "\0" in source.uri:
        raise InvalidRequest(f"The address of {name} is not one that can be fetched.")
    path = path_of(source.uri)
    if path is not None:
        return _as_claimed(_local(path, source, limits), source)
    with ExitStack() as on_error:
        on_error.callback(to.unlink, missing_ok=True)
        fetched = _as_claimed(_copied(source, to, limits, s3, timeout_s, transport), source)
        on_error.pop_all()
        return fetched


def source_version(source: Source, s3: S3Options | None = None) -> str:
    """A cheap fingerprint of what lies at a source now.

    "missing" where nothing does; "" where only reading it would tell (http, and what may not be looked at).
    """
    path = path_of(source.uri)
    if path is not None:
        try:
            found = path.stat()
        except (OSError, ValueError):  # ValueError: a NUL in the name
            return "missing"
        return f"{found.st_size}:{found.st_mtime_ns}:{found.st_ino}"
    if _scheme(source.uri) != "s3":
        return ""
    try:
        bucket, key = _bucket(source.uri, source.name, s3)
        with _s3_errors(bucket, source.name):
            return bucket.version(key)
    except SourceNotFound:
        return "missing"
    except (SourceForbidden, InvalidRequest):  # an address that is none ends its own job, when it is fetched
        return ""


def _as_claimed(fetched: Fetched, source: Source) -> Fetched:
    if source.sha256 not in (None, fetched.sha256):
        raise SourceChanged(f"{source.name} is not the file that it was said to be: its SHA-256 is another.")
    return fetched


# -- local ----------------------------------------------------------------------------------------


def _local(path: Path, source: Source, limits: Limits) -> Fetched:
    name = source.name
    fd = open_regular(path, name=name)
    try:
        before = os.fstat(fd)
        sink = _Sink(name, limits, declared_bytes=before.st_size)
        while chunk := os.read(fd, _CHUNK_BYTES):
            sink.take(chunk)
        after = os.fstat(fd)
    finally:
        os.close(fd)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise SourceUnavailable(f"{name} is still being written.")
    return sink.fetched(path, source.filename or path.name)


# -- remote ---------------------------------------------------------------------------------------


def _copied(
    source: Source,
    to: Path,
    limits: Limits,
    s3: S3Options | None,
    timeout_s: float,
    transport: httpx.BaseTransport | None,
) -> Fetched:
    name, scheme = source.name, _scheme(source.uri)
    with Deadline(timeout_s) as deadline:
        if scheme == "s3":
            sink, filename = _from_s3(source.uri, to, name, limits, s3, deadline)
        elif scheme in ("http", "https"):
            sink, filename = _from_http(source.uri, to, name, limits, transport, deadline)
        else:
            raise InvalidRequest(f"{name} cannot be fetched: nothing here speaks {scheme}.")
    return sink.fetched(to, source.filename or filename)


class _Sink:
    """Counts and hashes what arrives, and refuses more than the limit."""

    def __init__(self, name: str, limits: Limits, *, declared_bytes: int = 0) -> None:
        self._name = name
        self._limit_bytes = limits.source_bytes
        self._digest = hashlib.sha256()
        self._size_bytes = 0
        self._refuse_over_limit(declared_bytes)

    def take(self, chunk: bytes) -> bytes:
        """Count a chunk in and give it back."""
        self._digest.update(chunk)
        self._size_bytes += len(chunk)
        self._refuse_over_limit(self._size_bytes)
        return chunk

    def fetched(self, path: Path, filename: str) -> Fetched:
        """What has arrived, now that all of it has."""
        if self._size_bytes == 0:
            raise EmptyFile(f"{self._name} is empty.")
        return Fetched(
            path=path,
            sha256=self._digest.hexdigest(),
            size_bytes=self._size_bytes,
            filename=safe_name(filename),
        )

    def _refuse_over_limit(self, size_bytes: int) -> None:
        if size_bytes > self._limit_bytes:
            raise SourceTooLarge(f"{self._name} is larger than the {self._limit_bytes} bytes accepted here.")


def _write(chunks: Iterator[bytes], to: Path, name: str, sink: _Sink, deadline: Deadline) -> None:
    with scratch_errors(), to.open("wb") as file:
        for chunk in chunks:
            if deadline.passed:
                raise _too_slow(name, deadline)
            file.write(sink.take(chunk))


def _too_slow(name: str, deadline: Deadline) -> SourceUnavailable:
    return SourceUnavailable(f"{name} did not arrive within {deadline.timeout_s:g} s.")


# -- S3 -------------------------------------------------------------------------------------------


def _from_s3(
    uri: str, to: Path, name: str, limits: Limits, s3: S3Options | None, deadline: Deadline
) -> tuple[_Sink, str]:
    bucket, key = _bucket(uri, name, s3)
    with _s3_errors(bucket, name):
        size_bytes = bucket.size_bytes(key)
        if size_bytes is None:
            raise SourceNotFound(f"There is no {name} at its address.")
    sink = _Sink(name, limits, declared_bytes=size_bytes)
    _write(_s3_chunks(bucket, key, name), to, name, sink, deadline)
    return sink, key


def _s3_chunks(bucket: S3Bucket, key: str, name: str) -> Iterator[bytes]:
    with _s3_errors(bucket, name):
        yield from bucket.chunks(key)


def _bucket(uri: str, name: str, s3: S3Options | None) -> tuple[S3Bucket, str]:
    """The bucket of an `s3://` address and the key in it."""
    bucket, _, key = uri.partition("://")[2].partition("/")
    if not bucket or not key or key.endswith("/"):
        raise InvalidRequest(f"{name} is not the address of an object: it takes s3://bucket/key.")
    if "?versionId=" in key:  # s3fs would drop it, and take whatever version is the newest
        raise InvalidRequest(f"{name} is one version of an object, which cannot be asked for here.")
    from mixdown.storage.s3 import S3Bucket  # here: it takes a second, and not everyone uses S3

    return S3Bucket(f"s3://{bucket}", s3 or S3Options()), key


@contextmanager
def _s3_errors(bucket: S3Bucket, name: str) -> Iterator[None]:
    missing = SourceNotFound(f"There is no {name} at its address.")
    with translated(bucket, missing=missing, unavailable=SourceUnavailable):
        yield


# -- HTTP -----------------------------------------------------------------------------------------


def _from_http(
    url: str, to: Path, name: str, limits: Limits, transport: httpx.BaseTransport | None, deadline: Deadline
) -> tuple[_Sink, str]:
    client = httpx.Client(
        transport=transport,
        trust_env=False,  # no proxy and no .netrc of this machine
        # Compressed audio does not shrink, so there is nothing to gain from a body that has to be unpacked.
        headers={"user-agent": f"mixdown/{__version__}", "accept-encoding": "identity", "accept": "*/*"},
    )
    with client, closing(_final_response(client, url, name, deadline)) as response:
        _refuse_status(response, name)
        sink = _Sink(name, limits, declared_bytes=_declared_bytes(response))
        _write(_http_chunks(response, name, deadline), to, name, sink, deadline)
        return sink, _filename(response, name)


def _final_response(client: httpx.Client, url: str, name: str, deadline: Deadline) -> httpx.Response:
    """What the address leads to in the end; the caller closes it."""
    with _http_errors(name, deadline):
        request = client.build_request("GET", url)
        for _ in range(_MAX_REDIRECTS + 1):
            request.extensions |= {"timeout": _timeouts(deadline), "trace": deadline.trace}
            response = client.send(request, stream=True)
            if response.next_request is None:
                return response
            request = response.next_request
            response.close()
    raise SourceNotFound(f"The address of {name} leads on and on: more than {_MAX_REDIRECTS} redirects.")


def _http_chunks(response: httpx.Response, name: str, deadline: Deadline) -> Iterator[bytes]:
    with _http_errors(name, deadline):
        yield from response.iter_bytes()


@contextmanager
def _http_errors(name: str, deadline: Deadline) -> Iterator[None]:
    """Raise our error for httpx's; its text may quote the address, so it is never passed on."""
    try:
        yield
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise InvalidRequest(f"The address of {name} is not one that can be fetched.") from error
    except httpx.HTTPError as error:
        if deadline.passed:
            raise _too_slow(name, deadline) from error
        if isinstance(error, httpx.TimeoutException):
            raise SourceUnavailable(f"The server of {name} does not answer.") from error
        if isinstance(error, httpx.ConnectError):
            raise SourceUnavailable(f"The server of {name} cannot be reached.") from error
        raise SourceUnavailable(f"{name} did not arrive whole ({type(error).__name__}).") from error


def _timeouts(deadline: Deadline) -> dict[str, float | None]:
    return httpx.Timeout(min(_SILENCE_S, deadline.left_s)).as_dict()


def _refuse_status(response: httpx.Response, name: str) -> None:
    status = response.status_code
    if status == 200:
        return
    answered = f"its server answered {status} {response.reason_phrase}".strip()
    if status in (404, 410):
        raise SourceNotFound(f"There is no {name} at its address: {answered}.")
    if status in _REFUSED or (400 <= status < 500 and status not in _TRY_AGAIN):
        raise SourceForbidden(f"{name} may not be fetched: {answered}.")
    raise SourceUnavailable(f"{name} cannot be fetched now: {answered}.")


def _declared_bytes(response: httpx.Response) -> int:
    value = response.headers.get("content-length", "")
    return int(value) if value.isascii() and value.isdigit() else 0


def _filename(response: httpx.Response, name: str) -> str:
    """The name a server gives a file, else the last part of its address."""
    header = Message()
    header["content-disposition"] = response.headers.get("content-disposition", "")
    given = [value for key, value in header.get_params([], "content-disposition") if key == "filename"]
    # The encoded form, a tuple, is the better one where a server gives both (RFC 6266, 4.3).
    names = [collapse_rfc2231_value(value) for value in sorted(given, key=lambda value: isinstance(value, str))]
    last_part = unquote(response.url.path.rstrip("/").rpartition("/")[2])
    return next(filter(None, [*names, last_part, name]))


def _scheme(uri: str) -> str:
    return uri.partition("://")[0].lower()
