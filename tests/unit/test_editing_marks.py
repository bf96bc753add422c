"""Chapter marks follow the sound they mark."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixdown.editing.marks import Move, moved, reversed_marks
from mixdown.model import Mark

MARKS = (Mark(0.0, "Opening"), Mark(60.0, "Guest"), Mark(90.0, "Questions"), Mark(120.0, "End"))


def test_marks_in_what_is_kept_move_with_it():
    """What was at 90 s is at 25 s where the first 65 s are cut."""
    assert moved(MARKS, [Move(65.0, 130.0, 0.0)]) == (
        Mark(0.0, "Guest"),
        Mark(25.0, "Questions"),
        Mark(55.0, "End"),
    )


def test_a_chapter_that_is_cut_out_is_gone():
    """Nothing of the guest is left, so no mark says so."""
    kept = [Move(0.0, 50.0, 0.0), Move(95.0, 130.0, 50.0)]

    assert moved(MARKS, kept) == (Mark(0.0, "Opening"), Mark(50.0, "Questions"), Mark(75.0, "End"))


def test_what_begins_behind_the_last_stretch_is_gone():
    """A mark where nothing follows marks nothing."""
    assert moved(MARKS, [Move(0.0, 90.0, 0.0)]) == (Mark(0.0, "Opening"), Mark(60.0, "Guest"))


def test_a_mark_stands_behind_what_was_put_in():
    """Ten seconds put in at 60 s: the guest's chapter begins after them."""
    around = [Move(0.0, 60.0, 0.0), Move(60.0, 130.0, 70.0)]

    assert [mark.start_s for mark in moved(MARKS, around)] == [0.0, 70.0, 100.0, 130.0]


def test_marks_keep_up_with_the_pace():
    """At twice the speed everything comes in half the time."""
    assert [mark.start_s for mark in moved(MARKS, [Move(0.0, 130.0, 5.0, 2.0)])] == [5.0, 35.0, 50.0, 65.0]


def test_backwards_a_chapter_begins_where_it_ended():
    """The last is first, and the first begins with what was the second's start."""
    assert reversed_marks(MARKS, 130.0) == (
        Mark(0.0, "End"),
        Mark(10.0, "Questions"),
        Mark(40.0, "Guest"),
        Mark(70.0, "Opening"),
    )


times = st.floats(0, 1_000, allow_nan=False)


@given(
    starts=st.lists(times, max_size=20),
    edges=st.lists(st.tuples(times, times), max_size=8),
)
def test_marks_stay_in_order_and_in_the_recording(starts: list[float], edges: list[tuple[float, float]]):
    """Whatever is kept: marks rise, none twice at a place, none outside what was made."""
    points = sorted({point for edge in edges for point in edge})
    moves, at_s = [], 0.0
    for start_s, end_s in zip(points[::2], points[1::2], strict=False):
        moves.append(Move(start_s, end_s, at_s))
        at_s += end_s - start_s

    result = moved([Mark(start_s, str(start_s)) for start_s in sorted(starts)], moves)

    placed = [mark.start_s for mark in result]
    assert placed == sorted(set(placed))
    assert all(0.0 <= start_s <= at_s + 1e-5 for start_s in placed)
    if starts and moves and min(starts) < moves[-1].end_s:
        assert result


@pytest.mark.parametrize("moves", [[], [Move(0.0, 10.0, 0.0)]])
def test_no_marks_stay_none(moves: list[Move]):
    """Nothing comes of nothing."""
    assert moved([], moves) == ()
    assert reversed_marks([], 10.0) == ()
