"""A plan as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mixdown.planning import Plan
from mixdown.wording import recordings_words

_BAR_CHARS = 32
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def plan_screen(plan: Plan, *, place: str = "") -> Group:
    """What a batch would do: how many of what, what cannot be read, how long it will take."""
    return Group(*_parts(plan, place))


def _parts(plan: Plan, place: str) -> Iterator[RenderableType]:
    size = f", {size_words(plan.source_bytes)}" if plan.source_bytes else ""
    yield Text.from_markup(f"[bold]{recordings_words(plan.items)}[/]{size}")
    yield Padding(_counts(plan), (1, 0, 0, 2))
    yield Padding(_outlook(plan, place), (1, 0, 0, 2))
    if plan.unreadable:
        yield Padding(_unreadable(plan), (1, 0, 0, 2))


def _counts(plan: Plan) -> Table:
    rows = [
        (plan.new, "new", "cyan"),
        (plan.failed, "failed before: tried again", "cyan"),
        (plan.cancelled, "called off before: done now", "cyan"),
        (plan.lost, "done before, result gone: made again", "cyan"),
        (plan.done, "already done", "green"),
        (plan.running, "being worked on", "blue"),
        (plan.queued, "waiting already", "blue"),
        (plan.rejected, "no better than their source", "yellow"),
        (plan.duplicates, "named more than once", "bright_black"),
    ]
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(no_wrap=True)
    for count, words, colour in rows:
        if count:
            table.add_row(f"{count:,}", words, Text(_bar(count / plan.items), style=colour))
    return table


def _outlook(plan: Plan, place: str) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    if not plan.to_do:
        table.add_row("To do", "nothing")
        return table
    table.add_row("To do", escape(_to_do(plan)))
    table.add_row("Audio", _audio(plan))
    if plan.audio_s is None:
        return table
    if plan.estimate is None:
        table.add_row("Time", "unknown: nothing like it was done here before")
        return table
    estimate = plan.estimate
    left_out = f", {recordings_words(estimate.unlike)} not counted" if estimate.unlike else ""
    runs = f"by {estimate.runs:,} past run{'' if estimate.runs == 1 else 's'}{left_out}"
    workers = f"{plan.workers} worker{'' if plan.workers == 1 else 's'}"
    table.add_row("Time", f"about {time_words(estimate.time_s)} on {workers} [dim]({runs})[/]")
    if estimate.stored_bytes is None:
        table.add_row("Storage", "unknown: such files were never made here")
    else:
        copies = f", and {size_words(estimate.copied_bytes)} in {escape(place)}" if estimate.copied_bytes else ""
        table.add_row("Storage", f"about {size_words(estimate.stored_bytes)}{copies}")
    return table


def _to_do(plan: Plan) -> str:
    parts = [recordings_words(plan.to_do)]
    if plan.to_do_bytes:
        parts.append(size_words(plan.to_do_bytes))
    if plan.remote:
        parts.append(f"{plan.remote:,} of them elsewhere, not looked into")
    if plan.unsized:
        parts.append(f"{plan.unsized:,} of unknown size")
    return ", ".join(parts)


def _audio(plan: Plan) -> str:
    if plan.audio_s is None:
        return "unknown"
    if plan.sampled:
        how = f" [dim](by {plan.headers:,} of {plan.readable:,} headers)[/]"
    elif plan.headers < plan.to_do:
        how = f" [dim](by {plan.headers:,} headers)[/]" if plan.headers else " [dim](by past recordings)[/]"
    else:
        how = ""
    rest = f", and {size_words(plan.unmeasured_bytes)} of unknown length" if plan.unmeasured_bytes else ""
    about = "about " if plan.sampled or not plan.headers or plan.remote else ""
    return f"{about}{_length_words(plan.audio_s)}{rest}{how}"


def _unreadable(plan: Plan) -> Table:
    total = sum(plan.unreadable.values())
    of = f" (of {plan.readable:,} files, {plan.headers:,} were opened)" if plan.sampled else ""
    table = Table(
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
        title=Text.assemble((f"{total:,} cannot be read", "bold red"), (of, "dim")),
        title_justify="left",
        show_header=False,
    )
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for each in plan.examples:
        table.add_row(Text(each.code, style="red"), Text(each.message))
    if total > len(plan.examples):
        for code, count in plan.unreadable.items():
            table.add_row(Text(code, style="dim"), Text(f"{count:,} in all", style="dim"))
    return table


def size_words(size_bytes: float | None) -> str:
    """A size as disks are sold: `12.3 GB`."""
    size = float(size_bytes or 0)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 99.95 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def time_words(seconds: float) -> str:
    """A long time, roughly: `45 s`, `12 min`, `3 h 20 min`, `2 days 4 h`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 72:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours + (minutes >= 30), 24)
    return f"{days} days {hours} h" if hours else f"{days} days"


def _length_words(seconds: float) -> str:
    """A length of audio, which people count in hours however many there are."""
    return f"{seconds / 3600:,.0f} h" if seconds >= 72 * 3600 else time_words(seconds)


def _bar(share: float) -> str:
    """A bar of blocks; something that is there is seen."""
    eighths = max(1, round(share * _BAR_CHARS * 8))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
