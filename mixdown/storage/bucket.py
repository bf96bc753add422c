"""Objects behind an fsspec file system: S3 above all, `memory://`, and whatever else fsspec knows."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import fsspec

#: One request's worth of an object; also bounds what is in memory.
_CHUNK_BYTES = 8 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Options:
    """Where S3 is and who we are there; all empty: AWS and its own chain of credentials."""

    endpoint_url: str | None = None
    key: str | None = None
    secret: str | None = field(default=None, repr=False)
    region: str | None = None

    @property
    def label(self) -> str:
        """The endpoint as it may be shown: no credentials in it."""
        if not self.endpoint_url:
            return "S3"
        parts = urlsplit(self.endpoint_url)
        return "S3 at " + urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


class Bucket:
    """Objects under a prefix of an fsspec file system."""

    def __init__(self, url: str, s3: S3Options | None = None) -> None:
        self.protocol, _, root = url.partition("://")
        self.root = root.strip("/")
        self.s3 = s3 or S3Options()
        self.label = f"{self.s3.label}, {url}" if self.protocol == "s3" else url

    @property
    def fs(self) -> Any:
        """The fsspec file system, one a process."""
        return _file_system(self.protocol, self.s3, os.getpid())

    @property
    def foreign_errors(self) -> tuple[type[Exception], ...]:
        """What the file system raises when it cannot."""
        if self.protocol != "s3":
            return (OSError,)
        from mixdown.storage.s3 import FOREIGN_ERRORS

        return FOREIGN_ERRORS

    def uri(self, name: str) -> str:
        """The address of an object."""
        return f"{self.protocol}://{self._path(name)}"

    def name_of(self, uri: str) -> str | None:
        """The name of the object at an address; None: not under this prefix."""
        root = f"{self.protocol}://{self.root}/" if self.root else f"{self.protocol}://"
        return uri.removeprefix(root) if uri.startswith(root) else None

    def size_bytes(self, name: str) -> int | None:
        """Size of an object; None: nothing there."""
        try:
            found = self.fs.info(self._path(name))
        except FileNotFoundError:
            return None
        return None if found["type"] == "directory" else int(found["size"])

    def fingerprint(self, name: str) -> str | None:
        """Equal fingerprints, equal bytes: the ETag where it is the MD5 of the object; None: cannot say."""
        etag = str(self.fs.info(self._path(name)).get("ETag") or "").strip('"')
        return etag if len(etag) == 32 else None

    def version(self, name: str) -> str:
        """Another one whenever the object has changed, at the cost of one request."""
        found = self.fs.info(self._path(name))
        return f"{found['size']}:{found.get('ETag') or found.get('created') or ''}"

    def media_type(self, name: str) -> str | None:
        """The media type kept with an object."""
        return self.fs.info(self._path(name)).get("ContentType")

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of an object, in order."""
        with self.fs.open(self._path(name), "rb", block_size=_CHUNK_BYTES, cache_type="readahead") as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk

    def put(self, body: Iterable[bytes], name: str, *, media_type: str, replace: bool) -> None:
        """Store `body`, whole or not at all; without `replace`, FileExistsError where the name is taken."""
        # An exception inside an open s3fs file still publishes what was written: only finished files go up.
        with tempfile.NamedTemporaryFile(prefix="mixdown-") as file:
            for chunk in body:
                file.write(chunk)
            file.flush()
            self.put_file(Path(file.name), name, media_type=media_type, replace=replace)

    def put_file(self, path: Path, name: str, *, media_type: str, replace: bool) -> None:
        """Store a finished file."""
        if not replace and self.size_bytes(name) is not None:
            raise FileExistsError(name)
        if self.protocol != "s3":
            self.fs.pipe_file(self._path(name), path.read_bytes())
            return
        from mixdown.storage.s3 import upload

        upload(self.fs, path, self._path(name), media_type=media_type, replace=replace)

    def copy(self, name: str, to: str) -> None:
        """Copy an object inside the file system; FileExistsError where the name is taken."""
        if self.size_bytes(to) is not None:
            raise FileExistsError(to)
        self.fs.cp_file(self._path(name), self._path(to))

    def delete(self, name: str) -> None:
        """Remove an object."""
        with suppress(FileNotFoundError):
            self.fs.rm_file(self._path(name))

    def delete_below(self, prefix: str) -> None:
        """Remove everything under a prefix."""
        for name, _, _ in list(self.list_below(prefix)):
            self.delete(name)

    def list_below(self, prefix: str) -> Iterator[tuple[str, int, datetime]]:
        """Name, size and time of every object under a prefix."""
        start = len(self.root) + 1 if self.root else 0
        for path, found in self.fs.find(self._path(prefix).rstrip("/"), detail=True).items():
            modified_at = found.get("LastModified") or found.get("created") or datetime.now(UTC)
            yield path.lstrip("/")[start:], int(found["size"]), modified_at

    def ping(self) -> None:
        """Raise unless the bucket is there and answers."""
        if self.protocol == "s3":
            self.fs.call_s3("head_bucket", Bucket=self.root.partition("/")[0])
        else:
            self.fs.exists(self.root)

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}" if self.root else name


@lru_cache(maxsize=16)
def _file_system(protocol: str, s3: S3Options, pid: int) -> Any:
    """One file system a process: making an S3 client costs a second, and none survives a fork."""
    if protocol == "s3":
        from mixdown.storage.s3 import connect

        return connect(s3)
    return fsspec.filesystem(protocol)
