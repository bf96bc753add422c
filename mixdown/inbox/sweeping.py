"""One look at an inbox: what is complete is taken in, what has ended is filed away.

A recording is moved first and written into the ledger then, under a key made of where it was moved to. Cut
off anywhere, the next sweep goes on: what is held without a job gets one, what has a job that ended is filed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TypeVar
from uuid import UUID, uuid4

from mixdown.errors import Interrupted, MixdownError, RetryableError
from mixdown.inbox.port import Arrival, Filed, Held, Inbox, Left
from mixdown.inbox.reports import drawer_of, report_of, tags_of
from mixdown.inbox.requests import ask, key_of, refuse_nonsense
from mixdown.items import Defaults
from mixdown.model import JobRecord
from mixdown.studio import Studio

logger = logging.getLogger(__name__)

#: Recordings moved and written down at a time: what is in memory, and what a crash leaves to be put right.
_CHUNK = 250
#: What is left is named up to this number, and counted beyond.
_NAMED = 100
#: One file that cannot be moved is its own trouble; so many in a row are that of their place.
_FAILURES_IN_A_ROW = 5
_LOOK_AGAIN_S = 1.0

_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a look at an inbox came to."""

    batch_id: UUID | None = None  #: of what was taken in; None: nothing was
    taken: int = 0
    done: int = 0
    failed: int = 0
    held: int = 0  #: recordings whose jobs have not ended
    open_batches: tuple[UUID, ...] = ()  #: theirs, but for paused ones; the one of this sweep last
    left: tuple[Left, ...] = ()  #: the first hundred of what is left where it lies
    left_count: int = 0
    settling: int = 0  #: of these, those that a later look may find complete


def sweep(
    studio: Studio,
    inbox: Inbox,
    defaults: Defaults,
    *,
    batch_id: UUID | None = None,
    attached: bool = False,
    patience_s: float = 0.0,
    told: Callable[[Filed], None] = lambda _: None,
) -> Swept:
    """Take in what is complete, as one batch, and file away what has ended.

    Parameters
    ----------
    batch_id : UUID, optional
        Of the batch that what is taken in becomes; it is only opened when something is.
    attached : bool
        The caller works on the batch itself, and nobody else is to.
    patience_s : float
        Wait so long at most for files that are still being written.
    told : callable
        Is told of each recording that was filed away.

    Raises
    ------
    InvalidRequest
        What is asked of the recordings makes no sense; nothing was touched.
    RetryableError
        The place or the ledger is away; the next sweep goes on.
    Interrupted
        `Studio.stopping` was set.
    """
    refuse_nonsense(defaults)
    inbox.prepare()
    look = _Sweep(studio, inbox, told, batch_id=batch_id or uuid4(), attached=attached)
    look.go_through_held(lambda lost: look.accept(lost, defaults))
    deadline_s = time.monotonic() + patience_s
    while True:
        look.take_in(defaults)
        left_s = deadline_s - time.monotonic()
        if not look.settling or left_s <= 0 or studio.stopping.wait(min(_LOOK_AGAIN_S, left_s)):
            return look.swept()


def file_away(studio: Studio, inbox: Inbox, *, told: Callable[[Filed], None] = lambda _: None) -> Swept:
    """File away what has ended; what is held without a job is left to the next sweep."""
    look = _Sweep(studio, inbox, told, batch_id=uuid4(), attached=True)
    look.go_through_held(lambda _: None)
    return look.swept()


class _Sweep:
    """One sweep, as it goes."""

    def __init__(
        self, studio: Studio, inbox: Inbox, told: Callable[[Filed], None], *, batch_id: UUID, attached: bool
    ) -> None:
        self._studio = studio
        self._inbox = inbox
        self._told = told
        self._batch_id = batch_id
        self._attached = attached
        self._begun = False
        self._open: dict[UUID, None] = {}
        self._left: dict[str, Left] = {}
        self._left_count = 0
        self._trouble: list[Left] = []
        self._failures = 0
        self._counts = {"taken": 0, "done": 0, "failed": 0, "held": 0}
        self.settling = 0

    def swept(self) -> Swept:
        """What it came to."""
        others = [each for each in self._open if each != self._batch_id and not self._is_paused(each)]
        mine = [self._batch_id] if self._begun or self._batch_id in self._open else []
        return Swept(
            batch_id=self._batch_id if self._begun else None,
            open_batches=(*others, *mine),
            left=tuple([*self._trouble, *self._left.values()][:_NAMED]),
            left_count=self._left_count + len(self._trouble),
            settling=self.settling,
            **self._counts,
        )

    def go_through_held(self, without_job: Callable[[list[Held]], None]) -> None:
        """File away what has ended; what has no job is handed over."""
        for chunk in self._chunks(self._inbox.held()):
            records = self._studio.jobs.find([key_of(held) for held in chunk])
            known = [(held, records.get(key_of(held))) for held in chunk]
            ended = []
            for held, record in known:
                if record is None:
                    continue
                if record.status.ended:
                    ended.append((held, record))
                    continue
                self._counts["held"] += 1
                if record.batch_id is not None:
                    self._open[record.batch_id] = None
            self._file(ended)
            if lost := [held for held, record in known if record is None]:
                without_job(lost)

    def take_in(self, defaults: Defaults) -> None:
        """Take in what is complete; what else lies there is noted."""
        self._left.clear()
        self._left_count = self.settling = 0
        for chunk in self._chunks(self._arrivals()):
            held = self._take(chunk)
            self.accept(held, defaults)
            self._counts["taken"] += len(held)

    def accept(self, held: list[Held], defaults: Defaults) -> None:
        """Write down a job for each."""
        if not held:
            return
        if not self._begun:
            jobs, self._begun = self._studio.jobs, True
            jobs.open_batch(self._inbox.title, batch_id=self._batch_id, attached=self._attached)
            jobs.note_dispatch(self._batch_id, grace_s=0)  # who looks here works on it: nobody need be sent
        records = ask(self._studio, held, defaults, self._batch_id)
        self._counts["held"] += sum(not record.status.ended for record in records)

    def _is_paused(self, batch_id: UUID) -> bool:
        return self._studio.jobs.batch(batch_id).paused_at is not None

    def _arrivals(self) -> Iterator[Arrival]:
        for found in self._inbox.look():
            if isinstance(found, Arrival):
                yield found
                continue
            self.settling += found.settles
            self._left_count += 1
            if len(self._left) < _NAMED:
                self._left[found.name] = found

    def _take(self, arrivals: list[Arrival]) -> list[Held]:
        held: list[Held] = []
        for arrival, taken in self._at_once(self._inbox.take, arrivals):
            with self._its_own_trouble(arrival.name):
                held += filter(None, [taken()])
        return held

    def _file(self, ended: list[tuple[Held, JobRecord]]) -> None:
        def file(each: tuple[Held, JobRecord]) -> str | None:
            held, record = each
            tags, report = tuple(tags_of(record)), report_of(record)
            return self._inbox.file_away(held, drawer_of(record), str(record.id), tags, report)

        for (held, record), filed in self._at_once(file, ended):
            with self._its_own_trouble(held.name):
                at, drawer = filed(), drawer_of(record)
                if at is not None:
                    self._counts[drawer.value] += 1
                    self._told(Filed(name=held.name, at=at, drawer=drawer, record=record))

    def _at_once(self, move: Callable[[_T], _R], each: list[_T]) -> Iterator[tuple[_T, Callable[[], _R]]]:
        """Move several at once; what came of each is found out by asking."""
        if self._inbox.at_once == 1:
            for one in each:
                yield one, partial(move, one)
            return
        with ThreadPoolExecutor(self._inbox.at_once, thread_name_prefix="inbox") as pool:
            for one, moved in [(one, pool.submit(move, one)) for one in each]:
                yield one, moved.result

    @contextmanager
    def _its_own_trouble(self, name: str) -> Iterator[None]:
        """Note what hinders one recording; when it hinders each of them, raise it."""
        try:
            yield
            self._failures = 0
        except MixdownError as error:
            self._failures += 1
            if isinstance(error, RetryableError) and self._failures >= _FAILURES_IN_A_ROW:
                raise
            logger.warning("%s is left where it is: %s", name, error.message)
            self._trouble.append(Left(name=name, why=error.message))

    def _chunks(self, items: Iterable[_T]) -> Iterator[list[_T]]:
        each = iter(items)
        while chunk := list(islice(each, _CHUNK)):
            if self._studio.stopping.is_set():
                raise Interrupted
            yield chunk
