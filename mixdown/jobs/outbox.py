"""Who is to be told: written with the end of a job, delivered at least once under a stable id."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Select, func, insert, select, update

from mixdown.db.tables import Batch, DeliveryAttempt, DeliveryRow, Job
from mixdown.jobs.rows import INSERT, note
from mixdown.model import Delivery, digest

#: For how long what was taken is its taker's alone: a hundred receivers that keep silent, eight at a time.
DELIVERY_LEASE_S = 300.0

_FIELDS = tuple(field.name for field in fields(Delivery))
_ADD = insert(DeliveryRow)
_ADD_ONCE = {name: insert_of(DeliveryRow).on_conflict_do_nothing() for name, insert_of in INSERT.items()}
_ASKED_WITH = func.coalesce(
    select(Job.key_id).where(Job.id == DeliveryRow.job_id).scalar_subquery(),
    select(Batch.key_id).where(Batch.id == DeliveryRow.batch_id).scalar_subquery(),
).label("key_id")
_COLUMNS = tuple(_ASKED_WITH if name == "key_id" else getattr(DeliveryRow, name) for name in _FIELDS)
_DUE = (
    select(*_COLUMNS)
    .where(DeliveryRow.next_attempt_at.is_not(None))
    .order_by(DeliveryRow.next_attempt_at, DeliveryRow.created_at, DeliveryRow.id)
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """How an attempt to deliver went."""

    delivery_id: UUID
    delivered: bool
    answer: str  #: the receiver's, short
    next_attempt_at: datetime | None = None  #: None: it was delivered, or is given up
    made: bool = True  #: False: its receiver is known to be down, so it was not asked


def add(
    connection: Connection, deliveries: Sequence[Delivery], fence: int, now: datetime, *, once: bool = False
) -> None:
    """Write notifications down, due now unless they say when; `once`: those that are there stay as they are."""
    rows = [
        {
            "id": delivery.id,
            "job_id": delivery.job_id,
            "batch_id": delivery.batch_id,
            "endpoint_id": delivery.endpoint_id,
            "fence": fence,
            "target": delivery.target,
            "target_digest": _digest(delivery),
            "payload": delivery.payload,
            "created_at": now,
            "next_attempt_at": delivery.next_attempt_at or now,
        }
        for delivery in deliveries
    ]
    if rows:
        connection.execute(_ADD_ONCE[connection.dialect.name] if once else _ADD, rows)


def _digest(delivery: Delivery) -> str:
    """What is said once for one ending: to a target, and to an endpoint even where its address is the same."""
    target = delivery.target.model_dump(mode="json")
    return digest(target) if delivery.endpoint_id is None else digest(target, str(delivery.id))


def of_job(connection: Connection, job_id: UUID) -> list[Delivery]:
    """Every notification of a job, oldest first."""
    rows = connection.execute(
        select(*_COLUMNS).where(DeliveryRow.job_id == job_id).order_by(DeliveryRow.created_at, DeliveryRow.id)
    )
    return [_to_delivery(row) for row in rows]


def take_due(connection: Connection, now: datetime, limit: int, lease_s: float) -> list[Delivery]:
    """Take notifications whose time has come, the longest due first; nobody else gets them for `lease_s`."""
    return _take(connection, _DUE.where(DeliveryRow.next_attempt_at <= now).limit(limit), now, lease_s)


def take_of_jobs(
    connection: Connection, job_ids: Collection[UUID], now: datetime, lease_s: float
) -> list[Delivery]:
    """`take_due` for the notifications of these jobs, all that are due."""
    of_these = _DUE.where(DeliveryRow.job_id.in_(sorted(job_ids)), DeliveryRow.next_attempt_at <= now)
    return _take(connection, of_these, now, lease_s)


def take_of_batch(connection: Connection, batch_id: UUID, now: datetime, lease_s: float) -> list[Delivery]:
    """`take_due` for what is said of a batch as a whole."""
    of_it = _DUE.where(DeliveryRow.batch_id == batch_id, DeliveryRow.next_attempt_at <= now)
    return _take(connection, of_it, now, lease_s)


def _take(connection: Connection, chosen: Select[Any], now: datetime, lease_s: float) -> list[Delivery]:
    """Take these but those that another process is just taking; a taker that dies leaves them due again."""
    locked = chosen.with_for_update(skip_locked=True, of=DeliveryRow)
    taken = [_to_delivery(row) for row in connection.execute(locked)]
    if taken:
        until = now + timedelta(seconds=lease_s)
        ids = [delivery.id for delivery in taken]
        connection.execute(update(DeliveryRow).where(DeliveryRow.id.in_(ids)).values(next_attempt_at=until))
        taken = [replace(delivery, next_attempt_at=until) for delivery in taken]
    return taken


def record_attempts(connection: Connection, attempts: Sequence[Attempt], now: datetime) -> None:
    """Note how attempts went, each in a row of its own; what was delivered stays delivered."""
    ids = [each.delivery_id for each in attempts if each.made]
    known = set(connection.scalars(select(DeliveryRow.id).where(DeliveryRow.id.in_(ids))))
    made = [
        {"delivery_id": each.delivery_id, "at": now, "delivered": each.delivered, "answer": each.answer}
        for each in attempts
        if each.made and each.delivery_id in known
    ]
    if made:
        connection.execute(insert(DeliveryAttempt), made)
    for attempt in attempts:
        job_id = connection.scalar(
            update(DeliveryRow)
            .where(DeliveryRow.id == attempt.delivery_id, DeliveryRow.delivered_at.is_(None))
            .values(
                attempts=DeliveryRow.attempts + int(attempt.made),
                last_answer=attempt.answer,
                delivered_at=now if attempt.delivered else None,
                next_attempt_at=None if attempt.delivered else attempt.next_attempt_at,
            )
            .returning(DeliveryRow.job_id)
        )
        if job_id is not None and (attempt.delivered or attempt.next_attempt_at is None):
            kind = "notified" if attempt.delivered else "unnotified"
            note(connection, [job_id], kind, now, attempt.answer)


def _to_delivery(row: Row[Any]) -> Delivery:
    return Delivery(**dict(zip(_FIELDS, row, strict=True)))
