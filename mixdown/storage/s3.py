"""S3 through s3fs, with the settings that were found to hold."""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import aiohttp
import s3fs
from aiobotocore.httpsession import AIOHTTPSession  # type: ignore[import-untyped]
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
    SSLError,
)
from fsspec.exceptions import FSTimeoutError

from mixdown.errors import InvalidRequest
from mixdown.storage.bucket import Bucket
from mixdown.storage.options import S3Options
from mixdown.storage.place import Found
from mixdown.storage.s3_listing import etags_of
from mixdown.storage.s3_reading import chunks

_BUCKET = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]{1,254}|arn:aws[\w-]*:s3[\w-]*:[^/]+)(?:/|$)")
_PART_BYTES = 16 << 20
#: Up to here an object goes up at once, through memory; from here on s3fs would send it in parts.
_AT_ONCE_BYTES = 2 * _PART_BYTES - 1
#: How many objects that were written are known by heart, until they are promoted.
_REMEMBERED = 4096
_REQUESTS_AT_ONCE = 8
_KEYS_A_REQUEST = 1000
_MAX_HANG_UPS = 4
_TAKEN = frozenset(("PreconditionFailed", "ConditionalRequestConflict"))
#: A copy that an engine does not make: the object has changed meanwhile, or is larger than it copies at once.
_NOT_LIKE_THIS = frozenset(("PreconditionFailed", "InvalidRequest", "EntityTooLarge"))


@dataclass(frozen=True, slots=True)
class _Sums:
    """What S3 calls bytes of ours that it holds unencrypted: its ETag is a checksum that it has made itself."""

    sha256: str
    md5: str  #: of all of them: the ETag of what was uploaded at once, or copied
    parts: str  #: the ETag of what was uploaded in parts

    def prove(self, etag: str) -> bool:
        return etag in (self.md5, self.parts)

    @property
    def metadata(self) -> dict[str, str]:
        """Kept with the object, so that another process can tell as well."""
        return {"mixdown-sha256": self.sha256, "mixdown-md5": self.md5, "mixdown-parts": self.parts}

    @classmethod
    def of_metadata(cls, metadata: Mapping[str, str]) -> Self:
        return cls(*(metadata.get(f"mixdown-{name}", "") for name in ("sha256", "md5", "parts")))


class S3Bucket(Bucket):
    """Objects under a prefix of an S3 bucket.

    An upload is proven by the ETag of the answer: the MD5 that the engine made of what it has stored, which is
    compared with that of the bytes whose SHA-256 we know. Where an engine has other ETags, as for objects that
    it encrypts, nothing is proven, and who wants to be sure reads.
    """

    foreign_errors = (OSError, BotoCoreError, aiohttp.ClientError, FSTimeoutError)
    refusals = (PermissionError, NoCredentialsError, PartialCredentialsError)

    def __init__(self, url: str, options: S3Options) -> None:
        super().__init__(url)
        self._options = options
        self._bucket, _, self._prefix = self._root.partition("/")
        self.label = f"the bucket s3://{self._root} at {options.host}"
        self.origin = f"s3://{self._bucket}"
        if not _BUCKET.match(url.removeprefix("s3://")):
            raise InvalidRequest(f"There is no bucket in “{url[:80]}”: it takes s3://bucket/prefix.")
        self._written: OrderedDict[str, _Sums] = OrderedDict()  # by this process, lately
        self._writing = threading.Lock()

    @property
    def fs(self) -> s3fs.S3FileSystem:
        """The S3 file system of this process."""
        return _connected(self._options, os.getpid())

    def look(self, name: str) -> Found | None:
        """What lies under a name; None: the name is free."""
        try:
            head = self._head(name)
        except FileNotFoundError:
            return None
        sums = _Sums.of_metadata(head.get("Metadata", {}))
        return Found(
            size_bytes=int(head["ContentLength"]),
            sha256=sums.sha256 if sums.prove(_etag(head)) else None,
            media_type=head.get("ContentType"),
        )

    def glance(self, names: Collection[str]) -> dict[str, str]:
        """Those of these names that are taken, each with its ETag, by listing."""
        if len(names) == 1:
            [name] = names
            with suppress(FileNotFoundError):
                return {name: self.version(name)}
            return {}
        start = len(self._key(""))
        keys = [self._key(name) for name in names]
        return {key[start:]: etag for key, etag in etags_of(partial(self._page, self._bucket), keys).items()}

    def version(self, name: str) -> str:
        """Another one whenever the object has changed, at the cost of one request."""
        return _etag(self._head(name))

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of an object, in order, by one request; where its connection breaks off, by another one."""
        return chunks(self.fs, self._bucket, self._key(name))

    def put(
        self, body: Iterable[bytes], name: str, *, sha256: str, media_type: str, replace: bool, durable: bool = True
    ) -> bool:
        """Store `body`, whole or not at all; FileExistsError where the name is taken and must not be."""
        start, rest = bytearray(), iter(body)
        for chunk in rest:
            start += chunk
            if len(start) > _AT_ONCE_BYTES:
                whole = chain((bytes(start),), rest)
                return super().put(whole, name, sha256=sha256, media_type=media_type, replace=replace)
        return self._put_at_once(bytes(start), name, sha256, media_type, replace)

    def put_file(
        self, path: Path, name: str, *, sha256: str, media_type: str, replace: bool, durable: bool = True
    ) -> bool:
        """Store a finished file, in parts where it is large; FileExistsError unless it may `replace`."""
        if path.stat().st_size <= _AT_ONCE_BYTES:
            return self._put_at_once(path.read_bytes(), name, sha256, media_type, replace)
        sums = _Sums(sha256, *_md5s(path))
        mode = "overwrite" if replace else "create"
        with _exclusive():
            self.fs.put_file(
                str(path),
                self._path(name),
                chunksize=_PART_BYTES,
                mode=mode,
                ContentType=media_type,
                Metadata=sums.metadata,
            )
        return self._proven(name, sums, self.version(name))

    def _put_at_once(self, body: bytes, name: str, sha256: str, media_type: str, replace: bool) -> bool:
        md5 = hashlib.md5(body, usedforsecurity=False)
        sums = _Sums(sha256, md5.hexdigest(), "")
        with _exclusive():
            answer = self.fs.call_s3(
                "put_object",
                Bucket=self._bucket,
                Key=self._key(name),
                Body=body,
                ContentType=media_type,
                ContentMD5=base64.b64encode(md5.digest()).decode(),  # what was damaged on its way is refused
                Metadata=sums.metadata,
                **({} if replace else {"IfNoneMatch": "*"}),
            )
        return self._proven(name, sums, _etag(answer))

    def _proven(self, name: str, sums: _Sums, etag: str) -> bool:
        if not sums.prove(etag):
            return False
        with self._writing:
            self._written[name] = sums
            if len(self._written) > _REMEMBERED:
                self._written.popitem(last=False)
        return True

    def copy(self, name: str, to: str, *, sha256: str, mark: str | None) -> bool:
        """Copy an object within this place, over what is there: few engines know a condition on a copy."""
        sums = self._written.get(name)
        if mark is None or sums is None or sums.sha256 != sha256 or not sums.prove(mark):
            try:
                head = self._head(name)
            except FileNotFoundError:
                return False
            sums, mark = _Sums.of_metadata(head.get("Metadata", {})), _etag(head)
        if sums.sha256 != sha256 or not sums.prove(mark):
            return False
        try:
            answer = self.fs.call_s3(
                "copy_object",
                Bucket=self._bucket,
                Key=self._key(to),
                CopySource={"Bucket": self._bucket, "Key": self._key(name)},
                CopySourceIfMatch=mark,
            )
        except OSError as error:
            if isinstance(error, FileNotFoundError) or _code(error) in _NOT_LIKE_THIS:
                return False
            raise
        return sums.prove(_etag(answer["CopyObjectResult"]))

    def signed_url(self, name: str, *, filename: str, expires_s: int) -> str | None:
        """An address at which anybody may fetch an object for so long, under this name; it costs no request."""
        kept_as = f"attachment; filename*=UTF-8''{quote(filename, safe='')}"
        asked = {"expires": expires_s, "ResponseContentDisposition": kept_as}
        return str(_connected(self._options.for_links, os.getpid()).url(self._path(name), **asked))

    def delete(self, name: str) -> None:
        """Remove an object."""
        self.fs.call_s3("delete_object", Bucket=self._bucket, Key=self._key(name))

    def delete_below(self, prefixes: Collection[str]) -> None:
        """Remove everything under these prefixes."""
        with ThreadPoolExecutor(_REQUESTS_AT_ONCE) as pool:
            found = pool.map(lambda prefix: [name for name, _, _ in self.list_below(prefix)], prefixes)
            names = [name for some in found for name in some]
        for start in range(0, len(names), _KEYS_A_REQUEST):
            self._delete_all(names[start : start + _KEYS_A_REQUEST])

    def _delete_all(self, names: Sequence[str]) -> None:
        objects = [{"Key": self._key(name)} for name in names]
        try:
            answer = self.fs.call_s3(
                "delete_objects", Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True}
            )
            kept = {error.get("Key") for error in answer.get("Errors", ())}
        except OSError as error:
            # Engines of some age refuse the checksum that botocore sends with it, others do not know it at all.
            if isinstance(error, PermissionError) or _code(error) is None:
                raise
            kept = {each["Key"] for each in objects}
        for name in names:
            if self._key(name) in kept:
                self.delete(name)

    def list_below(self, prefix: str) -> Iterator[tuple[str, int, datetime]]:
        """Name, size and time of every object under a prefix."""
        start, after = len(self._key("")), ""
        while True:
            page, more = self._page(self._bucket, self._key(prefix), after, _KEYS_A_REQUEST)
            for found in page:
                if not found["Key"].endswith("/"):  # what consoles put there to show a folder
                    yield found["Key"][start:], int(found["Size"]), found["LastModified"]
            if not more:
                return
            after = page[-1]["Key"]

    def _page(self, bucket: str, prefix: str, after: str, most: int) -> tuple[list[dict[str, Any]], bool]:
        """So many objects at most of those under a prefix and after a key; whether there are more."""
        asked = {"Bucket": bucket, "Prefix": prefix, "MaxKeys": most} | ({"StartAfter": after} if after else {})
        answer = self.fs.call_s3("list_objects_v2", **asked)
        return list(answer.get("Contents", ())), bool(answer.get("IsTruncated"))

    def sweep(self, *, older_than: timedelta) -> int:
        """Abort uploads in parts that nobody has finished; how many it were."""
        before = datetime.now(UTC) - older_than
        stale = [upload for upload in self._uploads() if upload["Initiated"] < before]
        for upload in stale:
            self.fs.abort_mpu(self._bucket, upload["Key"], upload["UploadId"])
        return len(stale)

    def _uploads(self) -> Iterator[dict[str, Any]]:
        """Every upload in parts that is not finished."""
        asked = {"Bucket": self._bucket, "Prefix": self._key("")}
        while True:
            answer = self.fs.call_s3("list_multipart_uploads", **asked)
            yield from answer.get("Uploads", ())
            if not answer.get("IsTruncated"):
                return
            asked |= {"KeyMarker": answer["NextKeyMarker"], "UploadIdMarker": answer["NextUploadIdMarker"]}

    def ping(self) -> None:
        """Raise unless the bucket is there and lets us in."""
        self.fs.call_s3("head_bucket", Bucket=self._bucket)

    def _head(self, name: str) -> dict[str, Any]:
        return dict(self.fs.call_s3("head_object", Bucket=self._bucket, Key=self._key(name)))

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name


class EndpointUnreachable(OSError):
    """There is no talking to the endpoint."""


class PromptSession(AIOHTTPSession):
    """Gives up soon where there is no talking to the endpoint, so that ten patient attempts are kept for 5xx.

    botocore would try that again too, for minutes. Trying a job again later is our caller's policy.
    """

    _hang_ups = 0  # without an answer in between

    async def send(self, request: Any) -> Any:
        """Send a request; EndpointUnreachable is none of the errors that botocore tries again."""
        try:
            try:
                answer = await super().send(request)
            except ConnectTimeoutError:  # a process that was paused takes its own silence for the endpoint's
                answer = await super().send(request)
        except (ConnectTimeoutError, ReadTimeoutError) as error:
            raise EndpointUnreachable(errno.ETIMEDOUT, "no answer in time") from error
        except SSLError as error:
            raise EndpointUnreachable(errno.EPROTO, "no secure connection") from error
        except (EndpointConnectionError, ConnectionClosedError) as error:
            if isinstance(error.__context__, aiohttp.ClientConnectorError):
                raise EndpointUnreachable(errno.ECONNREFUSED, "it cannot be reached") from error
            self._hang_ups += 1
            if self._hang_ups >= _MAX_HANG_UPS:
                raise EndpointUnreachable(errno.ECONNRESET, "it hangs up") from error
            raise
        self._hang_ups = 0
        return answer


@lru_cache(maxsize=16)
def _connected(options: S3Options, pid: int) -> s3fs.S3FileSystem:
    """One file system a process for the same options: dear to make, safe to share, survives no fork."""
    fs = s3fs.S3FileSystem(
        key=options.key,
        secret=options.secret,
        endpoint_url=options.endpoint_url,
        client_kwargs={"region_name": options.region} if options.region else {},
        config_kwargs={
            "signature_version": "s3v4",
            "retries": {"mode": "standard", "max_attempts": 10},
            "connect_timeout": 5,
            "read_timeout": 30,
            "http_session_cls": PromptSession,
            # botocore puts one together anew for each request, at a tenth of its cost.
            "user_agent": "mixdown",
            # We hash for ourselves, and gateways of some age refuse botocore's newer checksums.
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
        },
        # A cached listing answers from the past, and fsspec's own cache of instances outlives a fork.
        use_listings_cache=False,
        skip_instance_cache=True,
        max_concurrency=2,
    )
    fs.retries = 1  # botocore tries requests again, and `S3Bucket.chunks` reads
    return fs


@contextmanager
def _exclusive() -> Iterator[None]:
    """Raise FileExistsError for the several ways in which engines say that a name is taken."""
    try:
        yield
    except OSError as error:
        if _code(error) in _TAKEN:
            raise FileExistsError(errno.EEXIST, "the name is taken") from error
        raise


def _code(error: OSError) -> str | None:
    """The engine's code for what went wrong; None where it did not say."""
    cause = error.__cause__
    return str(cause.response["Error"].get("Code")) if isinstance(cause, ClientError) else None


def _etag(answer: Mapping[str, Any]) -> str:
    return str(answer["ETag"]).strip('"')


def _md5s(path: Path) -> tuple[str, str]:
    """The ETags of a file that is uploaded at once, and in parts."""
    whole, parts = hashlib.md5(usedforsecurity=False), []
    with path.open("rb") as file:
        while part := file.read(_PART_BYTES):
            whole.update(part)
            parts.append(hashlib.md5(part, usedforsecurity=False).digest())
    joined = hashlib.md5(b"".join(parts), usedforsecurity=False).hexdigest()
    return whole.hexdigest(), f"{joined}-{len(parts)}"
