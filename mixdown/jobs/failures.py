"""What failed of a batch, grouped by why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, func, or_, select

from mixdown.db.tables import BatchJob, Job
from mixdown.model import FailureGroup, Status


def grouped(connection: Connection, batch_id: UUID, *, examples: int) -> list[FailureGroup]:
    """The failures of a batch by code, the most frequent first, each with its first examples."""
    found_there = select(BatchJob.job_id).where(BatchJob.batch_id == batch_id)
    by_code: dict[str, Any] = {"partition_by": Job.error_code}
    place: ColumnElement[int] = func.row_number().over(**by_code, order_by=(Job.created_at, Job.id))
    each = (
        select(Job.id, func.count().over(**by_code).label("number"), place.label("place"))
        .where(or_(Job.batch_id == batch_id, Job.id.in_(found_there)), Job.status == Status.failed)
        .subquery()
    )
    rows = connection.execute(
        select(Job.error_code, Job.error_detail, Job.spec, each.c.number)
        .join(each, each.c.id == Job.id)
        .where(each.c.place <= examples)
        .order_by(each.c.number.desc(), Job.error_code, each.c.place)
    ).all()
    numbers = {row.error_code: row.number for row in rows}
    return [
        FailureGroup(
            code=code,
            number=number,
            examples=tuple((r.spec.filename, r.error_detail or "") for r in rows if r.error_code == code),
        )
        for code, number in numbers.items()
    ]


def among(connection: Connection, job_ids: Sequence[UUID]) -> tuple[UUID, ...]:
    """Those of some jobs that have failed."""
    asked = select(Job.id).where(Job.id.in_(job_ids), Job.status == Status.failed)
    return tuple(connection.scalars(asked))
