"""Jobs and measurements in words, the same wherever a person reads them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

from mixdown.model import (
    Analyze,
    Compress,
    Denoise,
    HighPass,
    JobRecord,
    JobResult,
    Loudness,
    RmsLevel,
    Status,
    Step,
)

#: What people see and type of a job's id, which is random from its first digit.
SHORT_ID_CHARS = 8


def short_id(record: JobRecord) -> str:
    """The id of a job, short enough to type."""
    return record.id.hex[:SHORT_ID_CHARS]


def state_words(record: JobRecord) -> str:
    """State of a job: `succeeded`, `waits until 12:03`, `failed: unreadable_audio` …"""
    if record.status is Status.failed:
        return f"failed: {record.error_code}"
    if record.status is Status.succeeded and record.result is not None and record.result.reused:
        return "succeeded (same recording, done before)"
    if record.status is Status.queued and record.not_before is not None and record.not_before > datetime.now(UTC):
        return f"waits until {clock_words(record.not_before)}"
    return record.status.value


def delivered_words(records: Sequence[JobRecord]) -> str:
    """How a batch went: `15 of 16 delivered`."""
    done = sum(record.status is Status.succeeded for record in records)
    return f"{done} of {len(records)} {'analyzed' if _only_analyzed(records) else 'delivered'}"


def _only_analyzed(records: Sequence[JobRecord]) -> bool:
    return bool(records) and all(isinstance(record.spec.work, Analyze) for record in records)


def recordings_words(count: int) -> str:
    """So many recordings: `1 recording`, `12 recordings`."""
    return f"{count:,} recording{'' if count == 1 else 's'}"


def sources_words(sources: Sequence[str], manifest: str = "") -> str:
    """What a batch is called that nobody gave a title: `recordings`, `talk.wav and 2 more`."""
    names = [name.rstrip("/").rpartition("/")[2].partition("?")[0] or name for name in (*sources, manifest) if name]
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more" if names else "nothing"


def place_words(uri: str) -> str:
    """Where something lies: a path for what is on this machine, else its address."""
    parts = urlsplit(uri)
    return unquote(parts.path) if parts.scheme == "file" else uri


def clock_words(moment: datetime) -> str:
    """A time of day as clocks here show it, with the day where that is another: `12:03`, `11-24 00:30`."""
    here = moment.astimezone()
    return f"{here:%H:%M}" if here.date() == datetime.now(UTC).astimezone().date() else f"{here:%m-%d %H:%M}"


def duration_words(seconds: float) -> str:
    """A length: `0:42`, `1:02:03`."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def level_words(level: float, unit: str = "") -> str:
    """A level with a true minus sign: `−16.0 LUFS`, `−∞`."""
    text = "∞" if math.isinf(level) else f"{abs(level):.1f}"
    sign = "−" if level < 0 and text != "0.0" else ""
    return f"{sign}{text} {unit}".strip()


def step_words(step: Step, channels: int) -> str:
    """What a step does: `high-pass 80 Hz`, `noise reduction up to 18 dB` …"""
    match step:
        case RmsLevel():
            target = level_words(step.target_rms_dbfs, "dBFS RMS")
            return f"{target} under {level_words(step.ceiling_dbtp, 'dBTP')}"
        case HighPass():
            return f"high-pass {step.cutoff_hz:.0f} Hz"
        case Denoise():
            limit_db = step.reduction.limit_db
            return "noise reduction, full" if limit_db is None else f"noise reduction up to {limit_db:.0f} dB"
        case Compress():
            return f"compressor {step.ratio:g}:1 from {step.threshold_lu:+g} LU"
        case Loudness():
            target = level_words(step.target_for(channels), "LUFS")
            return f"loudness {target} under {level_words(step.ceiling_dbtp, 'dBTP')}"
        case _:
            return (step.model_config.get("title") or step.kind).lower()


def chain_words(result: JobResult) -> str:
    """What was done to the sound, in order."""
    channels = result.renditions[0].after.channels if result.renditions else result.before.channels
    return " → ".join(step_words(step, channels) for step in result.steps)


def done_words(result: JobResult) -> str:
    """What was done to the sound, and what was found on the way."""
    return ". ".join([chain_words(result) or "measured", *result.notes])


def loudness_words(result: JobResult) -> str:
    """Loudness before and after: `−27.9 → −16.0`; that of a recording alone where nothing was delivered."""
    before = level_words(result.before.integrated_lufs)
    if not result.renditions:
        return before
    return f"{before} → {level_words(result.renditions[0].after.integrated_lufs)}"


def peak_words(result: JobResult) -> str:
    """True peak of what was delivered, else of what came in: `−1.0`."""
    level = result.renditions[0].after if result.renditions else result.before
    return level_words(level.true_peak_dbtp)
