"""Jobs and batches page by page, as the front door lists them; and jobs tried again."""

from __future__ import annotations

from collections.abc import Sequence
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

_RETRIED = (Status.failed, Status.cancelled, Status.rejected)


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
        """Queue a job again that ended without a result, alone: it is not held back by the batch it was part of.

        Raises
        ------
        JobNotFound
            There is none.
        IllegalTransition
            It has not ended, or it succeeded.
        """
        with writing(self._engine) as connection:
            now = database.now(connection)
            [job] = _queued_again(connection, [job_id], now)
            if job.batch_id is not None:  # those without any are gathered
                title = f"{job.spec.filename}, again"
                _as_batch(connection, [job_id], title, now, priority=Priority.urgent, key_id=job.key_id)
            return job

    def retry_all(self, job_ids: Sequence[UUID], title: str) -> UUID:
        """Queue jobs again as `retry` does, all of them or none, as a batch of their own; its id."""
        with writing(self._engine) as connection:
            now = database.now(connection)
            _queued_again(connection, job_ids, now)
            return _as_batch(connection, job_ids, title, now)


def _queued_again(connection: Connection, job_ids: Sequence[UUID], now: datetime) -> list[JobRecord]:
    again = update(Job).where(Job.id.in_(job_ids), Job.status.in_(_RETRIED))
    queued = set(connection.scalars(again.values(status=Status.queued, **batches.FRESH).returning(Job.id)))
    jobs = [read_job(connection, job_id) for job_id in job_ids]
    for job in jobs:
        if job.id not in queued:
            raise IllegalTransition(
                f"{job.spec.filename} ({job.id}) is {job.status.value}: there is nothing to try again."
            )
    note(connection, job_ids, "requeued", now, "tried again")
    return jobs


def _as_batch(connection: Connection, job_ids: Sequence[UUID], title: str, now: datetime, **how: Any) -> UUID:
    batch_id = uuid4()
    batches.open_batch(connection, batch_id, title, now, **how)
    batches.gather(connection, batch_id, job_ids)
    return batch_id


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
