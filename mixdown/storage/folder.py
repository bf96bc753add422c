"""A local folder that holds objects: nothing half-written is ever visible under its name."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

_CHUNK_BYTES = 1 << 20
#: What is being written has a name of this form, in the folder it will stay in.
_PARTIAL_PREFIX, _PARTIAL_SUFFIX = ".mixdown-", ".part"


class Folder:
    """Objects as files of a local folder."""

    foreign_errors: tuple[type[Exception], ...] = (OSError,)

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.label = f"the folder {self.path}"

    def uri(self, name: str) -> str:
        """The `file://` address of an object."""
        return (self.path / name).as_uri()

    def name_of(self, uri: str) -> str | None:
        """The name of the object at an address; None: not in this folder."""
        path = path_of(uri)
        return (
            None if path is None or not path.is_relative_to(self.path) else str(path.relative_to(self.path))
        )

    def size_bytes(self, name: str) -> int | None:
        """Size of an object; None: nothing there; -1: what is there is a folder, a link or the like."""
        try:
            found = (self.path / name).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else -1

    def fingerprint(self, name: str) -> str | None:
        """Equal fingerprints, equal bytes: two names of one file."""
        found = (self.path / name).lstat()
        return f"{found.st_dev}:{found.st_ino}"

    def media_type(self, name: str) -> str | None:
        """A folder keeps no media types."""
        return None

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of an object, in order."""
        return read_chunks(self.path / name)

    def put_file(self, path: Path, name: str, *, media_type: str, replace: bool) -> None:
        """Store a copy of a finished file."""
        self.put(read_chunks(path), name, media_type=media_type, replace=replace)

    def put(self, body: Iterable[bytes], name: str, *, media_type: str, replace: bool) -> None:
        """Store `body`, whole or not at all; without `replace`, FileExistsError where the name is taken."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(_PARTIAL_PREFIX + secrets.token_hex(8) + _PARTIAL_SUFFIX)
        try:
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
                for chunk in body:
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                partial.replace(target)
            else:
                _publish(partial, target)
        finally:
            partial.unlink(missing_ok=True)
        _sync_folder(target.parent)

    def copy(self, name: str, to: str) -> None:
        """Give an object a second name; FileExistsError where that is taken."""
        source, target = self.path / name, self.path / to
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.hardlink_to(source)
        except (FileExistsError, FileNotFoundError):
            raise
        except OSError:  # this file system has no hard links
            self.put(self.chunks(name), to, media_type="", replace=False)
        else:
            _sync_folder(target.parent)

    def delete(self, name: str) -> None:
        """Remove an object and the folders that it leaves empty."""
        path = self.path / name
        path.unlink(missing_ok=True)
        with suppress(OSError):  # not empty
            while (path := path.parent) != self.path:
                path.rmdir()

    def delete_below(self, prefix: str) -> None:
        """Remove everything under a prefix, half-written files too."""
        for path in _files(self.path / prefix):
            self.delete(str(path.relative_to(self.path)))

    def list_below(self, prefix: str) -> Iterator[tuple[str, int, datetime]]:
        """Name, size and time of every object under a prefix."""
        for path in _files(self.path / prefix):
            if path.name.startswith(_PARTIAL_PREFIX):
                continue
            try:
                found = path.lstat()
            except FileNotFoundError:  # removed since
                continue
            yield (
                str(path.relative_to(self.path)),
                found.st_size,
                datetime.fromtimestamp(found.st_mtime, UTC),
            )

    def ping(self) -> None:
        """Raise unless the folder can be written to."""
        self.path.mkdir(parents=True, exist_ok=True)
        probe = self.path / (_PARTIAL_PREFIX + secrets.token_hex(8) + _PARTIAL_SUFFIX)
        probe.touch(exist_ok=False)
        probe.unlink()


def read_chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, in order."""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def path_of(uri: str) -> Path | None:
    """The local path that a path or `file://` address names; None: it names no local file."""
    if uri[:5].lower() == "file:":
        parts = urlsplit(uri)
        local = parts.netloc in ("", "localhost")
        # Unlike in http, `?` and `#` that nobody escaped are part of a file's name.
        rest = uri[5:].removeprefix("//").removeprefix(parts.netloc) if local else None
        return Path(unquote(rest)).absolute() if rest else None
    return None if "://" in uri else Path(uri).absolute()


def _publish(partial: Path, target: Path) -> None:
    """Give a finished file its name unless the name is taken."""
    try:
        target.hardlink_to(partial)
    except FileExistsError:
        raise
    except OSError:  # no hard links here: hold the name with an empty file, then put the whole one over it
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        partial.replace(target)


def _files(path: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(path):
        for name in sorted(names):
            yield Path(folder) / name


def _sync_folder(path: Path) -> None:
    """Make a new name survive a power cut."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
