"""The queue of a batch: the next few jobs are taken at once, and what came of them is written at once.

Any number of crews take from one batch: rows that another one is just taking are passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, case, func, literal_column, or_, select, update

from mixdown.db.columns import UtcDateTime
from mixdown.db.tables import Batch, BatchJob, Job
from mixdown.errors import ClaimLost
from mixdown.jobs import claims, outages
from mixdown.jobs.rows import RECORD, note, to_record
from mixdown.model import (
    Advanced,
    Claim,
    Deferred,
    Failed,
    JobRecord,
    Outcome,
    Status,
    Succeeded,
)

#: A job that a process died over goes alone: its neighbors are not to share its fate, or its blame.
_SUSPECT_DEATHS = 1

_QUEUED = Job.status == literal_column("'queued'")
_RUNNING = Job.status == literal_column("'running'")
_NOW = bindparam("now", type_=UtcDateTime())

_CHOOSE = (
    select(Job.id, Job.size_bytes, Job.deaths)
    .where(_QUEUED, or_(Job.not_before.is_(None), Job.not_before <= _NOW))
    .order_by(Job.deaths, Job.created_at, Job.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True, of=Job)
)
_TAKE = (
    update(Job)
    .where(Job.id.in_(bindparam("chosen", expanding=True)), _QUEUED)
    .values(
        status=Status.running,
        owner=bindparam("by"),
        flow_run_id=bindparam("run"),
        fence=Job.fence + 1,
        attempts=Job.attempts + 1,
        progress=0.0,
        started_at=func.coalesce(Job.started_at, _NOW),
        heartbeat_at=_NOW,
    )
    .returning(Job.id, Job.fence)
)
_DEFER = claims.held_to(
    Status.queued,
    owner=None,
    attempts=Job.attempts - 1,  # no process died over it
    tries=Job.tries + case((bindparam("counted"), 1), else_=0),
    not_before=bindparam("until", type_=UtcDateTime()),
    error_code=bindparam("code"),
    error_detail=bindparam("detail"),
)
_FROM_START = update(Job).where(Job.id == bindparam("job"), _QUEUED).values(stage=None, work={})


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Jobs that are ours now, a few seconds of work."""

    claims: tuple[Claim, ...]
    first: JobRecord
    size_bytes: int  #: of their sources, where all are known; else 0


def take(
    connection: Connection,
    batch_id: UUID,
    *,
    owner: str,
    flow_run_id: UUID | None,
    host: str,
    most_jobs: int,
    work_bytes: int,
    patience_s: float,
    now: datetime,
) -> Taken | None:
    """Claim the next jobs of a batch; None where nothing can be done now.

    Jobs whose source lies on another machine, or whose server is down, stay where they are. When it is time to
    see whether a server is back, one job that needs it goes alone.
    """
    closed, probe = outages.gates(connection, host, patience_s, now)
    if closed is None:
        return None
    chosen = _chosen(connection, batch_id, host, closed, probe, 1 if probe else most_jobs, now)
    if probe and "://" in probe and not chosen:  # none of ours needs what is to be tried: others will, and we go on
        closed, probe = closed | {probe}, None
        chosen = _chosen(connection, batch_id, host, closed, None, most_jobs, now)
    jobs = _cut([(row.id, row.size_bytes) for row in chosen if row.deaths < _SUSPECT_DEATHS], work_bytes)
    jobs = jobs or [row.id for row in chosen[:1]]
    if not jobs:
        return None
    if probe:
        outages.probing(connection, probe, now)
    fences = {
        row.id: row.fence
        for row in connection.execute(_TAKE, {"chosen": sorted(jobs), "by": owner, "run": flow_run_id, "now": now})
    }
    taken = [Claim(job_id=job_id, fence=fences[job_id]) for job_id in jobs if job_id in fences]
    if not taken:
        return None
    note(connection, [claim.job_id for claim in taken], "claimed", now, owner)
    [first] = read(connection, [taken[0].job_id])
    sizes = {row.id: row.size_bytes for row in chosen}
    known = [sizes[claim.job_id] for claim in taken]
    return Taken(claims=tuple(taken), first=first, size_bytes=sum(known) if all(known) else 0)


def _chosen(
    connection: Connection,
    batch_id: UUID,
    host: str,
    closed: Collection[str],
    probe: str | None,
    most: int,
    now: datetime,
) -> Sequence[Any]:
    """Jobs that could be done here and now: those made for the batch, then those it found there."""
    here = or_(Job.origin.not_like("file://%"), Job.origin == f"file://{host}")
    able = _CHOOSE.where(here)
    if closed:
        able = able.where(Job.origin.not_in(sorted(closed)))
    if probe and "://" in probe:
        able = able.where(Job.origin == probe)
    found_there = select(BatchJob.job_id).where(BatchJob.batch_id == batch_id)
    for mine in (Job.batch_id == batch_id, Job.id.in_(found_there)):
        if rows := connection.execute(able.where(mine), {"most": most, "now": now}).all():
            return rows
    return ()


def _cut(jobs: Sequence[tuple[UUID, int]], work_bytes: int) -> list[UUID]:
    """As many of these, in order, as make up so much work; one at least. An unknown size is a quarter of it."""
    cut: list[UUID] = []
    room_bytes = work_bytes
    for job_id, size_bytes in jobs:
        cost_bytes = size_bytes or work_bytes // 4
        if cut and cost_bytes > room_bytes:
            break
        cut.append(job_id)
        room_bytes -= cost_bytes
    return cut


def read(connection: Connection, job_ids: Sequence[UUID]) -> list[JobRecord]:
    """These jobs, in this order; those that are not there are left out."""
    rows = connection.execute(select(*RECORD).where(Job.id.in_(job_ids)))
    found = {record.id: record for record in map(to_record, rows)}
    return [found[job_id] for job_id in job_ids if job_id in found]


def write(connection: Connection, outcomes: Iterable[Outcome], now: datetime) -> list[Claim]:
    """Write down what came of some jobs; the claims that were lost meanwhile, for which nothing is written."""
    lost: list[Claim] = []
    for outcome in outcomes:
        try:
            _write(connection, outcome, now)
        except ClaimLost:
            lost.append(outcome.claim)
    return lost


def _write(connection: Connection, outcome: Outcome, now: datetime) -> None:
    match outcome:
        case Advanced():
            claims.advance(connection, outcome.claim, outcome.stage, outcome.work, now)
        case Succeeded():
            claims.succeed(connection, outcome.claim, outcome.result, outcome.deliveries, now)
        case Failed():
            claims.fail(
                connection,
                outcome.claim,
                outcome.deliveries,
                now,
                code=outcome.code,
                detail=outcome.detail,
                stage=outcome.stage,
            )
        case Deferred():
            claims.put_off(
                connection,
                outcome.claim,
                _DEFER,
                now,
                code=outcome.code,
                detail=outcome.detail,
                until=outcome.until,
                counted=outcome.counts,
            )
            if outcome.from_start:
                connection.execute(_FROM_START, {"job": outcome.claim.job_id})


def give_back(
    connection: Connection, held: Sequence[Claim], now: datetime, *, why: str, blamed: Collection[UUID]
) -> None:
    """Put jobs back into the queue; over the blamed ones a process died, and that counts."""
    back = [
        job_id
        for claim in held
        for job_id in connection.scalars(
            update(Job)
            .where(Job.id == claim.job_id, Job.fence == claim.fence, _RUNNING)
            .values(
                status=Status.queued,
                owner=None,
                attempts=Job.attempts - (0 if blamed else 1),
                deaths=Job.deaths + int(claim.job_id in blamed),
            )
            .returning(Job.id)
        )
    ]
    note(connection, back, "requeued" if blamed else "released", now, why)


def requeue_lost(
    connection: Connection,
    *,
    lease_s: float,
    is_alive: Callable[[str], bool],
    now: datetime,
) -> list[UUID]:
    """Put the running jobs of processes that are dead, or were silent for too long, back into the queue."""
    heard = select(Job.owner, func.max(Job.heartbeat_at).label("at")).where(_RUNNING).group_by(Job.owner)
    silent_since = now - timedelta(seconds=lease_s)
    dead = [
        row.owner
        for row in connection.execute(heard)
        if row.owner is not None and (row.at is None or row.at < silent_since or not is_alive(row.owner))
    ]
    if not dead:
        return []
    rows = connection.execute(
        update(Job)
        .where(Job.owner.in_(dead), _RUNNING)
        .values(status=Status.queued, owner=None, deaths=Job.deaths + claims.DIED)
        .returning(Job.id, Job.batch_id)
    ).all()
    note(connection, [row.id for row in rows], "requeued", now, "its process is gone")
    reopen(connection, {row.batch_id for row in rows if row.batch_id is not None})
    return [row.id for row in rows]


def reopen(connection: Connection, batch_ids: Collection[UUID]) -> None:
    """Note that there is something to do again in these batches."""
    if batch_ids:
        connection.execute(update(Batch).where(Batch.id.in_(sorted(batch_ids))).values(closed_at=None))
