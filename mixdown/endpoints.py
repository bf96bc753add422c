"""Addresses that are told of every job of an API key. Their secrets are derived from ours and never kept."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Engine, Row, delete, func, insert, select, update

from mixdown.db import engine as database
from mixdown.db.engine import reading, writing
from mixdown.db.front_door import WebhookEndpoint
from mixdown.errors import EndpointNotFound, InvalidRequest
from mixdown.jobs import outbox
from mixdown.jobs.pages import Place
from mixdown.jobs.payloads import sample_for
from mixdown.model import Delivery, WebhookTarget
from mixdown.webhooks import key_of

#: For so long after a rotation messages are signed with the secret before as well.
BOTH_FOR = timedelta(hours=24)

#: Endpoints of a key: every job that ends is a message to each.
_MOST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An address that is told of every job of a key."""

    id: UUID
    key_id: UUID | None  #: whose jobs it is told of; None: those asked for without a key
    url: str
    description: str
    events: tuple[str, ...]  #: what it is told of
    generation: int  #: of its secret
    rotated_at: datetime | None
    created_at: datetime
    disabled_at: datetime | None
    disabled_why: str | None


def secret_of(secret: str, endpoint_id: UUID, generation: int) -> str:
    """The signing secret of an endpoint, `whsec_…`: nobody can tell ours from it, or that of another one."""
    derived = hmac.digest(key_of(secret), f"{endpoint_id}.{generation}".encode(), hashlib.sha256)
    return "whsec_" + base64.b64encode(derived).decode()


def secrets_of(secret: str, endpoint: Endpoint, now: datetime) -> list[str]:
    """What its messages are signed with: after a rotation both secrets, so that no receiver misses any."""
    generations = [endpoint.generation]
    if endpoint.rotated_at is not None and now - endpoint.rotated_at < BOTH_FOR:
        generations.append(endpoint.generation - 1)
    return [secret_of(secret, endpoint.id, generation) for generation in generations]


_FIELDS = tuple(field.name for field in fields(Endpoint))
_COLUMNS = tuple(getattr(WebhookEndpoint, name) for name in _FIELDS)


class Endpoints:
    """Each method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, *, key_id: UUID | None, url: str, description: str, events: Sequence[str]) -> Endpoint:
        """A new endpoint for the jobs of a key."""
        with writing(self._engine) as connection:
            endpoint = Endpoint(
                id=uuid4(),
                key_id=key_id,
                url=url,
                description=description,
                events=tuple(events),
                generation=1,
                rotated_at=None,
                created_at=database.now(connection),
                disabled_at=None,
                disabled_why=None,
            )
            values = {name: getattr(endpoint, name) for name in _FIELDS}
            theirs = WebhookEndpoint.key_id.is_not_distinct_from(key_id)
            if (connection.scalar(select(func.count()).where(theirs)) or 0) >= _MOST:
                raise InvalidRequest(f"There are {_MOST} endpoints already, which is as many as there may be.")
            connection.execute(insert(WebhookEndpoint), values | {"events": list(events)})
        return endpoint

    def list(self, owner: UUID | None, *, limit: int = 100, behind: Place | None = None) -> list[Endpoint]:
        """Endpoints, newest first, those of a key or everybody's."""
        order = (WebhookEndpoint.created_at.desc(), WebhookEndpoint.id.desc())
        chosen = select(*_COLUMNS).order_by(*order).limit(limit)
        if owner is not None:
            chosen = chosen.where(WebhookEndpoint.key_id == owner)
        if behind is not None:
            as_old = (WebhookEndpoint.created_at == behind.created_at) & (WebhookEndpoint.id < behind.id)
            chosen = chosen.where((WebhookEndpoint.created_at < behind.created_at) | as_old)
        with reading(self._engine) as connection:
            return [_to_endpoint(row) for row in connection.execute(chosen)]

    def get(self, endpoint_id: UUID) -> Endpoint:
        """The endpoint of this id; EndpointNotFound if there is none."""
        with reading(self._engine) as connection:
            row = connection.execute(select(*_COLUMNS).where(WebhookEndpoint.id == endpoint_id)).one_or_none()
        if row is None:
            raise EndpointNotFound
        return _to_endpoint(row)

    def change(self, endpoint_id: UUID, **values: Any) -> Endpoint:
        """Change its url, description or events."""
        if "events" in values:
            values["events"] = list(values["events"])
        return self._update(endpoint_id, **values)

    def rotate(self, endpoint_id: UUID) -> Endpoint:
        """Give it a new secret; the one before signs as well for a day."""
        with reading(self._engine) as connection:
            now = database.now(connection)
        return self._update(endpoint_id, generation=WebhookEndpoint.generation + 1, rotated_at=now)

    def disable(self, endpoint_id: UUID, why: str) -> Endpoint:
        """Tell it nothing more, until it is enabled again."""
        with reading(self._engine) as connection:
            now = database.now(connection)
        return self._update(endpoint_id, disabled_at=now, disabled_why=why)

    def enable(self, endpoint_id: UUID) -> Endpoint:
        """Tell it of what ends from now on."""
        return self._update(endpoint_id, disabled_at=None, disabled_why=None)

    def delete(self, endpoint_id: UUID) -> None:
        """Forget it; what waits for it is given up when its time comes."""
        with writing(self._engine) as connection:
            gone = connection.execute(delete(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id))
        if not gone.rowcount:
            raise EndpointNotFound

    def test(self, endpoint: Endpoint) -> UUID:
        """Write a message to it down, which only shows that it works; the delivery's id."""
        with writing(self._engine) as connection:
            now = database.now(connection)
            delivery = Delivery(
                id=uuid4(),
                job_id=None,
                endpoint_id=endpoint.id,
                target=WebhookTarget(url=endpoint.url),
                payload=sample_for(endpoint.id, now),
            )
            outbox.add(connection, [delivery], 0, now)
        return delivery.id

    def _update(self, endpoint_id: UUID, **values: Any) -> Endpoint:
        with writing(self._engine) as connection:
            changed = connection.execute(
                update(WebhookEndpoint)
                .where(WebhookEndpoint.id == endpoint_id)
                .values(id=endpoint_id, **values)  # never nothing at all
                .returning(*_COLUMNS)
            ).one_or_none()
        if changed is None:
            raise EndpointNotFound
        return _to_endpoint(changed)


def _to_endpoint(row: Row[Any]) -> Endpoint:
    values = dict(zip(_FIELDS, row, strict=True))
    return Endpoint(**values | {"events": tuple(values["events"])})
