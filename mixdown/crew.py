"""A crew at work on a batch: it takes a few seconds of work from the ledger, has it done, and takes more.

Any number of crews, in any number of processes and on any machine that reaches the ledger, work on one
batch. None of them holds more of it in memory than what it is working on.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

import httpx

from mixdown.errors import BatchCancelled, DatabaseUnavailable, HandDied, Interrupted, RetryableError
from mixdown.jobs import Taken
from mixdown.model import BatchRecord, Claim, Stage
from mixdown.notices import tell_of_batch
from mixdown.owner import host, is_alive
from mixdown.studio import AtWork, Studio

logger = logging.getLogger(__name__)

#: Work in one shard: so much that taking it costs little, so little that a killed process loses little.
SHARD_S = 4.0
SHARD_BYTES = 6_000_000  # until it is known how long a byte takes
FIRST_SHARD_JOBS, MOST_SHARD_JOBS = 24, 128
_FEWEST_JOBS = 4  # towards the end of a batch, so that it does not end in crumbs

#: How often the ledger is asked whether to pause or stop, and how much is left.
LOOK_S = 1.0
#: How often a crew looks for jobs of processes that have died.
_RESCUE_S = 5.0
#: How many shards in a row may come back because hands die, before a crew gives up.
_MOST_IN_VAIN = 20
#: How long nothing is tried after a shard was stopped by something that is not its jobs' fault.
_BREATHER_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """What crosses from stage to stage: references to a few jobs, never their audio."""

    label: str  #: names it, for people
    jobs: tuple[UUID, ...]
    claims: tuple[Claim, ...]  #: those that live on; jobs that failed have dropped out
    limits: frozenset[str] = frozenset()  #: the concurrency limits that are kept


class Bench(Protocol):
    """Where a stage is run: in this process, or in others."""

    @property
    def width(self) -> int:
        """How many shards at once."""

    def run(self, stage: Stage, claims: Sequence[Claim]) -> list[Claim]:
        """`stages.run_stage`; HandDied where the process that ran it has died."""

    def stop(self) -> None:
        """Have what is running stop within seconds."""


class Benches(Protocol):
    """Gives each shift its bench."""

    @property
    def apart(self) -> bool:
        """Whether other processes do the work."""

    def __call__(self, shift: AtWork) -> Bench:
        """The bench of a shift."""


#: The bench of the crew that this thread works for.
BENCH: ContextVar[Bench] = ContextVar("BENCH")
#: How many parts of jobs that crew has made at the same time; see `parts`.
ROOM: ContextVar[threading.Semaphore | None] = ContextVar("ROOM", default=None)


def work_on(
    studio: Studio,
    batch_id: UUID,
    *,
    bench: Benches,
    through: Callable[[Shard], None],
    look: Callable[[], None] = lambda: None,
    flow_run_id: UUID | None = None,
    limits: frozenset[str] = frozenset(),
) -> None:
    """Work on a batch until nothing of it is left to do, by this crew or another one.

    `through` takes a shard through its stages, in a thread in which `BENCH` is set; `look` is called now and
    then in the calling thread. A paused batch is waited for.

    Raises
    ------
    BatchCancelled
        Somebody has called the batch off; what was running has stopped.
    """
    with studio.at_work(batch_id, flow_run_id, apart=bench.apart) as shift:
        crew = _Crew(shift, batch_id, bench(shift), through, look, limits)
        with ThreadPoolExecutor(crew.bench.width, thread_name_prefix="shard") as pool:
            try:
                crew.work(pool)
            finally:
                crew.leave()


@dataclass
class _Crew:
    shift: AtWork
    batch_id: UUID
    bench: Bench
    through: Callable[[Shard], None]
    look: Callable[[], None]
    limits: frozenset[str]
    running: dict[Future[float], Taken] = field(default_factory=dict)
    astray: list[tuple[Taken, str, Collection[UUID]]] = field(
        default_factory=list
    )  #: to be given back: why, whose fault
    in_vain: int = 0  #: shards in a row that came back undone
    batch: BatchRecord | None = None
    queued: int = 0
    elsewhere: int = 0
    bytes_per_s: float | None = None
    room: threading.Semaphore = field(init=False)
    looked_s: float = -math.inf
    rescued_s: float = -math.inf
    rests_until_s: float = -math.inf

    def __post_init__(self) -> None:
        self.room = threading.Semaphore(self.bench.width)

    def work(self, pool: ThreadPoolExecutor) -> None:
        """Take, wait, look, until there is nothing left."""
        while True:
            try:
                if self._look() and self._over():
                    return
                self._fill(pool)
                self.look()
            except DatabaseUnavailable as error:
                logger.warning("%s It is waited for.", error.message)
                self._rest()
            if self.running:
                done, _ = wait(self.running, timeout=LOOK_S / 2, return_when=FIRST_COMPLETED)
                for future in done:
                    self._ended(future, self.running.pop(future))
                if not self.running:
                    self.looked_s = -math.inf  # it may have been the last
            elif self.shift.studio.stopping.wait(LOOK_S / 2):
                raise Interrupted

    def leave(self) -> None:
        """Stop what is still running, and give back what is still held."""
        if self.running:
            self.shift.stop()
            self.bench.stop()
        for future, taken in self.running.items():
            self._ended(future, taken, wait_for_it=True)
        with suppress(DatabaseUnavailable):
            self._give_back()

    def _look(self) -> bool:
        """Read how the batch stands, now and then; whether that was just done."""
        now_s = time.monotonic()
        if now_s - self.looked_s < LOOK_S:
            return False
        self._give_back()
        jobs = self.shift.studio.jobs
        if now_s - self.rescued_s > _RESCUE_S:
            self.rescued_s = now_s
            # Whatever batch they were made for: this one may have found them there.
            jobs.requeue_lost(lease_s=self._lease_s, is_alive=is_alive)
        self.batch = jobs.batch(self.batch_id)
        self.queued, running = jobs.left(self.batch_id)
        self.elsewhere = running
        self.looked_s = now_s
        if self.batch.cancelled_at is not None:
            raise BatchCancelled
        return True

    def _over(self) -> bool:
        """Whether nothing is left, here or elsewhere; the batch is then closed."""
        if self.running or self.queued or self.elsewhere:
            return False
        if not self.shift.studio.jobs.close_batch(self.batch_id):
            return False
        tell_of_batch(self.shift.studio, self.batch_id)
        return True

    def _fill(self, pool: ThreadPoolExecutor) -> None:
        """Take shards for those who have nothing to do."""
        paused = self.batch is None or self.batch.paused_at is not None
        while not paused and self.queued and len(self.running) < self.bench.width and not self._rests():
            taken = self._take()
            if taken is None:  # what is queued has to wait
                self.rests_until_s = time.monotonic() + LOOK_S / 2
                return
            self.queued = max(0, self.queued - len(taken.claims))
            self.running[pool.submit(copy_context().run, self._do, taken)] = taken

    def _take(self) -> Taken | None:
        per_hand = math.ceil(self.queued / self.bench.width)
        known = self.bytes_per_s
        return self.shift.studio.jobs.take(
            self.batch_id,
            owner=self.shift.owner,
            host=host(),
            flow_run_id=self.shift.flow_run_id,
            most_jobs=max(_FEWEST_JOBS, min(per_hand, MOST_SHARD_JOBS if known else FIRST_SHARD_JOBS)),
            work_bytes=max(1, int(known * SHARD_S)) if known else SHARD_BYTES,
            patience_s=self.shift.studio.settings.outage_patience_s,
        )

    def _do(self, taken: Taken) -> float:
        """Have a shard done; how long it took, in seconds."""
        BENCH.set(self.bench)
        ROOM.set(self.room)
        started_s = time.monotonic()
        self.through(shard_of(taken, self.limits))
        return time.monotonic() - started_s

    def _ended(self, future: Future[float], taken: Taken, *, wait_for_it: bool = False) -> None:
        """Learn from a shard that is done; what became of one that was stopped is decided here."""
        error = future.exception(None if wait_for_it else 0)
        if error is None:
            self.in_vain = 0
            self._learn(taken, future.result())
            return
        blamed: Collection[UUID] = ()
        match error:
            case Interrupted():
                pass
            case HandDied(job_id=UUID() as job_id):
                blamed = (job_id,)
            case RetryableError() | httpx.HTTPError():  # what all of them need, and Prefect's server, may be away
                self._rest()
            case Exception():
                logger.error("a shard met a bug", exc_info=error)
                blamed = [claim.job_id for claim in taken.claims]
                self._rest()
            case _:
                raise error
        if not isinstance(error, Interrupted):
            logger.warning("%s: %d jobs go back into the queue", error, len(taken.claims))
            self.in_vain += 1
        self.astray.append((taken, str(error), blamed))
        if self.in_vain >= _MOST_IN_VAIN and isinstance(error, HandDied):
            raise error  # hands cannot work here at all

    def _learn(self, taken: Taken, took_s: float) -> None:
        """How fast work goes, from the shards of late."""
        if taken.size_bytes and took_s > 0:
            now_per_s = taken.size_bytes / took_s
            self.bytes_per_s = now_per_s if self.bytes_per_s is None else (self.bytes_per_s + now_per_s) / 2

    def _give_back(self) -> None:
        """Put the jobs of shards that were stopped back into the queue."""
        while self.astray:
            taken, why, blamed = self.astray[-1]
            self.shift.studio.jobs.give_back(taken.claims, why=why, blamed=blamed)
            self.astray.pop()

    def _rest(self) -> None:
        self.rests_until_s = time.monotonic() + _BREATHER_S

    def _rests(self) -> bool:
        return time.monotonic() < self.rests_until_s

    @property
    def _lease_s(self) -> float:
        return self.shift.studio.settings.lease_s


def shard_of(taken: Taken, limits: frozenset[str]) -> Shard:
    """What was taken, to be sent through the stages."""
    first = taken.first.spec.filename
    return Shard(
        label=first if len(taken.claims) == 1 else f"{first} +{len(taken.claims) - 1}",
        jobs=tuple(claim.job_id for claim in taken.claims),
        claims=taken.claims,
        limits=limits,
    )
