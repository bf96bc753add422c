"""Mains hum: whether there is any, and on which lines."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mixdown.dsp.decimator import Decimator
from mixdown.dsp.processor import Block, as_block

#: The survey listens at about this rate: all below `_HIGHEST_HZ` is in it.
_SURVEY_HZ = 4_000
_HIGHEST_HZ = 1_000.0

#: Length of the windows whose spectra are looked at, half of which overlaps the next.
_WINDOW_S = 4.0

#: Fewer windows than this tell a held note from hum no more.
_LEAST_WINDOWS = 3

#: How far the mains may be off: the grid by 0.2 %, a tape machine by more.
_LARGEST_DEVIATION = 0.018
_STEPS = 121

#: How long the search remembers which frequency was right, in windows.
_MEMORY = 12.0

#: A line is seen in a window where it stands this far above what surrounds it within 12 Hz, and above what
#: lies within 3 Hz: a note that begins or ends is broader than that.
_SEEN_DB = 9.0
_SKIRT_DB = 9.0

#: It is missing where it is this far below its usual level: hum can be masked, but does not pause.
_MISSING_DB = 6.0
_LARGEST_MISSING_SHARE = 0.1
_LEAST_SEEN_SHARE = 0.25

#: The same for more lines of a hum that is known to be there.
_GLIMPSED_DB = 7.0
_LEAST_GLIMPSED_SHARE = 0.1

#: Half of the windows in which it is seen agree on its level within this.
_STEADY_DB = 5.0

#: The frequency found from window to window agrees within this share in nearly all windows.
_STEADY_SHARE = 0.0025

#: Fainter lines need no repair.
_FAINTEST_DBFS = -84.0

#: A window in which a part is fainter than this was muted: nothing can be said of it.
_MUTED_DBFS = -96.0

#: What is as loud as the whole programme is the programme.
_PROGRAMME_DB = -2.0

#: One of the first harmonics must be there: a lone line higher up is something else.
_LOWEST_HARMONICS = 4

#: Notches are not narrower than this (they ring).
_NARROWEST_HZ = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class HumLine:
    """One line of a hum."""

    frequency_hz: float
    level_dbfs: float  #: 0 for a sine at full scale
    prominence_db: float  #: above what surrounds it where that is quiet
    bandwidth_hz: float  #: that it wanders in, and a notch needs


@dataclass(frozen=True, slots=True, kw_only=True)
class Hum:
    """The hum of a recording: its fundamental, and the lines that stand out; none where there is none."""

    mains_hz: float | None  #: as it is on the recording: 49.98, say
    lines: tuple[HumLine, ...]


class HumSurvey:
    """Listens for mains hum.

    Parameters
    ----------
    sample_rate_hz : int
    channels : int
    mains_hz : float, optional
        50 or 60 where it is known; else whichever is found.

    Notes
    -----
    The signal is brought down to about 4 kHz, and looked at through windows of 4 s (half of which
    overlaps the next): their lines are 1 Hz wide. In each, the fundamental that explains most of the
    narrow lines is looked for within 1.8 % of the mains frequency, near where it was before; what
    is found at its multiples is kept, some 170 bytes a second. Hum is what is narrow, at multiples of
    one steady frequency, and never pauses: a voice is broad, notes begin and end, and a tone as loud as
    everything else is the programme. Recordings shorter than 8 s are not judged: no hum.
    """

    def __init__(self, sample_rate_hz: int, channels: int, *, mains_hz: float | None = None) -> None:
        self._channels = channels
        factor = max(1, sample_rate_hz // _SURVEY_HZ)
        self._rate_hz = sample_rate_hz / factor
        self._decimator = Decimator(factor, channels=channels)
        size = 2 ** round(math.log2(_WINDOW_S * self._rate_hz))
        self._window = np.hanning(size + 1)[:-1].astype(np.float32)
        self._low = np.zeros((0, channels), np.float32)
        self._bin_hz = bin_hz = self._rate_hz / size
        highest_hz = min(_HIGHEST_HZ, 0.45 * self._rate_hz)
        nominal = (50.0, 60.0) if mains_hz is None else (float(mains_hz),)
        self._families = [_Family(hz, bin_hz, int((highest_hz + 5.0) / hz)) for hz in nominal]
        self._bins = int((highest_hz * 1.02 + 20.0) / bin_hz) + 1
        self._square_sum = 0.0
        self._samples = 0
        self._windows = 0

    def push(self, block: Block) -> None:
        """Take the next block of the signal."""
        block = as_block(block, self._channels)
        self._square_sum += float(np.vdot(block, block))
        self._samples += block.size
        self._low = np.concatenate([self._low, self._decimator.push(block)])
        size = len(self._window)
        while len(self._low) >= size:
            self._look(self._low[:size])
            self._low = self._low[size // 2 :].copy()

    def report(self) -> Hum:
        """The hum in all that was taken."""
        if self._windows < _LEAST_WINDOWS:
            return Hum(mains_hz=None, lines=())
        programme_dbfs = 10.0 * math.log10(2.0 * self._square_sum / self._samples + 1e-30)
        found = [family.found(programme_dbfs) for family in self._families]
        return max(found, key=lambda hum: sum(line.prominence_db for line in hum.lines))

    def _look(self, frames: Block) -> None:
        """One window: its spectrum, and the lines in it."""
        parts = frames.reshape(16, -1, self._channels)
        powers = np.einsum("pfc,pfc->pc", parts, parts, dtype=np.float64) / parts.shape[1]
        if powers.max(axis=1).min() < 10.0 ** (_MUTED_DBFS / 10.0):
            return
        self._windows += 1
        spectrum = np.fft.rfft(frames * self._window[:, None], axis=0)[: self._bins]
        # A sine at full scale in every channel gives 0 dBFS.
        power = (np.abs(spectrum) ** 2).mean(axis=1) * (2.0 / self._window.sum()) ** 2
        level_dbfs = 10.0 * np.log10(power + 1e-20)
        prominence_db = np.empty_like(level_dbfs)
        _stand_out(level_dbfs, self._bin_hz, prominence_db)
        for family in self._families:
            family.look(level_dbfs, prominence_db)


class _Family:
    """The multiples of one mains frequency, followed from window to window."""

    def __init__(self, nominal_hz: float, bin_hz: float, harmonics: int) -> None:
        self._bin_hz = bin_hz
        self._ratios = np.linspace(1.0 - _LARGEST_DEVIATION, 1.0 + _LARGEST_DEVIATION, _STEPS)
        self._candidates_hz = nominal_hz * self._ratios
        self._numbers = np.arange(1, harmonics + 1)
        self._score = np.zeros(_STEPS)
        self._fundamentals_hz: list[float] = []
        self._levels_dbfs: list[NDArray[np.float32]] = []
        self._prominences_db: list[NDArray[np.float32]] = []

    def look(self, level_dbfs: NDArray[np.float64], prominence_db: NDArray[np.float64]) -> None:
        """Find the fundamental in a spectrum, and keep what lies at its multiples."""
        at = np.rint(self._candidates_hz[:, None] * self._numbers / self._bin_hz).astype(np.int64)
        seen_db = np.clip(prominence_db[at], 0.0, 30.0) - 3.0
        self._score = self._score * (1.0 - 1.0 / _MEMORY) + np.maximum(seen_db, 0.0).sum(axis=1)
        fundamental_hz = self._candidates_hz[int(np.argmax(self._score))]
        # Within one bin of each multiple: the steps of the search are coarser than the lines are wide.
        near = np.rint(fundamental_hz * self._numbers / self._bin_hz).astype(np.int64)[:, None] + np.arange(-2, 3)
        best = near[np.arange(len(near)), np.argmax(level_dbfs[near], axis=1)]
        self._fundamentals_hz.append(
            _refined_hz(level_dbfs, best, prominence_db[best], self._bin_hz, fundamental_hz)
        )
        self._levels_dbfs.append(level_dbfs[best].astype(np.float32))
        self._prominences_db.append(prominence_db[best].astype(np.float32))

    def found(self, programme_dbfs: float) -> Hum:
        """The lines that were there all the time."""
        fundamentals_hz = np.array(self._fundamentals_hz)
        mains_hz = float(np.median(fundamentals_hz))
        steady = np.abs(fundamentals_hz - mains_hz) <= _STEADY_SHARE * mains_hz
        nothing = Hum(mains_hz=None, lines=())
        if steady.mean() < 1.0 - _LARGEST_MISSING_SHARE:
            return nothing
        levels_dbfs, prominences_db = np.array(self._levels_dbfs)[steady], np.array(self._prominences_db)[steady]
        wander = float(np.quantile(np.abs(fundamentals_hz[steady] - mains_hz), 0.9)) / mains_hz
        lines = self._lines(mains_hz, levels_dbfs, prominences_db, wander, _LEAST_SEEN_SHARE, _SEEN_DB)
        if lines:
            # Of a hum that is there, lines that a voice covers most of the time are believed sooner.
            lines = self._lines(mains_hz, levels_dbfs, prominences_db, wander, _LEAST_GLIMPSED_SHARE, _GLIMPSED_DB)
        loudness_db = 10.0 * math.log10(sum(10.0 ** (line.level_dbfs / 10.0) for line in lines) + 1e-30)
        low = any(line.frequency_hz < (_LOWEST_HARMONICS + 0.5) * mains_hz for line in lines)
        if not low or loudness_db > programme_dbfs + _PROGRAMME_DB:
            return nothing
        return Hum(mains_hz=mains_hz, lines=tuple(lines))

    def _lines(
        self,
        mains_hz: float,
        levels_dbfs: NDArray[np.float32],
        prominences_db: NDArray[np.float32],
        wander: float,
        least_share: float,
        least_db: float,
    ) -> list[HumLine]:
        lines = (
            _line(float(number * mains_hz), level_dbfs, prominence_db, wander, least_share, least_db)
            for number, level_dbfs, prominence_db in zip(
                self._numbers, levels_dbfs.T, prominences_db.T, strict=True
            )
        )
        return [line for line in lines if line is not None]


def _line(
    frequency_hz: float,
    level_dbfs: NDArray[np.float32],
    prominence_db: NDArray[np.float32],
    wander: float,
    least_share: float,
    least_db: float,
) -> HumLine | None:
    """A line from what was found at it in each window; None where it was not there, or not all the time."""
    seen = prominence_db >= least_db
    if seen.sum() < _LEAST_WINDOWS or seen.mean() < least_share:
        return None
    low_dbfs, usual_dbfs, high_dbfs = np.quantile(level_dbfs[seen], (0.25, 0.5, 0.75))
    missing = level_dbfs < usual_dbfs - _MISSING_DB
    if usual_dbfs < _FAINTEST_DBFS or missing.mean() > _LARGEST_MISSING_SHARE or high_dbfs - low_dbfs > _STEADY_DB:
        return None
    prominence = float(np.quantile(prominence_db[seen], 0.9))
    needed_hz = 2.0 * wander * frequency_hz * 10.0 ** (min(prominence, 30.0) / 20.0)
    return HumLine(
        frequency_hz=frequency_hz,
        level_dbfs=float(usual_dbfs),
        prominence_db=prominence,
        bandwidth_hz=float(min(max(_NARROWEST_HZ, needed_hz), 6.0 + 0.01 * frequency_hz)),
    )


def _refined_hz(
    level_dbfs: NDArray[np.float64],
    bins: NDArray[np.int64],
    prominence_db: NDArray[np.float64],
    bin_hz: float,
    otherwise_hz: float,
) -> float:
    """The fundamental from where the lines that are seen have their tops, by the parabola through three bins."""
    seen = prominence_db >= _SEEN_DB
    if not seen.any():
        return otherwise_hz
    numbers = np.arange(1, len(bins) + 1)[seen]
    at = bins[seen]
    left, top, right = level_dbfs[at - 1], level_dbfs[at], level_dbfs[at + 1]
    curve = left - 2.0 * top + right
    shift = np.where(curve < -1e-9, np.clip(0.5 * (left - right) / np.minimum(curve, -1e-9), -0.5, 0.5), 0.0)
    # A high harmonic tells the fundamental the more exactly.
    weights = numbers**2 * np.minimum(prominence_db[seen], 30.0)
    return float(np.sum(weights * (at + shift) * bin_hz / numbers) / weights.sum())


@njit(nogil=True, cache=True, fastmath={"contract"})
def _stand_out(level_dbfs, bin_hz, prominence_db):  # type: ignore[no-untyped-def]
    """How far each bin stands above the median within 12 Hz, and above its skirts from 1 to 3 Hz away."""
    bins = len(level_dbfs)
    far, inner, outer = int(12.0 / bin_hz), math.ceil(0.9 / bin_hz), int(3.0 / bin_hz)
    surroundings = np.empty(bins)
    for start in range(0, bins, far // 2):
        # The median changes slowly: once for a few hertz.
        middle = min(start + far // 4, bins - 1)
        value = np.median(level_dbfs[max(0, middle - far) : min(bins, middle + far + 1)])
        surroundings[start : start + far // 2] = value
    for at in range(bins):
        highest = -300.0
        for distance in range(inner, outer + 1):
            if at - distance >= 0:
                highest = max(highest, level_dbfs[at - distance])
            if at + distance < bins:
                highest = max(highest, level_dbfs[at + distance])
        above_median, above_skirts = level_dbfs[at] - surroundings[at], level_dbfs[at] - highest
        prominence_db[at] = above_median if above_skirts >= _SKIRT_DB else min(above_median, above_skirts)
