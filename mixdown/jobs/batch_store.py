"""The batches of the ledger, those who work on them, and what they wait for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import Connection, Engine

from mixdown.db import engine as database
from mixdown.db.engine import reading, writing
from mixdown.jobs import batches, failures, outages, queue, shifts
from mixdown.jobs.queue import Taken
from mixdown.model import (
    BatchProgress,
    BatchRecord,
    Claim,
    FailureGroup,
    JobRecord,
    Outage,
    Outcome,
    Priority,
    Shift,
    Target,
)


class BatchStore:
    """Each method is one transaction."""

    def __init__(self, engine: Engine, *, clock: Callable[[], datetime] | None = None) -> None:
        self._engine = engine
        self._clock = clock

    @property
    def engine(self) -> Engine:
        """The database, for what lies beside jobs."""
        return self._engine

    def _now(self, connection: Connection) -> datetime:
        return self._clock() if self._clock else database.now(connection)

    # -- batches --------------------------------------------------------------------------------

    def open_batch(
        self,
        title: str | None = None,
        *,
        batch_id: UUID | None = None,
        priority: Priority = Priority.normal,
        attached: bool = False,
        key_id: UUID | None = None,
        notify: Sequence[Target] = (),
    ) -> UUID:
        """The id of a batch, to submit jobs with; one that is there stays what it is.

        An `attached` one belongs to the process that opens it: nobody is sent to work on it. `key_id` is the API
        key that asks for it, `notify` is told when all of it has ended.
        """
        chosen = batch_id or uuid4()
        with writing(self._engine) as connection:
            now = self._now(connection)
            batches.open_batch(
                connection,
                chosen,
                title,
                now,
                priority=priority,
                attached=attached,
                key_id=key_id,
                notify=notify,
            )
        return chosen

    def gather(self, job_ids: Sequence[UUID], title: str | None = None) -> UUID:
        """A batch of jobs that are there, for the process that gathers them."""
        chosen = uuid4()
        with writing(self._engine) as connection:
            batches.open_batch(connection, chosen, title, self._now(connection), attached=True)
            batches.gather(connection, chosen, job_ids)
        return chosen

    def gather_loose(self, *, most: int = 1000) -> UUID | None:
        """An urgent batch of the queued jobs that belong to none; None where there are none, or others gather."""
        chosen = uuid4()
        with reading(self._engine) as connection:
            if not batches.any_loose(connection):
                return None
        with writing(self._engine) as connection:
            found = batches.gather_loose(connection, chosen, self._now(connection), most=most)
        return chosen if found else None

    def batch(self, batch_id: UUID) -> BatchRecord:
        """The batch of this id; BatchNotFound if there is none."""
        with reading(self._engine) as connection:
            return batches.get(connection, batch_id)

    def batches(self, limit: int = 20) -> list[BatchRecord]:
        """Batches, newest first."""
        with reading(self._engine) as connection:
            return batches.newest(connection, limit)

    def resolve_batch(self, prefix: str) -> UUID:
        """The batch whose id begins like this: four digits or more, with or without dashes."""
        with reading(self._engine) as connection:
            return batches.resolve(connection, prefix)

    def batch_progress(self, batch_id: UUID) -> BatchProgress:
        """How far a batch is."""
        with reading(self._engine) as connection:
            return batches.progress(connection, batch_id, self._now(connection))

    def failures(self, batch_id: UUID, *, examples: int = 3) -> list[FailureGroup]:
        """What failed of a batch by code, the most frequent first, each with its first examples."""
        with reading(self._engine) as connection:
            return failures.grouped(connection, batch_id, examples=examples)

    def failed_among(self, job_ids: Sequence[UUID]) -> tuple[UUID, ...]:
        """Those of some jobs that have failed."""
        with reading(self._engine) as connection:
            return failures.among(connection, job_ids)

    def left(self, batch_id: UUID) -> tuple[int, int]:
        """How many jobs of a batch are queued, and how many are running, wherever."""
        with reading(self._engine) as connection:
            return batches.left(connection, batch_id)

    def pause_batch(self, batch_id: UUID) -> BatchRecord:
        """Have no more jobs of a batch taken; those that are running are ended."""
        with writing(self._engine) as connection:
            return batches.pause(connection, batch_id, self._now(connection))

    def resume_batch(self, batch_id: UUID) -> BatchRecord:
        """Go on with a batch that was paused."""
        with writing(self._engine) as connection:
            return batches.resume(connection, batch_id)

    def cancel_batch(self, batch_id: UUID) -> int:
        """Call off what has not ended of a batch; how many jobs that were."""
        with writing(self._engine) as connection:
            return batches.cancel(connection, batch_id, self._now(connection))

    def retry_batch(self, batch_id: UUID, *, code: str | None = None) -> int:
        """Queue what failed of a batch again, all or what failed with this code; how many jobs that are."""
        with writing(self._engine) as connection:
            return batches.retry(connection, batch_id, self._now(connection), code=code)

    def close_batch(self, batch_id: UUID) -> bool:
        """Note that nothing is left to do in a batch; False where something is."""
        with writing(self._engine) as connection:
            return batches.close(connection, batch_id, self._now(connection))

    def unattended(self, *, grace_s: float, lease_s: float, is_alive: Callable[[str], bool]) -> list[BatchRecord]:
        """Open batches on which nobody works and to which nobody was sent within `grace_s`, urgent ones first."""
        with reading(self._engine) as connection:
            now = self._now(connection)
            return batches.unattended(connection, grace_s=grace_s, lease_s=lease_s, is_alive=is_alive, now=now)

    def note_dispatch(self, batch_id: UUID, *, grace_s: float) -> bool:
        """Whether it is for the caller to send somebody to this batch: of several that ask, for one."""
        with writing(self._engine) as connection:
            return batches.note_dispatch(connection, batch_id, grace_s=grace_s, now=self._now(connection))

    # -- working --------------------------------------------------------------------------------

    def take(
        self,
        batch_id: UUID,
        *,
        owner: str,
        host: str,
        flow_run_id: UUID | None = None,
        most_jobs: int = 24,
        work_bytes: int = 6_000_000,
        patience_s: float = 3600.0,
    ) -> Taken | None:
        """Claim the next jobs of a batch, so many at most and about so much work; None: nothing can be done now."""
        with writing(self._engine) as connection:
            return queue.take(
                connection,
                batch_id,
                owner=owner,
                flow_run_id=flow_run_id,
                host=host,
                most_jobs=most_jobs,
                work_bytes=work_bytes,
                patience_s=patience_s,
                now=self._now(connection),
            )

    def read(self, job_ids: Sequence[UUID]) -> list[JobRecord]:
        """These jobs, in this order; those that are not there are left out."""
        with reading(self._engine) as connection:
            return queue.read(connection, job_ids)

    def write(self, outcomes: Sequence[Outcome]) -> list[Claim]:
        """Write down what came of some jobs, all of it or nothing; the claims that were lost meanwhile."""
        with writing(self._engine) as connection:
            return queue.write(connection, outcomes, self._now(connection))

    def give_back(self, claims: Sequence[Claim], *, why: str, blamed: Collection[UUID] = ()) -> None:
        """Put jobs back into the queue; over the blamed ones a process died, and that counts."""
        with writing(self._engine) as connection:
            queue.give_back(connection, claims, self._now(connection), why=why, blamed=blamed)

    def requeue_lost(self, *, lease_s: float, is_alive: Callable[[str], bool]) -> list[UUID]:
        """Put the jobs of processes that are dead, or silent for `lease_s`, back into the queue."""
        with writing(self._engine) as connection:
            now = self._now(connection)
            shifts.sign_out_dead(connection, lease_s=lease_s, is_alive=is_alive, now=now)
            return queue.requeue_lost(connection, lease_s=lease_s, is_alive=is_alive, now=now)

    # -- shifts ---------------------------------------------------------------------------------

    def begin_shift(self, owner: str, *, batch_id: UUID | None, flow_run_id: UUID | None) -> None:
        """Sign a process in, for a batch or for whatever comes."""
        with writing(self._engine) as connection:
            shifts.begin(connection, owner, batch_id, flow_run_id, self._now(connection))

    def end_shift(self, owner: str) -> None:
        """Sign a process out."""
        with writing(self._engine) as connection:
            shifts.end(connection, owner)

    def shifts(self) -> list[Shift]:
        """Everyone who has signed in and not out, the dead among them, the oldest first."""
        with reading(self._engine) as connection:
            return shifts.listed(connection)

    def somebody_there(self, *, lease_s: float, is_alive: Callable[[str], bool]) -> bool:
        """Whether somebody is at work for whatever comes: a job that belongs to no batch is begun at once."""
        with reading(self._engine) as connection:
            now = self._now(connection)
            return shifts.somebody_there(connection, lease_s=lease_s, is_alive=is_alive, now=now)

    # -- outages --------------------------------------------------------------------------------

    def outages(self) -> list[Outage]:
        """What does not serve, the longest first."""
        with reading(self._engine) as connection:
            return outages.current(connection)

    def not_served(self, dependency: str, job_id: UUID, *, code: str, detail: str) -> Outage:
        """Note that a job was not served, and how things stand after that."""
        with writing(self._engine) as connection:
            return outages.fail(connection, dependency, job_id, code=code, detail=detail, now=self._now(connection))

    def probing(self, dependency: str) -> Outage | None:
        """Note that one is on its way to see whether this serves again; how things stand, None where it does."""
        with writing(self._engine) as connection:
            outages.probing(connection, dependency, self._now(connection))
            current = outages.current(connection)
            return next((each for each in current if each.dependency == dependency), None)

    def served(self, dependencies: Collection[str]) -> None:
        """Note that these serve again."""
        with writing(self._engine) as connection:
            outages.served(connection, dependencies)
