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
    letters = np.cumsum([0, *(max(1, len(line.said)) for line in lines)])
    ends_s = [float(share) * duration_s for share in letters / letters[-1]]
    if samples is not None and len(lines) > 1:
        ends_s[1:-1] = _drawn(ends_s, samples, sample_rate_hz)
    return [
        SpokenLine(line=line, start_s=round(start_s + begins_s, 3), end_s=round(start_s + ends_s, 3))
        for line, (begins_s, ends_s) in zip(lines, itertools.pairwise(ends_s), strict=True)
    ]


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
