"""A job that has ended, and what there is to say about it."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from uuid import UUID

from mixdown.model import (
    Delivery,
    JobRecord,
    JobResult,
    JobSpec,
    LevelReport,
    OutputSpec,
    Rendition,
    Source,
    Status,
    StoredObject,
    WebhookTarget,
)
from mixdown.webhooks import payload_for

SECRET = "whsec_" + base64.b64encode(bytes(range(24))).decode()
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

LEVELS = LevelReport(
    integrated_lufs=-16.004,
    range_lu=5.0,
    momentary_max_lufs=-12.0,
    short_term_max_lufs=-14.0,
    true_peak_dbtp=-1.234,
    sample_peak_dbfs=-1.5,
    duration_s=61.0,
    sample_rate_hz=48_000,
    channels=2,
)
REPORT = StoredObject(uri="file:///results/report.json", sha256="b" * 64, size_bytes=10)
RESULT = JobResult(
    result_key="c" * 64,
    source_sha256="d" * 64,
    before=LEVELS,
    steps=(),
    renditions=(
        Rendition(
            output=OutputSpec(),
            object=StoredObject(uri="s3://results/masters/0.mp3", sha256="a" * 64, size_bytes=977),
            after=LEVELS,
            target_lufs=-16.0,
            ceiling_dbtp=-1.0,
            delivered_uri="file:///out/talk.mp3",
        ),
    ),
    report=REPORT,
    picture=REPORT,
)
RECORD = JobRecord(
    id=UUID(int=7),
    idempotency_key="key",
    spec=JobSpec(source=Source(uri="/recordings/talk.wav", filename="Übung 1 😀.wav")),
    status=Status.succeeded,
    batch_id=UUID(int=8),
    result=RESULT,
    created_at=NOW,
    finished_at=NOW,
)


def delivery(url: str, payload: str = payload_for(RECORD)) -> Delivery:
    """A notification for a receiver."""
    return Delivery(id=UUID(int=9), job_id=RECORD.id, target=WebhookTarget(url=url), payload=payload)
