"""Jobs and batches page by page, as the front door lists them; and one job tried again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, Engine, Select, func, or_, select, update

from mixdown.db import engine as database
from mixdown.db.engine import reading, writing
from mixdown.db.tables import Batch, BatchJob, Job
from mixdown.errors import IllegalTransition
from mixdown.jobs import batches
from mixdown.jobs.rows import RECORD, note, read_job, to_record
from mixdown.model import BatchProgress, JobRecord, Priority, Status

_RETRIED = (Status.failed, Status.cancelled)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in a list that is sorted by time, newest first: right behind this entry."""

    created_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which jobs are listed; what is None does not matter."""

    key_id: UUID | None = None  #: those asked for with this API key
    batch_id: UUID | None = None
    status: Status | None = None
    kind: str | None = None  #: enhance, transform, analyze or generate
    code: str | None = None  #: of what went wrong
    created_after: datetime | None = None
    created_before: datetime | None = None


class Pages:
    """Each method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def jobs(self, wanted: Wanted, *, limit: int, behind: Place | None = None) -> list[JobRecord]:
        """Jobs, newest first, so many at most."""
        query = select(*RECORD).order_by(Job.created_at.desc(), Job.id.desc()).limit(limit)
        for condition in _conditions(wanted):
            query = query.where(condition)
        with reading(self._engine) as connection:
            return [to_record(row) for row in connection.execute(_behind(query, Job, behind))]

    def batches(self, key_id: UUID | None, *, limit: int, behind: Place | None = None) -> list[BatchProgress]:
        """Batches, newest first, each with how far it is."""
        query = select(Batch.id).order_by(Batch.created_at.desc(), Batch.id.desc()).limit(limit)
        if key_id is not None:
            query = query.where(Batch.key_id == key_id)
        with reading(self._engine) as connection:
            now = database.now(connection)
            found = list(connection.scalars(_behind(query, Batch, behind)))
            return [batches.progress(connection, batch_id, now) for batch_id in found]

    def retry(self, job_id: UUID) -> JobRecord:
        """Queue a job again that failed or was cancelled, alone: it is not held back by the batch it was part of.

        Raises
        ------
        JobNotFound
            There is none.
        IllegalTransition
            It has neither failed nor been cancelled.
        """
        with writing(self._engine) as connection:
            now = database.now(connection)
            again = update(Job).where(Job.id == job_id, Job.status.in_(_RETRIED))
            row = connection.execute(
                again.values(status=Status.queued, **batches.FRESH).returning(Job.id)
            ).one_or_none()
            job = read_job(connection, job_id)
            if row is None:
                raise IllegalTransition(f"Job {job_id} is {job.status.value}: there is nothing to try again.")
            note(connection, [job_id], "requeued", now, "tried again")
            if job.batch_id is not None:
                _have_it_done(connection, job, now)
            return job


def _have_it_done(connection: Connection, job: JobRecord, now: datetime) -> None:
    """Put a job into an urgent batch of its own; those without any batch are gathered."""
    chosen = uuid4()
    batches.open_batch(
        connection, chosen, f"{job.spec.filename}, again", now, priority=Priority.urgent, key_id=job.key_id
    )
    batches.gather(connection, chosen, [job.id])


def _conditions(wanted: Wanted) -> list[Any]:
    conditions: list[Any] = []
    if wanted.key_id is not None:
        conditions.append(Job.key_id == wanted.key_id)
    if wanted.batch_id is not None:
        found_there = select(BatchJob.job_id).where(BatchJob.batch_id == wanted.batch_id)
        conditions.append(or_(Job.batch_id == wanted.batch_id, Job.id.in_(found_there)))
    if wanted.status is not None:
        conditions.append(Job.status == wanted.status)
    if wanted.kind is not None:
        conditions.append(func.coalesce(_kind(), "enhance") == wanted.kind)
    if wanted.code is not None:
        conditions.append(Job.error_code == wanted.code)
    if wanted.created_after is not None:
        conditions.append(Job.created_at >= wanted.created_after)
    if wanted.created_before is not None:
        conditions.append(Job.created_at < wanted.created_before)
    return conditions


def _kind() -> Any:
    """The kind of work of a job, within its spec."""
    return Job.spec[("work", "kind")].as_string()


def _behind(query: Select[Any], table: type[Job] | type[Batch], place: Place | None) -> Select[Any]:
    if place is None:
        return query
    older = table.created_at < place.created_at
    return query.where(older | ((table.created_at == place.created_at) & (table.id < place.id)))
