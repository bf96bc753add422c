"""What was sent to whom, when, and with which answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, Row, Select, func, select, update

from mixdown.db import engine as database
from mixdown.db.engine import reading, writing
from mixdown.db.front_door import WebhookEndpoint
from mixdown.db.tables import Batch, DeliveryAttempt, DeliveryRow, Job
from mixdown.errors import DeliveryNotFound
from mixdown.jobs.pages import Place
from mixdown.model import Target


class DeliveryStatus(StrEnum):
    """How a message stands."""

    waiting = "waiting"  #: for its first attempt, or its next one
    delivered = "delivered"
    given_up = "given_up"  #: nobody tries any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message, and how it stands."""

    id: UUID
    job_id: UUID | None
    batch_id: UUID | None
    endpoint_id: UUID | None
    target: Target
    payload: str
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None
    delivered_at: datetime | None
    last_answer: str | None
    key_id: UUID | None  #: the API key of its job, batch or endpoint

    @property
    def status(self) -> DeliveryStatus:
        """How it stands."""
        if self.delivered_at is not None:
            return DeliveryStatus.delivered
        return DeliveryStatus.given_up if self.next_attempt_at is None else DeliveryStatus.waiting

    @property
    def event(self) -> str:
        """What it tells: `job.succeeded`."""
        return str(json.loads(self.payload)["type"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One attempt."""

    at: datetime
    delivered: bool
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedDeliveries:
    """Which messages are listed; what is None does not matter."""

    key_id: UUID | None = None
    status: DeliveryStatus | None = None
    job_id: UUID | None = None
    batch_id: UUID | None = None
    endpoint_id: UUID | None = None


# `Deliveries.list` hides the built-in within the class.
Messages = list[Sent]
Attempts = list[Tried]

_asked_with = func.coalesce(Job.key_id, Batch.key_id, WebhookEndpoint.key_id)
_NAMES = tuple(name for name in Sent.__dataclass_fields__ if name != "key_id")
_SENT = (
    select(*(getattr(DeliveryRow, name) for name in _NAMES), _asked_with.label("key_id"))
    .outerjoin(Job, Job.id == DeliveryRow.job_id)
    .outerjoin(Batch, Batch.id == DeliveryRow.batch_id)
    .outerjoin(WebhookEndpoint, WebhookEndpoint.id == DeliveryRow.endpoint_id)
)
_STANDS = {
    DeliveryStatus.delivered: DeliveryRow.delivered_at.is_not(None),
    DeliveryStatus.waiting: DeliveryRow.delivered_at.is_(None) & DeliveryRow.next_attempt_at.is_not(None),
    DeliveryStatus.given_up: DeliveryRow.delivered_at.is_(None) & DeliveryRow.next_attempt_at.is_(None),
}


class Deliveries:
    """Each method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list(self, wanted: WantedDeliveries, *, limit: int, behind: Place | None = None) -> Messages:
        """Messages, newest first, so many at most."""
        query = _SENT.order_by(DeliveryRow.created_at.desc(), DeliveryRow.id.desc()).limit(limit)
        if wanted.key_id is not None:
            query = query.where(_asked_with == wanted.key_id)
        if wanted.status is not None:
            query = query.where(_STANDS[wanted.status])
        for name in ("job_id", "batch_id", "endpoint_id"):
            if (value := getattr(wanted, name)) is not None:
                query = query.where(getattr(DeliveryRow, name) == value)
        with reading(self._engine) as connection:
            return [_to_sent(row) for row in connection.execute(_behind(query, behind))]

    def get(self, delivery_id: UUID) -> tuple[Sent, Attempts]:
        """A message and its attempts, oldest first; DeliveryNotFound if there is none."""
        with reading(self._engine) as connection:
            row = connection.execute(_SENT.where(DeliveryRow.id == delivery_id)).one_or_none()
            rows = connection.execute(
                select(DeliveryAttempt.at, DeliveryAttempt.delivered, DeliveryAttempt.answer)
                .where(DeliveryAttempt.delivery_id == delivery_id)
                .order_by(DeliveryAttempt.id)
            ).all()
        if row is None:
            raise DeliveryNotFound
        return _to_sent(row), [Tried(at=each.at, delivered=each.delivered, answer=each.answer) for each in rows]

    def replay(self, delivery_id: UUID) -> None:
        """Have a message sent again under its id, delivered or not, on a fresh schedule."""
        with writing(self._engine) as connection:
            again = (
                update(DeliveryRow)
                .where(DeliveryRow.id == delivery_id)
                .values(attempts=0, delivered_at=None, next_attempt_at=database.now(connection))
            )
            if not connection.execute(again).rowcount:
                raise DeliveryNotFound


def _behind(query: Select[Any], place: Place | None) -> Select[Any]:
    if place is None:
        return query
    older = DeliveryRow.created_at < place.created_at
    return query.where(older | ((DeliveryRow.created_at == place.created_at) & (DeliveryRow.id < place.id)))


def _to_sent(row: Row[Any]) -> Sent:
    return Sent(**row._asdict())
