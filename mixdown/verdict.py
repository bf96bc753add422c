"""The end of a job that failed, as it is written down."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from mixdown.model import Claim, Failed, JobRecord, Stage, Status
from mixdown.notices import deliveries_for


def failed(record: JobRecord, claim: Claim, stage: Stage, code: str, message: str) -> Failed:
    """The end of a job with an error code, and whom to tell."""
    now = datetime.now(UTC)
    ended = replace(
        record, status=Status.failed, error_code=code, error_detail=message, failed_stage=stage, finished_at=now
    )
    deliveries = tuple(deliveries_for(ended, now))
    return Failed(claim=claim, code=code, detail=message, stage=stage, deliveries=deliveries)
