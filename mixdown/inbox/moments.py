"""When an inbox is looked at: when something in a folder has changed, and every so often anyway."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from watchfiles import Change, watch

from mixdown.inbox.folder import FolderInbox
from mixdown.inbox.names import OWN
from mixdown.inbox.port import Inbox

#: How soon a request to stop or to look is heeded.
_HEED_S = 0.5
#: The rest of the time is for work: a look is not taken again before so many times what it took.
_TIMES_A_LOOK = 10.0
_LEAST_S = 1.0
#: Folders whose changes are noticed; those beyond are looked at every so often.
_MOST_FOLDERS = 1000


class Moments:
    """The moments at which to look, until `stop` is called."""

    def __init__(self, inbox: Inbox, every_s: float) -> None:
        self._inbox = inbox
        self._every_s = every_s
        self._stopped = threading.Event()
        self._asked = threading.Event()
        self._again_s = math.inf

    def stop(self) -> None:
        """No more."""
        self._stopped.set()

    def ask(self) -> None:
        """Look soon: a batch has ended."""
        self._asked.set()

    def look_again_in(self, seconds: float) -> None:
        """Something is being written: nothing will change when it is complete."""
        self._again_s = time.monotonic() + seconds

    def __iter__(self) -> Iterator[None]:
        """Now, and whenever there is a reason."""
        changes = self._changes()
        while not self._stopped.is_set():
            self._asked.clear()
            self._again_s = math.inf
            began_s = time.monotonic()
            yield
            ended_s = time.monotonic()
            not_before_s = ended_s + max(_LEAST_S, _TIMES_A_LOOK * (ended_s - began_s))
            reason = False
            while not self._stopped.is_set():
                reason |= next(changes) or self._asked.is_set()
                now_s = time.monotonic()
                if now_s >= not_before_s and (reason or now_s >= min(self._again_s, ended_s + self._every_s)):
                    break

    def _changes(self) -> Iterator[bool]:
        """Every half second, whether something has changed since."""
        # A system that watches no more folders for us, or knows no such thing: they are looked at every so often.
        with suppress(OSError, RuntimeError):
            while isinstance(self._inbox, FolderInbox) and not self._stopped.is_set():
                yield from self._changes_below(self._inbox.root)
        while True:
            yield self._asked.wait(_HEED_S)

    def _changes_below(self, root: Path) -> Iterator[bool]:
        """Changes in a folder and those in it, until there are others: then they are to be watched anew."""
        # Not `recursive`: that follows links, wherever they lead.
        folders = _folders(root)
        for changes in watch(
            *folders,
            watch_filter=lambda _, path: _concerns_arrivals(root, Path(path)),
            step=50,
            rust_timeout=round(_HEED_S * 1000),
            yield_on_timeout=True,
            raise_interrupt=False,
            stop_event=self._stopped,
            recursive=False,
        ):
            arrived = {Path(path) for change, path in changes if change is not Change.deleted}
            yield bool(arrived)
            if any(path.is_dir() and not path.is_symlink() and path not in folders for path in arrived):
                return


def _folders(root: Path) -> list[Path]:
    """A folder and those in it in which something may arrive."""
    found = []
    for name, folders, _ in os.walk(root):
        folder = Path(name)
        found.append(folder)
        folders[:] = [each for each in folders if _concerns_arrivals(root, folder / each)]
        if len(found) == _MOST_FOLDERS:
            break
    return found


def _concerns_arrivals(root: Path, path: Path) -> bool:
    """Whether something below an inbox is what may arrive there, and not what is done with it."""
    parts = path.relative_to(root).parts if path.is_relative_to(root) else ()
    return bool(parts) and parts[0] not in OWN and not any(part.startswith(".") for part in parts)
