"""Jobs, batches and presets as clients see them. States are words, numbers carry units, links are paths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from mixdown.batch_words import batch_state_words
from mixdown.model import (
    BatchProgress,
    Enhance,
    FailureGroup,
    JobEvent,
    JobGlance,
    JobRecord,
    LevelReport,
    Priority,
    Stage,
    Status,
    done_share,
)

_JOB = "b3a1c2d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d"
_BATCH = "7d3c1f20-94b1-4a70-8f3e-2b6d5c4a3e10"


class View(BaseModel):
    """What is answered."""

    model_config = ConfigDict(frozen=True)


class ErrorView(View):
    """Why a job ended without a result, or what it waits for."""

    code: str = Field(description="Stable; see docs/reference/errors.md.", examples=["unreadable_audio"])
    message: str = Field(description="A sentence for people.", examples=["“talk.mp3” is no audio."])
    stage: Stage | None = Field(default=None, description="The stage that failed.")


class LevelsView(View):
    """Measurements of a signal; null where a level is minus infinity, as that of silence."""

    integrated_lufs: float | None = Field(examples=[-16.0])
    range_lu: float | None = Field(examples=[5.1])
    momentary_max_lufs: float | None = Field(examples=[-12.9])
    short_term_max_lufs: float | None = Field(examples=[-14.2])
    true_peak_dbtp: float | None = Field(examples=[-1.0])
    sample_peak_dbfs: float | None = Field(examples=[-1.2])
    rms_dbfs: float | None = Field(examples=[-19.4])
    duration_s: float = Field(examples=[1801.5])
    sample_rate_hz: int = Field(examples=[48000])
    channels: int = Field(examples=[2])

    @classmethod
    def of(cls, report: LevelReport) -> Self:
        """The view of a measurement."""
        return cls(**{name: _finite(getattr(report, name)) for name in cls.model_fields})


class JobView(View):
    """A job."""

    id: UUID = Field(examples=[_JOB])
    status: Status = Field(description="`queued` and `running` go on; the others are ends.", examples=["running"])
    kind: Literal["enhance", "transform", "analyze", "generate"] = Field(examples=["enhance"])
    preset: str | None = Field(description="Where it is enhanced.", examples=["podcast"])
    filename: str = Field(description="The owner's name for the recording.", examples=["talk.wav"])
    batch_id: UUID | None = Field(examples=[_BATCH])
    progress: float = Field(ge=0, le=1, description="How much of it is done, from 0 to 1.", examples=[0.42])
    stage: Stage | None = Field(description="The last stage that it completed.", examples=["validate"])
    error: ErrorView | None = None
    waits_until: datetime | None = Field(default=None, description="It is put off until then.")
    attempts: int = Field(description="How often it was taken up.", examples=[1])
    source_bytes: int | None = Field(description="Size of the source, where it is known.", examples=[31752044])
    reused: bool = Field(default=False, description="An earlier job had made the same result.")
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    status_url: str = Field(examples=[f"/v1/jobs/{_JOB}"])
    events_url: str = Field(description="Server-Sent Events.", examples=[f"/v1/jobs/{_JOB}/events"])
    results_url: str | None = Field(
        description="Null until there are any.", default=None, examples=[f"/v1/jobs/{_JOB}/results"]
    )

    @classmethod
    def of(cls, record: JobRecord) -> Self:
        """The view of a job."""
        has_result = record.result is not None
        reused = record.result is not None and record.result.reused
        return cls.seen(JobGlance(record, has_result=has_result, reused=reused))

    @classmethod
    def seen(cls, glance: JobGlance) -> Self:
        """The view of a job, of what is read at a glance."""
        record = glance.record
        url, work = job_url(record.id), record.spec.work
        code = record.error_code
        return cls(
            id=record.id,
            status=record.status,
            kind=work.kind,
            preset=work.preset if isinstance(work, Enhance) else None,
            filename=record.spec.filename,
            batch_id=record.batch_id,
            progress=min(1.0, max(0.0, done_share(record))),
            stage=record.stage,
            error=ErrorView(code=code, message=record.error_detail or "", stage=record.failed_stage)
            if code
            else None,
            waits_until=record.not_before if record.status is Status.queued else None,
            attempts=record.attempts,
            source_bytes=record.size_bytes or None,
            reused=glance.reused,
            created_at=record.created_at,
            started_at=record.started_at,
            finished_at=record.finished_at,
            status_url=url,
            events_url=f"{url}/events",
            results_url=f"{url}/results" if glance.has_result else None,
        )


class JobEventView(View):
    """One line of a job's history."""

    at: datetime
    kind: str = Field(examples=["validated"])
    detail: str | None = None

    @classmethod
    def of(cls, event: JobEvent) -> Self:
        """The view of an event."""
        return cls(at=event.at, kind=event.kind, detail=event.detail)


class BatchStatus(StrEnum):
    """How a batch stands."""

    queued = "queued"
    running = "running"
    waiting = "waiting"  #: for a server that is down, or until a time
    pausing = "pausing"  #: what runs is ended, nothing more is taken
    paused = "paused"
    stopping = "stopping"  #: called off; something still runs
    cancelled = "cancelled"
    done = "done"  #: nothing more will happen by itself; its counts tell how it went
    empty = "empty"


class FailureView(View):
    """Jobs of a batch that failed for the same reason."""

    code: str = Field(examples=["unreadable_audio"])
    count: int = Field(examples=[12])
    examples: list[dict[str, str]] = Field(examples=[[{"filename": "talk.mp3", "message": "It is no audio."}]])

    @classmethod
    def of(cls, group: FailureGroup) -> Self:
        """The view of a group of failures."""
        examples = [{"filename": name, "message": sentence} for name, sentence in group.examples]
        return cls(code=group.code, count=group.number, examples=examples)


class BatchView(View):
    """A batch."""

    id: UUID = Field(examples=[_BATCH])
    title: str | None = Field(examples=["interviews, spring"])
    status: BatchStatus = Field(description="`done` and `cancelled` are ends.", examples=["running"])
    priority: Priority = Field(examples=["normal"])
    counts: dict[Status, int] = Field(
        description="Jobs in each state; every state is there.",
        examples=[{"queued": 4, "running": 2, "succeeded": 9, "failed": 1, "cancelled": 0, "rejected": 0}],
    )
    total: int = Field(description="Jobs in it.", examples=[16])
    ended: int = Field(description="Jobs to which nothing more will happen by itself.", examples=[10])
    progress: float = Field(ge=0, le=1, description="What part of the jobs has ended.", examples=[0.625])
    waiting: int = Field(description="Queued jobs that are put off.", examples=[0])
    jobs_per_min: float = Field(description="Of late.", examples=[12.5])
    time_left_s: float | None = Field(description="At that rate; null: it cannot be told.", examples=[28.8])
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = Field(default=None, description="When its last job ended.")
    failures: list[FailureView] = Field(default=[], description="By code; where one batch is asked for.")
    status_url: str = Field(examples=[f"/v1/batches/{_BATCH}"])
    jobs_url: str = Field(examples=[f"/v1/batches/{_BATCH}/jobs"])
    events_url: str = Field(description="Server-Sent Events.", examples=[f"/v1/batches/{_BATCH}/events"])

    @classmethod
    def of(cls, progress: BatchProgress, failures: Sequence[FailureGroup] = ()) -> Self:
        """The view of a batch at one moment."""
        batch, url = progress.batch, batch_url(progress.batch.id)
        return cls(
            id=batch.id,
            title=batch.title,
            status=BatchStatus(batch_state_words(progress)),
            priority=batch.priority,
            counts=dict(progress.counts),
            total=progress.total,
            ended=progress.ended,
            progress=progress.share,
            waiting=progress.waiting,
            jobs_per_min=round(progress.rate_per_s * 60, 2),
            time_left_s=progress.time_left_s,
            created_at=batch.created_at,
            started_at=progress.first_started_at,
            finished_at=progress.last_finished_at if progress.ended == progress.total else None,
            failures=[FailureView.of(group) for group in failures],
            status_url=url,
            jobs_url=f"{url}/jobs",
            events_url=f"{url}/events",
        )


def job_url(job_id: UUID) -> str:
    """Where a job is asked about."""
    return f"/v1/jobs/{job_id}"


def batch_url(batch_id: UUID) -> str:
    """Where a batch is asked about."""
    return f"/v1/batches/{batch_id}"


def _finite(value: Any) -> Any:
    """A number for JSON, which knows no minus infinity."""
    if not isinstance(value, float):
        return value
    return round(value, 3) if math.isfinite(value) else None
