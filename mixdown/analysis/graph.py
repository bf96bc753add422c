"""Loudness over time and the map of passages as shapes for SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixdown.analysis.axes import Mark
from mixdown.analysis.document import highest_of
from mixdown.model import Analysis, LoudnessSeries

#: The coordinates that shapes are drawn in; the page stretches them.
WIDTH, HEIGHT = 1000.0, 200.0
_RANGE_LU, _MARK_LU = 50.0, 10.0
_MOST_POINTS = 500


@dataclass(frozen=True, slots=True)
class Line:
    """A curve, as the `d` of an SVG path."""

    kind: str  #: what it shows, and its style
    path: str


@dataclass(frozen=True, slots=True)
class Graph:
    """Loudness over time."""

    lines: tuple[Line, ...]
    marks: tuple[Mark, ...]  #: LUFS, from the bottom


@dataclass(frozen=True, slots=True)
class Bar:
    """A passage on the time axis, as parts of its length."""

    kind: str
    start: float
    width: float


def loudness_graph(analysis: Analysis, against: Analysis | None = None) -> Graph:
    """Momentary and short-term loudness of a recording, and the short-term loudness of its master."""
    shown = [each for each in (analysis, against) if each is not None]
    highest = max((each.measures["momentary_max_lufs"] or -math.inf for each in shown), default=-math.inf)
    top = min(0.0, math.ceil(highest / _MARK_LU) * _MARK_LU) if math.isfinite(highest) else 0.0
    duration_s = analysis.levels.duration_s
    lines = [
        Line("momentary", _path(analysis.loudness, analysis.loudness.momentary_lufs, duration_s, top)),
        Line("integrated", _level(analysis.levels.integrated_lufs, top)),
        Line("short-term", _path(analysis.loudness, analysis.loudness.short_term_lufs, duration_s, top)),
    ]
    if against is not None:
        lines += [
            Line("integrated master", _level(against.levels.integrated_lufs, top)),
            Line("master", _path(against.loudness, against.loudness.short_term_lufs, duration_s, top)),
        ]
    steps = int(_RANGE_LU / _MARK_LU)
    marks = tuple(
        Mark(1.0 - index / steps, f"{top - index * _MARK_LU:.0f}".replace("-", "−")) for index in range(steps + 1)
    )
    return Graph(tuple(line for line in lines if line.path), marks)


def _height(lufs: float, top: float) -> float:
    return min(HEIGHT, max(0.0, (top - lufs) / _RANGE_LU * HEIGHT))


def _level(lufs: float, top: float) -> str:
    return f"M0 {_height(lufs, top):.1f}H{WIDTH:.0f}" if lufs > top - _RANGE_LU else ""


def _path(series: LoudnessSeries, values: NDArray[np.float32], duration_s: float, top: float) -> str:
    """A curve of at most 500 points, the highest of what each stands for; what was not measured is left out."""
    together = max(1, -(-len(values) // _MOST_POINTS))
    parts: list[str] = []
    move = True
    for index, value in enumerate(highest_of(values, together)):
        if not math.isfinite(value):
            move = True
            continue
        x = (index + 1) * together * series.step_s / max(duration_s, series.step_s) * WIDTH
        if x > WIDTH:  # a master that is longer
            break
        parts.append(f"{'M' if move else 'L'}{x:.1f} {_height(float(value), top):.1f}")
        move = False
    return "".join(parts) if len(parts) > 1 else ""


def passage_bars(analysis: Analysis) -> Sequence[Bar]:
    """What is heard when, for a strip below the waveform; what is too short to be seen is left out."""
    duration_s = max(analysis.levels.duration_s, 1e-9)
    return [
        Bar(each.kind, each.start_s / duration_s, (each.end_s - each.start_s) / duration_s)
        for each in analysis.passages
        if (each.end_s - each.start_s) / duration_s >= 0.5 / WIDTH
    ]
