"""`JobStore`: the ledger as everybody else sees it. Each method is one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from mixdown.db.engine import reading, writing
from mixdown.jobs import claims, listing, outbox, results, shifts, submission
from mixdown.jobs.batch_store import BatchStore
from mixdown.jobs.outbox import DELIVERY_LEASE_S, Attempt
from mixdown.jobs.rows import read_job
from mixdown.jobs.submission import Asked, Submitted
from mixdown.model import Claim, Delivery, JobEvent, JobGlance, JobRecord, JobResult, JobSpec, Stage, Status

# `JobStore.list` hides the built-in within the class.
Records = list[JobRecord]
Events = list[JobEvent]
Deliveries = list[Delivery]
Ids = list[UUID]
Addresses = list[str]


class JobStore(BatchStore):
    """Jobs, their history, their results and their notifications, in one database.

    Whatever happens to a caller, the ledger is in a state that another one can go on from. A method
    that was cut off before it answered can be called again: what it had done is found, not done twice.
    """

    # -- asking ---------------------------------------------------------------------------------

    def submit(self, specs: Sequence[tuple[JobSpec, str] | Asked], *, batch_id: UUID | None = None) -> Records:
        """The job of each (spec, idempotency key), in this order; all of them are written, or none.

        A key that is known gives its job back. One that failed, was cancelled or whose result is no
        longer kept goes back into the queue, with the spec given now.
        """
        asked = [each if isinstance(each, Asked) else Asked(spec=each[0], key=each[1]) for each in specs]
        return self.accept(asked, batch_id=batch_id).records

    def accept(self, asked: Sequence[Asked], *, batch_id: UUID | None) -> Submitted:
        """`submit`, and which of the jobs are new."""
        with writing(self._engine) as connection:
            return submission.submit(connection, asked, batch_id=batch_id, now=self._now(connection))

    def cancel(self, job_id: UUID) -> JobRecord:
        """Call a job off; whoever works on it gets `ClaimLost` at its next write."""
        with writing(self._engine) as connection:
            return claims.cancel(connection, job_id, self._now(connection))

    # -- looking --------------------------------------------------------------------------------

    def get(self, job_id: UUID) -> JobRecord:
        """The job of this id."""
        with reading(self._engine) as connection:
            return read_job(connection, job_id)

    def glances(self, job_ids: Collection[UUID]) -> dict[UUID, JobGlance]:
        """How these jobs stand, without the long parts of their rows; those that are not there are left out."""
        with reading(self._engine) as connection:
            return listing.glances(connection, job_ids)

    def list(
        self,
        *,
        batch_id: UUID | None = None,
        status: Status | None = None,
        limit: int = 100,
        after: UUID | None = None,
        oldest_first: bool = False,
    ) -> Records:
        """Jobs, newest first unless told otherwise; `after` is the last job of the page before."""
        with reading(self._engine) as connection:
            return listing.newest(
                connection,
                batch_id=batch_id,
                status=status,
                limit=limit,
                after=after,
                oldest_first=oldest_first,
            )

    def find(self, keys: Sequence[str]) -> dict[str, JobRecord]:
        """The jobs of these idempotency keys, those that are there."""
        with reading(self._engine) as connection:
            return listing.find(connection, keys)

    def counts(self, batch_id: UUID) -> dict[Status, int]:
        """How many jobs of a batch are in each status; every status is there."""
        with reading(self._engine) as connection:
            return listing.counts(connection, batch_id)

    def resolve(self, prefix: str) -> UUID:
        """The job whose id begins like this: four digits or more, with or without dashes."""
        with reading(self._engine) as connection:
            return listing.resolve(connection, prefix)

    def events(self, job_id: UUID) -> Events:
        """The history of a job, oldest first."""
        with reading(self._engine) as connection:
            return listing.events(connection, job_id)

    # -- working --------------------------------------------------------------------------------

    def claim(
        self,
        job_id: UUID,
        *,
        owner: str,
        lease_s: float,
        is_alive: Callable[[str], bool] | None = None,
        flow_run_id: UUID | None = None,
    ) -> Claim | None:
        """The right to work on a job; None where another owner has it or the job has ended.

        A running job is taken over from its owner when that is the same, has been silent for
        `lease_s`, or is known to be dead. Every claim makes the ones before it void.
        """
        with writing(self._engine) as connection:
            return claims.claim(
                connection,
                job_id,
                owner=owner,
                lease_s=lease_s,
                is_alive=is_alive,
                flow_run_id=flow_run_id,
                now=self._now(connection),
            )

    def heartbeat(self, owner: str) -> int:
        """Keep all claims of this owner fresh, and its shift; how many claims there are."""
        with writing(self._engine) as connection:
            now = self._now(connection)
            shifts.beat(connection, owner, now)
            return claims.heartbeat(connection, owner, now)

    def progress(self, claim: Claim, fraction: float) -> None:
        """Note how far the current stage is, from 0 to 1."""
        with writing(self._engine) as connection:
            claims.progress(connection, claim, fraction, self._now(connection))

    def advance(self, claim: Claim, stage: Stage, **work: Any) -> JobRecord:
        """Complete a stage; what it found out is merged into the job's `work`."""
        with writing(self._engine) as connection:
            return claims.advance(connection, claim, stage, work, self._now(connection))

    def succeed(self, claim: Claim, result: JobResult, deliveries: Sequence[Delivery] = ()) -> JobRecord:
        """End a job with its result, and write down who is to be told: all of it, or nothing."""
        with writing(self._engine) as connection:
            return claims.succeed(connection, claim, result, deliveries, self._now(connection))

    def fail(
        self,
        claim: Claim,
        *,
        code: str,
        detail: str,
        stage: Stage | None = None,
        deliveries: Sequence[Delivery] = (),
    ) -> JobRecord:
        """End a job without a result, and write down who is to be told."""
        with writing(self._engine) as connection:
            return claims.fail(
                connection, claim, deliveries, self._now(connection), code=code, detail=detail, stage=stage
            )

    def release(self, claim: Claim) -> JobRecord:
        """Give a job back to the queue, as when a person stops the work."""
        with writing(self._engine) as connection:
            return claims.release(connection, claim, self._now(connection))

    def release_all(self, owner: str) -> Ids:
        """Give every job that this owner still holds back to the queue."""
        with writing(self._engine) as connection:
            return claims.release_all(connection, owner, self._now(connection))

    # -- results --------------------------------------------------------------------------------

    def find_result(self, result_key: str) -> JobResult | None:
        """What an earlier job made, where it is still kept."""
        with reading(self._engine) as connection:
            found, now = results.find(connection, result_key), self._now(connection)
        if found is None:
            return None
        result, used_at = found
        if now - used_at > results.USE_NOTED_EVERY:
            with writing(self._engine) as connection:
                results.note_use(connection, result_key, now)
        return result

    def forget_result(self, result_key: str) -> None:
        """Never give this result out again, because its objects are gone or damaged."""
        with writing(self._engine) as connection:
            results.forget(connection, result_key)

    def expire(self, older_than: timedelta) -> Addresses:
        """Forget results unused for this long; the addresses of their objects, which are to be deleted."""
        with writing(self._engine) as connection:
            return results.expire(connection, older_than, self._now(connection))

    # -- notifications --------------------------------------------------------------------------

    def deliveries(self, job_id: UUID) -> Deliveries:
        """Every notification of a job, oldest first."""
        with reading(self._engine) as connection:
            return outbox.of_job(connection, job_id)

    def due_deliveries(self, now: datetime, limit: int = 100, *, lease_s: float = DELIVERY_LEASE_S) -> Deliveries:
        """Take notifications whose time has come, the longest due first; nobody else gets them for `lease_s`."""
        with writing(self._engine) as connection:
            return outbox.take_due(connection, now, limit, lease_s)

    def take_deliveries(
        self, job_ids: Collection[UUID], now: datetime, *, lease_s: float = DELIVERY_LEASE_S
    ) -> Deliveries:
        """`due_deliveries` for the notifications of these jobs, all that are due."""
        with writing(self._engine) as connection:
            return outbox.take_of_jobs(connection, job_ids, now, lease_s)

    def take_digests(self, batch_id: UUID, now: datetime, *, lease_s: float = DELIVERY_LEASE_S) -> Deliveries:
        """`due_deliveries` for what is said of a batch as a whole."""
        with writing(self._engine) as connection:
            return outbox.take_of_batch(connection, batch_id, now, lease_s)

    def record_attempt(
        self, delivery_id: UUID, *, delivered: bool, answer: str, next_attempt_at: datetime | None = None
    ) -> None:
        """Note how an attempt went; without a next one, a notification that failed is given up."""
        self.record_attempts([Attempt(delivery_id, delivered, answer, next_attempt_at)])

    def record_attempts(self, attempts: Sequence[Attempt]) -> None:
        """`record_attempt` for several."""
        with writing(self._engine) as connection:
            outbox.record_attempts(connection, attempts, self._now(connection))
