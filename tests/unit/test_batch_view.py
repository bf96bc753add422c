"""What a terminal and Prefect's pages show of a batch."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from mixdown.batch_view import MOST_BARS, Seen, StateBar, batch_card, batches_table, screen
from mixdown.batch_words import (
    Attendance,
    attendance,
    attendance_words,
    batch_state_words,
    help_words,
    outage_words,
    progress_words,
    rate_words,
    span_words,
    title_words,
    waiting_lines,
)
from mixdown.model import (
    BatchProgress,
    BatchRecord,
    FailureGroup,
    JobRecord,
    Outage,
    Priority,
    Shift,
    Stage,
    Status,
)
from tasks.pages import batch_page
from tests.services.ledger_samples import spec

NOW = datetime.now(UTC)
BATCH = BatchRecord(
    id=UUID("1a2b3c4d5e6f40718293a4b5c6d7e8f9"),
    title="Interviews of the year",
    created_at=NOW - timedelta(hours=1),
    priority=Priority.normal,
    attached=False,
)
BROKEN = FailureGroup(
    code="unreadable_audio", number=12, examples=(("a.wav", "No decoder understands these bytes."),)
)
DOWN = Outage(
    dependency="https://recordings.example.com",
    code="source_unavailable",
    detail="The source could not be reached.",
    failures=5,
    since=NOW - timedelta(minutes=3),
    next_probe_at=NOW + timedelta(seconds=40),
)


def progress(batch: BatchRecord = BATCH, *, waiting: int = 0, recent: int = 310, **counts: int) -> BatchProgress:
    """A batch of so many jobs in each state."""
    return BatchProgress(
        batch=batch,
        counts={status: counts.get(status, 0) for status in Status},
        waiting=waiting,
        recent=recent,
        recent_s=60.0,
        first_started_at=NOW - timedelta(minutes=14),
        last_finished_at=NOW - timedelta(minutes=1),
    )


RUNNING = progress(succeeded=4198, failed=12, running=8, queued=5782)


def job(name: str, **changes: object) -> JobRecord:
    """A job of the batch."""
    record = JobRecord(
        id=uuid4(), idempotency_key=name, spec=spec(name), status=Status.running, batch_id=BATCH.id, created_at=NOW
    )
    return replace(record, **changes)  # type: ignore[arg-type]


def text(shown: RenderableType, width: int = 80) -> str:
    """What it looks like on a terminal without colours."""
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(shown)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_a_line_tells_how_far_how_fast_and_how_long() -> None:
    """Jobs that have ended, those that failed, the rate of late and the time left at it."""
    assert progress_words(RUNNING) == "4,210 of 10,000 · 12 failed · 310/min · about 19 min left"


def test_a_batch_that_is_over_tells_how_long_it_took() -> None:
    """No rate and no time left then."""
    assert progress_words(progress(succeeded=98, failed=2)) == "100 of 100 · 2 failed · took 13 min"


def test_what_cannot_be_told_is_not_told() -> None:
    """Before the first job ends there is no rate; while all wait for a server, no time left."""
    assert progress_words(progress(recent=0, running=2, queued=8)) == "0 of 10"
    assert progress_words(progress(succeeded=2, queued=8, waiting=8)) == "2 of 10 · 8 waiting · 310/min"


@pytest.mark.parametrize(
    ("counts", "changes", "words"),
    [
        ({"running": 1, "queued": 1}, {}, "running"),
        ({"queued": 1}, {}, "queued"),
        ({"succeeded": 1, "failed": 1}, {}, "done"),
        ({}, {}, "empty"),
        ({"running": 1, "queued": 1}, {"paused_at": NOW}, "pausing"),
        ({"queued": 1}, {"paused_at": NOW}, "paused"),
        ({"succeeded": 1}, {"paused_at": NOW}, "done"),
        ({"running": 1}, {"cancelled_at": NOW}, "stopping"),
        ({"cancelled": 1}, {"cancelled_at": NOW}, "cancelled"),
    ],
)
def test_a_batch_has_one_state_in_a_word(counts: dict[str, int], changes: dict[str, datetime], words: str) -> None:
    """The state follows from the jobs and from what was asked of the batch."""
    assert batch_state_words(progress(replace(BATCH, **changes), **counts)) == words


def test_a_batch_that_waits_for_a_server_says_so() -> None:
    """It is not `queued`: nobody is missing who would work on it."""
    assert batch_state_words(progress(queued=5, waiting=5)) == "waiting"
    assert batch_state_words(progress(queued=5, waiting=4)) == "queued"


@pytest.mark.parametrize(
    ("rate_per_s", "words"),
    [(310 / 60, "310/min"), (4.53 / 60, "4.5/min"), (12 / 3600, "12/h"), (200.0, "12,000/min")],
)
def test_rates_are_told_in_numbers_one_can_read(rate_per_s: float, words: str) -> None:
    """Slow work is told by the hour."""
    assert rate_words(rate_per_s) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 s"),
        (42.0, "40 s"),
        (1140.0, "19 min"),
        (7800.0, "2 h 10 min"),
        (7200.0, "2 h"),
        (260_000.0, "3 days"),
    ],
)
def test_spans_are_no_more_exact_than_anyone_needs(seconds: float, words: str) -> None:
    """From seconds to days."""
    assert span_words(seconds) == words


def test_a_title_is_one_line() -> None:
    """What a hostile title holds does not reach the terminal."""
    assert title_words(replace(BATCH, title="a\x1b[2Jb\nc")) == "a [2Jb c"
    assert title_words(replace(BATCH, title=None)) == "untitled"


def test_an_outage_tells_what_since_when_and_when_it_is_tried_again() -> None:
    """The three things one wants to know; one being tried now says that."""
    since = f"{DOWN.since.astimezone():%H:%M}"
    now = datetime.now(UTC)  # this file may have been loaded long ago
    down = replace(DOWN, next_probe_at=now + timedelta(seconds=30))

    assert outage_words(DOWN).startswith("https://recordings.example.com has been down since ")
    assert since in outage_words(DOWN)
    assert "(source_unavailable), next tried in " in outage_words(down)
    assert outage_words(replace(down, probe_until=now + timedelta(minutes=1))).endswith("tried again now")
    assert outage_words(replace(DOWN, dependency="results")).startswith("the store of results has been down")
    assert outage_words(replace(DOWN, dependency="scratch:box")).startswith("the scratch disk of box has been full")


def test_reasons_for_waiting_are_told_once_each() -> None:
    """What is down, then jobs that were put off; a job that only waits for its turn has no reason."""
    put_off = {"not_before": NOW + timedelta(hours=1), "error_detail": "The source could not be reached."}
    jobs = [job("a.wav", status=Status.queued, **put_off), job("b.wav", status=Status.queued)]

    lines = waiting_lines(jobs, [DOWN, replace(DOWN, next_probe_at=None)])

    assert len(lines) == 2
    assert lines[0].startswith("https://recordings.example.com has been down")
    assert lines[1].startswith("a.wav waits until ")


def test_who_works_on_a_batch_is_told_by_living_shifts() -> None:
    """A process that is dead or silent does not count; where nobody works, it is said how somebody can."""

    def shift(owner: str, batch_id: UUID | None, age_s: float = 0.0) -> Shift:
        seen = datetime.now(UTC) - timedelta(seconds=age_s)  # not when this file was loaded
        return Shift(owner=owner, batch_id=batch_id, flow_run_id=None, started_at=seen, heartbeat_at=seen)

    shifts = [shift("one", BATCH.id), shift("silent", BATCH.id, 3600), shift("dead", BATCH.id), shift("x", uuid4())]
    there = attendance(BATCH, shifts, lease_s=600, is_alive=lambda owner: owner != "dead")
    served = attendance(BATCH, [shift("warm", None)], lease_s=600, is_alive=lambda _: True)

    assert there == Attendance(crews=1, is_served=False)
    assert attendance_words(BATCH, there) == "one process works on it"
    assert help_words(BATCH, there) == ""
    assert attendance_words(BATCH, served) == "mixdown serve takes it up within seconds"
    assert attendance_words(replace(BATCH, attached=True), served) == "nobody works on it"
    assert "mixdown batch run 1a2b3c4d" in help_words(BATCH, Attendance(crews=0, is_served=False))


@given(
    counts=st.fixed_dictionaries({status: st.integers(0, 20_000) for status in Status}),
    width=st.integers(10, 120),
)
def test_a_bar_is_as_wide_as_it_should_be(counts: dict[Status, int], width: int) -> None:
    """Whatever the numbers are; and whatever is there at all is seen."""
    bar = StateBar(counts, width)
    shares = bar.shares(width)

    assert sum(shares.values()) == width
    assert all(shares[status] >= 1 for status in counts if counts[status])
    assert len(text(bar, 120).rstrip("\n")) == width


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_screen_fits_its_terminal(width: int) -> None:
    """No line is wider, and no more running jobs are shown than there are lines for."""
    jobs = [job(f"{n} {'a very long name ' * 9}.wav", stage=Stage.validate, progress=n / 40) for n in range(40)]
    seen = Seen(progress=RUNNING, running=jobs, outages=[DOWN], remark="nobody works on it.")

    lines = text(screen(seen, height=24), width).splitlines()

    assert max(map(len, lines)) <= width
    assert len(lines) <= 24
    assert sum("process" in line for line in lines) == MOST_BARS
    assert any("4,210 of 10,000" in line for line in lines)
    assert any(line.rstrip().endswith("42 %") for line in lines)
    assert any("Nobody works on it." in line for line in lines)


def test_names_are_no_markup() -> None:
    """A file called `[red]x[/].wav`, or one that would break the markup, is shown as it is called."""
    record = job("[red]take[bold].wav", stage=None)

    assert "[red]take[bold].wav" in text(screen(Seen(progress=RUNNING, running=[record])))


def test_a_batch_that_is_nearly_over_is_not_over() -> None:
    """100 % is said when everything has ended, not before."""
    assert "99 %" in text(screen(Seen(progress=progress(succeeded=9_999, running=1))))
    assert "100 %" in text(screen(Seen(progress=progress(succeeded=10_000))))


def test_a_card_tells_why_jobs_failed_and_what_can_be_done() -> None:
    """Codes with examples, what is down, and the commands that make sense now."""
    shown = text(batch_card(RUNNING, [BROKEN], [DOWN], Attendance(crews=0, is_served=False)))

    for part in ("12 unreadable_audio", "a.wav: No decoder", "has been down since", "nobody works on it"):
        assert part in shown
    for verb in ("run", "watch", "retry", "report"):
        assert f"mixdown batch {verb} 1a2b3c4d" in shown
    assert "mixdown batch resume" not in shown


def test_a_paused_batch_can_be_resumed() -> None:
    """And nobody is asked to work on it meanwhile."""
    paused = progress(replace(BATCH, paused_at=NOW), queued=3)
    shown = text(batch_card(paused, [], [], Attendance(crews=0, is_served=False)))

    assert "mixdown batch resume 1a2b3c4d" in shown
    assert "mixdown batch run" not in shown


def test_a_list_fits_eighty_columns() -> None:
    """Titles give way first; numbers and states never."""
    long = replace(BATCH, title="Interviews of the year, all of them, in the original " * 3)
    shown = text(batches_table([progress(long, succeeded=4198, failed=12, queued=5790), RUNNING]), 80)

    assert max(map(len, shown.splitlines())) <= 80
    assert len(shown.splitlines()) == 3
    assert "4,210/10,000" in shown
    assert "310/min" in shown


def test_the_page_of_a_batch_tells_counts_reasons_and_outages() -> None:
    """In markdown, for Prefect's UI; what people named things cannot become markup there."""
    hostile = replace(BROKEN, examples=(("a|b<script>.wav", "No."),))
    page = batch_page(replace(RUNNING, batch=replace(BATCH, title="*x* [y](z)")), [hostile], [DOWN])

    assert page.startswith(r"# \*x\* \[y\]\(z\)")
    assert "| succeeded | 4,198 | 42.0% |" in page
    assert r"| `unreadable_audio` | 12 | a\|b\<script\>.wav: No. |" in page
    assert "https://recordings.example.com has been down since" in page
    assert "mixdown batch retry 1a2b3c4d" in page


def test_the_page_of_a_batch_that_is_over_tells_of_no_outage() -> None:
    """Whatever is down does not concern it any more."""
    assert "has been down" not in batch_page(progress(succeeded=3), [], [DOWN])
