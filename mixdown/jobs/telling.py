"""Who is told of the end of jobs and batches without being named by each: endpoints, and digests."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import Connection, func, or_, select

from mixdown.db.front_door import WebhookEndpoint
from mixdown.db.tables import Batch, BatchJob, Job
from mixdown.jobs import failures, listing, outbox
from mixdown.jobs.payloads import BATCH_ENDED, digest_for, payload_for
from mixdown.jobs.rows import RECORD, to_record
from mixdown.model import BatchRecord, Delivery, JobRecord, Target, WebhookTarget

#: Jobs of which endpoints are told at once.
_CHUNK = 200

#: Failures of a kind that a digest names.
_EXAMPLES = 3

_BATCH = tuple(getattr(Batch, name) for name in BatchRecord.__dataclass_fields__)
_ENDPOINTS = select(WebhookEndpoint.id, WebhookEndpoint.key_id, WebhookEndpoint.url, WebhookEndpoint.events).where(
    WebhookEndpoint.disabled_at.is_(None)
)


def of_job(connection: Connection, job: JobRecord, now: datetime) -> None:
    """Have the endpoints of its key told how a job ended."""
    _of_jobs(connection, [job], now)


def of_cancelled(connection: Connection, job_ids: Collection[UUID], now: datetime) -> None:
    """Have endpoints told of jobs that were called off."""
    if not job_ids or connection.execute(_ENDPOINTS.limit(1)).first() is None:
        return
    ids = sorted(job_ids)
    for start in range(0, len(ids), _CHUNK):
        rows = connection.execute(select(*RECORD).where(Job.id.in_(ids[start : start + _CHUNK])))
        _of_jobs(connection, map(to_record, rows), now)


def _of_jobs(connection: Connection, jobs: Iterable[JobRecord], now: datetime) -> None:
    endpoints = connection.execute(_ENDPOINTS).all()
    if not endpoints:
        return
    for job in jobs:
        told = [each for each in endpoints if each.key_id == job.key_id and f"job.{job.status}" in each.events]
        deliveries = [
            Delivery(
                # A job that is called off twice before anybody takes it up ends twice under one fence.
                id=uuid5(NAMESPACE_URL, f"{job.id}/{job.fence}/{job.status}/{job.finished_at}/{each.id}"),
                job_id=job.id,
                endpoint_id=each.id,
                target=WebhookTarget(url=each.url),
                payload=payload_for(job),
            )
            for each in told
        ]
        outbox.add(connection, deliveries, job.fence, now)


def of_batch(connection: Connection, batch_id: UUID, now: datetime) -> None:
    """Have whoever wants to know told that all of a batch has ended; of the same end they are told once."""
    row = connection.execute(select(*_BATCH).where(Batch.id == batch_id)).one_or_none()
    if row is None:
        return
    batch = BatchRecord(**dict(zip(BatchRecord.__dataclass_fields__, row, strict=True)))
    of_its_key = WebhookEndpoint.key_id.is_not_distinct_from(batch.key_id)
    endpoints = [] if batch.attached else connection.execute(_ENDPOINTS.where(of_its_key)).all()
    told: list[tuple[Target, UUID | None]] = [(target, None) for target in batch.notify]
    told += [(WebhookTarget(url=each.url), each.id) for each in endpoints if BATCH_ENDED in each.events]
    counts = listing.counts(connection, batch_id)
    if not told or not any(counts.values()):
        return
    found_there = select(BatchJob.job_id).where(BatchJob.batch_id == batch_id)
    ended_at = connection.scalar(
        select(func.max(Job.finished_at)).where(or_(Job.batch_id == batch_id, Job.id.in_(found_there)))
    )
    groups = failures.grouped(connection, batch_id, examples=_EXAMPLES)
    payload = digest_for(batch, counts, groups, ended_at or now)
    deliveries = [
        Delivery(
            id=uuid5(NAMESPACE_URL, f"{batch_id}/{endpoint_id or target.address}/{payload}"),
            job_id=None,
            batch_id=batch_id,
            endpoint_id=endpoint_id,
            target=target,
            payload=payload,
        )
        for target, endpoint_id in told
    ]
    outbox.add(connection, deliveries, 0, now, once=True)
