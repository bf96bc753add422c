"""What Prefect's UI shows of a run: its progress, a table of a batch, and a page for each job."""

from __future__ import annotations

import base64
from typing import Any
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from mixdown.crew import Shard
from mixdown.jobs import JobStore
from mixdown.model import JobRecord, JobResult, Status
from mixdown.studio import Studio
from mixdown.wording import (
    chain_words,
    delivered_words,
    done_share,
    duration_words,
    level_words,
    loudness_words,
    peak_words,
    place_words,
    short_id,
    state_words,
)

#: Larger batches get a table but no page for each job: the reports lie beside the masters.
MOST_PAGES = 100

#: The table of a larger batch shows its failures and the beginning.
MOST_ROWS = 500


class BatchProgress:
    """The progress artifact of a run, fed from the ledger."""

    def __init__(self, jobs: JobStore, batch_id: UUID) -> None:
        title = jobs.batch(batch_id).title or "a batch"
        self._jobs = jobs
        self._batch_id = batch_id
        self._shown = 0.0
        self._artifact_id: Any = create_progress_artifact(progress=0.0, description=f"Progress of {title}")

    def update(self) -> None:
        """Show how far the batch is, if it has come any further."""
        counts = self._jobs.counts(self._batch_id)
        running = self._jobs.list(batch_id=self._batch_id, status=Status.running, limit=500)
        ended = sum(count for status, count in counts.items() if status.ended)
        done = ended + sum(done_share(record) for record in running)
        percent = round(100 * done / max(1, sum(counts.values())), 1)
        if percent > self._shown:
            self._shown = percent
            update_progress_artifact(self._artifact_id, progress=percent)


def publish_table(studio: Studio, batch_id: UUID) -> None:
    """A table of jobs as they ended; failures first where there are too many to show."""
    records = studio.jobs.list(batch_id=batch_id, limit=MOST_ROWS)
    title = studio.jobs.batch(batch_id).title
    rows = [_row(record) for record in records]
    create_table_artifact(table=rows, key="jobs", description=f"{title}: {delivered_words(records)}")


def publish_jobs(studio: Studio, shard: Shard) -> None:
    """A page for each job of a shard that has a result."""
    records = [studio.jobs.get(job_id) for job_id in shard.jobs]
    batch_id = records[0].batch_id
    if batch_id is not None and sum(studio.jobs.counts(batch_id).values()) > MOST_PAGES:
        return
    for record in records:
        picture = studio.objects.read_bytes(record.result.picture.uri) if record.result else b""
        create_markdown_artifact(
            markdown=job_page(record, picture),
            key=f"job-{short_id(record)}",
            description=f"{record.spec.filename}: {state_words(record)}",
        )


def _row(record: JobRecord) -> dict[str, str]:
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
    title = f"# {_plain(record.spec.filename)}\n\n**{state_words(record)}** · job `{record.id}`\n"
    if result is None:
        return f"{title}\n{_plain(record.error_detail or '')}\n"
    image = base64.b64encode(picture).decode()
    warnings = "".join(f"\n> {_plain(warning)}\n" for warning in result.warnings)
    found = "".join(f"\n- {_plain(note)}" for note in result.notes)
    places = [master.delivered_uri or master.object.uri for master in result.renditions]
    beside = [result.report.uri, *(each.object.uri for each in result.attachments)]
    files = "\n".join(place_words(uri) for uri in [*places, *beside])
    return (
        f"{title}\n![Waveform before and after](data:image/png;base64,{image})\n"
        f"\n{_measurements(result)}\n\nDone: {_plain(chain_words(result) or 'measured')}\n{found}\n{warnings}"
        f"{_against_the_source(result)}"
        f"\n## Files\n\n```\n{files}\n```\n"
    )


def _against_the_source(result: JobResult) -> str:
    """How the first master compares with its source."""
    if not result.comparisons:
        return ""
    findings = result.comparisons[0].findings
    lines = "\n".join(f"- {'**Worse:** ' if each.worse else ''}{_plain(each.sentence)}" for each in findings)
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


def _plain(text: str) -> str:
    """Text that markdown takes for nothing but text."""
    return "".join(f"\\{char}" if char in "\\`*_{}[]<>()#+!|" else char for char in text)
