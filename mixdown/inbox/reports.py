"""What lies beside a recording that was filed away: its job, as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from mixdown.inbox.port import Drawer
from mixdown.model import JobRecord, Status
from mixdown.report import job_document

_DIGITS = 8


def report_of(record: JobRecord) -> bytes:
    """The report of a job: its state, why it failed, its masters' addresses, their loudness."""
    return (json.dumps(job_document(record), indent=2, ensure_ascii=False, default=str) + "\n").encode()


def sha256_of(report: bytes) -> str:
    """The hash under which a report is stored."""
    return hashlib.sha256(report).hexdigest()


def is_report_of(job_id: str, found: bytes) -> bool:
    """Whether a report that lies there already is that of this job."""
    try:
        document = json.loads(found)
    except ValueError:
        return False
    return isinstance(document, dict) and document.get("id") == job_id


def drawer_of(record: JobRecord) -> Drawer:
    """Where the recording of a job that has ended belongs."""
    return Drawer.done if record.status is Status.succeeded else Drawer.failed


def tags_of(record: JobRecord) -> Iterator[str]:
    """What tells a recording from another of the same name: its hash, its job."""
    if record.result is not None:
        yield record.result.source_sha256[:_DIGITS]
    yield str(record.id)[:_DIGITS]
    yield str(record.id)
