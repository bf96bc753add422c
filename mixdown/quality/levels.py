"""Two recordings step by step: what was lost on the way from one to the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mixdown.quality.hearing import BANDS_HZ, LEVELS, SILENT_POWER, STEPS_PER_S, Heard

#: Loud steps: the fifth of all that sound with the most power.
_LOUD_SHARE = 0.2

#: Drift is told from so much of the beginning and of the end, of a short one from its halves, and looked for up
#: to this far.
_ENDS_S, _FURTHEST_S = 10.0, 1.5

#: Under this correlation the ends are too unlike for a lag to mean anything.
_ALIKE = 0.5

#: A band holds something where its loud moments stand so far above its quiet ones, and are at most so far below
#: the voice band: steady hiss is nothing to lose.
_MODULATED_DB, _AUDIBLE_DB = 10.0, 55.0
_LOUD_MOMENTS, _QUIET_MOMENTS = 0.92, 0.3

#: Loud steps for holes; a step sounds if it is so near to them, and came through if it fell by less than this.
_LOUD, _SOUNDING_DB, _KEPT_DB = 0.9, 30.0, 10.0


def decibels(power: NDArray[np.floating]) -> NDArray[np.float64]:
    """Levels of mean squares in dBFS, −160 at least."""
    return 10 * np.log10(np.maximum(np.asarray(power, np.float64), SILENT_POWER))


def crest_db(heard: Heard) -> float:
    """How far peaks stand above the level of loud steps: the median, in dB; 0 where nothing sounds.

    Cutting peaks off lowers it, and unlike full-scale samples it outlives a gain or a lossy codec.
    """
    sounding = np.flatnonzero(heard.crest_db > 0.0)
    if not len(sounding):
        return 0.0
    loud = sounding[np.argsort(heard.power[sounding])[-max(1, round(len(sounding) * _LOUD_SHARE)) :]]
    return float(np.median(heard.crest_db[loud]))


def lost_in_bands_db(before: Heard, after: Heard) -> NDArray[np.float64]:
    """How much each band lost against the voice band (the first), in dB; nan where there is nothing to lose.

    Returns
    -------
    ndarray of float, shape (bands,)
        By the level of the band's loud moments. Positive where the master has less.
    """
    lost = np.full(len(BANDS_HZ) - 1, np.nan)
    nyquist_hz = min(before.sample_rate_hz, after.sample_rate_hz) / 2
    voice_before, voice_after = _moment_db(before, 0, _LOUD_MOMENTS), _moment_db(after, 0, _LOUD_MOMENTS)
    for band in range(1, len(lost)):
        loud_db = _moment_db(before, band, _LOUD_MOMENTS)
        modulated = loud_db - _moment_db(before, band, _QUIET_MOMENTS) >= _MODULATED_DB
        if BANDS_HZ[band + 1] <= nyquist_hz and modulated and voice_before - loud_db <= _AUDIBLE_DB:
            lost[band] = (loud_db - voice_before) - (_moment_db(after, band, _LOUD_MOMENTS) - voice_after)
    return lost


def _moment_db(heard: Heard, band: int, share: float) -> float:
    """The level that a band stays under for this share of the time, in dB from `LOWEST_DB`."""
    counts = np.cumsum(heard.band_levels[band])
    return float(min(np.searchsorted(counts, share * counts[-1]), LEVELS - 1)) if counts[-1] else 0.0


def drift_s(before: Heard, after: Heard) -> float | None:
    """How far the end has moved against the beginning, in seconds; None where that cannot be told."""
    ends = max(1, min(round(_ENDS_S * STEPS_PER_S), len(before.power) // 2, len(after.power) // 2))
    start = _lag_steps(before.power[:ends], after.power[:ends])
    end = _lag_steps(before.power[-ends:], after.power[-ends:])
    if start is None or end is None:
        return None
    # The lag at the end counts from there: what the lengths differ by belongs to it.
    return (end + len(after.power) - len(before.power) - start) / STEPS_PER_S


def _lag_steps(before: NDArray[np.float32], after: NDArray[np.float32]) -> int | None:
    """By how many steps the second is later than the first, from their levels."""
    count = min(len(before), len(after))
    first, second = _shape(before[:count]), _shape(after[:count])
    size = 1 << (2 * count).bit_length()
    correlation = np.fft.irfft(np.fft.rfft(second, size) * np.conj(np.fft.rfft(first, size)), size)
    furthest = min(round(_FURTHEST_S * STEPS_PER_S), count // 4)
    lags = np.arange(-furthest, furthest + 1)
    best = int(np.argmax(correlation[lags]))
    norm = np.sqrt(np.sum(first**2) * np.sum(second**2))
    if norm <= 0.0 or correlation[lags[best]] < _ALIKE * norm:
        return None
    return int(lags[best])


def _shape(power: NDArray[np.float32]) -> NDArray[np.float64]:
    """Levels with their mean taken out, what is far below the loud ones left out."""
    if not len(power):
        return np.zeros(0)
    level = decibels(power)
    level = np.maximum(level, np.quantile(level, 0.95) - 25.0)
    return level - level.mean()


def holes(before: Heard, after: Heard, *, deeper_than_db: float, least_s: float) -> list[tuple[int, int]]:
    """Short stretches that are gone from the middle of what sounds: first step and one past the last of each.

    A step is gone where its level fell by more than ``deeper_than_db`` beyond what happened to loud steps. What is
    around a hole is as it was: noise that was taken out of a pause leaves no such edges.
    """
    steps = _Steps(before, after)
    gone = steps.fell_db > deeper_than_db
    kept = (steps.fell_db < _KEPT_DB) & steps.sounded
    return [
        (first, end)
        for first, end in _runs(gone)
        if end - first >= round(least_s * STEPS_PER_S)
        and steps.sounded[first:end].mean() > 0.5
        # The very neighbors are partly in the hole.
        and kept[max(0, first - 3) : max(0, first - 1)].any()
        and kept[end + 1 : end + 3].any()
    ]


def longest_new_silence_s(before: Heard, after: Heard, *, silent_db: float) -> float:
    """The longest stretch that is silent now and was not before, in seconds.

    Silent is ``silent_db`` below the loud steps: less than any noise reduction leaves.
    """
    steps = _Steps(before, after)
    silent = (steps.became_db < -silent_db) & (steps.was_db > -silent_db / 2)
    return max((end - first for first, end in _runs(silent)), default=0) / STEPS_PER_S


class _Steps:
    """The levels of each step in both recordings, in dB against the loud steps of each."""

    def __init__(self, before: Heard, after: Heard) -> None:
        count = min(len(before.power), len(after.power))
        was, became = decibels(before.power[:count]), decibels(after.power[:count])
        loud = np.flatnonzero(was >= np.quantile(was, _LOUD)) if count else np.zeros(0, np.int64)
        self.was_db = was - np.median(was[loud]) if count else was
        self.became_db = became - np.median(became[loud]) if count else became
        self.fell_db = self.was_db - self.became_db
        self.sounded = self.was_db > -_SOUNDING_DB


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
    return [(int(first), int(end)) for first, end in edges]
