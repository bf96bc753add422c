"""Working on a job: claimed by one process at a time, every write checked against its fence.

The statements are built once: a job passes through here several times, and building them costs as much
as running them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Update,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    update,
)

from mixdown.db.columns import Json, UtcDateTime, json_merge
from mixdown.db.tables import Job
from mixdown.errors import ClaimLost, IllegalTransition
from mixdown.jobs import outbox, results, telling
from mixdown.jobs.rows import RECORD, note, read_job, to_record
from mixdown.jobs.transitions import LEGAL
from mixdown.model import Claim, Delivery, JobRecord, JobResult, Stage, Status
from mixdown.owner import APART

#: What a completed stage is called in the history.
_COMPLETED = {
    Stage.validate: "validated",
    Stage.process: "processed",
    Stage.store: "stored",
    Stage.notify: "notified",
}

_NOW = bindparam("now", type_=UtcDateTime())


#: What the death of its process says against a job: nothing where children did the work.
DIED = case((Job.owner.like(f"%{APART}"), 0), else_=1)


def _is(statuses: Collection[Status]) -> ColumnElement[bool]:
    return Job.status.in_([literal_column(f"'{status}'") for status in sorted(statuses)])


_RUNNING = Job.status == literal_column("'running'")


def _to(status: Status, *conditions: ColumnElement[bool], **values: Any) -> Update:
    """The one form of a transition: nothing is updated unless it is legal."""
    return update(Job).where(_is(LEGAL[status]), *conditions).values(status=status, **values)


def held_to(status: Status, **values: Any) -> Update:
    """A transition by whoever holds the claim: the one place where fences are compared."""
    held = and_(Job.id == bindparam("job"), Job.fence == bindparam("held"), _RUNNING)
    return _to(status, held, **values).returning(*RECORD)


def _take(free: ColumnElement[bool]) -> Update:
    already_mine = and_(_RUNNING, Job.owner == bindparam("claimant"))
    return _to(
        Status.running,
        Job.id == bindparam("job"),
        free,
        owner=bindparam("claimant"),
        flow_run_id=bindparam("run"),
        fence=Job.fence + 1,
        attempts=Job.attempts + case((already_mine, 0), else_=1),
        deaths=Job.deaths + case((and_(_RUNNING, ~already_mine), DIED), else_=0),
        progress=0.0,
        started_at=func.coalesce(Job.started_at, _NOW),
        heartbeat_at=_NOW,
    ).returning(Job.fence)


_SILENT = and_(_RUNNING, Job.heartbeat_at < bindparam("since"))
_TAKE_FREE = _take(
    or_(_is({Status.queued}), and_(_RUNNING, Job.owner == bindparam("claimant")), _SILENT),
)
_TAKE_FROM_DEAD = _take(and_(_RUNNING, Job.fence == bindparam("seen")))
_HEARTBEAT = update(Job).where(Job.owner == bindparam("by"), _RUNNING).values(heartbeat_at=_NOW)
_PROGRESS = held_to(Status.running, progress=bindparam("fraction"), heartbeat_at=_NOW)
_ADVANCE = held_to(
    Status.running,
    stage=bindparam("completed"),
    progress=0.0,
    tries=0,
    work=json_merge(Job.work, bindparam("found", type_=Json())),
    heartbeat_at=_NOW,
)
_SUCCEED = held_to(
    Status.succeeded,
    stage=Stage.store,
    progress=1.0,
    result=bindparam("made"),
    result_key=bindparam("made_key"),
    error_code=None,
    error_detail=None,
    not_before=None,
    owner=None,
    finished_at=_NOW,
)
_FAIL = held_to(
    Status.failed,
    error_code=bindparam("code"),
    error_detail=bindparam("detail"),
    failed_stage=bindparam("in_stage"),
    owner=None,
    finished_at=_NOW,
)
# A job given back on purpose was not attempted: only a process that died over it counts.
_RELEASE = held_to(Status.queued, owner=None, attempts=Job.attempts - 1)
_CANCEL = _to(Status.cancelled, Job.id == bindparam("job"), owner=None, finished_at=_NOW).returning(*RECORD)
_RELEASE_ALL = _to(
    Status.queued, Job.owner == bindparam("by"), _RUNNING, owner=None, attempts=Job.attempts - 1
).returning(Job.id)


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
    """The right to work on a job; None where another owner has it or the job has ended."""
    since = now - timedelta(seconds=lease_s)
    claimant = {"job": job_id, "claimant": owner, "run": flow_run_id, "now": now}
    fence = connection.scalar(_TAKE_FREE, {**claimant, "since": since})
    if fence is None:
        job = read_job(connection, job_id)
        held = job.status is Status.running and job.owner is not None
        if held and is_alive is not None and not is_alive(str(job.owner)):
            fence = connection.scalar(_TAKE_FROM_DEAD, {**claimant, "seen": job.fence})
    if fence is None:
        return None
    note(connection, [job_id], "claimed", now, owner)
    return Claim(job_id=job_id, fence=fence)


def heartbeat(connection: Connection, owner: str, now: datetime) -> int:
    """Keep every claim of this owner fresh; how many there are."""
    return connection.execute(_HEARTBEAT, {"by": owner, "now": now}).rowcount


def progress(connection: Connection, held: Claim, fraction: float, now: datetime) -> None:
    """Note how far the current stage is."""
    _write(connection, held, _PROGRESS, fraction=min(1.0, max(0.0, fraction)), now=now)


def advance(connection: Connection, held: Claim, stage: Stage, work: Mapping[str, Any], now: datetime) -> JobRecord:
    """Complete a stage, and keep what it found out for the next ones."""
    job = _write(connection, held, _ADVANCE, completed=stage, found=dict(work), now=now)
    note(connection, [held.job_id], _COMPLETED[stage], now)
    return job


def succeed(
    connection: Connection, held: Claim, result: JobResult, deliveries: Sequence[Delivery], now: datetime
) -> JobRecord:
    """End a job with its result; whoever is to be told is written down with it."""
    return _end(
        connection, held, Status.succeeded, _SUCCEED, deliveries, now, made=result, made_key=result.result_key
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
    """End a job without a result; whoever is to be told is written down with it."""
    return _end(connection, held, Status.failed, _FAIL, deliveries, now, code=code, detail=detail, in_stage=stage)


def release(connection: Connection, held: Claim, now: datetime) -> JobRecord:
    """Give a job back, for anyone to claim."""
    job = _write(connection, held, _RELEASE)
    note(connection, [held.job_id], "released", now)
    return job


def put_off(connection: Connection, held: Claim, statement: Update, now: datetime, **values: Any) -> None:
    """Put a job back into the queue until a time, with the reason."""
    _write(connection, held, statement, **values)
    note(connection, [held.job_id], "deferred", now, values["detail"])


def release_all(connection: Connection, owner: str, now: datetime) -> list[UUID]:
    """Give every job that this owner still holds back, for anyone to claim."""
    left = list(connection.scalars(_RELEASE_ALL, {"by": owner}))
    note(connection, left, "released", now)
    return left


def cancel(connection: Connection, job_id: UUID, now: datetime) -> JobRecord:
    """Call a job off; whoever works on it finds out at its next write."""
    row = connection.execute(_CANCEL, {"job": job_id, "now": now}).one_or_none()
    if row is None:
        job = read_job(connection, job_id)
        if job.status is Status.cancelled:
            return job
        raise IllegalTransition(f"Job {job_id} has already {job.status.value}, so it cannot be cancelled.")
    note(connection, [job_id], "cancelled", now)
    job = to_record(row)
    telling.of_job(connection, job, now)
    return job


def _write(connection: Connection, held: Claim, statement: Update, **values: Any) -> JobRecord:
    """Change a job that is still held."""
    row = connection.execute(statement, {"job": held.job_id, "held": held.fence, **values}).one_or_none()
    if row is None:
        raise _lost(held, read_job(connection, held.job_id))
    return to_record(row)


def _end(
    connection: Connection,
    held: Claim,
    status: Status,
    statement: Update,
    deliveries: Sequence[Delivery],
    now: datetime,
    **values: Any,
) -> JobRecord:
    """End a job that is still held, and write down who is to be told."""
    row = connection.execute(
        statement, {"job": held.job_id, "held": held.fence, "now": now, **values}
    ).one_or_none()
    if row is None:
        job = read_job(connection, held.job_id)
        if (job.status, job.fence) == (status, held.fence):
            return job  # ended by this very claim, and the answer was lost on its way
        raise _lost(held, job)
    job = to_record(row)
    outbox.add(connection, deliveries, held.fence, now)
    telling.of_job(connection, job, now)
    note(connection, [held.job_id], status.value, now, job.error_code)
    if job.result is not None:
        results.keep(connection, job.result, now)
    return job


def _lost(held: Claim, job: JobRecord) -> ClaimLost:
    if job.fence != held.fence:
        return ClaimLost(f"Another process has taken job {job.id} over.")
    return ClaimLost(f"Job {job.id} is {job.status.value} by now, so this work on it is over.")
