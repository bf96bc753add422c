"""Chapter marks, moved along with the sound they mark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mixdown.model import Mark


class Move(NamedTuple):
    """A stretch of a recording, and where it is in the result."""

    start_s: float
    end_s: float
    to_s: float
    factor: float = 1.0  #: 2: it lasts half as long there


def moved(marks: Iterable[Mark], moves: Sequence[Move]) -> tuple[Mark, ...]:
    """The marks of a recording as they stand in what was made of it.

    Parameters
    ----------
    marks : iterable of Mark
        In order.
    moves : sequence of Move
        The stretches that were kept, in order and apart from each other.

    Returns
    -------
    tuple of Mark
        A mark in a stretch that was cut moves to the next one that was kept. A chapter of which nothing is left is
        gone; one that had begun before the first stretch begins with it. A mark where something was put in
        stands behind that.
    """
    positions: dict[float, str] = {}
    index = 0
    for mark in marks:
        while index < len(moves) and moves[index].end_s <= mark.start_s:
            index += 1
        if index == len(moves):
            break
        move = moves[index]
        start_s = round(move.to_s + max(0.0, mark.start_s - move.start_s) / move.factor, 6)
        positions[start_s] = mark.title  # the last of those that fall together is the one that goes on
    return tuple(Mark(start_s, title) for start_s, title in sorted(positions.items()))


def reversed_marks(marks: Sequence[Mark], duration_s: float) -> tuple[Mark, ...]:
    """The marks of a recording that is played backwards: a chapter begins where it ended."""
    ends_s = [*(mark.start_s for mark in marks), duration_s][1:]
    return tuple(
        Mark(round(max(0.0, duration_s - end_s), 6), mark.title)
        for mark, end_s in reversed(list(zip(marks, ends_s, strict=True)))
    )
