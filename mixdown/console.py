"""What a terminal shows: bars while jobs run, a table when they have ended."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from mixdown.model import JobEvent, JobRecord, LevelReport, ProbedAudio, Status
from mixdown.wording import (
    done_words,
    duration_words,
    level_words,
    loudness_words,
    peak_words,
    place_words,
    short_id,
    state_words,
)

_STATE_STYLE = {
    Status.succeeded: "green",
    Status.failed: "red",
    Status.running: "cyan",
    Status.queued: "default",
    Status.cancelled: "yellow",
    Status.rejected: "yellow",
}


def results_table(records: Sequence[JobRecord]) -> Table:
    """A table of jobs as they ended: one line each, the reason of a failure below its state."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("File", overflow="fold", max_width=40)
    table.add_column("State", overflow="fold", max_width=28)
    for name in ("Length", "LUFS", "True peak", "Time"):
        table.add_column(name, justify="right", no_wrap=True)
    for record in records:
        table.add_row(*_result_cells(record))
    return table


def _result_cells(record: JobRecord) -> list[str]:
    state = f"[{_STATE_STYLE[record.status]}]{escape(state_words(record))}[/]"
    result = record.result
    if result is None:
        return [escape(record.spec.filename), state, "", "", "", ""]
    return [
        escape(record.spec.filename),
        state,
        duration_words(result.before.duration_s),
        loudness_words(result),
        peak_words(result),
        f"{result.elapsed_s:.1f} s",
    ]


def reasons(records: Sequence[JobRecord]) -> list[str]:
    """A line for each failure and warning."""
    lines = []
    for record in records:
        name = escape(record.spec.filename)
        if record.error_code:
            lines.append(f"[red]{name}[/]: {escape(record.error_detail or record.error_code)}")
        if record.result:
            lines += [f"[yellow]{name}[/]: {escape(warning)}" for warning in record.result.warnings]
    return lines


def jobs_table(records: Sequence[JobRecord]) -> Table:
    """A table of jobs in the ledger, for `mixdown jobs`."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("Job", "Created", "File", "State", "LUFS", "Attempts"):
        table.add_column(name, overflow="fold", justify="right" if name in ("LUFS", "Attempts") else "left")
    for record in records:
        table.add_row(
            short_id(record),
            f"{record.created_at.astimezone():%Y-%m-%d %H:%M}",
            escape(record.spec.filename),
            f"[{_STATE_STYLE[record.status]}]{escape(state_words(record))}[/]",
            loudness_words(record.result) if record.result else "",
            str(record.attempts),
        )
    return table


def job_card(record: JobRecord, events: Sequence[JobEvent]) -> Table:
    """One job whole: what it is, where its results lie, and its history."""
    card = Table.grid(padding=(0, 2))
    card.add_column(style="bold", no_wrap=True)
    card.add_column(overflow="fold")
    card.add_row("Job", str(record.id))
    card.add_row("File", escape(record.spec.filename))
    card.add_row("State", f"[{_STATE_STYLE[record.status]}]{escape(state_words(record))}[/]")
    if record.error_detail:
        card.add_row("Why", escape(record.error_detail))
    if record.result:
        card.add_row("Loudness", f"{loudness_words(record.result)} LUFS")
        card.add_row("Done", escape(done_words(record.result)))
        for master in record.result.renditions:
            card.add_row("Master", escape(place_words(master.delivered_uri or master.object.uri)))
        card.add_row("Report", escape(place_words(record.result.report.uri)))
        for each in record.result.attachments:
            card.add_row("", escape(place_words(each.object.uri)))
        for warning in record.result.warnings:
            card.add_row("Note", escape(warning))
    for event in events:
        card.add_row(f"{event.at.astimezone():%H:%M:%S}", escape(f"{event.kind}  {event.detail or ''}".strip()))
    return card


def probe_table(found: Sequence[tuple[str, ProbedAudio]]) -> Table:
    """What recordings are, by their headers."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("File", "Container", "Codec", "Rate", "Channels", "Length", "Bitrate"):
        table.add_column(name, justify="left" if name in ("File", "Container", "Codec") else "right")
    for name, probed in found:
        table.add_row(
            escape(name),
            probed.container,
            probed.codec,
            f"{probed.sample_rate_hz:,} Hz",
            str(probed.channels),
            "unknown" if probed.duration_s is None else duration_words(probed.duration_s),
            "" if probed.bitrate_kbps is None else f"{probed.bitrate_kbps:.0f} kbit/s",
        )
    return table


def levels_table(found: Sequence[tuple[str, LevelReport]]) -> Table:
    """How loud recordings are."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("File", "Integrated", "Range", "Max short-term", "True peak", "Length"):
        table.add_column(name, justify="left" if name == "File" else "right")
    for name, level in found:
        table.add_row(
            escape(name),
            level_words(level.integrated_lufs, "LUFS"),
            level_words(level.range_lu, "LU"),
            level_words(level.short_term_max_lufs, "LUFS"),
            level_words(level.true_peak_dbtp, "dBTP"),
            duration_words(level.duration_s),
        )
    return table
