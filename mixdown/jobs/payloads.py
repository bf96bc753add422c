"""What is said of a job or a batch that has ended, as JSON: equal records give equal bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from mixdown.model import BatchRecord, FailureGroup, JobRecord, Rendition, Status

BATCH_ENDED = "batch.ended"
TEST = "endpoint.test"

#: What an endpoint may be told of.
EVENTS = ("job.succeeded", "job.rejected", "job.failed", "job.cancelled", BATCH_ENDED)


def payload_for(record: JobRecord) -> str:
    """The message about a job that has ended, as JSON; an equal record gives equal bytes."""
    if not record.status.ended or record.finished_at is None:
        raise ValueError(f"job {record.id} has not ended")
    error = {"code": record.error_code, "message": record.error_detail} if record.error_code else None
    renditions = record.result.renditions if record.result else ()
    data = {
        "job_id": str(record.id),
        "batch_id": str(record.batch_id) if record.batch_id else None,
        "status": record.status.value,
        "filename": record.spec.filename,
        "error": error,
        "masters": [_master(rendition) for rendition in renditions],
    }
    return _message(f"job.{record.status.value}", record.finished_at, data)


def digest_for(
    batch: BatchRecord, counts: dict[Status, int], failures: Sequence[FailureGroup], ended_at: datetime
) -> str:
    """The message about a batch of which everything has ended."""
    data = {
        "batch_id": str(batch.id),
        "title": batch.title,
        "jobs": sum(counts.values()),
        "counts": {status.value: count for status, count in counts.items() if status.ended},
        "failures": [
            {
                "code": group.code,
                "jobs": group.number,
                "examples": [{"filename": filename, "message": message} for filename, message in group.examples],
            }
            for group in failures
        ],
    }
    return _message(BATCH_ENDED, ended_at, data)


def sample_for(endpoint_id: UUID, at: datetime) -> str:
    """A message that only shows that an endpoint works."""
    return _message(TEST, at, {"endpoint_id": str(endpoint_id), "message": "This is a test."})


def _message(kind: str, at: datetime, data: dict[str, Any]) -> str:
    timestamp = at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    message = {"type": kind, "timestamp": timestamp, "data": data}
    # Escaped to ASCII: a file name may hold surrogates, which have no UTF-8.
    return json.dumps(message, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _master(rendition: Rendition) -> dict[str, Any]:
    return {
        "uri": rendition.object.uri,
        "delivered_uri": rendition.delivered_uri,
        "sha256": rendition.object.sha256,
        "size_bytes": rendition.object.size_bytes,
        "format": rendition.output.format.value,
        "integrated_lufs": _finite(rendition.after.integrated_lufs),
        "true_peak_dbtp": _finite(rendition.after.true_peak_dbtp),
    }


def _finite(value: float) -> float | None:
    """JSON has no infinity: the level of silence is null."""
    return round(value, 2) if math.isfinite(value) else None
