"""Many jobs asked for together, the crews that work on them, and the servers they wait for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from mixdown.model.ledger import Status
from mixdown.model.requests import Target


class Priority(StrEnum):
    """Which batch goes first."""

    urgent = "urgent"  #: Someone is waiting: taken up at once, in slots of its own.
    normal = "normal"  #: As soon as there is room.


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRecord:
    """A batch as the ledger knows it."""

    id: UUID
    title: str | None
    created_at: datetime
    priority: Priority
    attached: bool  #: belongs to a process in someone's terminal: nobody else takes it up
    paused_at: datetime | None = None
    cancelled_at: datetime | None = None
    dispatched_at: datetime | None = None  #: when somebody was last sent to work on it
    closed_at: datetime | None = None  #: when a crew found nothing left to do
    key_id: UUID | None = None  #: the API key it was asked for with
    notify: tuple[Target, ...] = ()  #: told when all of it has ended


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProgress:
    """How far a batch is, at one moment."""

    batch: BatchRecord
    counts: Mapping[Status, int]  #: jobs in each status; every status is there
    waiting: int  #: of the queued ones, those put off until a time or until a server is back
    recent: int  #: jobs that ended within the last `recent_s`
    recent_s: float
    first_started_at: datetime | None
    last_finished_at: datetime | None

    @property
    def total(self) -> int:
        """Jobs in the batch."""
        return sum(self.counts.values())

    @property
    def ended(self) -> int:
        """Jobs to which nothing more will happen by itself."""
        return sum(count for status, count in self.counts.items() if status.ended)

    @property
    def share(self) -> float:
        """What part of the jobs has ended, from 0 to 1; 1 for an empty batch."""
        return self.ended / self.total if self.total else 1.0

    @property
    def rate_per_s(self) -> float:
        """Jobs that end in a second, of late."""
        return self.recent / self.recent_s if self.recent_s > 0 else 0.0

    @property
    def time_left_s(self) -> float | None:
        """Seconds until the last job ends at the present rate; None: it cannot be told."""
        left = self.total - self.ended
        if left == 0:
            return 0.0
        return left / self.rate_per_s if self.recent else None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup:
    """Jobs of a batch that failed for the same reason."""

    code: str
    number: int
    examples: tuple[tuple[str, str], ...]  #: the first few: file name and sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A process at work, as others see it."""

    owner: str  #: as it signs its claims
    batch_id: UUID | None  #: what it works on; None: it waits for urgent batches and sends others to work
    flow_run_id: UUID | None
    started_at: datetime
    heartbeat_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A server or store that does not serve, as jobs found out."""

    dependency: str  #: `https://host`, `s3://bucket`, `results`, `scratch:host`, `webhook:https://host`
    code: str
    detail: str
    failures: int  #: how many different jobs failed for it
    since: datetime
    probes: int = 0  #: how often it was tried again in vain
    next_probe_at: datetime | None = None  #: nobody asks it before; None: it is not given up yet
    probe_until: datetime | None = None  #: one job is on its way to see whether it is back

    def is_probed(self, now: datetime) -> bool:
        """Whether somebody is just looking whether it is back."""
        return self.probe_until is not None and self.probe_until > now
