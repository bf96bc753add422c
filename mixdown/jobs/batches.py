"""Batches: opened, watched, paused, called off, tried again, and given to whoever is free."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, func, literal, literal_column, or_, select, union_all, update

from mixdown.db.tables import Batch, BatchJob, Job, OutageRow
from mixdown.errors import BatchNotFound, IllegalTransition, InvalidRequest
from mixdown.jobs import shifts, telling
from mixdown.jobs.rows import INSERT, note
from mixdown.jobs.transitions import LEGAL
from mixdown.model import BatchProgress, BatchRecord, Priority, Status, Target

#: The rate is that of the last minute: long enough to be steady, short enough to be true.
_RECENT_S = 60.0

_NAMED = 5
_COLUMNS = tuple(getattr(Batch, name) for name in BatchRecord.__dataclass_fields__)
_OPEN = (Status.queued, Status.running)

#: Of the lock that one who gathers loose jobs holds.
_GATHERING = 0x6D69786C

_LOOSE = (
    select(Job.id)
    .where(Job.status == literal_column("'queued'"), Job.batch_id.is_(None))
    .where(
        ~select(BatchJob.job_id)
        .join(Batch, Batch.id == BatchJob.batch_id)
        .where(BatchJob.job_id == Job.id, Batch.closed_at.is_(None), Batch.cancelled_at.is_(None))
        .exists()
    )
    .order_by(Job.created_at, Job.id)
)


def open_batch(
    connection: Connection,
    batch_id: UUID,
    title: str | None,
    now: datetime,
    *,
    priority: Priority = Priority.normal,
    attached: bool = False,
    key_id: UUID | None = None,
    notify: Sequence[Target] = (),
) -> None:
    """Write a batch down; one that is there keeps what it is, and is open again."""
    statement = INSERT[connection.dialect.name](Batch).on_conflict_do_update(
        index_elements=[Batch.id], set_={"closed_at": None}
    )
    connection.execute(
        statement,
        {
            "id": batch_id,
            "created_at": now,
            "title": title,
            "priority": priority,
            "attached": attached,
            "key_id": key_id,
            "notify": tuple(notify),
        },
    )


def gather(connection: Connection, batch_id: UUID, job_ids: Sequence[UUID]) -> None:
    """Make jobs that are there part of a batch."""
    rows = [{"batch_id": batch_id, "job_id": job_id} for job_id in job_ids]
    connection.execute(INSERT[connection.dialect.name](BatchJob).on_conflict_do_nothing(), rows)


def gather_loose(connection: Connection, batch_id: UUID, now: datetime, *, most: int) -> int:
    """Make queued jobs that were asked for without a batch, and that nobody will come for, part of an urgent one.

    How many those are; 0 where another one is just gathering them.
    """
    is_first = select(func.pg_try_advisory_xact_lock(_GATHERING))
    if connection.dialect.name == "postgresql" and not connection.scalar(is_first):
        return 0
    loose = list(connection.scalars(_LOOSE.limit(most)))
    if loose:
        title = "1 job of its own" if len(loose) == 1 else f"{len(loose):,} jobs of their own"
        open_batch(connection, batch_id, title, now, priority=Priority.urgent)
        gather(connection, batch_id, loose)
    return len(loose)


def any_loose(connection: Connection) -> bool:
    """Whether there is something to gather."""
    return connection.scalar(_LOOSE.limit(1)) is not None


def get(connection: Connection, batch_id: UUID) -> BatchRecord:
    """The batch of this id."""
    row = connection.execute(select(*_COLUMNS).where(Batch.id == batch_id)).one_or_none()
    if row is None:
        raise BatchNotFound(f"There is no batch {batch_id}.")
    return _to_batch(row)


def newest(connection: Connection, limit: int) -> list[BatchRecord]:
    """Batches, newest first."""
    rows = connection.execute(select(*_COLUMNS).order_by(Batch.created_at.desc(), Batch.id.desc()).limit(limit))
    return [_to_batch(row) for row in rows]


def resolve(connection: Connection, prefix: str) -> UUID:
    """The one batch whose id begins like this."""
    digits = prefix.strip().lower().replace("-", "")
    if not re.fullmatch("[0-9a-f]{4,32}", digits):
        raise InvalidRequest("A batch is named by its id, or by the first four or more digits of it.")
    first, last = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
    found = list(connection.scalars(select(Batch.id).where(Batch.id.between(first, last)).limit(_NAMED + 1)))
    if not found:
        raise BatchNotFound(f"There is no batch {prefix.strip()}.")
    if len(found) > 1:
        raise InvalidRequest(f"Several batches begin with {prefix.strip()}: {', '.join(map(str, found[:_NAMED]))}.")
    return found[0]


def progress(connection: Connection, batch_id: UUID, now: datetime) -> BatchProgress:
    """How far a batch is."""
    batch = get(connection, batch_id)
    recently = now - timedelta(seconds=_RECENT_S)
    closed = select(OutageRow.dependency).where(OutageRow.next_probe_at.is_not(None))
    all_wait = bool(connection.scalar(select(func.count()).where(closed.where(_is_results()).exists())))
    columns = (Job.status, Job.not_before, Job.origin, Job.started_at, Job.finished_at)
    each = union_all(
        select(*columns).where(Job.batch_id == batch_id),
        select(*columns).join(BatchJob, BatchJob.job_id == Job.id).where(BatchJob.batch_id == batch_id),
    ).subquery()
    put_off = or_(each.c.not_before > now, each.c.origin.in_(closed), literal(all_wait))
    rows = connection.execute(
        select(
            each.c.status,
            func.count().label("number"),
            func.count().filter(put_off).label("put_off"),
            func.count().filter(each.c.finished_at > recently).label("recent"),
            func.min(each.c.started_at).label("first"),
            func.max(each.c.finished_at).label("last"),
        ).group_by(each.c.status)
    ).all()
    found = {row.status: row for row in rows}
    first = min((row.first for row in rows if row.first is not None), default=None)
    started_s = (now - max(first, recently)).total_seconds() if first is not None else _RECENT_S
    return BatchProgress(
        batch=batch,
        counts={status: found[status].number if status in found else 0 for status in Status},
        waiting=found[Status.queued].put_off if Status.queued in found else 0,
        recent=sum(row.recent for row in rows if row.status.ended),
        recent_s=max(1.0, min(_RECENT_S, started_s)),
        first_started_at=first,
        last_finished_at=max((row.last for row in rows if row.last is not None), default=None),
    )


def left(connection: Connection, batch_id: UUID) -> tuple[int, int]:
    """How many jobs of a batch are queued, and how many are running, wherever."""
    found_there = select(BatchJob.job_id).where(BatchJob.batch_id == batch_id)
    mine = or_(Job.batch_id == batch_id, Job.id.in_(found_there))
    rows = connection.execute(
        select(Job.status, func.count().label("number")).where(mine, Job.status.in_(_OPEN)).group_by(Job.status)
    )
    numbers = {row.status: row.number for row in rows}
    return numbers.get(Status.queued, 0), numbers.get(Status.running, 0)


def pause(connection: Connection, batch_id: UUID, now: datetime) -> BatchRecord:
    """Take no more jobs of a batch; those that are running are ended."""
    if get(connection, batch_id).cancelled_at is not None:
        raise IllegalTransition("The batch has been cancelled, so there is nothing to pause.")
    return _change(connection, batch_id, paused_at=func.coalesce(Batch.paused_at, now))


def resume(connection: Connection, batch_id: UUID) -> BatchRecord:
    """Go on with a batch that was paused."""
    return _change(connection, batch_id, paused_at=None, dispatched_at=None, closed_at=None)


def cancel(connection: Connection, batch_id: UUID, now: datetime) -> int:
    """Call off what has not ended of a batch; how many jobs that were. Jobs made for other batches are theirs."""
    _change(connection, batch_id, cancelled_at=func.coalesce(Batch.cancelled_at, now))
    called_off = list(
        connection.scalars(
            update(Job)
            .where(Job.batch_id == batch_id, Job.status.in_(LEGAL[Status.cancelled] & set(_OPEN)))
            .values(status=Status.cancelled, owner=None, finished_at=now)
            .returning(Job.id)
        )
    )
    note(connection, called_off, "cancelled", now, "with its batch")
    telling.of_cancelled(connection, called_off, now)
    if called_off and not sum(left(connection, batch_id)):
        telling.of_batch(connection, batch_id, now)
    return len(called_off)


def retry(connection: Connection, batch_id: UUID, now: datetime, *, code: str | None) -> int:
    """Queue what failed of a batch again, all or what failed with this code, and what was cancelled with it."""
    batch = get(connection, batch_id)
    again = Job.status == Status.failed
    if code is not None:
        again &= Job.error_code == code
    elif batch.cancelled_at is not None:
        again = Job.status.in_([Status.failed, Status.cancelled])
    found_there = select(BatchJob.job_id).where(BatchJob.batch_id == batch_id)
    queued = list(
        connection.scalars(
            update(Job)
            .where(or_(Job.batch_id == batch_id, Job.id.in_(found_there)), again)
            .values(status=Status.queued, **FRESH)
            .returning(Job.id)
        )
    )
    note(connection, queued, "requeued", now, "tried again")
    _change(connection, batch_id, cancelled_at=None, paused_at=None, dispatched_at=None, closed_at=None)
    return len(queued)


def close(connection: Connection, batch_id: UUID, now: datetime) -> bool:
    """Note that nothing is left to do in a batch; False where something is."""
    if sum(left(connection, batch_id)):
        return False
    connection.execute(update(Batch).where(Batch.id == batch_id).values(closed_at=now))
    telling.of_batch(connection, batch_id, now)
    return True


def unattended(
    connection: Connection, *, grace_s: float, lease_s: float, is_alive: Callable[[str], bool], now: datetime
) -> list[BatchRecord]:
    """Open batches on which nobody works and to which nobody was just sent, urgent ones first."""
    before = now - timedelta(seconds=grace_s)
    rows = connection.execute(
        select(*_COLUMNS)
        .where(Batch.closed_at.is_(None), Batch.paused_at.is_(None), Batch.cancelled_at.is_(None))
        .where(~Batch.attached, or_(Batch.dispatched_at.is_(None), Batch.dispatched_at < before))
        .order_by(Batch.created_at)
    ).all()
    if not rows:
        return []
    attended = shifts.attended(connection, lease_s=lease_s, is_alive=is_alive, now=now)
    waiting = [_to_batch(row) for row in rows if row.id not in attended]
    waiting = [batch for batch in waiting if sum(left(connection, batch.id))]
    return sorted(waiting, key=lambda batch: batch.priority is not Priority.urgent)


def note_dispatch(connection: Connection, batch_id: UUID, *, grace_s: float, now: datetime) -> bool:
    """Whether it is for the caller to send somebody to this batch: for one caller it is."""
    before = now - timedelta(seconds=grace_s)
    changed = connection.execute(
        update(Batch)
        .where(Batch.id == batch_id, or_(Batch.dispatched_at.is_(None), Batch.dispatched_at < before))
        .values(dispatched_at=now)
    )
    return bool(changed.rowcount)


#: What a job that starts anew has none of.
FRESH: dict[str, Any] = {
    **dict.fromkeys(
        (
            *("stage", "result", "result_key", "error_code", "error_detail", "failed_stage", "not_before"),
            *("flow_run_id", "owner", "started_at", "heartbeat_at", "finished_at"),
        )
    ),
    **{"progress": 0.0, "attempts": 0, "deaths": 0, "tries": 0, "work": {}},
}


def _is_results() -> Any:
    return OutageRow.dependency == literal_column("'results'")


def _change(connection: Connection, batch_id: UUID, **values: Any) -> BatchRecord:
    get(connection, batch_id)
    row = connection.execute(update(Batch).where(Batch.id == batch_id).values(**values).returning(*_COLUMNS)).one()
    return _to_batch(row)


def _to_batch(row: Row[Any]) -> BatchRecord:
    return BatchRecord(**dict(zip(BatchRecord.__dataclass_fields__, row, strict=True)))
