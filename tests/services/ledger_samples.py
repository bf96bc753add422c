"""What the tests of the ledger write into it."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from mixdown.jobs import JobStore
from mixdown.model import (
    Claim,
    Delivery,
    Denoise,
    HighPass,
    JobRecord,
    JobResult,
    JobSpec,
    LevelReport,
    Loudness,
    OutputSpec,
    Rendition,
    Source,
    StoredObject,
    WebhookTarget,
)

LEASE_S = 60.0
HOOK = WebhookTarget(url="https://example.com/hook")

SILENCE = LevelReport(
    integrated_lufs=-math.inf,
    range_lu=0.0,
    momentary_max_lufs=-math.inf,
    short_term_max_lufs=-math.inf,
    true_peak_dbtp=-math.inf,
    sample_peak_dbfs=-math.inf,
    duration_s=2.5,
    sample_rate_hz=48_000,
    channels=2,
)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


def spec(name: str = "talk.wav") -> JobSpec:
    """A request to enhance a recording."""
    return JobSpec(source=Source(uri=f"/recordings/{name}"), notify=(HOOK,))


def submit(store: JobStore, *keys: str, batch_id: UUID | None = None) -> list[JobRecord]:
    """A job for each key."""
    return store.submit([(spec(f"{key}.wav"), key) for key in keys], batch_id=batch_id)


def submit_one(store: JobStore, key: str = "one") -> JobRecord:
    """One job."""
    (job,) = submit(store, key)
    return job


def claimed(store: JobStore, job: JobRecord, owner: str = "worker") -> Claim:
    """A claim on a job that is free."""
    claim = store.claim(job.id, owner=owner, lease_s=LEASE_S)
    assert claim is not None
    return claim


def stored(name: str) -> StoredObject:
    """An object of the store."""
    return StoredObject(uri=f"memory://masters/{name}", sha256="0" * 64, size_bytes=1234)


def result(key: str = "key", *, delivered_uri: str | None = None) -> JobResult:
    """What a job delivered: two masters of silence."""
    return JobResult(
        result_key=key,
        source_sha256="f" * 64,
        before=SILENCE,
        steps=(HighPass(), Denoise(), Loudness(target_lufs=-16.0)),
        renditions=tuple(
            Rendition(
                output=OutputSpec(),
                object=stored(f"{key}/{name}"),
                after=SILENCE,
                target_lufs=-16.0,
                ceiling_dbtp=-1.0,
                delivered_uri=delivered_uri,
            )
            for name in ("one.mp3", "two.mp3")
        ),
        report=stored(f"{key}/report.json"),
        picture=stored(f"{key}/picture.png"),
        warnings=("shorter than its header says",),
        elapsed_s=1.5,
    )


def delivery(job: JobRecord, target: WebhookTarget = HOOK, *, named: UUID | None = None) -> Delivery:
    """A notification about a job."""
    return Delivery(id=named or uuid4(), job_id=job.id, target=target, payload='{"type":"job.succeeded"}')
