"""What a process of a cluster does when it is sent for: it takes a shard of a batch from the ledger by itself.

Nothing but the id of the batch comes along: where the ledger and the store are, and what opens them, each
process knows from its own machine.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from uuid import UUID

from mixdown.crew import BENCH, LOOK_S, Shard, shard_of
from mixdown.errors import (
    BatchNotFound,
    DatabaseUnavailable,
    HandDied,
    Interrupted,
    InvalidRequest,
    RetryableError,
)
from mixdown.hands import Bench, kept_hands
from mixdown.jobs import Taken
from mixdown.model import BatchRecord, digest
from mixdown.owner import host
from mixdown.studio import AtWork, Studio

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What a process is sent to do. Prefect writes it down: there is no secret in it, and no path."""

    batch_id: UUID
    results: str  #: the digest of where results go: the same on every machine
    flow_run_id: UUID | None
    most_jobs: int
    work_bytes: int
    limits: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """What came of it."""

    jobs: int = 0  #: 0: nothing could be done now
    size_bytes: int = 0
    took_s: float = 0.0


def run_errand(studio: Studio, errand: Errand, through: Callable[[Shard], None]) -> Worked:
    """Have a hand take a shard, if there is one, through its stages; what is not ended is queued again."""
    batch = _shared_batch(studio, errand)
    if batch.paused_at is not None or batch.cancelled_at is not None:
        return Worked()
    with studio.at_work(errand.batch_id, errand.flow_run_id, apart=True) as shift:
        taken = studio.jobs.take(
            errand.batch_id,
            owner=shift.owner,
            host=host(),
            flow_run_id=errand.flow_run_id,
            most_jobs=errand.most_jobs,
            work_bytes=errand.work_bytes,
            patience_s=studio.settings.outage_patience_s,
        )
        if taken is None:
            return Worked()
        studio.sweep()  # nobody else cleans up after processes that died on this machine
        started_s = time.monotonic()
        _work(shift, taken, errand, through)
    return Worked(jobs=len(taken.claims), size_bytes=taken.size_bytes, took_s=time.monotonic() - started_s)


def _shared_batch(studio: Studio, errand: Errand) -> BatchRecord:
    """The batch; InvalidRequest where this machine keeps another ledger or another store than who sent for it."""
    if errand.results != digest(studio.objects.root):
        raise InvalidRequest("A machine of the cluster puts results elsewhere: MIXDOWN_RESULTS_URL differs there.")
    try:
        return studio.jobs.batch(errand.batch_id)
    except BatchNotFound as error:
        raise InvalidRequest(
            "A machine of the cluster does not know this batch: MIXDOWN_DATABASE_URL differs there."
        ) from error


def _work(shift: AtWork, taken: Taken, errand: Errand, through: Callable[[Shard], None]) -> None:
    bench = kept_hands(shift.studio.settings)(shift)
    BENCH.set(bench)
    is_bug = True
    try:
        with _called_off(shift, errand.batch_id, bench):
            through(shard_of(taken, errand.limits))
        is_bug = False
    except HandDied as error:  # whoever sent us is told: it may be this machine that no hand can work on
        is_bug = False
        blamed = [error.job_id] if error.job_id else []
        shift.studio.jobs.give_back(taken.claims, why=str(error), blamed=blamed)
        raise
    except (Interrupted, RetryableError) as error:
        is_bug = False  # with the shift, what it still holds goes back into the queue
        logger.warning("%s %d jobs go back into the queue.", error.message, len(taken.claims))
    finally:
        if is_bug:
            shift.studio.jobs.give_back(taken.claims, why="a bug", blamed=[claim.job_id for claim in taken.claims])


@contextmanager
def _called_off(shift: AtWork, batch_id: UUID, bench: Bench) -> Iterator[None]:
    """Meanwhile, stop the bench when somebody cancels the batch."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(LOOK_S):
            with suppress(DatabaseUnavailable):
                if shift.studio.jobs.batch(batch_id).cancelled_at is not None:
                    bench.stop()

    watcher = threading.Thread(target=watch, name="called-off", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
