"""When each sentence is said."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mixdown.dsp.processor import Block
from mixdown.model import Line

#: A sentence of several in one chunk ends in the quietest moment within so many seconds of where it should.
_REACH_S = 0.6
_FRAME_S = 0.02

#: A pause: so far below the peak, for so long; and how much a long one is worth beside a length that fits.
_PAUSE_DB, _PAUSE_S, _WORTH_PER_S = -38.0, 0.1, 1.5

#: A figure takes as long to say as so many letters.
_LETTERS_PER_FIGURE = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenLine:
    """A sentence, and when it is said."""

    line: Line
    start_s: float
    end_s: float


def lines_within(
    lines: Sequence[Line], start_s: float, duration_s: float, samples: Block | None, sample_rate_hz: int
) -> list[SpokenLine]:
    """The sentences of a chunk: in proportion to their letters, each end drawn to a pause nearby.

    Parameters
    ----------
    lines : sequence of Line
    start_s, duration_s : float
        Of the chunk, in the performance.
    samples : ndarray of shape (frames, 1), or None
        Of the chunk; needed where it has several sentences.
    sample_rate_hz : int
    """
    letters = np.cumsum([0, *(_weight(line.said) for line in lines)])
    ends_s = [float(share) * duration_s for share in letters / letters[-1]]
    if samples is not None and len(lines) > 1:
        ends_s[1:-1] = _at_pauses(ends_s, samples, sample_rate_hz) or _drawn(ends_s, samples, sample_rate_hz)
    return [
        SpokenLine(line=line, start_s=round(start_s + begins_s, 3), end_s=round(start_s + ends_s, 3))
        for line, (begins_s, ends_s) in zip(lines, itertools.pairwise(ends_s), strict=True)
    ]


def _weight(said: str) -> int:
    """About how long it takes, in letters."""
    return max(1, len(said) + (_LETTERS_PER_FIGURE - 1) * sum(map(str.isdigit, said)))


def _at_pauses(ends_s: Sequence[float], samples: Block, sample_rate_hz: int) -> list[float]:
    """The ends within a chunk, each in a pause: long pauses, and lengths that fit; none where there are too few."""
    frame = max(1, round(_FRAME_S * sample_rate_hz))
    level = np.abs(samples[: len(samples) // frame * frame, 0]).reshape(-1, frame).max(axis=1, initial=0.0)
    quiet = level < level.max(initial=0.0) * 10.0 ** (_PAUSE_DB / 20.0)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], quiet.astype(np.int8), [0]))))
    pauses = [
        ((first + last) / 2 * _FRAME_S, (last - first) * _FRAME_S)
        for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
        if first > 0 and last < len(quiet) and (last - first) * _FRAME_S >= _PAUSE_S
    ]
    wanted = np.diff(ends_s)
    if len(pauses) < len(wanted) - 1:
        return []
    places = np.array([0.0, *(at_s for at_s, _ in pauses), ends_s[-1]])
    worth = np.array([0.0, *(_WORTH_PER_S * min(length_s, 0.6) for _, length_s in pauses), 0.0])
    # The cheapest way to have each sentence end at each place, from the first on.
    costs = np.full(len(places), np.inf)
    costs[0] = 0.0
    ways = []
    lengths = places[None, :] - places[:, None]
    for length_s in wanted:
        unlike = np.where(lengths > 0.0, np.square(np.log(np.maximum(lengths, 1e-3) / max(1e-3, length_s))), np.inf)
        through = costs[:, None] + unlike - worth[None, :]
        ways.append(np.argmin(through, axis=0))
        costs = through.min(axis=0)
    at, found = len(places) - 1, []
    for way in reversed(ways[1:]):
        at = int(way[at])
        found.append(float(places[at]))
    return found[::-1]


def _drawn(ends_s: Sequence[float], samples: Block, sample_rate_hz: int) -> list[float]:
    """The ends within a chunk, drawn to the quietest moments nearby; they stay in order."""
    frame = max(1, round(_FRAME_S * sample_rate_hz))
    whole = samples[: len(samples) // frame * frame, 0].reshape(-1, frame)
    smooth = np.convolve(np.square(whole).mean(axis=1), np.ones(5) / 5, mode="same") if len(whole) > 5 else None
    drawn: list[float] = []
    for before_s, end_s, after_s in zip(ends_s, ends_s[1:], ends_s[2:], strict=False):
        first = round(max(end_s - _REACH_S, (before_s + end_s) / 2, drawn[-1] if drawn else 0.0) / _FRAME_S)
        last = round(min(end_s + _REACH_S, (end_s + after_s) / 2) / _FRAME_S)
        if smooth is None or last <= first:
            drawn.append(end_s)
        else:
            drawn.append((first + int(np.argmin(smooth[first : last + 1])) + 0.5) * _FRAME_S)
    return drawn
