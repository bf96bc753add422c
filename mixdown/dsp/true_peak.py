"""The peak between the samples."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mixdown.dsp.processor import Block

#: Samples that a value between two of them is interpolated from.
TAPS = 24

#: How many of them come before that value (the sample just before it not counted), and after.
BEFORE, AFTER = TAPS // 2 - 1, TAPS // 2

#: What is looked at before it is interpolated, or skipped.
_RUN_SAMPLES = 128
_GROUPED_RUN_FRAMES = 128


def interpolation_phases(factor: int) -> NDArray[np.float32]:
    """Interpolators for the points between two samples.

    Parameters
    ----------
    factor : int
        Oversampling factor; 1 has no points between.

    Returns
    -------
    ndarray of float32, shape (factor - 1, TAPS)
        Row p gives the value (p + 1) / factor of a sample after tap ``BEFORE``.

    Notes
    -----
    Sinc under a Kaiser window (β = 5), each phase scaled to unity at 0 Hz.
    """
    offsets = np.arange(TAPS) - BEFORE
    times = offsets[None, :] - np.arange(1, factor)[:, None] / factor
    window = np.i0(5.0 * np.sqrt(np.maximum(0.0, 1.0 - (times / (TAPS / 2)) ** 2)))
    phases = np.sinc(times) * window
    return np.ascontiguousarray(phases / phases.sum(axis=1, keepdims=True), np.float32)


def oversampling_factor(sample_rate_hz: int) -> int:
    """Factor of a true-peak meter: 4, or what brings the rate to 192 kHz (BS.1770-4, Annex 2)."""
    return 4 if sample_rate_hz < 96_000 else 2 if sample_rate_hz < 192_000 else 1


def overshoot_bound(phases: NDArray[np.float32]) -> float:
    """What a value between samples can exceed the highest of them by at most, as a factor."""
    return float(np.abs(phases).sum(axis=1).max(initial=1.0)) * 1.0001  # room for rounding


@njit(nogil=True, cache=True, fastmath={"contract"})
def _interpolated_magnitudes(samples, start, count, channels, phases, magnitudes):  # type: ignore[no-untyped-def]
    """Highest magnitude at and after each sample, up to the next one.

    Parameters
    ----------
    samples : ndarray of float32, shape (frames * channels,)
        Interleaved: the samples of one channel lie ``channels`` apart, so all are done alike.
    start, count : int
        Samples ``start`` to ``start + count``, with ``BEFORE`` frames before and ``AFTER`` after them.
    channels : int
    phases : ndarray of float32, shape (factor - 1, TAPS)
    magnitudes : ndarray of float32, shape (count,) or longer
        Receives the result.
    """
    nearest = samples[start : start + count]
    context = samples[start - BEFORE * channels :]
    for index in range(count):
        magnitudes[index] = abs(nearest[index])
    for phase in range(len(phases)):
        weights = phases[phase]
        for index in range(count):
            value = np.float32(0.0)
            for tap in range(TAPS):
                # An unsigned index cannot count from the end: only so is the loop over samples vectorised.
                value += weights[tap] * context[np.uint64(index) + np.uint64(tap) * np.uint64(channels)]
            magnitudes[index] = max(magnitudes[index], abs(value))


@njit(nogil=True, cache=True, fastmath={"contract"})
def _highest_peak(samples, channels, phases, bound, peak):  # type: ignore[no-untyped-def]
    """The higher of a peak and the true peak of interleaved samples between their context.

    Runs of samples that cannot exceed the peak so far, even between them, are not interpolated.
    """
    magnitudes = np.empty(_RUN_SAMPLES, np.float32)
    context = (BEFORE + AFTER) * channels
    total = len(samples) - context
    for start in range(0, total, _RUN_SAMPLES):
        count = min(_RUN_SAMPLES, total - start)
        highest = np.float32(0.0)
        for sample in samples[start : start + count + context]:
            highest = max(highest, abs(sample))
        if highest * bound > peak:
            _interpolated_magnitudes(samples, start + BEFORE * channels, count, channels, phases, magnitudes)
            for magnitude in magnitudes[:count]:
                peak = max(peak, magnitude)
    return peak


@njit(nogil=True, cache=True, fastmath={"contract"})
def group_peaks(samples, start, channels, group, phases, bound, threshold, peaks):  # type: ignore[no-untyped-def]
    """Write the true peak of each group of frames, or 0 where it does not exceed a threshold.

    Parameters
    ----------
    samples : ndarray of float32, shape (frames * channels,)
        Interleaved, with ``BEFORE`` frames of context before the first group and ``AFTER`` after the last.
    start : int
        Frame with which the first group begins.
    channels : int
    group : int
        Frames in a group.
    phases : ndarray of float32, shape (factor - 1, TAPS)
    bound : float
        What a value between samples can exceed the highest of them by at most, as a factor.
    threshold : float
    peaks : ndarray of float64, shape (groups,)
        Receives the peaks.
    """
    group_samples = group * channels
    groups_per_run = max(1, _GROUPED_RUN_FRAMES // group)
    magnitudes = np.empty(groups_per_run * group_samples, np.float32)
    for first in range(0, len(peaks), groups_per_run):
        groups = min(groups_per_run, len(peaks) - first)
        begin = start * channels + first * group_samples
        end = begin + groups * group_samples
        highest = np.float32(0.0)
        for sample in samples[begin - BEFORE * channels : end + AFTER * channels]:
            highest = max(highest, abs(sample))
        if highest * bound <= threshold:
            peaks[first : first + groups] = 0.0
            continue
        _interpolated_magnitudes(samples, begin, end - begin, channels, phases, magnitudes)
        for index in range(groups):
            peak = np.float32(0.0)
            for magnitude in magnitudes[index * group_samples : (index + 1) * group_samples]:
                peak = max(peak, magnitude)
            peaks[first + index] = peak if peak > threshold else 0.0


class TruePeakMeter:
    """Highest true peak of a signal.

    Parameters
    ----------
    sample_rate_hz : int
    channels : int

    Notes
    -----
    ITU-R BS.1770-4, Annex 2: four-fold oversampling (two-fold from 96 kHz, none from 192 kHz). Runs
    of samples that cannot exceed the peak found so far are skipped; the result is the same.
    """

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self._channels = channels
        self._phases = interpolation_phases(oversampling_factor(sample_rate_hz))
        self._bound = np.float32(overshoot_bound(self._phases))
        self._context = np.zeros((BEFORE + AFTER) * channels, np.float32)
        self._peak = np.float32(0.0)

    def push(self, block: Block) -> None:
        """Take the next block."""
        samples = block.reshape(-1)
        kept = len(self._context)
        seam = np.concatenate([self._context, samples[:kept]])
        self._peak = self._highest(samples, self._highest(seam, self._peak))
        self._context = (samples if len(samples) >= kept else seam)[-kept:].copy()

    def peak(self) -> float:
        """The true peak of what was pushed, as a factor; the signal is taken to end here."""
        end = np.concatenate([self._context, np.zeros_like(self._context)])
        return float(self._highest(end, self._peak))

    def _highest(self, samples: NDArray[np.float32], peak: np.float32) -> np.float32:
        """The higher of a peak and that of interleaved samples."""
        return np.float32(_highest_peak(samples, self._channels, self._phases, self._bound, peak))
