"""Working on a job: claimed by one process at a time, every write checked against its fence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    case,
    func,
    literal,
    literal_column,
    or_,
    select,
    update,
)

from mixdown.db.columns import Json
from mixdown.db.tables import Job
from mixdown.errors import ClaimLost, IllegalTransition, JobNotFound
from mixdown.jobs import outbox, results
from mixdown.jobs.rows import RECORD, note, read_job, to_record
from mixdown.jobs.transitions import LEGAL
from mixdown.model import Claim, Delivery, JobRecord, JobResult, Stage, Status

#: A literal, not a parameter: only then is the small index of running jobs used.
_RUNNING = Job.status == literal_column("'running'")

#: What a completed stage is called in the history.
_COMPLETED = {
    Stage.validate: "validated",
    Stage.process: "processed",
    Stage.store: "stored",
    Stage.notify: "notified",
}


def claim(
    connection: Connection,
    job_id: UUID,
    *,
    owner: str,
    lease_s: float,
    is_alive: Callable[[str], bool] | None,
    flow_run_id: UUID | None,
    now: datetime,
) -> Claim | None:
    """The right to work on a job; None where another process has it or the job has ended."""
    abandoned = Job.heartbeat_at < now - timedelta(seconds=lease_s)
    free = or_(Job.status == Status.queued, and_(_RUNNING, or_(Job.owner == owner, abandoned)))
    taken = _take(connection, job_id, free, owner, flow_run_id, now)
    if taken is None and is_alive is not None:
        held = read_job(connection, job_id)
        if held.status is Status.running and held.owner is not None and not is_alive(held.owner):
            dead = and_(_RUNNING, Job.fence == held.fence)
            taken = _take(connection, job_id, dead, owner, flow_run_id, now)
    if taken is None:
        read_job(connection, job_id)
    return taken


def _take(
    connection: Connection,
    job_id: UUID,
    free: ColumnElement[bool],
    owner: str,
    flow_run_id: UUID | None,
    now: datetime,
) -> Claim | None:
    mine_already = and_(_RUNNING, Job.owner == owner)
    row = connection.execute(
        update(Job)
        .where(Job.id == job_id, Job.status.in_(LEGAL[Status.running]), free)
        .values(
            status=Status.running,
            owner=owner,
            flow_run_id=flow_run_id,
            fence=Job.fence + 1,
            attempts=Job.attempts + case((mine_already, 0), else_=1),
            progress=0.0,
            started_at=func.coalesce(Job.started_at, now),
            heartbeat_at=now,
        )
        .returning(Job.fence)
    ).one_or_none()
    if row is None:
        return None
    note(connection, [job_id], "claimed", now, owner)
    return Claim(job_id=job_id, fence=row.fence)


def heartbeat(connection: Connection, owner: str, now: datetime) -> int:
    """Keep every claim of this owner fresh; how many there are."""
    return connection.execute(
        update(Job).where(Job.owner == owner, _RUNNING).values(heartbeat_at=now)
    ).rowcount


def progress(connection: Connection, held: Claim, fraction: float, now: datetime) -> None:
    """Note how far the current stage is."""
    _write(connection, held, Status.running, progress=min(1.0, max(0.0, fraction)), heartbeat_at=now)


def advance(
    connection: Connection, held: Claim, stage: Stage, work: Mapping[str, Any], now: datetime
) -> JobRecord:
    """Complete a stage, and keep what it found out for the next ones."""
    found = literal(dict(work), Json())
    on_postgresql = connection.dialect.name == "postgresql"
    merged = Job.work.op("||")(found) if on_postgresql else func.json_merge(Job.work, found)
    job = _write(connection, held, Status.running, stage=stage, progress=0.0, work=merged, heartbeat_at=now)
    note(connection, [held.job_id], _COMPLETED[stage], now)
    return job


def succeed(
    connection: Connection, held: Claim, result: JobResult, deliveries: Sequence[Delivery], now: datetime
) -> JobRecord:
    """End a job with its result; whoever is to be told is written down with it."""
    return _end(
        connection,
        held,
        Status.succeeded,
        deliveries,
        now,
        stage=Stage.store,
        progress=1.0,
        result=result,
        result_key=result.result_key,
    )


def fail(
    connection: Connection,
    held: Claim,
    deliveries: Sequence[Delivery],
    now: datetime,
    *,
    code: str,
    detail: str,
    stage: Stage | None,
) -> JobRecord:
    """End a job without a result."""
    return _end(
        connection,
        held,
        Status.failed,
        deliveries,
        now,
        error_code=code,
        error_detail=detail,
        failed_stage=stage,
    )


def _end(
    connection: Connection,
    held: Claim,
    status: Status,
    deliveries: Sequence[Delivery],
    now: datetime,
    **values: Any,
) -> JobRecord:
    before = read_job(connection, held.job_id)
    if before.status is status and before.fence == held.fence:
        return before  # said before, and the answer got lost on its way: nothing is written twice
    job = _write(connection, held, status, owner=None, finished_at=now, **values)
    if job.result is not None:
        results.keep(connection, job.result, now)
    outbox.add(connection, deliveries, held.fence, now)
    note(connection, [held.job_id], status.value, now, job.error_code)
    return job


def release(connection: Connection, held: Claim, now: datetime) -> JobRecord:
    """Give a job back, for anyone to claim."""
    job = _write(connection, held, Status.queued, owner=None)
    note(connection, [held.job_id], "released", now)
    return job


def cancel(connection: Connection, job_id: UUID, now: datetime) -> JobRecord:
    """Call a job off; whoever works on it finds out at its next write."""
    row = connection.execute(
        update(Job)
        .where(Job.id == job_id, Job.status.in_(LEGAL[Status.cancelled]))
        .values(status=Status.cancelled, owner=None, finished_at=now)
        .returning(*RECORD)
    ).one_or_none()
    if row is None:
        job = read_job(connection, job_id)
        if job.status is Status.cancelled:
            return job
        raise IllegalTransition(f"Job {job_id} has {job.status} already, so it cannot be cancelled.")
    note(connection, [job_id], "cancelled", now)
    return to_record(row)


def release_all(connection: Connection, owner: str, now: datetime) -> list[UUID]:
    """Give every job that this owner still holds back, for anyone to claim."""
    left = list(
        connection.scalars(
            update(Job)
            .where(Job.owner == owner, _RUNNING)
            .values(status=Status.queued, owner=None)
            .returning(Job.id)
        )
    )
    note(connection, left, "released", now)
    return left


def reap(connection: Connection, *, lease_s: float, now: datetime) -> list[UUID]:
    """Put the running jobs whose process fell silent back into the queue."""
    silent = list(
        connection.scalars(
            update(Job)
            .where(_RUNNING, Job.heartbeat_at < now - timedelta(seconds=lease_s))
            .values(status=Status.queued, owner=None)
            .returning(Job.id)
        )
    )
    note(connection, silent, "requeued", now, "its process fell silent")
    return silent


def _write(connection: Connection, held: Claim, status: Status, **values: Any) -> JobRecord:
    """Change a job that is still held: the one place where fences are compared."""
    sources = LEGAL[status] & {Status.running}
    row = connection.execute(
        update(Job)
        .where(Job.id == held.job_id, Job.fence == held.fence, Job.status.in_(sources))
        .values(status=status, **values)
        .returning(*RECORD)
    ).one_or_none()
    if row is None:
        raise _lost(connection, held)
    return to_record(row)


def _lost(connection: Connection, held: Claim) -> ClaimLost | JobNotFound:
    found = connection.execute(select(Job.status, Job.fence).where(Job.id == held.job_id)).one_or_none()
    if found is None:
        return JobNotFound(f"There is no job {held.job_id}.")
    if found.fence != held.fence:
        return ClaimLost(f"Another process has taken job {held.job_id} over.")
    return ClaimLost(f"Job {held.job_id} is {found.status.value} by now, so this work on it is over.")
