"""Objects behind an fsspec file system: `memory://`, and what else fsspec knows. S3 has a module of its own."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fsspec

from mixdown.errors import InvalidRequest
from mixdown.storage.place import Found

#: One request's worth of an object; also bounds what is in memory.
CHUNK_BYTES = 8 << 20
# These file systems cannot refuse to replace: looking and writing are one step within this process at least.
_LOOK_AND_WRITE = threading.Lock()


class Bucket:
    """Objects under a prefix of an fsspec file system."""

    foreign_errors: tuple[type[Exception], ...] = (OSError,)
    refusals: tuple[type[Exception], ...] = (PermissionError,)

    def __init__(self, url: str) -> None:
        self._protocol, _, root = url.partition("://")
        self._root = root.strip("/")
        self.label = f"the store {self._scheme}{self._root}"
        self.origin = ""

    @property
    def fs(self) -> Any:
        """The fsspec file system; fsspec keeps one a process."""
        try:
            return fsspec.filesystem(self._protocol)
        except (ValueError, ImportError) as error:
            raise InvalidRequest(f"Nothing here can store at addresses of the kind {self._scheme}.") from error

    def uri(self, name: str) -> str:
        """The address of an object."""
        return self._scheme + self._path(name)

    def name_of(self, uri: str) -> str | None:
        """The name of the object at an address; None: not under this prefix."""
        root = self.uri("")
        return uri.removeprefix(root) if uri.startswith(root) else None

    def look(self, name: str) -> Found | None:
        """What lies under a name; None: the name is free."""
        try:
            found = self.fs.info(self._path(name))
        except FileNotFoundError:
            return None
        if found["type"] == "directory":
            return None
        return Found(size_bytes=int(found["size"]), media_type=found.get("ContentType"))

    def glance(self, names: Collection[str]) -> dict[str, str]:
        """Those of these names that are taken; no mark is known here."""
        return {name: "" for name in names if self.look(name) is not None}

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of an object, in order."""
        with self._opened(name) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def put(
        self, body: Iterable[bytes], name: str, *, sha256: str, media_type: str, replace: bool, durable: bool = True
    ) -> bool:
        """Store `body`, whole or not at all; FileExistsError where the name is taken and must not be."""
        # An exception inside an open remote file still publishes what was written: only finished files go up.
        with tempfile.NamedTemporaryFile(prefix="mixdown-") as file:
            file.writelines(body)
            file.flush()
            path = Path(file.name)
            return self.put_file(path, name, sha256=sha256, media_type=media_type, replace=replace)

    def put_file(
        self, path: Path, name: str, *, sha256: str, media_type: str, replace: bool, durable: bool = True
    ) -> bool:
        """Store a finished file, whole or not at all; FileExistsError unless it may `replace`."""
        with _LOOK_AND_WRITE:
            if not replace and self.look(name) is not None:
                raise FileExistsError(name)
            if self._protocol == "memory":
                self.fs.pipe_file(self._path(name), path.read_bytes())  # put_file shows it while it grows
            else:
                self.fs.put_file(str(path), self._path(name))
        return False

    def copy(self, name: str, to: str, *, sha256: str, mark: str | None) -> bool:
        """Not done here: these file systems would copy over what is there, and prove nothing."""
        return False

    def sync(self, names: Collection[str]) -> None:
        """What is stored is as safe as it gets."""

    def signed_url(self, name: str, *, filename: str, expires_s: int) -> str | None:
        """Nothing is signed here."""
        return None

    def delete(self, name: str) -> None:
        """Remove an object."""
        with suppress(FileNotFoundError):
            self.fs.rm_file(self._path(name))

    def delete_below(self, prefixes: Collection[str]) -> None:
        """Remove everything under these prefixes."""
        for prefix in prefixes:
            for name, _, _ in list(self.list_below(prefix)):
                self.delete(name)

    def list_below(self, prefix: str) -> Iterator[tuple[str, int, datetime]]:
        """Name, size and time of every object under a prefix."""
        start = len(self._path(""))
        for path, found in self.fs.find(self._path(prefix).rstrip("/"), detail=True).items():
            if path.endswith("/"):  # what consoles put there to show a folder
                continue
            modified_at = found.get("LastModified") or found.get("created") or found.get("mtime") or 0
            if not isinstance(modified_at, datetime):
                modified_at = datetime.fromtimestamp(modified_at, UTC)
            yield path.lstrip("/")[start:], int(found["size"]), modified_at

    def sweep(self, *, older_than: timedelta) -> int:
        """Nothing here is left unfinished by a killed process."""
        return 0

    def ping(self) -> None:
        """Raise unless the file system answers."""
        self.fs.exists(self._path(""))

    @property
    def _scheme(self) -> str:
        return f"{self._protocol}://"

    def _opened(self, name: str) -> Any:
        return self.fs.open(self._path(name), "rb", block_size=CHUNK_BYTES, cache_type="none")

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if self._root else name
