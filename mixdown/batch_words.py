"""Batches in words: how far they are, how fast, what they wait for. The same on a terminal and in Prefect's UI."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from uuid import UUID

from mixdown.model import BatchProgress, BatchRecord, JobRecord, Outage, Shift, Status
from mixdown.wording import SHORT_ID_CHARS, clock_words

#: What is said beside the number of jobs that have ended, where there are any.
_SAID = (Status.failed, Status.rejected, Status.cancelled)


def short_batch(batch_id: UUID) -> str:
    """The id of a batch, short enough to type."""
    return batch_id.hex[:SHORT_ID_CHARS]


def jobs_words(number: int) -> str:
    """So many jobs: `1 job`, `4,210 jobs`."""
    return f"{number:,} job{'' if number == 1 else 's'}"


def title_words(batch: BatchRecord) -> str:
    """What a batch is called, fit to be printed on one line."""
    title = "".join(char if char.isprintable() else " " for char in batch.title or "")
    return " ".join(title.split()) or "untitled"


def is_over(progress: BatchProgress) -> bool:
    """Whether nothing more will happen to any job by itself."""
    return progress.ended == progress.total


def batch_state_words(progress: BatchProgress) -> str:
    """State of a batch: `running`, `paused`, `waiting`, `done` …"""
    batch, running, queued = progress.batch, progress.counts[Status.running], progress.counts[Status.queued]
    if batch.cancelled_at is not None:
        return "stopping" if running else "cancelled"
    if not progress.total:
        return "empty"
    if is_over(progress):
        return "done"
    if batch.paused_at is not None:
        return "pausing" if running else "paused"
    if running:
        return "running"
    return "waiting" if progress.waiting >= queued else "queued"


def progress_words(progress: BatchProgress) -> str:
    """How far a batch is, in a line: `4,210 of 10,000 · 12 failed · 310/min · about 19 min left`."""
    said = [f"{progress.counts[status]:,} {status}" for status in _SAID if progress.counts[status]]
    return " · ".join([f"{progress.ended:,} of {progress.total:,}", *said, *pace_words(progress)])


def pace_words(progress: BatchProgress) -> list[str]:
    """How fast a batch goes and how long it takes yet, where that can be told; of one that stands, its state."""
    state = batch_state_words(progress)
    if state in ("paused", "pausing", "cancelled", "stopping"):
        return [state]
    if is_over(progress):
        taken_s = taken_so_far_s(progress)
        return [f"took {span_words(taken_s)}"] if taken_s is not None else []
    words = [f"{progress.waiting:,} waiting"] if progress.waiting else []
    if progress.recent:
        words.append(rate_words(progress.rate_per_s))
    # Before anything ends, or while everything waits, the rate tells nothing of the time left.
    if progress.time_left_s is not None and state == "running":
        words.append(f"about {span_words(progress.time_left_s)} left")
    return words


def rate_words(rate_per_s: float) -> str:
    """Jobs in a time: `310/min`, `4.5/min`, `12/h`."""
    per_min = rate_per_s * 60
    if per_min >= 10:
        return f"{per_min:,.0f}/min"
    return f"{per_min:.1f}/min" if per_min >= 1 else f"{per_min * 60:.0f}/h"


def span_words(seconds: float) -> str:
    """A span of time, not more exact than anyone needs: `40 s`, `19 min`, `2 h 10 min`, `3 days`."""
    if seconds < 10:
        return f"{max(1, round(seconds))} s"
    if seconds < 90:
        return f"{round(seconds / 5) * 5} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{round(hours / 24)} days"


def taken_so_far_s(progress: BatchProgress) -> float | None:
    """Seconds from the first start to the last end, to now where it goes on; None before the first start.

    What was done for another batch before this one was asked for does not count.
    """
    if progress.first_started_at is None:
        return None
    began = max(progress.first_started_at, progress.batch.created_at)
    end = progress.last_finished_at if is_over(progress) else datetime.now(UTC)
    return None if end is None or end < began else (end - began).total_seconds()


def down_words(outage: Outage, zone: tzinfo | None = None) -> str:
    """What is down: `https://host has been down since 12:01 (source_unavailable)`."""
    since = f"{outage.since.astimezone(zone):%m-%d %H:%M %Z}" if zone else clock_words(outage.since)
    return f"{_named(outage.dependency)} since {since} ({outage.code})"


def outage_words(outage: Outage) -> str:
    """What is down, and when it is asked again: `…, next tried at 12:04`."""
    if outage.next_probe_at is None:
        return down_words(outage)
    now = datetime.now(UTC)
    wait_s = (outage.next_probe_at - now).total_seconds()
    if outage.is_probed(now) or wait_s <= 0:
        return f"{down_words(outage)}, tried again now"
    when = f"in {span_words(wait_s)}" if wait_s < 90 else f"at {clock_words(outage.next_probe_at)}"
    return f"{down_words(outage)}, next tried {when}"


def as_line(words: str) -> str:
    """Words as a line of their own; an address at their beginning stays what it is."""
    return words if "://" in words.split(" ")[0] else words[:1].upper() + words[1:]


def waiting_lines(records: Iterable[JobRecord], outages: Sequence[Outage]) -> list[str]:
    """What is down, and why queued jobs wait: each reason once."""
    lines = dict.fromkeys(as_line(outage_words(outage)) for outage in outages if outage.next_probe_at is not None)
    for record in records:
        if record.status is Status.queued and record.not_before is not None and record.error_detail:
            until = clock_words(record.not_before)
            lines[f"{record.spec.filename} waits until {until}: {record.error_detail}"] = None
    return list(lines)


@dataclass(frozen=True, slots=True)
class Attendance:
    """Who is there for a batch."""

    crews: int  #: processes at work on it
    is_served: bool  #: a process sends others to batches that nobody works on


def attendance(
    batch: BatchRecord, shifts: Sequence[Shift], *, lease_s: float, is_alive: Callable[[str], bool]
) -> Attendance:
    """Who is there for a batch, by those who have signed in."""
    now = datetime.now(UTC)
    alive = [
        shift for shift in shifts if (now - shift.heartbeat_at).total_seconds() < lease_s and is_alive(shift.owner)
    ]
    return Attendance(
        crews=sum(shift.batch_id == batch.id for shift in alive),
        is_served=any(shift.batch_id is None for shift in alive),
    )


def attendance_words(batch: BatchRecord, there: Attendance) -> str:
    """Who works on a batch."""
    if there.crews:
        return "one process works on it" if there.crews == 1 else f"{there.crews} processes work on it"
    if there.is_served and not batch.attached:
        return "mixdown serve takes it up within seconds"
    return "nobody works on it"


def help_words(batch: BatchRecord, there: Attendance) -> str:
    """How somebody can be made to work on a batch on which nobody does; empty where that is not needed."""
    if there.crews or (there.is_served and not batch.attached):
        return ""
    here = f"mixdown batch run {short_batch(batch.id)}"
    return f"Work on it here with: {here}" if batch.attached else f"Start mixdown serve, or work on it here: {here}"


def _named(dependency: str) -> str:
    """A server or store as the subject of a sentence."""
    kind, _, rest = dependency.partition(":")
    if dependency == "results":
        return "the store of results has been down"
    if kind == "scratch":
        return f"the scratch disk of {rest} has been full"
    if kind == "webhook":
        return f"the receiver of webhooks at {rest} has been down"
    return f"{dependency} has been down"
