"""The log of events is given out in order, whatever the order in which it becomes visible."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from mixdown.api.tail import PATIENCE_S, Tail
from mixdown.jobs.event_log import Line

_AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def _lines(*ids: int) -> list[Line]:
    return [Line(id=each, job_id=UUID(int=7), batch_id=None, at=_AT, kind="queued", detail=None) for each in ids]


def _taken(tail: Tail, *ids: int, at_s: float) -> list[int]:
    return [line.id for line in tail.take(_lines(*ids), at_s)]


def test_lines_without_a_gap_are_given_at_once() -> None:
    """The position moves with what was given."""
    tail = Tail(10, has_gaps=True)

    assert _taken(tail, 11, 12, at_s=0.0) == [11, 12]
    assert tail.position == 12
    assert not tail.holds


def test_a_line_behind_a_gap_waits_for_what_is_missing() -> None:
    """The transaction that was given 12 commits a moment later, and order is kept."""
    tail = Tail(10, has_gaps=True)

    assert _taken(tail, 11, 13, at_s=0.0) == [11]
    assert tail.holds
    assert _taken(tail, 12, 13, at_s=0.1) == [12, 13]
    assert not tail.holds


def test_nothing_is_held_back_for_longer_than_the_patience() -> None:
    """An id that was rolled back never comes: what is behind it does not wait for ever."""
    tail = Tail(10, has_gaps=True)

    assert _taken(tail, 13, 15, at_s=0.0) == []
    assert _taken(tail, 13, 15, at_s=PATIENCE_S - 0.1) == []
    assert _taken(tail, 13, 15, at_s=PATIENCE_S) == [13, 15]


def test_a_line_that_comes_after_all_is_given_late_and_once() -> None:
    """A transaction that took longer than the patience is not lost."""
    tail = Tail(10, has_gaps=True)
    _taken(tail, 12, at_s=0.0)
    _taken(tail, 12, at_s=PATIENCE_S)

    assert tail.late == (11,)
    assert _taken(tail, 11, 13, at_s=PATIENCE_S + 5) == [11, 13]
    assert tail.late == ()


def test_missing_ids_are_not_looked_for_for_ever() -> None:
    """By then the server has ended every transaction that could have filled the gap."""
    tail = Tail(10, has_gaps=True)
    _taken(tail, 12, at_s=0.0)
    _taken(tail, 12, at_s=PATIENCE_S)
    _taken(tail, 13, at_s=PATIENCE_S + 61)

    assert tail.late == ()


def test_a_jump_of_the_sequence_costs_little() -> None:
    """After a crash a million ids may be missing: the nearest are looked for, not all."""
    tail = Tail(10, has_gaps=True)
    _taken(tail, 1_000_000, at_s=0.0)

    assert _taken(tail, 1_000_000, at_s=PATIENCE_S) == [1_000_000]
    assert len(tail.late) <= 500


def test_where_writers_take_turns_nothing_waits() -> None:
    """SQLite gives ids out in the order of commits: a gap is a line that was deleted."""
    assert _taken(Tail(10, has_gaps=False), 13, at_s=0.0) == [13]
