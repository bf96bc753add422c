"""Waveform and spectrogram as PNG, with axes or bare; the same recording gives the same bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mixdown.analysis.axes import Mark, frequency_hz, frequency_marks, pitch, time_marks
from mixdown.analysis.colours import heat
from mixdown.model import Spectrum, WavePeaks

WIDTH = 1200
_LANE_HEIGHT, _SPECTROGRAM_HEIGHT = 110, 360

#: What the darkest and the lightest colour of a spectrogram stand for; the same for every recording.
DARKEST_DBFS, LIGHTEST_DBFS = -110.0, -10.0

_LEFT, _RIGHT, _TOP, _BOTTOM = 68, 14, 8, 24
_TEXT_HEIGHT = 13

# Mid-tones without a background stand out on white as on black. Shades of each, then what is left for heat.
_PEAK, _RMS, _TEXT = (124, 160, 201), (41, 126, 214), (127, 132, 144)
_SHADES = 8
_FIRST_HEAT = 1 + 3 * _SHADES
_HEATS = 256 - _FIRST_HEAT

#: Drawn straight, what lies 30 dB below full scale would be a line.
_SCALE = 0.6
_LEVEL_MARKS_DBFS = (0, -6, -20)

_Shades = NDArray[np.uint8]


def waveform_png(peaks: WavePeaks, *, duration_s: float, axes: bool = True) -> bytes:
    """Peaks light, RMS solid, a lane for each side; drawn as the 0.6th power, so that quiet parts are seen.

    Parameters
    ----------
    peaks : WavePeaks
    duration_s : float
    axes : bool
        Whether times and levels are written beside it.
    """
    sides = peaks.low.shape[1]
    plot = np.vstack([_lane(peaks, side) for side in range(sides)])
    if not axes:
        return _png(plot)
    levels = [
        Mark(1.0 - (side + 0.5 - 0.5 * _drawn(10.0 ** (level / 20.0))) / sides, f"{level} dBFS" if level else "0")
        for side in range(sides)
        for level in _LEVEL_MARKS_DBFS
    ]
    return _png(_with_axes(plot, time_marks(duration_s), levels))


def spectrogram_png(spectrum: Spectrum, *, duration_s: float, axes: bool = True) -> bytes:
    """Frequencies over time on a mel scale, each pixel the highest level of what it stands for.

    Parameters
    ----------
    spectrum : Spectrum
    duration_s : float
    axes : bool
        Whether times and frequencies are written beside it.
    """
    highest_hz = float(spectrum.bins_hz[-1])
    rows_db = _rows(_columns(spectrum, duration_s), spectrum.bins_hz)
    share = np.clip((rows_db - DARKEST_DBFS) / (LIGHTEST_DBFS - DARKEST_DBFS), 0.0, 1.0)
    plot = (_FIRST_HEAT + np.rint(share * (_HEATS - 1))).astype(np.uint8)
    return _png(_with_axes(plot, time_marks(duration_s), frequency_marks(highest_hz)) if axes else plot)


def _drawn(value: float) -> float:
    return float(min(abs(value), 1.0) ** _SCALE)


def _lane(peaks: WavePeaks, side: int) -> _Shades:
    """One side as a picture, its peaks and its RMS."""
    points = len(peaks.low)
    plot = np.zeros((_LANE_HEIGHT, WIDTH), np.uint8)
    if not points:
        return plot
    first = np.arange(WIDTH) * points // WIDTH
    ends = np.maximum(np.append(first[1:], points), first + 1)
    starts = np.unique(first)
    # Where there are fewer points than pixels, neighbouring pixels show the same point.
    place = np.searchsorted(starts, first)
    low = np.minimum.reduceat(peaks.low[:, side], starts)[place]
    high = np.maximum.reduceat(peaks.high[:, side], starts)[place]
    energy = np.append(0.0, np.cumsum(peaks.power[:, side], dtype=np.float64))
    rms = np.sqrt(np.maximum(energy[ends] - energy[first], 0.0) / (ends - first))
    for shade, top, bottom in ((1, high, low), (1 + _SHADES, np.minimum(rms, high), np.maximum(-rms, low))):
        covered = np.rint(_coverage(top, bottom) * _SHADES).astype(np.uint8)
        # Half-covered pixels of the inner curve would be holes in the outer one.
        plot = np.where((covered == _SHADES) | ((covered > 0) & (plot == 0)), shade + covered - 1, plot)
    return plot.astype(np.uint8)


def _coverage(top: NDArray[np.floating], bottom: NDArray[np.floating]) -> NDArray[np.float64]:
    """How much of each pixel lies between two curves; never less than a line."""
    half = _LANE_HEIGHT / 2.0
    rows = np.arange(_LANE_HEIGHT)[:, None]

    def place(value: NDArray[np.floating]) -> NDArray[np.float64]:
        return half - np.sign(value) * np.minimum(np.abs(value), 1.0) ** _SCALE * (half - 2.0)

    above, below = np.minimum(place(top), half - 0.5), np.maximum(place(bottom), half + 0.5)
    return np.clip(np.minimum(below, rows + 1) - np.maximum(above, rows), 0.0, 1.0)


def _columns(spectrum: Spectrum, duration_s: float) -> NDArray[np.float32]:
    """The loudest of what falls into each column of the picture, shape (columns, bins)."""
    count = len(spectrum.columns_db)
    if not count:
        return np.full((WIDTH, len(spectrum.bins_hz)), -np.inf, np.float32)
    edges_s = np.linspace(0.0, max(duration_s, spectrum.column_s), WIDTH + 1)
    first = np.minimum((edges_s[:-1] / spectrum.column_s).astype(int), count - 1)
    starts = np.unique(first)
    last = min(count, int(np.ceil(edges_s[-1] / spectrum.column_s)))
    loudest: NDArray[np.float32] = np.maximum.reduceat(spectrum.columns_db[:last], starts, axis=0)
    return loudest[np.searchsorted(starts, first)]


def _rows(columns_db: NDArray[np.float32], bins_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bins to rows on a mel scale, the highest on top: the loudest bin of a row, between bins the nearer ones."""
    edges_hz = frequency_hz(np.linspace(0.0, float(pitch(bins_hz[-1])), _SPECTROGRAM_HEIGHT + 1))
    edges = edges_hz / bins_hz[1]
    bottom_db = np.maximum(columns_db, DARKEST_DBFS)
    rows = np.empty((_SPECTROGRAM_HEIGHT, len(columns_db)))
    for row in range(_SPECTROGRAM_HEIGHT):
        low, high = edges[row], edges[row + 1]
        if high - low >= 1.0:
            level = bottom_db[:, int(low) : int(np.ceil(high))].max(axis=1)
        else:
            at = min((low + high) / 2.0, len(bins_hz) - 1.0)
            below, above = int(at), min(int(at) + 1, len(bins_hz) - 1)
            level = bottom_db[:, below] + (bottom_db[:, above] - bottom_db[:, below]) * (at - below)
        rows[_SPECTROGRAM_HEIGHT - 1 - row] = level
    return rows


def _with_axes(plot: _Shades, below: Sequence[Mark], beside: Sequence[Mark]) -> _Shades:
    """A picture with marks below, from the left, and beside it, from the bottom."""
    height, width = plot.shape
    whole = np.zeros((_TOP + height + _BOTTOM, _LEFT + width + _RIGHT), np.uint8)
    text = Image.new("L", (whole.shape[1], whole.shape[0]))
    pen, font = ImageDraw.Draw(text), ImageFont.load_default(_TEXT_HEIGHT)
    for mark in below:
        x = min(_LEFT + mark.place * width, _LEFT + width - 1)
        pen.line([(x, _TOP + height), (x, _TOP + height + 4)], fill=255)
        pen.text((x, _TOP + height + 6), mark.text, fill=255, font=font, anchor="mt" if mark.place < 0.98 else "rt")
    for mark in beside:
        y = _TOP + (1.0 - mark.place) * (height - 1)
        pen.line([(_LEFT - 5, y), (_LEFT - 1, y)], fill=255)
        pen.text((_LEFT - 8, max(y, _TOP + 2)), mark.text, fill=255, font=font, anchor="rm")
    written = np.asarray(text, np.float64) / 255.0
    shades = np.rint(written * _SHADES).astype(np.uint8)
    whole[shades > 0] = (2 * _SHADES + shades)[shades > 0]
    whole[_TOP : _TOP + height, _LEFT : _LEFT + width] = plot
    return whole


def _png(shades: _Shades) -> bytes:
    """A palette PNG: nothing, shades of three mid-tones from nearly clear to solid, heat."""
    image = Image.fromarray(shades, "P")
    tones = [value for tone in (_PEAK, _RMS, _TEXT) for value in tone * _SHADES]
    image.putpalette([0, 0, 0, *tones, *heat(_HEATS).reshape(-1).tolist()])
    opacities = [round(255 * step / _SHADES) for step in range(1, _SHADES + 1)]
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True, transparency=bytes([0, *opacities * 3]))
    return file.getvalue()
