"""What a caller may see: the rest is not there."""

from __future__ import annotations

from uuid import UUID

from mixdown.api.desk import Caller, Desk
from mixdown.errors import BatchNotFound, JobNotFound
from mixdown.model import BatchRecord, JobGlance, JobRecord


def job_of(desk: Desk, caller: Caller, job_id: UUID) -> JobRecord:
    """The job of this id; JobNotFound where it is none of the caller's business."""
    record = desk.studio.jobs.get(job_id)
    if not caller.may_see(record.key_id):
        raise JobNotFound(f"There is no job {job_id}.")
    return record


async def glance_of(desk: Desk, caller: Caller, job_id: UUID) -> JobGlance:
    """How the job of this id stands; JobNotFound where it is none of the caller's business."""
    glance = await desk.glances.at(job_id)
    if glance is None or not caller.may_see(glance.record.key_id):
        raise JobNotFound(f"There is no job {job_id}.")
    return glance


def batch_of(desk: Desk, caller: Caller, batch_id: UUID) -> BatchRecord:
    """The batch of this id; BatchNotFound where it is none of the caller's business."""
    record = desk.studio.jobs.batch(batch_id)
    if not caller.may_see(record.key_id):
        raise BatchNotFound(f"There is no batch {batch_id}.")
    return record
