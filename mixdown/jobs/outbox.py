"""Who is to be told: written with the end of a job, delivered at least once under a stable id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, insert, select, update

from mixdown.db.tables import DeliveryRow
from mixdown.jobs.rows import note
from mixdown.model import Delivery, digest

_FIELDS = tuple(field.name for field in fields(Delivery))
_ADD = insert(DeliveryRow)
_COLUMNS = tuple(getattr(DeliveryRow, name) for name in _FIELDS)


def add(connection: Connection, deliveries: Sequence[Delivery], fence: int, now: datetime) -> None:
    """Write notifications down, due now unless they say when."""
    rows = [
        {
            "id": delivery.id,
            "job_id": delivery.job_id,
            "fence": fence,
            "target": delivery.target,
            "target_digest": digest(delivery.target.model_dump(mode="json")),
            "payload": delivery.payload,
            "created_at": now,
            "next_attempt_at": delivery.next_attempt_at or now,
        }
        for delivery in deliveries
    ]
    if rows:
        connection.execute(_ADD, rows)


def of_job(connection: Connection, job_id: UUID) -> list[Delivery]:
    """Every notification of a job, oldest first."""
    rows = connection.execute(
        select(*_COLUMNS).where(DeliveryRow.job_id == job_id).order_by(DeliveryRow.created_at, DeliveryRow.id)
    )
    return [_to_delivery(row) for row in rows]


def due(connection: Connection, now: datetime, limit: int) -> list[Delivery]:
    """Notifications whose time has come, the longest due first."""
    rows = connection.execute(
        select(*_COLUMNS)
        .where(DeliveryRow.next_attempt_at.is_not(None), DeliveryRow.next_attempt_at <= now)
        .order_by(DeliveryRow.next_attempt_at, DeliveryRow.created_at, DeliveryRow.id)
        .limit(limit)
    )
    return [_to_delivery(row) for row in rows]


def record_attempt(
    connection: Connection,
    delivery_id: UUID,
    *,
    delivered: bool,
    answer: str,
    next_attempt_at: datetime | None,
    now: datetime,
) -> None:
    """Note how an attempt went; one that was delivered stays delivered."""
    job_id = connection.scalar(
        update(DeliveryRow)
        .where(DeliveryRow.id == delivery_id, DeliveryRow.delivered_at.is_(None))
        .values(
            attempts=DeliveryRow.attempts + 1,
            last_answer=answer,
            delivered_at=now if delivered else None,
            next_attempt_at=None if delivered else next_attempt_at,
        )
        .returning(DeliveryRow.job_id)
    )
    if job_id is not None and (delivered or next_attempt_at is None):
        note(connection, [job_id], "notified" if delivered else "unnotified", now, answer)


def _to_delivery(row: Row[Any]) -> Delivery:
    return Delivery(**dict(zip(_FIELDS, row, strict=True)))
