"""What the ledger knows: jobs, their results, their history, their notifications."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from mixdown.model.chains import Step
from mixdown.model.quality import Comparison
from mixdown.model.requests import JobSpec, OutputSpec, Target
from mixdown.model.sound import LevelReport, StoredObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """One delivered file, measured on its own bytes."""

    output: OutputSpec
    object: StoredObject
    after: LevelReport
    target_lufs: float | None  #: None where no loudness was asked for
    ceiling_dbtp: float | None
    target_rms_dbfs: float | None = None  #: where an RMS level was asked for
    title: str | None = None  #: of a part, where the recording was split
    delivered_uri: str | None = None  #: the copy under the recording's own name, if one was asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that goes with a result: peaks, a spectrogram, a page to read."""

    name: str  #: file name, such as `report.html`
    object: StoredObject


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """What a job delivered."""

    result_key: str  #: hash of source bytes, effective chain, outputs and the tool versions that matter
    source_sha256: str
    steps: tuple[Step, ...]  #: what was done to the sound
    before: LevelReport
    renditions: tuple[Rendition, ...]
    report: StoredObject  #: the JSON report
    picture: StoredObject  #: waveform before and after, PNG
    warnings: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    notes: tuple[str, ...] = ()  #: what the steps found
    comparisons: tuple[Comparison, ...] = ()  #: masters held against their source, in their order
    elapsed_s: float = 0.0  #: processing time; that of the first job where a result was used again
    reused: bool = False  #: an earlier job had already made this result


class Status(StrEnum):
    """Where a job is in its life."""

    queued = "queued"  #: Accepted and written down; nobody works on it.
    running = "running"  #: A process holds a claim on it and keeps its heartbeat fresh.
    succeeded = "succeeded"  #: Its masters are stored, verified and recorded.
    failed = "failed"  #: It ended with an error code; asking for it again tries again.
    cancelled = "cancelled"  #: Someone called it off.
    rejected = "rejected"  #: The result was no better than the source, so nothing was delivered.

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self not in (Status.queued, Status.running)


class Stage(StrEnum):
    """The four stages of every job, in order."""

    validate = "validate"
    process = "process"
    store = "store"
    notify = "notify"


#: How much of a job is behind it when a stage is, for progress bars; rendering is nearly all of it.
_SHARE_DONE = {None: 0.0, Stage.validate: 0.05, Stage.process: 0.95, Stage.store: 1.0, Stage.notify: 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """A job as the ledger knows it."""

    id: UUID
    idempotency_key: str  #: the same key gives the same job back
    spec: JobSpec
    status: Status
    batch_id: UUID | None = None
    stage: Stage | None = None  #: the last stage it completed
    progress: float = 0.0  #: 0 to 1, of the stage it is in
    work: Mapping[str, Any] = field(default_factory=dict)  #: what completed stages left for later ones
    result: JobResult | None = None
    error_code: str | None = None
    error_detail: str | None = None
    failed_stage: Stage | None = None
    flow_run_id: UUID | None = None  #: the Prefect flow run that carries it, if one does
    owner: str | None = None  #: the process that holds the claim
    fence: int = 0  #: grows with each claim; a write under an older fence is refused
    attempts: int = 0  #: how often a process took it up, and did not give it back, since it was asked for
    deaths: int = 0  #: how often its process died while it was at work on this very job, as far as can be told
    tries: int = 0  #: how often the stage it is in has failed in a way that trying again may mend
    not_before: datetime | None = None  #: put off until then; `error_code` tells why
    origin: str = (
        ""  #: whom its source is fetched from: `https://host`, `s3://bucket`, `file://host`; "": read here
    )
    size_bytes: int = 0  #: of its source, as it was when asked for; 0: not known
    created_at: datetime
    started_at: datetime | None = None
    heartbeat_at: datetime | None = None
    finished_at: datetime | None = None
    key_id: UUID | None = None  #: the API key it was asked for with


def done_share(record: JobRecord) -> float:
    """How much of a job is done, from 0 to 1."""
    if record.status.ended:
        return 1.0
    share = _SHARE_DONE[record.stage]
    return share + 0.9 * record.progress if record.stage is Stage.validate else share


@dataclass(frozen=True, slots=True)
class JobGlance:
    """How a job stands, without the long parts of its row, which are not read for it."""

    record: JobRecord  #: its `work` and its `result` are left out
    has_result: bool
    reused: bool  #: an earlier job had made the result


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to work on a job until its lease runs out. Small: this is what crosses between tasks."""

    job_id: UUID
    fence: int
    parts: int = field(default=0, compare=False)  #: in which its speech may be made before, all at the same time
    part: int | None = field(default=None, compare=False)  #: only this one of them is to be made
    engine: str = field(default="", compare=False)  #: that speaks, where a server has to serve for it


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """One line of a job's history; never changed once written."""

    job_id: UUID
    at: datetime
    kind: str  #: queued, claimed, validated, processed, stored, succeeded, failed, requeued, notified …
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A notification in the outbox. Delivered at least once, under a stable id."""

    id: UUID  #: the `webhook-id`: receivers drop what they have seen
    job_id: UUID | None  #: None: it is about a whole batch
    batch_id: UUID | None = None
    endpoint_id: UUID | None = None  #: the registered address that it goes to
    target: Target
    payload: str  #: the exact bytes to be signed and sent
    attempts: int = 0
    next_attempt_at: datetime | None = None  #: None once it is delivered or given up
    delivered_at: datetime | None = None
    last_answer: str | None = None
    key_id: UUID | None = None  #: the API key that its job or batch was asked for with
