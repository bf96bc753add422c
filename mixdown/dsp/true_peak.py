"""The peak between the samples."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

#: Samples that a value between them is interpolated from.
TAPS = 24

#: Samples (of all channels together) that are looked at before they are interpolated, or skipped.
_RUN = 128


def interpolation_phases(factor: int) -> NDArray[np.float32]:
    """Interpolators for the points between two samples.

    Parameters
    ----------
    factor : int
        Oversampling factor; 1 has no points between.

    Returns
    -------
    ndarray of float32, shape (factor - 1, TAPS)
        Row p gives the value (p + 1) / factor of a sample after sample ``TAPS / 2 - 1`` of the taps.

    Notes
    -----
    Sinc under a Kaiser window (β = 5), each phase scaled to unity at 0 Hz.
    """
    offsets = np.arange(TAPS) - (TAPS // 2 - 1)
    times = offsets[None, :] - np.arange(1, factor)[:, None] / factor
    window = np.i0(5.0 * np.sqrt(np.maximum(0.0, 1.0 - (times / (TAPS / 2)) ** 2)))
    phases = np.sinc(times) * window
    return np.ascontiguousarray(phases / phases.sum(axis=1, keepdims=True), np.float32)


def oversampling_factor(sample_rate_hz: int) -> int:
    """Factor that brings a sample rate to at least 192 kHz; at most 4 (BS.1770-4, Annex 2)."""
    return 4 if sample_rate_hz < 96_000 else 2 if sample_rate_hz < 192_000 else 1


@njit(nogil=True, cache=True, fastmath={"contract", "nnan", "ninf", "nsz"})
def interpolated_magnitudes(samples, start, count, channels, phases, magnitudes):  # type: ignore[no-untyped-def]
    """Highest magnitude at and after each sample, up to the next one.

    Parameters
    ----------
    samples : ndarray of float32, shape (frames * channels,)
        Interleaved: the samples of one channel lie ``channels`` apart, so all are done alike.
    start, count : int
        Samples ``start`` to ``start + count``, with ``TAPS // 2 - 1`` frames before and
        ``TAPS // 2`` after them.
    channels : int
    phases : ndarray of float32, shape (factor - 1, TAPS)
    magnitudes : ndarray of float32, shape (count,) or longer
        Receives the result.
    """
    for index in range(count):
        magnitudes[index] = abs(samples[start + index])
    before = (TAPS // 2 - 1) * channels
    for phase in range(len(phases)):
        for index in range(count):
            value = np.float32(0.0)
            for tap in range(TAPS):
                value += phases[phase, tap] * samples[start - before + index + tap * channels]
            magnitudes[index] = max(magnitudes[index], abs(value))


@njit(nogil=True, cache=True, fastmath={"contract", "nnan", "ninf", "nsz"})
def highest_peak(samples, channels, phases, bound, peak, magnitudes):  # type: ignore[no-untyped-def]
    """The running true peak after these samples, as a factor.

    Parameters
    ----------
    samples : ndarray of float32, shape (frames * channels,)
        Interleaved, with ``TAPS - 1`` frames of context in all.
    channels : int
    phases : ndarray of float32, shape (factor - 1, TAPS)
    bound : float32
        What a value between samples can exceed the highest of them by at most, as a factor.
    peak : float32
        The true peak so far: where it cannot be exceeded nothing is interpolated.
    magnitudes : ndarray of float32, shape (_RUN,)
        Room to work in.

    Returns
    -------
    float32
    """
    context = (TAPS - 1) * channels
    before = (TAPS // 2 - 1) * channels
    total = len(samples) - context
    for start in range(0, total, _RUN):
        count = min(_RUN, total - start)
        highest = np.float32(0.0)
        for index in range(start, start + count + context):
            highest = max(highest, abs(samples[index]))
        if highest * bound > peak:
            interpolated_magnitudes(samples, start + before, count, channels, phases, magnitudes)
            for index in range(count):
                peak = max(peak, magnitudes[index])
    return peak


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
        gain = np.abs(self._phases).sum(axis=1).max(initial=1.0)
        self._bound = np.float32(gain * 1.0001)  # room for rounding
        self._context = np.zeros((TAPS - 1) * channels, np.float32)
        self._magnitudes = np.empty(_RUN, np.float32)
        self._peak = np.float32(0.0)

    def push(self, block: NDArray[np.float32]) -> None:
        """Take the next block, shape (frames, channels)."""
        samples = np.concatenate([self._context, block.reshape(-1)])
        self._peak = self._highest(samples)
        self._context = samples[len(samples) - len(self._context) :].copy()

    def peak(self) -> float:
        """The true peak of what was pushed, as a factor; the signal is taken to end here."""
        return float(self._highest(np.concatenate([self._context, np.zeros_like(self._context)])))

    def _highest(self, samples: NDArray[np.float32]) -> np.float32:
        """The higher of the peak so far and that of some samples with their context."""
        return np.float32(
            highest_peak(samples, self._channels, self._phases, self._bound, self._peak, self._magnitudes)
        )
