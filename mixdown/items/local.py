"""Recordings on this machine: files, folders and patterns, with one look at each file."""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from mixdown.errors import InvalidRequest, SourceForbidden, SourceUnavailable
from mixdown.items.item import MISSING, Item, is_recording, shown
from mixdown.model import Source

_LONGEST_ADDRESS = 4096
_DIGITS = re.compile("([0-9]+)")
_MAGIC = re.compile(r"[*?\[]")


class LocalFiles:
    """Finds recordings of this machine; remembers, as long as it lives, where folders that are links lead.

    Parameters
    ----------
    left_out : Collection[str]
        Real paths of folders that are not looked into when they lie below one that was named.
    """

    def __init__(self, left_out: Collection[str] = ()) -> None:
        self._left_out = frozenset(left_out)
        self._folders: dict[str, str] = {}

    def at(self, path: str, *, pattern: bool = True) -> Iterator[Item]:
        """The recordings at an absolute path: the file itself, or all below a folder; else it is a `pattern`.

        What is not there is an item as well: its job tells.

        Raises
        ------
        InvalidRequest
            A folder or pattern gives none.
        SourceForbidden, SourceUnavailable
            A folder cannot be looked into.
        """
        real, status = self._looked_at(path)
        if status is not None and stat.S_ISDIR(status.st_mode):
            return self._in_folder(real, shown(_last(path)))
        if status is None and pattern and _MAGIC.search(path):
            return self._matching(path)
        return iter((_item(real, _last(path), status),))

    def _looked_at(self, path: str) -> tuple[str, os.stat_result | None]:
        """Where a path leads, links followed, and what is there."""
        folder, name = os.path.split(path)
        if name in ("", ".", ".."):
            real = os.path.realpath(path)
            return real, _status(real)
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        real = os.path.join(self._folders[folder], name)  # noqa: PTH118 - ten thousand times, and a Path is dear
        try:
            status = os.lstat(real)
        except (OSError, ValueError):  # a name that is too long; a NUL in it
            return real, None
        if not stat.S_ISLNK(status.st_mode):
            return real, status
        real = os.path.realpath(real)
        return real, _status(real)

    def _in_folder(self, folder: str, name: str) -> Iterator[Item]:
        found = False
        for item in _items(self._below(folder)):
            found = True
            yield item
        if not found:
            called = shown(folder.rstrip("/").rpartition("/")[2]) or name
            raise InvalidRequest(f"There is no recording in the folder “{called}”.")

    def _below(self, folder: str) -> Iterator[os.DirEntry[str]]:
        """Every recording below a folder, in order. A loop: folders may lie deeper than calls may."""
        levels = [iter(_listed(folder))]
        while levels:
            for entry in levels[-1]:
                if entry.is_dir(follow_symlinks=False):
                    if entry.path not in self._left_out:
                        levels.append(iter(_listed(entry.path)))
                        break
                elif is_recording(entry.name):
                    yield entry
            else:
                levels.pop()

    def _matching(self, pattern: str) -> Iterator[Item]:
        parts = [part for part in pattern.split("/") if part not in ("", ".")]
        first = next(index for index, part in enumerate(parts) if _MAGIC.search(part))
        base = os.path.realpath("/" + "/".join(parts[:first]))
        rest = parts[first:]
        while len(rest) > 1 and rest[-1] == "**":
            rest.pop()  # a folder is all that lies below it
        # A pattern that says which suffix it means may mean any; `*` alone means recordings.
        said = Path(rest[-1]).suffix
        any_suffix = bool(said) and not _MAGIC.search(said)
        twice, seen, found = "**" in rest, set[str](), False
        for path in self._matches(base, rest):
            real, status = self._looked_at(path)
            if status is not None and stat.S_ISDIR(status.st_mode):
                items: Iterable[Item] = _items(self._below(real)) if real not in self._left_out else ()
            else:
                taken = any_suffix or is_recording(_last(path))
                items = (_item(real, _last(path), status),) if taken else ()
            for item in items:
                if twice and item.source.uri in seen:  # a folder and what is in it may both match
                    continue
                if twice:
                    seen.add(item.source.uri)
                found = True
                yield item
        if not found:
            raise InvalidRequest(f"No recording matches “{shown('/'.join(rest))}”.")

    def _matches(self, folder: str, parts: Sequence[str]) -> Iterator[str]:
        """Every path below a folder that the parts of a pattern match, in order."""
        head, rest = parts[0], parts[1:]
        if head == "**" and not rest:
            yield folder
            return
        if head == "**":
            for each in self._folders_from(folder):
                yield from self._matches(each, rest)
            return
        if not _MAGIC.search(head):
            path = os.path.join(folder, head)  # noqa: PTH118
            if rest:
                yield from self._matches(path, rest)
            elif os.path.lexists(path):
                yield path
            return
        fits = re.compile(fnmatch.translate(head)).match
        for entry in _listed(folder, hidden=head.startswith(".")):
            if not fits(entry.name) or entry.path in self._left_out:
                continue
            if not rest:
                yield entry.path
            elif entry.is_dir():
                yield from self._matches(entry.path, rest)

    def _folders_from(self, folder: str) -> Iterator[str]:
        """A folder and every one below it, in order; links to folders are not followed."""
        waiting = [folder]
        while waiting:
            folder = waiting.pop()
            yield folder
            inner = [entry.path for entry in _listed(folder) if entry.is_dir(follow_symlinks=False)]
            waiting += [path for path in reversed(inner) if path not in self._left_out]


def absolute(name: str) -> str:
    """The path that a person means, from the root on; a tilde is their home, where there is such a user."""
    return os.path.join(Path.cwd(), os.path.expanduser(name))  # noqa: PTH111, PTH118 - `Path` raises for a tilde


def address_of(path: str) -> str:
    """A path as text; where its bytes are no text, percent-encoded as a `file://` address."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return Path(path).as_uri()
    return path


def version_of(status: os.stat_result | None) -> str:
    """What `fetch.source_version` says of a file, without asking again."""
    return MISSING if status is None else f"{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"


def _items(entries: Iterable[os.DirEntry[str]]) -> Iterator[Item]:
    """A link is followed here and nowhere later; it gives the name, what it leads to gives the recording."""
    for entry in entries:
        if not entry.is_symlink():
            try:
                status = entry.stat()
            except OSError:  # gone since
                continue
            yield _item(entry.path, entry.name, status)
            continue
        real = os.path.realpath(entry.path)
        led_to = _status(real)
        if led_to is None or not stat.S_ISDIR(led_to.st_mode):
            yield _item(real, entry.name, led_to)


def _item(path: str, name: str, status: os.stat_result | None) -> Item:
    size_bytes = status.st_size if status is not None and stat.S_ISREG(status.st_mode) else 0
    address, filename = address_of(path), name if name.isascii() else os.fsencode(name).decode(errors="replace")
    if len(address) > _LONGEST_ADDRESS:
        raise InvalidRequest(f"The path of “{shown(name)}” is longer than {_LONGEST_ADDRESS:,} characters.")
    source = Source(uri=address, filename=filename)
    return Item(source=source, version=version_of(status), size_bytes=size_bytes)


def _status(path: str) -> os.stat_result | None:
    try:
        return Path(path).stat()
    except (OSError, ValueError):
        return None


def _listed(folder: str, *, hidden: bool = False) -> list[os.DirEntry[str]]:
    """What lies in a folder, in the order in which people number things; a folder that is gone is empty."""
    try:
        with os.scandir(folder) as entries:
            return sorted((each for each in entries if hidden or not each.name.startswith(".")), key=_in_order)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError as error:
        raise SourceForbidden(f"The folder “{shown(_last(folder))}” may not be looked into.") from error
    except OSError as error:
        raise SourceUnavailable(
            f"The folder “{shown(_last(folder))}” cannot be looked into ({error.strerror})."
        ) from error


def _in_order(entry: os.DirEntry[str]) -> tuple[list[str | int], str]:
    """`take 9` before `take 10`."""
    parts: list[str | int] = list(_DIGITS.split(entry.name.lower()))
    parts[1::2] = [int(digits) for digits in parts[1::2]]
    return parts, entry.name


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2] or path
