"""S3 through s3fs, with the settings that were found to hold."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

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
from s3fs.core import S3_RETRYABLE_ERRORS

from mixdown.errors import InvalidRequest
from mixdown.storage.bucket import CHUNK_BYTES, Bucket
from mixdown.storage.options import S3Options
from mixdown.storage.place import Place

_BUCKET = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]{1,254}|arn:aws[\w-]*:s3[\w-]*:[^/]+)(?:/|$)")
_PART_BYTES = 16 << 20
_MD5_HEX_DIGITS = 32
_MAX_HANG_UPS = 4
_MAX_READS = 3
_TAKEN = frozenset(("PreconditionFailed", "ConditionalRequestConflict"))


class S3Bucket(Bucket):
    """Objects under a prefix of an S3 bucket."""

    foreign_errors = (OSError, BotoCoreError, aiohttp.ClientError, FSTimeoutError)
    refusals = (PermissionError, NoCredentialsError, PartialCredentialsError)

    def __init__(self, url: str, options: S3Options) -> None:
        super().__init__(url)
        self._options = options
        self._bucket, _, self._prefix = self._root.partition("/")
        self.label = f"the bucket s3://{self._root} at {options.host}"
        if not _BUCKET.match(url.removeprefix("s3://")):
            raise InvalidRequest(f"{url} names no bucket: it takes s3://bucket/prefix.")

    @property
    def fs(self) -> s3fs.S3FileSystem:
        """The S3 file system of this process."""
        return _connected(self._options, os.getpid())

    def size_bytes(self, name: str) -> int | None:
        """Size of an object; None: the name is free."""
        try:
            return int(self._head(name)["ContentLength"])
        except FileNotFoundError:
            return None

    def fingerprint(self, name: str) -> str | None:
        """The ETag where it is the MD5 of the object; that of an object uploaded in parts is not."""
        etag = self.version(name)
        return etag if len(etag) == _MD5_HEX_DIGITS else None

    def version(self, name: str) -> str:
        """Another one whenever the object has changed, at the cost of one request."""
        return str(self._head(name)["ETag"]).strip('"')

    def media_type(self, name: str) -> str | None:
        """The media type kept with an object."""
        return str(self._head(name)["ContentType"])

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of an object, in order; a part whose connection breaks off is asked for again."""
        with self._opened(name) as file:
            failures = 0
            while True:
                start = file.tell()
                try:
                    chunk = file.read(CHUNK_BYTES)
                except S3_RETRYABLE_ERRORS:
                    failures += 1
                    if failures == _MAX_READS:
                        raise
                    file.seek(start)
                    continue
                if not chunk:
                    return
                yield chunk

    def put_file(self, path: Path, name: str, *, media_type: str, replace: bool) -> None:
        """Store a finished file, in parts where it is large; FileExistsError unless it may `replace`."""
        mode = "overwrite" if replace else "create"
        with _exclusive():
            self.fs.put_file(str(path), self._path(name), chunksize=_PART_BYTES, mode=mode, ContentType=media_type)

    def copy(self, source: Place, name: str, to: str) -> bool:
        """Copy an object within this place, over what is there: few engines know a condition on a copy."""
        if source is not self:
            return False
        self.fs.cp_file(self._path(name), self._path(to))
        return True

    def sweep(self, *, older_than: timedelta) -> int:
        """Abort uploads in parts that nobody has finished; how many it were."""
        answer = self.fs.call_s3("list_multipart_uploads", Bucket=self._bucket, Prefix=self._prefix)
        before = datetime.now(UTC) - older_than
        stale = [upload for upload in answer.get("Uploads", ()) if upload["Initiated"] < before]
        for upload in stale:
            self.fs.abort_mpu(self._bucket, upload["Key"], upload["UploadId"])
        return len(stale)

    def ping(self) -> None:
        """Raise unless the bucket is there and lets us in."""
        self.fs.call_s3("head_bucket", Bucket=self._bucket)

    def _head(self, name: str) -> dict[str, Any]:
        bucket, key, _ = self.fs.split_path(self._path(name))
        return dict(self.fs.call_s3("head_object", Bucket=bucket, Key=key))


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
        cause = error.__cause__
        if isinstance(cause, ClientError) and cause.response["Error"].get("Code") in _TAKEN:
            raise FileExistsError(errno.EEXIST, "the name is taken") from error
        raise
