"""What an inbox is, whatever it lies on: recordings arrive, are held while they are worked on, and filed away."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from mixdown.model import JobRecord, Source

#: Where recordings lie while they are worked on, below the inbox.
PROCESSING = "processing"


class Drawer(StrEnum):
    """Where a recording goes when its job has ended, below the inbox."""

    done = "done"
    failed = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A recording that lies in the inbox, complete."""

    name: str  #: with its folders, relative to the inbox
    at: str  #: where it lies, relative to the inbox
    size_bytes: int
    stamp: Hashable  #: another one when it has changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Something that is left where it lies, for now or for good."""

    name: str
    why: str
    settles: bool = False  #: it is still being written, so that a later look may find it complete
    seen_for_s: float = 0.0  #: how long this process has seen it so


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A recording that was taken in, and is worked on."""

    name: str
    at: str  #: where it lies, relative to the inbox: below ``processing/<when it was taken>/``
    source: Source
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """A recording that was filed away, and its job."""

    name: str  #: its name when it arrived
    at: str  #: where it lies now, relative to the inbox; its report is beside it
    drawer: Drawer
    record: JobRecord


class Inbox(Protocol):
    """A place with an inbox. Every method may be cut off anywhere and called again; its errors are ours."""

    @property
    def label(self) -> str:
        """What a message calls it."""

    @property
    def title(self) -> str:
        """What its batches are called."""

    @property
    def at_once(self) -> int:
        """How many recordings are moved at once: where each costs requests, several."""

    def prepare(self) -> None:
        """Make the folders below it; raise unless they can be used."""

    def look(self) -> Iterator[Arrival | Left]:
        """What lies in it, one look at each."""

    def take(self, arrival: Arrival) -> Held | None:
        """Move a recording to ``processing/``; None: it has gone or changed, or another process has taken it."""

    def held(self) -> Iterator[Held]:
        """Every recording in ``processing/``."""

    def file_away(self, held: Held, drawer: Drawer, job_id: str, tags: Sequence[str], report: bytes) -> str | None:
        """Move a held recording to a drawer, its report beside it; where it lies then, None: somebody did it.

        Nothing there is overwritten: where its name is taken, it gets one with the first tag that makes it free.
        The report names its job, by which it is known again when this was cut off in the middle.
        """
