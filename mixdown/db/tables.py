"""The tables of the ledger. A change here needs a migration in `versions/`; a test compares the two."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    UniqueConstraint,
    Uuid,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from mixdown.db.columns import AnyText, Fraction, Json, UtcDateTime
from mixdown.model import JobResult, JobSpec, Priority, Stage, Status, Target


def _only(condition: str) -> dict[str, Any]:
    """Options of an index over few of the rows: small, and cheap to keep."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


class Table(DeclarativeBase):
    """A table; its constraints have names, because a migration must be able to speak of them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Batch(Table):
    """Jobs that were asked for together."""

    __tablename__ = "batches"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    title: Mapped[str | None] = mapped_column(AnyText)
    priority: Mapped[Priority] = mapped_column(
        Enum(Priority, name="priority", native_enum=False, create_constraint=False, length=16),
        server_default=text("'normal'"),
    )
    attached: Mapped[bool] = mapped_column(Boolean, server_default=false())
    paused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cancelled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    dispatched_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    key_id: Mapped[UUID | None] = mapped_column(Uuid)
    notify: Mapped[tuple[Target, ...]] = mapped_column(
        Json(TypeAdapter(tuple[Target, ...])), server_default=text("'[]'")
    )

    __table_args__ = (
        Index(None, "created_at"),
        Index("ix_batches_open", "created_at", **_only("closed_at IS NULL")),
    )


class Job(Table):
    """One job; its columns are those of `JobRecord`."""

    __tablename__ = "jobs"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    idempotency_key: Mapped[str] = mapped_column(AnyText, unique=True)
    batch_id: Mapped[UUID | None] = mapped_column(ForeignKey("batches.id"))
    spec: Mapped[JobSpec] = mapped_column(Json(TypeAdapter(JobSpec)))
    status: Mapped[Status] = mapped_column(
        Enum(Status, name="status", native_enum=False, create_constraint=True, length=16)
    )
    stage: Mapped[Stage | None] = mapped_column(
        Enum(Stage, name="stage", native_enum=False, create_constraint=True, length=16)
    )
    progress: Mapped[float] = mapped_column(Fraction, server_default=text("0"))
    work: Mapped[dict[str, Any]] = mapped_column(Json(), server_default=text("'{}'"))
    result_key: Mapped[str | None] = mapped_column(String(64))
    result: Mapped[JobResult | None] = mapped_column(Json(TypeAdapter(JobResult)))
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_detail: Mapped[str | None] = mapped_column(AnyText)
    failed_stage: Mapped[Stage | None] = mapped_column(
        Enum(Stage, name="failed_stage", native_enum=False, create_constraint=True, length=16)
    )
    flow_run_id: Mapped[UUID | None] = mapped_column(Uuid)
    owner: Mapped[str | None] = mapped_column(AnyText)
    fence: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    deaths: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    tries: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    not_before: Mapped[datetime | None] = mapped_column(UtcDateTime)
    origin: Mapped[str] = mapped_column(AnyText, server_default=text("''"))
    size_bytes: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    heartbeat_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    key_id: Mapped[UUID | None] = mapped_column(Uuid)

    __table_args__ = (
        CheckConstraint("progress BETWEEN 0 AND 1", name="progress"),
        CheckConstraint("status <> 'running' OR (owner IS NOT NULL AND heartbeat_at IS NOT NULL)", name="held"),
        CheckConstraint("status <> 'succeeded' OR result IS NOT NULL", name="delivered"),
        CheckConstraint("status <> 'failed' OR error_code IS NOT NULL", name="explained"),
        Index(None, "created_at", "id"),
        Index(None, "status", "created_at"),
        Index(None, "batch_id", "status"),
        Index(None, "result_key"),
        Index(None, "key_id", "created_at", "id"),
        # The queue of a batch, in the order in which it is taken.
        Index("ix_jobs_queue", "batch_id", "deaths", "created_at", "id", **_only("status = 'queued'")),
    )


class BatchJob(Table):
    """A job that a batch asked for and found there: `jobs.batch_id` names the batch it was made for."""

    __tablename__ = "batch_jobs"

    batch_id: Mapped[UUID] = mapped_column(ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, index=True)


class JobEventRow(Table):
    """One line of a job's history."""

    __tablename__ = "job_events"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[str] = mapped_column(String(32))
    detail: Mapped[str | None] = mapped_column(AnyText)

    __table_args__ = (Index(None, "job_id", "id"),)


class Result(Table):
    """What was once made, for whoever asks for the same."""

    __tablename__ = "results"

    result_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    result: Mapped[JobResult] = mapped_column(Json(TypeAdapter(JobResult)))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class DeliveryRow(Table):
    """One notification of the outbox: of a job, or of a whole batch."""

    __tablename__ = "deliveries"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    batch_id: Mapped[UUID | None] = mapped_column(ForeignKey("batches.id", ondelete="CASCADE"))
    endpoint_id: Mapped[UUID | None] = mapped_column(Uuid)
    fence: Mapped[int] = mapped_column(Integer)
    target: Mapped[Target] = mapped_column(Json(TypeAdapter(Target)))
    target_digest: Mapped[str] = mapped_column(String(64))
    payload: Mapped[str] = mapped_column(AnyText)
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    next_attempt_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_answer: Mapped[str | None] = mapped_column(AnyText)

    __table_args__ = (
        # One notification to a target for one ending; a job that failed and was asked for again ends again.
        UniqueConstraint("job_id", "fence", "target_digest"),
        Index("ix_deliveries_due", "next_attempt_at", **_only("next_attempt_at IS NOT NULL")),
    )


class ShiftRow(Table):
    """A process at work."""

    __tablename__ = "shifts"

    owner: Mapped[str] = mapped_column(AnyText, primary_key=True)
    batch_id: Mapped[UUID | None] = mapped_column(Uuid)
    flow_run_id: Mapped[UUID | None] = mapped_column(Uuid)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    heartbeat_at: Mapped[datetime] = mapped_column(UtcDateTime)


class OutageRow(Table):
    """A server or store that does not serve."""

    __tablename__ = "outages"

    dependency: Mapped[str] = mapped_column(AnyText, primary_key=True)
    code: Mapped[str] = mapped_column(String(64))
    detail: Mapped[str] = mapped_column(AnyText)
    jobs: Mapped[list[str]] = mapped_column(Json())
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    probes: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    next_probe_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    probe_until: Mapped[datetime | None] = mapped_column(UtcDateTime)


class DeliveryAttempt(Table):
    """What was sent, when, and with which answer."""

    __tablename__ = "delivery_attempts"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    delivery_id: Mapped[UUID] = mapped_column(ForeignKey("deliveries.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    delivered: Mapped[bool] = mapped_column(Boolean)
    answer: Mapped[str] = mapped_column(AnyText)

    __table_args__ = (Index(None, "delivery_id", "id"),)


class PaidChunk(Table):
    """One purchase of speech, from before it is paid on."""

    __tablename__ = "paid_chunks"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    key: Mapped[str] = mapped_column(String(64))
    job_id: Mapped[UUID] = mapped_column(Uuid, index=True)
    engine: Mapped[str] = mapped_column(AnyText)
    characters: Mapped[int] = mapped_column(Integer)
    cost: Mapped[float] = mapped_column(Fraction)
    owner: Mapped[str] = mapped_column(AnyText)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    outcome: Mapped[str | None] = mapped_column(String(16))

    # Of those who want the same chunk one buys it, and the others wait.
    __table_args__ = (Index("ix_paid_chunks_open", "key", unique=True, **_only("outcome IS NULL")),)
