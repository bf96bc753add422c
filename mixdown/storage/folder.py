"""A local folder that holds objects: nothing half-written is ever visible under its name."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote_to_bytes

from mixdown.owner import is_alive, this_process
from mixdown.storage.place import Found

Made = TypeVar("Made")

_CHUNK_BYTES = 1 << 20
#: What is being written bears its writer's name, so that it can be swept when that process is gone.
_PARTIAL_NAME = re.compile(r"\.mixdown-(?P<owner>.+)-[0-9a-f]{16}\.part", re.DOTALL)


class Folder:
    """Objects as files of a local folder."""

    foreign_errors: tuple[type[Exception], ...] = (OSError,)
    refusals: tuple[type[Exception], ...] = (PermissionError,)

    def __init__(self, path: Path) -> None:
        self.path = path
        self.label = f"the folder “{path.name or path}”"  # those outside are told it
        self.origin = ""

    def uri(self, name: str) -> str:
        """The `file://` address of an object."""
        return (self.path / name).as_uri()

    def name_of(self, uri: str) -> str | None:
        """The name of the object at an address; None: not in this folder."""
        path = path_of(uri)
        if path is None or not path.is_relative_to(self.path):
            return None
        return str(path.relative_to(self.path))

    def look(self, name: str) -> Found | None:
        """What lies under a name; None: the name is free."""
        try:
            found = (self.path / name).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return Found(size_bytes=found.st_size if stat.S_ISREG(found.st_mode) else -1)

    def glance(self, names: Collection[str]) -> dict[str, str]:
        """Those of these names that are taken, each with a mark that is another one when the file is."""
        marks = {}
        for name in names:
            with suppress(FileNotFoundError, NotADirectoryError):
                found = (self.path / name).lstat()
                marks[name] = f"{found.st_ino}:{found.st_size}:{found.st_mtime_ns}"
        return marks

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of an object, in order."""
        return read_chunks(self.path / name)

    def put_file(
        self, path: Path, name: str, *, sha256: str, media_type: str, replace: bool, durable: bool = True
    ) -> bool:
        """Store a finished file, whole or not at all; FileExistsError unless it may `replace`.

        One that need not be durable is scratch of ours: where it lies on the same disk it becomes the object,
        which saves writing it twice.
        """
        if not durable and replace and self._taken_over(path, self.path / name):
            return True
        return self.put(
            read_chunks(path), name, sha256=sha256, media_type=media_type, replace=replace, durable=durable
        )

    def put(
        self, body: Iterable[bytes], name: str, *, sha256: str, media_type: str, replace: bool, durable: bool = True
    ) -> bool:
        """Store `body`, whole or not at all; FileExistsError where the name is taken and must not be.

        Reading back what was just written would give what the system still has in memory: it proves nothing.
        """
        target = self.path / name
        partial = target.with_name(_partial_name())
        try:
            with _made_with_folder(partial, lambda: partial.open("xb")) as file:
                file.writelines(body)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            if replace:
                partial.replace(target)
            else:
                _publish(partial, target)
        finally:
            partial.unlink(missing_ok=True)
        if durable:
            _sync(target.parent)
        return True

    def _taken_over(self, path: Path, target: Path) -> bool:
        partial = target.with_name(_partial_name())
        try:
            _made_with_folder(partial, lambda: partial.hardlink_to(path))
            partial.replace(target)
        except OSError:  # another disk, or one without hard links
            return False
        finally:
            partial.unlink(missing_ok=True)
        return True

    def copy(self, name: str, to: str, *, sha256: str, mark: str | None) -> bool:
        """Give a file of this place that holds these bytes a second name; `sync` makes it last."""
        source, target = self.path / name, self.path / to
        try:
            with source.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                    return False
        except FileNotFoundError:
            return False
        try:
            _made_with_folder(target, lambda: target.hardlink_to(source))
        except FileExistsError:
            raise
        except OSError:  # no hard links here, or the source is gone
            return False
        return True

    def sync(self, names: Collection[str]) -> None:
        """Make these files survive a power cut: what is in them, and their names."""
        paths = [self.path / name for name in names]
        for path in [*paths, *sorted({path.parent for path in paths})]:
            _sync(path)

    def signed_url(self, name: str, *, filename: str, expires_s: int) -> str | None:
        """Nothing is signed here."""
        return None

    def delete(self, name: str) -> None:
        """Remove an object, and its folder where that is empty then."""
        path = self.path / name
        path.unlink(missing_ok=True)
        if path.parent != self.path:
            with suppress(OSError):  # not empty
                path.parent.rmdir()

    def delete_below(self, prefixes: Collection[str]) -> None:
        """Remove everything under these prefixes, what was half written too."""
        for prefix in prefixes:
            for path in _files(self.path / prefix):
                self.delete(str(path.relative_to(self.path)))

    def list_below(self, prefix: str) -> Iterator[tuple[str, int, datetime]]:
        """Name, size and time of every object under a prefix."""
        for path in _files(self.path / prefix):
            if _writer(path) is not None:
                continue
            with suppress(FileNotFoundError):  # removed since
                found = path.lstat()
                modified_at = datetime.fromtimestamp(found.st_mtime, UTC)
                yield str(path.relative_to(self.path)), found.st_size, modified_at

    def sweep(self, *, older_than: timedelta) -> int:
        """Remove what processes that are gone left half written right here, however old; how many it were."""
        swept = 0
        for path in self.path.glob(".mixdown-*.part"):
            writer = _writer(path)
            if writer and not is_alive(writer):
                path.unlink(missing_ok=True)
                swept += 1
        return swept

    def ping(self) -> None:
        """Raise unless the folder can be written to."""
        self.path.mkdir(parents=True, exist_ok=True)
        probe = self.path / _partial_name()
        probe.touch(exist_ok=False)
        probe.unlink()


def read_chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, in order."""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def path_of(uri: str) -> Path | None:
    """The local path that a path or `file://` address names; None: it names no file of this machine."""
    if uri[:5].lower() != "file:":
        return None if "://" in uri else Path(uri).absolute()
    # Not urlsplit: unlike in http, a `?` or `#` that nobody escaped is part of the file's name.
    path = uri[5:]
    if path.startswith("//"):
        host, slash, path = path[2:].partition("/")
        if host not in ("", "localhost"):
            return None
        path = slash + path
    return Path(os.fsdecode(unquote_to_bytes(path))).absolute() if path else None


def _made_with_folder(path: Path, make: Callable[[], Made]) -> Made:
    """What `make` makes at `path`, whose folder is there nearly always: it is made where it turns out not to be."""
    try:
        return make()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return make()


def _publish(partial: Path, target: Path) -> None:
    """Give a finished file its name unless that is taken."""
    try:
        target.hardlink_to(partial)
    except FileExistsError:
        raise
    except OSError:  # no hard links here: hold the name with an empty file, then put the whole one over it
        target.touch(exist_ok=False)
        partial.replace(target)


def _partial_name() -> str:
    return f".mixdown-{this_process().replace(':', '~')}-{secrets.token_hex(8)}.part"


def _writer(path: Path) -> str | None:
    """The process that writes, or wrote, a half-written file; None: it is not one."""
    match = _PARTIAL_NAME.fullmatch(path.name)
    return match["owner"].replace("~", ":") if match else None


def _files(path: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(path):
        for name in sorted(names):
            yield Path(folder) / name


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
