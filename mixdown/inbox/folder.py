"""A hot folder: an inbox that is a folder of this machine. What decides who takes a file is one rename."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from mixdown.errors import InvalidRequest
from mixdown.inbox.names import OWN, REPORT_SUFFIX, is_hidden, is_when_taken, names_in_turn, unfit, when_taken
from mixdown.inbox.port import PROCESSING, Arrival, Drawer, Held, Left
from mixdown.inbox.reports import is_report_of, sha256_of
from mixdown.inbox.settling import Settling, stamp_of
from mixdown.inbox.writers import open_for_writing
from mixdown.items import address_of, in_a_sentence
from mixdown.model import Source
from mixdown.storage import translated
from mixdown.storage.folder import Folder

#: Folders in folders that are looked into.
_DEEPEST = 32
_MAX_REPORT_BYTES = 8 << 20
#: A folder that has gone, or that is a link now.
_VANISHED = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ELOOP))
_TRIES = 3


class FolderInbox:
    """A folder whose recordings are taken in. Links in it are never followed."""

    at_once = 1

    def __init__(self, root: Path, *, settle_s: float = 10.0, left_out: Collection[Path] = ()) -> None:
        self.root = root
        self.label = f"the folder {root}"
        self.title = f"inbox {root.name}"
        self._place = Folder(root)
        self._left_out = frozenset(left_out)
        self._settling = Settling(settle_s)
        self._taken = ""
        self._swept: set[Path] = set()

    def prepare(self) -> None:
        """Make the folders below it; InvalidRequest where one of them is a link or a file."""
        with translated(self._place):
            for name in OWN:
                with suppress(FileExistsError):
                    (self.root / name).mkdir()
                if not stat.S_ISDIR((self.root / name).lstat().st_mode):
                    raise InvalidRequest(f"“{name}” in the inbox has to be a folder, and no link to one.")

    def look(self) -> Iterator[Arrival | Left]:
        """What lies in it, but for what is hidden."""
        self._taken = when_taken(datetime.now(UTC), secrets.token_hex(4))
        self._settling.begin()
        writers = cache(open_for_writing)
        with translated(self._place):
            now_ns = self._now_ns()
            for at, name, found in self._files():
                shown = os.fsencode(name).decode(errors="replace")
                if isinstance(found, str):
                    yield Left(name=shown, why=found)
                elif why := unfit(name):
                    yield Left(name=shown, why=why)
                elif not stat.S_ISREG(found.st_mode):
                    yield Left(name=shown, why=_KINDS.get(stat.S_IFMT(found.st_mode), "it is no file"))
                elif unsettled := self._settling.unsettled(name, found, now_ns):
                    yield Left(name=shown, why=_WRITTEN, settles=True, seen_for_s=unsettled.seen_for_s)
                elif (found.st_dev, found.st_ino) in writers():
                    noted = self._settling.note(name, found)
                    yield Left(name=shown, why=_OPEN, settles=True, seen_for_s=noted.seen_for_s)
                else:
                    yield Arrival(name=name, at=at, size_bytes=found.st_size, stamp=stamp_of(found))

    def take(self, arrival: Arrival) -> Held | None:
        """Move a recording to `processing/`; None: it has gone or changed."""
        at = f"{PROCESSING}/{self._taken}/{arrival.name}"
        target = self.root / at
        held = Held(name=arrival.name, at=at, source=self._source(target), size_bytes=arrival.size_bytes)
        folder, _, last = arrival.at.rpartition("/")
        with translated(self._place), suppress(FileNotFoundError), self._opened(folder) as fd:
            for _ in range(_TRIES):  # another process clears away the empty folder that was just made for this
                self._make(target.parent)
                if target.exists() or stamp_of(os.lstat(last, dir_fd=fd)) != arrival.stamp:
                    return None
                with suppress(FileNotFoundError):
                    os.rename(last, target, src_dir_fd=fd)
                    return held
        return None

    def held(self) -> Iterator[Held]:
        """Every recording in `processing/`, and on the way every empty folder in it removed."""
        with translated(self._place):
            top = self.root / PROCESSING
            for taken in sorted(path for path in top.iterdir() if is_when_taken(path.name)):
                for folder, _, files in os.walk(taken, topdown=False):
                    for path in sorted(Path(folder, file) for file in files):
                        with suppress(FileNotFoundError):
                            yield Held(
                                name=str(path.relative_to(taken)),
                                at=str(path.relative_to(self.root)),
                                source=self._source(path),
                                size_bytes=path.lstat().st_size,
                            )
                    with suppress(OSError):  # not empty
                        Path(folder).rmdir()

    def file_away(self, held: Held, drawer: Drawer, job_id: str, tags: Sequence[str], report: bytes) -> str | None:
        """Move a held recording to a drawer, its report beside it; where it lies then."""
        path = self.root / held.at
        with translated(self._place), suppress(FileNotFoundError):
            for name in names_in_turn(f"{drawer}/{held.name}", tags):
                target = self.root / name
                status = path.lstat()
                if not _free(target, status) or not self._report(name + REPORT_SUFFIX, job_id, report):
                    continue
                try:
                    _move(path, target)
                except FileExistsError:
                    Path(f"{target}{REPORT_SUFFIX}").unlink(missing_ok=True)
                    continue
                self._clear(path.parent)
                return name
            raise FileExistsError(errno.EEXIST, "every name that was tried is taken")
        return None

    # -- inside -----------------------------------------------------------------------------------

    def _files(self) -> Iterator[tuple[str, str, os.stat_result | str]]:
        """Where each file lies, its name, and its status or why there is none."""
        errors: list[OSError] = []
        for folder, folders, files, fd in os.fwalk(self.root, onerror=errors.append):
            below = os.path.relpath(folder, self.root)
            parts = () if below == "." else Path(below).parts
            folders[:] = sorted(each for each in folders if self._is_looked_into((*parts, each)))
            if len(parts) == _DEEPEST and folders:
                yield below, below, "it has folders in folders in folders, too many to look into"
                folders.clear()
            for file in sorted(files):
                at = "/".join((*parts, file))
                name = at.removeprefix(f"{PROCESSING}/")
                with suppress(FileNotFoundError):
                    if not is_hidden(name):
                        yield at, name, os.stat(file, dir_fd=fd, follow_symlinks=False)
            while errors:
                error = errors.pop()
                if error.errno not in _VANISHED:
                    where = os.path.relpath(os.fsdecode(error.filename), self.root)
                    yield where, where, f"it cannot be looked into ({error.strerror})"

    def _is_looked_into(self, parts: tuple[str, ...]) -> bool:
        if parts[-1].startswith(".") or self.root.joinpath(*parts) in self._left_out:
            return False
        if parts[0] in tuple(Drawer):
            return False
        return parts[0] != PROCESSING or len(parts) != 2 or not is_when_taken(parts[1])

    def _now_ns(self) -> int:
        """The time by the clock of the folder's file system, which may be another machine's."""
        with tempfile.TemporaryFile(dir=self.root / PROCESSING, prefix=".") as file:
            return os.fstat(file.fileno()).st_mtime_ns

    def _source(self, path: Path) -> Source:
        with in_a_sentence("the path of a recording"):
            return Source(uri=address_of(str(path)), filename=os.fsencode(path.name).decode(errors="replace"))

    @contextmanager
    def _opened(self, folder: str) -> Iterator[int]:
        """A folder below the inbox, opened without following a link; FileNotFoundError: it is there no more."""
        fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for part in filter(None, folder.split("/")):
                try:
                    inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
                except OSError as error:
                    if error.errno in _VANISHED:
                        raise FileNotFoundError(error.errno, error.strerror) from error
                    raise
                os.close(fd)
                fd = inner
            yield fd
        finally:
            os.close(fd)

    def _make(self, folder: Path) -> None:
        """Make a folder below the inbox, unless it leads out of it."""
        folder.mkdir(parents=True, exist_ok=True)
        if not folder.resolve().is_relative_to(self.root):
            raise NotADirectoryError(errno.ENOTDIR, "a folder in it is a link")

    def _report(self, name: str, job_id: str, report: bytes) -> bool:
        """Put a report beside where its recording will be; whether it is the one that lies there."""
        path = self.root / name
        self._make(path.parent)
        if path.parent not in self._swept:
            Folder(path.parent).sweep(older_than=timedelta(0))
            self._swept.add(path.parent)
        try:
            self._place.put([report], name, sha256=sha256_of(report), media_type="application/json", replace=False)
        except FileExistsError:
            if not stat.S_ISREG(path.lstat().st_mode):
                return False
            with path.open("rb") as file:
                return is_report_of(job_id, file.read(_MAX_REPORT_BYTES))
        return True

    def _clear(self, folder: Path) -> None:
        """Remove a folder of `processing`, and those it lies in, as far as they are empty."""
        with suppress(OSError):
            while folder != self.root / PROCESSING:
                folder.rmdir()
                folder = folder.parent


_WRITTEN = "it is still being written"
_OPEN = "a program has it open for writing"
_KINDS = {stat.S_IFLNK: "it is a link"}


def _free(target: Path, status: os.stat_result) -> bool:
    """Whether a name is free for a file, or is its second name already."""
    try:
        return os.path.samestat(target.lstat(), status)
    except FileNotFoundError:
        return True


def _move(path: Path, target: Path) -> None:
    """Give a file another name; FileExistsError where that is taken by another file."""
    try:
        os.link(path, target, follow_symlinks=False)
    except FileExistsError:
        if not os.path.samestat(path.lstat(), target.lstat()):
            raise
    except OSError as error:
        if error.errno in (errno.EXDEV, *_VANISHED):
            raise
        target.touch(exist_ok=False)  # no hard links here: hold the name with an empty file, then go over it
        path.replace(target)
        return
    path.unlink(missing_ok=True)
