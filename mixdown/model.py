"""Every type that flows through Mixdown. No input or output happens here.

What crosses the border (requests, presets) is a frozen pydantic model that refuses unknown fields;
what moves inside is a frozen dataclass.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class Request(BaseModel):
    """What came from outside: frozen, and nothing unknown in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# -- what to do to the sound ----------------------------------------------------------------------


class NoiseReduction(StrEnum):
    """How far noise is turned down, in dB."""

    off = "off"
    db12 = "12"
    db18 = "18"
    db24 = "24"
    full = "full"

    @property
    def limit_db(self) -> float | None:
        """The most that noise is turned down, in dB; None: without limit."""
        return None if self is NoiseReduction.full else 0.0 if self is NoiseReduction.off else float(self.value)


class HighPass(Request):
    """Removes rumble and handling noise below a frequency."""

    model_config = ConfigDict(title="High-pass")
    kind: Literal["high_pass"] = "high_pass"
    cutoff_hz: float = Field(default=80.0, ge=10, le=500, title="Cutoff (Hz)", description="−3 dB point.")


class Denoise(Request):
    """Turns noise down and leaves speech (DeepFilterNet3)."""

    model_config = ConfigDict(title="Noise reduction")
    kind: Literal["denoise"] = "denoise"
    reduction: NoiseReduction = Field(
        default=NoiseReduction.db18,
        title="Reduction (dB)",
        description="The most that noise is turned down. `full` sounds unnatural on clean speech.",
    )


class Compress(Request):
    """Evens out loud and quiet passages, gently, relative to the loudness of the programme."""

    model_config = ConfigDict(title="Compressor")
    kind: Literal["compress"] = "compress"
    threshold_lu: float = Field(
        default=0.0, ge=-30, le=30, title="Threshold (LU)", description="Above the programme's loudness."
    )
    ratio: float = Field(default=2.0, ge=1, le=20, title="Ratio", description="2 means 2:1.")
    knee_db: float = Field(default=6.0, ge=0, le=24, title="Knee (dB)", description="Width of the soft knee.")
    attack_s: float = Field(default=0.010, ge=0.0005, le=0.5, title="Attack (s)", description="Time to react.")
    release_s: float = Field(
        default=0.150, ge=0.005, le=5, title="Release (s)", description="Time to let go again."
    )


class Loudness(Request):
    """Brings the delivered file to a loudness, its true peaks under a ceiling (BS.1770-4, R128)."""

    model_config = ConfigDict(title="Loudness")
    kind: Literal["loudness"] = "loudness"
    target_lufs: float = Field(
        default=-16.0, ge=-40, le=-5, title="Target (LUFS)", description="Integrated loudness."
    )
    mono_target_lufs: float | None = Field(
        default=None,
        ge=-40,
        le=-5,
        title="Target for mono (LUFS)",
        description="One channel on two speakers sounds 3 LU louder; empty means the same target.",
    )
    ceiling_dbtp: float = Field(
        default=-1.0, ge=-12, le=0, title="Ceiling (dBTP)", description="Highest true peak."
    )

    def target_for(self, channels: int) -> float:
        """The integrated loudness to reach with this many channels, in LUFS."""
        mono = channels == 1 and self.mono_target_lufs is not None
        return self.mono_target_lufs if mono else self.target_lufs  # type: ignore[return-value]


#: One step of a chain. Order is data: a preset lists its steps as they are to be run.
Step = Annotated[HighPass | Denoise | Compress | Loudness, Field(discriminator="kind")]


class Preset(Request):
    """A named chain for a purpose."""

    name: str
    title: str
    description: str
    steps: tuple[Step, ...]


# -- what to deliver ------------------------------------------------------------------------------


class AudioFormat(StrEnum):
    """Formats of a master."""

    mp3 = "mp3"
    m4a = "m4a"
    opus = "opus"
    ogg = "ogg"
    flac = "flac"
    wav = "wav"

    @property
    def suffix(self) -> str:
        """File name suffix, with its dot."""
        return f".{self.value}"

    @property
    def media_type(self) -> str:
        """MIME type of a file of this format."""
        return _MEDIA_TYPES[self]

    @property
    def lossless(self) -> bool:
        """Whether the samples survive the format."""
        return self in (AudioFormat.flac, AudioFormat.wav)


_MEDIA_TYPES = {
    AudioFormat.mp3: "audio/mpeg",
    AudioFormat.m4a: "audio/mp4",
    AudioFormat.opus: "audio/ogg",
    AudioFormat.ogg: "audio/ogg",
    AudioFormat.flac: "audio/flac",
    AudioFormat.wav: "audio/wav",
}

#: Bitrate of a stereo master when none is asked for, in kbit/s; mono takes a little over half.
DEFAULT_BITRATE_KBPS = {
    AudioFormat.mp3: 128,
    AudioFormat.m4a: 128,
    AudioFormat.opus: 96,
    AudioFormat.ogg: 128,
}


class OutputSpec(Request):
    """One file to deliver."""

    model_config = ConfigDict(title="Output")
    format: AudioFormat = Field(
        default=AudioFormat.mp3,
        title="Format",
        json_schema_extra={"position": 0},
        description="Kind of file.",
    )
    bitrate_kbps: int | None = Field(
        default=None,
        ge=24,
        le=512,
        title="Bitrate (kbit/s)",
        json_schema_extra={"position": 1},
        description="For mp3, m4a, opus and ogg. Empty: a sound default for the format.",
    )
    sample_rate_hz: Literal[16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000] | None = Field(
        default=None,
        title="Sample rate (Hz)",
        json_schema_extra={"position": 2},
        description="Empty: the source's own where it is 44.1 or 48 kHz, else 48 kHz.",
    )
    channels: Literal[1, 2] | None = Field(
        default=None,
        title="Channels",
        json_schema_extra={"position": 3},
        description="1 is mono, 2 is stereo. Empty: like the source (surround becomes stereo).",
    )
    bit_depth: Literal[16, 24] = Field(
        default=24,
        title="Bit depth",
        json_schema_extra={"position": 4},
        description="For flac and wav; 16 bit is dithered.",
    )


class Source(Request):
    """A recording, where it lies."""

    uri: str = Field(
        min_length=1, max_length=4096, description="A path, or a `file://`, `s3://`, `http(s)://` address."
    )
    filename: str | None = Field(default=None, max_length=1024, description="The owner's name for it.")
    sha256: str | None = Field(
        default=None, pattern="^[0-9a-f]{64}$", description="A claim, checked when the source is read."
    )


class Enhance(Request):
    """Clean a recording, even it out and bring it to its loudness."""

    kind: Literal["enhance"] = "enhance"
    preset: str = Field(default="podcast", description="Name of the preset.")
    steps: tuple[Step, ...] | None = Field(
        default=None, description="A chain of one's own, instead of the preset's."
    )
    noise_reduction: NoiseReduction | None = Field(
        default=None, description="Overrides the preset's amount of noise reduction."
    )


class WebhookTarget(Request):
    """An address that is told how a job ended."""

    kind: Literal["webhook"] = "webhook"
    url: str = Field(pattern="^https?://", max_length=2048)


class JobSpec(Request):
    """A job as it was asked for."""

    source: Source
    work: Enhance = Enhance()
    outputs: tuple[OutputSpec, ...] = Field(default=(OutputSpec(),), min_length=1, max_length=8)
    deliver_to: str | None = Field(
        default=None,
        description="A folder or `s3://` prefix that gets a copy under the recording's own name.",
    )
    notify: tuple[WebhookTarget, ...] = ()

    @property
    def filename(self) -> str:
        """The name its owner knows the recording by, fit to be printed on one line."""
        name = self.source.filename or self.source.uri.split("?")[0].rstrip("/")
        return "".join(char if char.isprintable() else "\ufffd" for char in name.rsplit("/", 1)[-1])


def digest(*parts: object) -> str:
    """SHA-256 of JSON-able parts in a canonical form: equal parts, equal digest."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


# -- what is known of the sound -------------------------------------------------------------------

#: Metadata that survives mastering: title, artist, album, date, genre, comment, track … (lower case).
Tags = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an installation accepts from strangers."""

    source_bytes: int = 8 * 2**30
    duration_s: float = 6 * 3600.0
    channels: int = 16
    min_sample_rate_hz: int = 4_000
    max_sample_rate_hz: int = 384_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """Bytes that are safely in the object store."""

    uri: str
    sha256: str
    size_bytes: int
    media_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbedAudio:
    """A recording by its header. Headers lie: nothing is allotted or promised by these figures."""

    container: str  #: wav, aiff, flac, mp3, ogg, mp4, matroska, adts
    codec: str  #: pcm_s16le, mp3, vorbis, opus, aac …
    sample_rate_hz: int
    channels: int
    duration_s: float | None  #: as declared; None where the format does not say
    bit_depth: int | None = None  #: of linear audio
    bitrate_kbps: float | None = None
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelReport:
    """Measurements of a signal. Levels of silence are ``-inf``."""

    integrated_lufs: float  #: BS.1770-4, gated
    range_lu: float  #: LRA, EBU Tech 3342
    momentary_max_lufs: float
    short_term_max_lufs: float
    true_peak_dbtp: float  #: BS.1770-4 Annex 2
    sample_peak_dbfs: float
    duration_s: float
    sample_rate_hz: int
    channels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """One delivered file, measured on its own bytes."""

    output: OutputSpec
    object: StoredObject
    after: LevelReport
    target_lufs: float
    ceiling_dbtp: float
    delivered_uri: str | None = None  #: the copy under the recording's own name, if one was asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """What a job delivered."""

    result_key: str  #: hash of source bytes, effective chain, outputs and the tool versions that matter
    source_sha256: str
    before: LevelReport
    renditions: tuple[Rendition, ...]
    report: StoredObject  #: the JSON report
    picture: StoredObject  #: waveform before and after, PNG
    warnings: tuple[str, ...] = ()
    elapsed_s: float = 0.0  #: processing time; that of the first job where a result was used again
    reused: bool = False  #: an earlier job had already made this result


# -- the ledger -----------------------------------------------------------------------------------


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
    attempts: int = 0  #: how often it was claimed
    created_at: datetime
    started_at: datetime | None = None
    heartbeat_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to work on a job until its lease runs out. Small: this is what crosses between tasks."""

    job_id: UUID
    fence: int


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
    job_id: UUID
    target: WebhookTarget
    payload: str  #: the exact bytes to be signed and sent
    attempts: int = 0
    next_attempt_at: datetime | None = None  #: None once it is delivered or given up
    delivered_at: datetime | None = None
    last_answer: str | None = None
