"""Pages in markdown, for Prefect's UI: one of a batch, one of a job."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC

from mixdown.batch_words import (
    as_line,
    batch_state_words,
    down_words,
    is_over,
    progress_words,
    short_batch,
    title_words,
)
from mixdown.model import BatchProgress, FailureGroup, JobRecord, JobResult, Outage, Status
from mixdown.wording import (
    chain_words,
    duration_words,
    level_words,
    loudness_words,
    peak_words,
    place_words,
    short_id,
    state_words,
)

#: The states of jobs, in the order in which they are told.
_STATES = (
    *(Status.succeeded, Status.failed, Status.rejected),
    *(Status.cancelled, Status.running, Status.queued),
)


def batch_page(progress: BatchProgress, failures: Sequence[FailureGroup], outages: Sequence[Outage]) -> str:
    """A batch in markdown: how far it is, why jobs failed, what is down, what can be done."""
    batch = progress.batch
    state = batch_state_words(progress)
    numbers = "\n".join(
        f"| {status} | {number:,} | {number / progress.total:.1%} |"
        for status in _STATES
        if (number := progress.counts[status])
    )
    return (
        f"# {plain(title_words(batch))}\n\n**{state}** · batch `{batch.id}`\n\n{progress_words(progress)}\n\n"
        f"| state | jobs | share |\n|---|---:|---:|\n{numbers}\n"
        f"{_outages(outages) if not is_over(progress) else ''}{_failures(failures)}{_what_next(progress, failures)}"
    )


def _outages(outages: Sequence[Outage]) -> str:
    down = [outage for outage in outages if outage.next_probe_at is not None]
    if not down:
        return ""
    lines = "\n".join(f"- {plain(as_line(down_words(outage, UTC)))}: {plain(outage.detail)}" for outage in down)
    return f"\n## What is down\n\nJobs that need it wait.\n\n{lines}\n"


def _failures(failures: Sequence[FailureGroup]) -> str:
    if not failures:
        return ""
    rows = "\n".join(
        f"| `{group.code}` | {group.number:,} | {plain(' '.join(f'{name}: {sentence}'.split()))} |"
        for group in failures
        for name, sentence in group.examples[:1]
    )
    return f"\n## Why jobs failed\n\n| code | jobs | for example |\n|---|---:|---|\n{rows}\n"


def _what_next(progress: BatchProgress, failures: Sequence[FailureGroup]) -> str:
    short = short_batch(progress.batch.id)
    lines = [] if is_over(progress) else [f"mixdown batch watch {short}", f"mixdown batch cancel {short}"]
    if failures:
        only = f"mixdown batch retry {short} --code {failures[0].code}"
        lines += [f"mixdown batch retry {short}", *([only] if len(failures) > 1 else [])]
    lines.append(f"mixdown batch report {short} --csv report.csv")
    return "\n## On the command line\n\n```\n" + "\n".join(lines) + "\n```\n"


def job_row(record: JobRecord) -> dict[str, str]:
    """A job as a row of a table."""
    result = record.result
    return {
        "File": record.spec.filename,
        "State": state_words(record),
        "Duration": duration_words(result.before.duration_s) if result else "",
        "LUFS": loudness_words(result) if result else "",
        "True peak": f"{peak_words(result)} dBTP" if result else "",
        "Time": f"{result.elapsed_s:.1f} s" if result else "",
        "Note": record.error_detail or " ".join(result.warnings if result else ()),
        "Job": short_id(record),
    }


def job_page(record: JobRecord, picture: bytes) -> str:
    """A job in markdown: its picture, its measurements before and after, and where everything lies."""
    result = record.result
    title = f"# {plain(record.spec.filename)}\n\n**{state_words(record)}** · job `{record.id}`\n"
    if result is None:
        again = f"\nTry it again:\n\n```\nmixdown jobs retry {short_id(record)}\n```\n" if record.error_code else ""
        return f"{title}\n{plain(record.error_detail or '')}\n{again}"
    image = base64.b64encode(picture).decode()
    warnings = "".join(f"\n> {plain(warning)}\n" for warning in result.warnings)
    found = "".join(f"\n- {plain(note)}" for note in result.notes)
    places = [master.delivered_uri or master.object.uri for master in result.renditions]
    beside = [result.report.uri, *(each.object.uri for each in result.attachments)]
    files = "\n".join(place_words(uri) for uri in [*places, *beside])
    return (
        f"{title}\n![Waveform before and after](data:image/png;base64,{image})\n"
        f"\n{_measurements(result)}\n\nDone: {plain(chain_words(result) or 'measured')}\n{found}\n{warnings}"
        f"{_against_the_source(result)}"
        f"\n## Files\n\n```\n{files}\n```\n"
    )


def _against_the_source(result: JobResult) -> str:
    """How the first master compares with its source."""
    if not result.comparisons:
        return ""
    findings = result.comparisons[0].findings
    lines = "\n".join(f"- {'**Worse:** ' if each.worse else ''}{plain(each.sentence)}" for each in findings)
    return f"\n## Against the source\n\n{lines}\n"


def _measurements(result: JobResult) -> str:
    """Before and after, a column for each master."""
    masters = result.renditions
    levels = [result.before, *(master.after for master in masters)]
    names = ["before" if masters else "recording", *(master.output.format.value for master in masters)]
    rows = [
        ("Integrated loudness", [level_words(level.integrated_lufs, "LUFS") for level in levels]),
        ("Loudness range", [level_words(level.range_lu, "LU") for level in levels]),
        ("True peak", [level_words(level.true_peak_dbtp, "dBTP") for level in levels]),
        ("RMS", ["" if level.rms_dbfs is None else level_words(level.rms_dbfs, "dBFS") for level in levels]),
        ("Duration", [duration_words(level.duration_s) for level in levels]),
        ("Sample rate", [f"{level.sample_rate_hz:,} Hz" for level in levels]),
        ("Channels", [str(level.channels) for level in levels]),
    ]
    if masters:
        rows.append(("Size", ["", *(f"{master.object.size_bytes / 1e6:.1f} MB" for master in masters)]))
    header = f"| | {' | '.join(names)} |\n|---|{'---:|' * len(names)}\n"
    return header + "\n".join(f"| {name} | {' | '.join(cells)} |" for name, cells in rows)


def plain(text: str) -> str:
    """Text that markdown takes for nothing but text."""
    return "".join(f"\\{char}" if char in "\\`*_{}[]<>()#+!|" else char for char in text)
