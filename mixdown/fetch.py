"""Brings a source within reach: local files where they lie, everything else as a copy, hashed as it comes."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
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
from mixdown.owner import host
from mixdown.storage import S3Options, path_of, safe_name, scratch_errors, translated
from mixdown.web import retry_after_s, tls, web_origin

if TYPE_CHECKING:
    from mixdown.storage.s3 import S3Bucket
    from mixdown.strangers import Strangers

_CHUNK_BYTES = 1 << 20
_MAX_REDIRECTS = 5
_SILENCE_S = 30.0  # the longest of a server; the deadline is for all of it together
_REFUSED = frozenset((401, 402, 403, 407, 451))
_TRY_AGAIN = frozenset((408, 423, 425, 429))
_MOST_PATIENCE_S = 3600.0  # no server is left alone for longer, whatever it asks for
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{1,254}")

#: Called now and then while bytes arrive; it raises to put an end to that.
Check = Callable[[], None]


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
    check: Check = lambda: None,
    strangers: Strangers | None = None,
) -> Fetched:
    """Read a source to its end, checked and hashed; a remote one is written to the file `to`.

    A local source is not copied: the path of the result is its own. Nothing is left at `to` after an
    error. `transport` is the seam for who wants a say in which addresses are connected to; `check` is called
    with every chunk, and what it raises ends the reading. With `strangers`, only what they may name is fetched,
    and a local source is copied too: nobody swaps it for another one later.

    Raises
    ------
    SourceNotFound, SourceForbidden, AddressRefused, NotARegularFile, EmptyFile, SourceTooLarge, SourceChanged,
    InvalidRequest
    SourceUnavailable, ScratchFull
        Worth trying again.
    """
    name = source.name
    if "\0" in source.uri:
        raise InvalidRequest(f"The address of {name} is not one that can be fetched.")
    if strangers is not None:
        strangers.check(source)
        transport = transport or strangers.transport()
    path = path_of(source.uri)
    if path is not None and strangers is None:
        return _as_claimed(_local(path, source, limits, check), source)
    with ExitStack() as on_error:
        on_error.callback(to.unlink, missing_ok=True)
        if path is not None and strangers is not None:
            fetched = _local(path, source, limits, check, strangers, to)
        else:
            fetched = _copied(source, to, limits, s3, timeout_s, transport, check)
        _as_claimed(fetched, source)
        on_error.pop_all()
        return fetched


def origin_of(source: Source) -> str:
    """What has to serve for a source to be had: `https://host`, `s3://bucket`, `file://` and this machine's name.

    "" where nothing could. It looks at the address only, and takes any text for one.
    """
    scheme = _scheme(source.uri)
    if scheme in ("http", "https"):
        return web_origin(source.uri)
    if scheme == "s3":
        bucket = source.uri.partition("://")[2].partition("/")[0]
        return f"s3://{bucket}" if _BUCKET.fullmatch(bucket) else "s3://"
    return f"file://{host()}" if scheme == "file" or "://" not in source.uri else ""


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


def _local(
    path: Path,
    source: Source,
    limits: Limits,
    check: Check,
    strangers: Strangers | None = None,
    to: Path | None = None,
) -> Fetched:
    """A file read to its end, and copied where there is a place for a copy."""
    name = source.name
    with ExitStack() as stack:
        fd = strangers.open(path, name) if strangers else open_regular(path, name=name)
        stack.callback(os.close, fd)
        stack.enter_context(scratch_errors())
        copy = stack.enter_context(to.open("wb")) if to is not None else None
        before = os.fstat(fd)
        sink = _Sink(name, limits, declared_bytes=before.st_size)
        while chunk := os.read(fd, _CHUNK_BYTES):
            sink.take(chunk)
            if copy is not None:
                copy.write(chunk)
            check()
        after = os.fstat(fd)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise SourceUnavailable(f"{name} is still being written.")
    return sink.fetched(to or path, source.filename or path.name)


# -- remote ---------------------------------------------------------------------------------------


def _copied(
    source: Source,
    to: Path,
    limits: Limits,
    s3: S3Options | None,
    timeout_s: float,
    transport: httpx.BaseTransport | None,
    check: Check,
) -> Fetched:
    name, scheme = source.name, _scheme(source.uri)
    with Deadline(timeout_s) as deadline:
        arriving = _Arriving(
            name=name, origin=origin_of(source), to=to, limits=limits, deadline=deadline, check=check
        )
        if scheme == "s3":
            sink, filename = _from_s3(source.uri, arriving, s3)
        elif scheme in ("http", "https"):
            sink, filename = _from_http(source.uri, arriving, transport)
        elif (text := source.text) is not None:
            return arriving.write(iter((text.encode(errors="replace"),)), 0).fetched(to, name)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arriving:
    """A source on its way into a file."""

    name: str
    origin: str
    to: Path
    limits: Limits
    deadline: Deadline
    check: Check

    def write(self, chunks: Iterator[bytes], declared_bytes: int) -> _Sink:
        """Write what arrives, within the limits."""
        sink = _Sink(self.name, self.limits, declared_bytes=declared_bytes)
        with scratch_errors(), self.to.open("wb") as file:
            for chunk in chunks:
                if self.deadline.passed:
                    raise self.too_slow()
                self.check()
                file.write(sink.take(chunk))
        return sink

    def too_slow(self) -> SourceUnavailable:
        return self.unavailable(f"{self.name} did not arrive within {self.deadline.timeout_s:g} s.")

    def unavailable(self, message: str, *, retry_after_s: float | None = None) -> SourceUnavailable:
        return SourceUnavailable(message, dependency=self.origin, retry_after_s=retry_after_s)


# -- S3 -------------------------------------------------------------------------------------------


def _from_s3(uri: str, arriving: _Arriving, s3: S3Options | None) -> tuple[_Sink, str]:
    name = arriving.name
    bucket, key = _bucket(uri, name, s3)
    with _s3_errors(bucket, name):
        found = bucket.look(key)
        if found is None:
            raise SourceNotFound(f"There is no {name} at its address.")
    return arriving.write(_s3_chunks(bucket, key, name), found.size_bytes), key


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
    with translated(bucket, missing=missing, unavailable=SourceUnavailable, dependency=bucket.origin):
        yield


# -- HTTP -----------------------------------------------------------------------------------------


def _from_http(url: str, arriving: _Arriving, transport: httpx.BaseTransport | None) -> tuple[_Sink, str]:
    client = httpx.Client(
        transport=transport,
        verify=tls(),
        trust_env=False,  # no proxy and no .netrc of this machine
        # Compressed audio does not shrink, so there is nothing to gain from a body that has to be unpacked.
        headers={"user-agent": f"mixdown/{__version__}", "accept-encoding": "identity", "accept": "*/*"},
    )
    with client, closing(_final_response(client, url, arriving)) as response:
        _refuse_status(response, arriving)
        sink = arriving.write(_http_chunks(response, arriving), _declared_bytes(response))
        return sink, _filename(response, arriving.name)


def _final_response(client: httpx.Client, url: str, arriving: _Arriving) -> httpx.Response:
    """What the address leads to in the end; the caller closes it."""
    with _http_errors(arriving):
        request = client.build_request("GET", url)
        for _ in range(_MAX_REDIRECTS + 1):
            arriving.check()
            request.extensions |= {"timeout": _timeouts(arriving.deadline), "trace": arriving.deadline.trace}
            response = client.send(request, stream=True)
            if response.next_request is None:
                return response
            request = response.next_request
            response.close()
    raise SourceNotFound(f"The address of {arriving.name} leads on and on: more than {_MAX_REDIRECTS} redirects.")


def _http_chunks(response: httpx.Response, arriving: _Arriving) -> Iterator[bytes]:
    with _http_errors(arriving):
        yield from response.iter_bytes()


@contextmanager
def _http_errors(arriving: _Arriving) -> Iterator[None]:
    """Raise our error for httpx's; its text may quote the address, so it is never passed on."""
    name = arriving.name
    try:
        yield
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise InvalidRequest(f"The address of {name} is not one that can be fetched.") from error
    except httpx.HTTPError as error:
        if arriving.deadline.passed:
            raise arriving.too_slow() from error
        if isinstance(error, httpx.TimeoutException):
            raise arriving.unavailable(f"The server of {name} does not answer.") from error
        if isinstance(error, httpx.ConnectError):
            raise arriving.unavailable(f"The server of {name} cannot be reached.") from error
        raise arriving.unavailable(f"{name} did not arrive whole ({type(error).__name__}).") from error


def _timeouts(deadline: Deadline) -> dict[str, float | None]:
    return httpx.Timeout(min(_SILENCE_S, deadline.left_s)).as_dict()


def _refuse_status(response: httpx.Response, arriving: _Arriving) -> None:
    status, name = response.status_code, arriving.name
    if status == 200:
        return
    answered = f"its server answered {status} {response.reason_phrase}".strip()
    if status in (404, 410):
        raise SourceNotFound(f"There is no {name} at its address: {answered}.")
    if status in _REFUSED or (400 <= status < 500 and status not in _TRY_AGAIN):
        raise SourceForbidden(f"{name} may not be fetched: {answered}.")
    asked_s = retry_after_s(response.headers, datetime.now(UTC))
    wait_s = None if asked_s is None else min(asked_s, _MOST_PATIENCE_S)
    raise arriving.unavailable(f"{name} cannot be fetched now: {answered}.", retry_after_s=wait_s)


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
