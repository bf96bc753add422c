"""Batches on a terminal: how one stands at a moment, a card of one, a table of many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.style import Style
from rich.table import Table
from rich.text import Text

from mixdown.batch_words import (
    Attendance,
    as_line,
    attendance_words,
    batch_state_words,
    is_over,
    outage_words,
    pace_words,
    rate_words,
    short_batch,
    span_words,
    taken_so_far_s,
    title_words,
)
from mixdown.model import BatchProgress, FailureGroup, JobRecord, Outage, Priority, Stage, Status, done_share

#: The colour of each state, in the order in which they stand in a bar.
_STYLE = {
    Status.succeeded: "green",
    Status.failed: "red",
    Status.rejected: "yellow",
    Status.cancelled: "yellow",
    Status.running: "cyan",
    Status.queued: "bright_black",
}
_BATCH_STYLE = {"running": "cyan", "done": "green", "queued": "default", "empty": "default"}  # others: yellow
_STAGE_WORDS = {None: "validate", Stage.validate: "process", Stage.process: "store", Stage.store: "notify"}

#: Running jobs on a screen: a shard of short clips claims more of them than a screen has lines.
MOST_BARS = 12
_BAR_CHARS = 20
_LINES_ABOVE = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A batch at one moment, as a screen shows it."""

    progress: BatchProgress
    running: Sequence[JobRecord] = ()
    outages: Sequence[Outage] = ()
    remark: str = ""  #: who works on it, or what keeps it from being seen


class StateBar:
    """A bar of the jobs of a batch, a colour to each state, as wide as there is room."""

    def __init__(self, counts: Mapping[Status, int], width: int | None = None) -> None:
        self._counts = counts
        self._width = width

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(self._width or options.max_width, options.max_width)
        solid, open_ = ("#", "-") if options.ascii_only else ("━", "─")
        for status, chars in self.shares(width).items():
            yield Segment((open_ if status is Status.queued else solid) * chars, Style.parse(_STYLE[status]))
        yield Segment.line()

    def shares(self, width: int) -> dict[Status, int]:
        """Characters for each state: what is there at all is seen."""
        total = sum(self._counts.values())
        if not total:
            return {Status.queued: width}
        there = [status for status in _STYLE if self._counts[status]]
        room = max(0, width - len(there))
        shares = {status: 1 + room * self._counts[status] // total for status in there}
        shares[max(there, key=lambda status: shares[status])] += width - sum(shares.values())
        return shares


def screen(seen: Seen, height: int = 24) -> Group:
    """How a batch stands, and the jobs that are running, on so many lines."""
    progress = seen.progress
    head = Table.grid(expand=True, padding=(0, 1, 0, 0))
    head.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    head.add_column(justify="right", no_wrap=True)
    head.add_row(_heading(progress), _state(progress))
    bar = Table.grid(expand=True, padding=(0, 1, 0, 0))
    bar.add_column(ratio=1)
    bar.add_column(justify="right", no_wrap=True)
    bar.add_row(StateBar(progress.counts), f"{_percent(seen)} %")
    below = [*_outage_lines(seen.outages), *([Text(as_line(seen.remark), style="yellow")] if seen.remark else [])]
    room = max(1, min(MOST_BARS, height - _LINES_ABOVE - len(below)))
    lines: list[RenderableType] = [head, bar, _pace(progress), _counts(progress)]
    if seen.running:
        lines.append(Padding(_running(seen.running[:room]), (1, 0, 0, 0)))
    if below:
        lines.append(Padding(Group(*below), (1, 0, 0, 0)))
    return Group(*lines)


def batch_card(
    progress: BatchProgress, failures: Sequence[FailureGroup], outages: Sequence[Outage], there: Attendance
) -> Table:
    """One batch whole: how it stands, why jobs failed, and what can be done."""
    batch, short = progress.batch, short_batch(progress.batch.id)
    card = _card()
    card.add_row("Batch", str(batch.id))
    card.add_row("Title", Text(title_words(batch)))
    card.add_row("Created", f"{batch.created_at.astimezone():%Y-%m-%d %H:%M}")
    stands = is_over(progress) or batch.paused_at is not None or batch.cancelled_at is not None
    who = "" if stands and not there.crews else f", {attendance_words(batch, there)}"
    card.add_row("State", Text.assemble(_state(progress), who))
    if batch.priority is Priority.urgent:
        card.add_row("Priority", "urgent")
    card.add_row("Jobs", Group(_pace(progress), StateBar(progress.counts, 60), _counts(progress)))
    for number, line in enumerate(_outage_lines(outages)):
        card.add_row("" if number else "Outages", line)
    for number, group in enumerate(failures):
        card.add_row("" if number else "Failed", _failures(group))
    verbs = {
        "run": not stands and not there.crews,
        "watch": not is_over(progress),
        "resume": batch.paused_at is not None and batch.cancelled_at is None,
        "retry": bool(progress.counts[Status.failed] or progress.counts[Status.cancelled]),
        "report": bool(progress.ended),
    }
    lines = [f"mixdown batch {verb} {short}" for verb, sensible in verbs.items() if sensible]
    if lines:
        card.add_row("Next", Text("\n".join(lines)))
    return card


def failures_table(failures: Sequence[FailureGroup]) -> Table:
    """Why jobs of a batch failed, by code, with examples."""
    table = Table.grid(padding=(0, 2))
    table.add_column(overflow="fold")
    for group in failures:
        table.add_row(_failures(group))
    return table


def batches_table(found: Iterable[BatchProgress]) -> Table:
    """Batches, one line each."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("Batch", no_wrap=True)
    table.add_column("Created", no_wrap=True)
    table.add_column("Title", max_width=40)  # the one that gives way where there is little room
    table.add_column("State", no_wrap=True)
    table.add_column("Done", justify="right", no_wrap=True)
    table.add_column("Failed", justify="right", no_wrap=True)
    table.add_column("Pace", justify="right", no_wrap=True)
    for progress in found:
        failed = progress.counts[Status.failed]
        table.add_row(
            short_batch(progress.batch.id),
            f"{progress.batch.created_at.astimezone():%m-%d %H:%M}",
            Text(title_words(progress.batch), no_wrap=True, overflow="ellipsis"),
            _state(progress),
            f"{progress.ended:,}/{progress.total:,}",
            Text(f"{failed:,}", style="red") if failed else "",
            _rate_or_time(progress),
        )
    return table


def _rate_or_time(progress: BatchProgress) -> str:
    """The rate of a batch that goes on, the time that one took that is over."""
    if is_over(progress):
        taken_s = taken_so_far_s(progress)
        return span_words(taken_s) if taken_s is not None else ""
    return rate_words(progress.rate_per_s) if progress.recent else ""


def _heading(progress: BatchProgress) -> Text:
    short = short_batch(progress.batch.id)
    return Text.assemble((title_words(progress.batch), "bold"), (f"  batch {short}", "bright_black"))


def _state(progress: BatchProgress) -> Text:
    words = batch_state_words(progress)
    return Text(words, style=_BATCH_STYLE.get(words, "yellow"))


def _percent(seen: Seen) -> int:
    """Whole percent, with what is done of running jobs where all of them are seen; 100 only when all is over."""
    progress = seen.progress
    if is_over(progress):
        return 100
    all_seen = len(seen.running) == progress.counts[Status.running]
    running = sum(done_share(record) for record in seen.running) if all_seen else 0.0
    return min(99, int(100 * (progress.ended + running) / progress.total))


def _pace(progress: BatchProgress) -> Text:
    return Text(" · ".join([f"{progress.ended:,} of {progress.total:,}", *pace_words(progress)]))


def _counts(progress: BatchProgress) -> Text:
    """The jobs in each state that there are any in."""
    parts = [
        Text(f"{number:,} {status}", style=style)
        for status, style in _STYLE.items()
        if (number := progress.counts[status])
    ]
    return Text("  ").join(parts)


def _running(records: Sequence[JobRecord]) -> Table:
    table = Table.grid(expand=True, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column(width=_BAR_CHARS)
    table.add_column(justify="right", no_wrap=True, width=5)
    table.add_column(no_wrap=True, width=8)
    for record in records:
        share = done_share(record)
        bar = ProgressBar(total=1.0, completed=share, width=_BAR_CHARS, complete_style="cyan")
        table.add_row(Text(record.spec.filename), bar, f"{share:.0%}", _STAGE_WORDS.get(record.stage, ""))
    return table


def _outage_lines(outages: Sequence[Outage]) -> list[Text]:
    known = [outage for outage in outages if outage.next_probe_at is not None]
    return [Text(as_line(outage_words(outage)), style="yellow") for outage in known]


def _failures(group: FailureGroup) -> Text:
    lines = [Text(f"{group.number:,} {group.code}", style="red")]
    lines += [Text(f"  {name}: {sentence}") for name, sentence in group.examples]
    if group.number > len(group.examples):
        lines.append(Text("  …", style="bright_black"))
    return Text("\n").join(lines)


def _card() -> Table:
    card = Table.grid(padding=(0, 2))
    card.add_column(style="bold", no_wrap=True)
    card.add_column(overflow="fold")
    return card
