"""The tables of the front door: keys, what was done with them, requests under a name, webhooks in and out."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Integer, String, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from mixdown.db.columns import AnyText, Json, UtcDateTime
from mixdown.db.tables import Table

__all__ = ["ApiKey", "ApiRequest", "AuditEntry", "HookMessage", "Table", "WebhookEndpoint"]

_COUNTER = BigInteger().with_variant(Integer, "sqlite")


class ApiKey(Table):
    """A key, of which only the hash is kept."""

    __tablename__ = "api_keys"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    name: Mapped[str] = mapped_column(AnyText)
    prefix: Mapped[str] = mapped_column(String(16))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]] = mapped_column(Json())
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class AuditEntry(Table):
    """Who created, read, cancelled or deleted what. Only ever added to."""

    __tablename__ = "audit_log"

    id: Mapped[int] = mapped_column(_COUNTER, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    key_id: Mapped[UUID | None] = mapped_column(Uuid)
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(AnyText)
    address: Mapped[str] = mapped_column(AnyText)
    request_id: Mapped[str] = mapped_column(AnyText)
    detail: Mapped[dict[str, Any]] = mapped_column(Json(), server_default=text("'{}'"))


class ApiRequest(Table):
    """A request under a name of the client's: an idempotency key, or its own id of a job."""

    __tablename__ = "api_requests"

    owner: Mapped[str] = mapped_column(String(36), primary_key=True)
    scope: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(AnyText, primary_key=True)
    request_digest: Mapped[str] = mapped_column(String(64))
    job_id: Mapped[UUID | None] = mapped_column(Uuid)
    batch_id: Mapped[UUID | None] = mapped_column(Uuid)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class HookMessage(Table):
    """A message that came in, so that it is heeded once."""

    __tablename__ = "hook_messages"

    hook: Mapped[str] = mapped_column(String(64), primary_key=True)
    message: Mapped[str] = mapped_column(String(64), primary_key=True)
    batch_id: Mapped[UUID | None] = mapped_column(Uuid)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class WebhookEndpoint(Table):
    """An address that is told of every job of a key. Its secret is derived, never kept."""

    __tablename__ = "webhook_endpoints"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    key_id: Mapped[UUID | None] = mapped_column(Uuid)
    url: Mapped[str] = mapped_column(AnyText)
    description: Mapped[str] = mapped_column(AnyText, server_default=text("''"))
    events: Mapped[list[str]] = mapped_column(Json())
    generation: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    rotated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    disabled_why: Mapped[str | None] = mapped_column(AnyText)
