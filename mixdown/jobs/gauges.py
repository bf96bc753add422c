"""How full the ledger is, in numbers: for who watches over many jobs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, func, or_, select

from mixdown.db import engine as database
from mixdown.db.tables import Batch, DeliveryRow, Job, OutageRow, ShiftRow
from mixdown.model import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """One look at the ledger."""

    jobs: dict[Status, int]
    queue_age_s: float  #: of the oldest job that could be worked on
    batches_open: int
    batches_paused: int
    deliveries_waiting: int
    deliveries_late_s: float  #: for how long the one most overdue has been
    outages: dict[str, int]  #: by kind: results, scratch or source
    at_work: int  #: processes


def look(engine: Engine) -> Gauges:
    """The numbers of this moment, in one transaction."""
    with database.reading(engine) as connection:
        now = database.now(connection)
        counts = dict(connection.execute(select(Job.status, func.count()).group_by(Job.status)).tuples().all())
        ready = select(func.min(Job.created_at)).where(
            Job.status == Status.queued, or_(Job.not_before.is_(None), Job.not_before <= now)
        )
        batches = select(func.count(), func.count(Batch.paused_at)).where(Batch.closed_at.is_(None))
        waiting = select(func.count(), func.min(DeliveryRow.next_attempt_at)).where(
            DeliveryRow.next_attempt_at.is_not(None)
        )
        batches_open, batches_paused = connection.execute(batches).one()
        deliveries, next_attempt_at = connection.execute(waiting).one()
        return Gauges(
            jobs={status: counts.get(status, 0) for status in Status},
            queue_age_s=_since_s(connection.scalar(ready), now),
            batches_open=batches_open,
            batches_paused=batches_paused,
            deliveries_waiting=deliveries,
            deliveries_late_s=_since_s(next_attempt_at, now),
            outages=_outages(connection),
            at_work=connection.scalar(select(func.count()).select_from(ShiftRow)) or 0,
        )


def _since_s(at: datetime | None, now: datetime) -> float:
    return max(0.0, (now - at).total_seconds()) if at is not None else 0.0


def _outages(connection: Connection) -> dict[str, int]:
    """Those that jobs wait for. Whose servers are down is nobody else's business: only their kinds are told."""
    kinds = dict.fromkeys(("results", "scratch", "source"), 0)
    down = select(OutageRow.dependency).where(OutageRow.next_probe_at.is_not(None))
    for dependency in connection.scalars(down):
        kind = dependency.partition(":")[0]
        kinds[kind if kind in kinds else "source"] += 1
    return kinds
