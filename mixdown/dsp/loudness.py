"""Loudness, its course and its range, true peak, sample peak and RMS of a signal."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixdown.dsp import kweighting
from mixdown.dsp.processor import Block, as_block
from mixdown.dsp.true_peak import TruePeakMeter
from mixdown.model import LevelReport, LoudnessSeries

_MOMENTARY_S, _SHORT_TERM_S = 0.4, 3.0
_ABSOLUTE_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = -10.0
_RANGE_GATE_LU = -20.0

#: Gating blocks and short-term values follow each other at this interval (75 % overlap of 400 ms).
_HOP_STEPS = kweighting.STEPS_PER_S // 10
_MOMENTARY_STEPS = round(_MOMENTARY_S * kweighting.STEPS_PER_S)
_SHORT_TERM_STEPS = round(_SHORT_TERM_S * kweighting.STEPS_PER_S)


@dataclass(frozen=True, slots=True, eq=False)
class LoudnessCourse:
    """How loud a programme is, and from what that was computed.

    Attributes
    ----------
    integrated_lufs : float
        ``-inf`` for silence.
    hops : ndarray of float64, shape (hops,)
        K-weighted mean squares of each 100 ms.
    """

    integrated_lufs: float
    hops: NDArray[np.float64]

    def ridden(self, gains_db: NDArray[np.floating], step_s: float) -> LoudnessCourse:
        """The programme at gains for the middle of each step, interpolated between.

        Notes
        -----
        Exact for a gain that stands still; within 0.03 LU for those of a leveller.
        """
        if not len(gains_db) or len(self.hops) < _MOMENTARY_STEPS // _HOP_STEPS:
            return self
        at_s = (np.arange(len(self.hops)) + 0.5) * _HOP_STEPS / kweighting.STEPS_PER_S
        gain_db = np.interp(at_s, (np.arange(len(gains_db)) + 0.5) * step_s, gains_db)
        hops = self.hops * 10.0 ** (gain_db / 10.0)
        return LoudnessCourse(_integrated_lufs(hops), hops)


class LoudnessMeter:
    """Measures a signal, block by block.

    Parameters
    ----------
    sample_rate_hz : int
        4,000 to 384,000.
    channels : int
        Five are L R C Ls Rs, six L R C LFE Ls Rs; of any other number all weigh the same.
    true_peak : bool
        Whether the true peak is measured as well.

    Notes
    -----
    Loudness after ITU-R BS.1770-4, its range after EBU Tech 3342, maxima after EBU Tech 3341 (moved
    on by 10 ms). RMS: full scale is 1.0, so a full-scale square reads 0 dBFS and a sine −3.01 (as ACX and
    Audacity have it; AES17 adds 3.01 dB). Takes a float for every 100 ms; the same report however the
    signal is cut.
    """

    def __init__(self, sample_rate_hz: int, channels: int, *, true_peak: bool = True) -> None:
        self._sample_rate_hz = int(sample_rate_hz)
        self._channels = channels
        self._weights = kweighting.channel_weights(channels)
        self._coefficients = kweighting.coefficients(sample_rate_hz)
        self._filters = np.zeros((channels, 7))
        self._partial = np.zeros(channels)
        self._frames = 0
        self._steps = 0
        self._fresh = array("d")  # mean squares of the steps that no window has moved over yet
        self._recent = np.zeros(0)  # those of the steps before, at most one short-term window
        self._hops = array("d")  # mean squares of each 100 ms
        self._momentary_max = 0.0
        self._short_term_max = 0.0
        self._sample_peak = 0.0
        self._true_peak = TruePeakMeter(sample_rate_hz, channels) if true_peak else None

    def push(self, block: Block) -> None:
        """Take the next block of the signal."""
        block = as_block(block, self._channels)
        energies = np.empty(len(block) * kweighting.STEPS_PER_S // self._sample_rate_hz + 2)
        ended = kweighting.weigh(
            block,
            self._weights,
            self._coefficients,
            self._filters,
            self._partial,
            self._frames,
            self._steps + len(self._fresh),
            self._sample_rate_hz,
            energies,
        )
        self._frames += len(block)
        self._fresh.extend(energies[:ended])
        if len(self._fresh) >= kweighting.STEPS_PER_S:
            self._move_on()
        self._sample_peak = max(self._sample_peak, float(block.max(initial=0.0)), -float(block.min(initial=0.0)))
        if self._true_peak:
            self._true_peak.push(block)

    def _move_on(self) -> None:
        """Move the windows on over the steps that ended."""
        energies = np.array(self._fresh)
        self._fresh = array("d")
        new_from = len(self._recent)
        first_step = self._steps - new_from
        recent = np.concatenate([self._recent, energies])
        self._steps += len(energies)
        self._momentary_max = max(self._momentary_max, _highest_mean(recent, _MOMENTARY_STEPS, new_from))
        self._short_term_max = max(self._short_term_max, _highest_mean(recent, _SHORT_TERM_STEPS, new_from))
        hop = len(self._hops)
        whole = recent[hop * _HOP_STEPS - first_step : self._steps // _HOP_STEPS * _HOP_STEPS - first_step]
        self._hops.extend(whole.reshape(-1, _HOP_STEPS).mean(axis=1))
        self._recent = recent[-(_SHORT_TERM_STEPS - 1) :].copy()

    def report(self) -> LevelReport:
        """The measurements of what was pushed so far.

        Returns
        -------
        LevelReport
            Levels of silence are ``-inf``. A signal shorter than the window of a measure (400 ms,
            3 s) is measured as a whole, without gate. The true peak is ``nan`` if it was not asked for.
        """
        self._move_on()
        hops = np.frombuffer(self._hops, np.float64) if self._hops else np.zeros(0)
        whole = self._mean_of_all()
        long_enough = self._steps >= _MOMENTARY_STEPS
        true_peak = self._true_peak.peak() if self._true_peak else math.nan
        return LevelReport(
            integrated_lufs=_integrated_lufs(hops) if long_enough else _lufs(whole),
            range_lu=_range_lu(hops),
            momentary_max_lufs=_lufs(self._momentary_max if long_enough else whole),
            short_term_max_lufs=_lufs(self._short_term_max if self._steps >= _SHORT_TERM_STEPS else whole),
            true_peak_dbtp=_decibels(max(true_peak, self._sample_peak) if self._true_peak else true_peak),
            sample_peak_dbfs=_decibels(self._sample_peak),
            duration_s=self._frames / self._sample_rate_hz,
            sample_rate_hz=self._sample_rate_hz,
            channels=self._channels,
            rms_dbfs=_decibels(self._rms()),
        )

    def course(self) -> LoudnessCourse:
        """The loudness of what was pushed so far, as one that gains can be laid over."""
        lufs = self.report().integrated_lufs
        return LoudnessCourse(lufs, np.array(self._hops))

    def series(self) -> LoudnessSeries:
        """Momentary and short-term loudness of what was pushed so far, for every 100 ms.

        Returns
        -------
        LoudnessSeries
            Values of silence, and of windows that began before the signal, are ``-inf``.
        """
        self._move_on()
        hops = np.frombuffer(self._hops, np.float64) if self._hops else np.zeros(0)
        return LoudnessSeries(
            step_s=_HOP_STEPS / kweighting.STEPS_PER_S,
            momentary_lufs=_windows_lufs(hops, _MOMENTARY_STEPS // _HOP_STEPS),
            short_term_lufs=_windows_lufs(hops, _SHORT_TERM_STEPS // _HOP_STEPS),
        )

    def _rms(self) -> float:
        """Root of the mean square of all samples, as a factor of full scale."""
        samples = self._frames * self._channels
        return math.sqrt(float(self._filters[:, 6].sum()) / samples) if samples else 0.0

    def _mean_of_all(self) -> float:
        """Mean square of everything that was pushed (signals under 3 s: all their steps are here)."""
        if not self._frames:
            return 0.0
        step_frames = self._sample_rate_hz / kweighting.STEPS_PER_S
        energy = float(self._recent.sum()) * step_frames + float(self._weights @ self._partial)
        return energy / self._frames


def _highest_mean(energies: NDArray[np.float64], length: int, new_from: int) -> float:
    """Highest mean of ``length`` steps in a row that ends at or after step ``new_from``."""
    fresh = energies[max(0, new_from - length + 1) :]
    if len(fresh) < length:
        return 0.0
    # Not by running sums: the result would depend on where the signal was cut.
    return float(np.lib.stride_tricks.sliding_window_view(fresh, length).mean(axis=1).max())


def _windows_lufs(hops: NDArray[np.float64], length: int) -> NDArray[np.float32]:
    """Loudness of the window of ``length`` hops that ends with each hop."""
    loudness = np.full(len(hops), -np.inf, np.float32)
    if len(hops) >= length:
        means = np.lib.stride_tricks.sliding_window_view(hops, length).mean(axis=1)
        with np.errstate(divide="ignore"):
            loudness[length - 1 :] = -0.691 + 10.0 * np.log10(means)
    return loudness


def _decibels(peak: float) -> float:
    """A factor of full scale in dB; ``-inf`` for 0."""
    return 20.0 * math.log10(peak) if peak != 0.0 else -math.inf


def _lufs(mean_square: float) -> float:
    """Loudness of a K-weighted mean square (BS.1770-4, eq. 2); ``-inf`` for 0."""
    return -0.691 + 10.0 * math.log10(mean_square) if mean_square > 0.0 else -math.inf


def _mean_square(lufs: float) -> float:
    """The K-weighted mean square of a loudness."""
    return float(10.0 ** ((lufs + 0.691) / 10.0))


def _integrated_lufs(hops: NDArray[np.float64]) -> float:
    """Gated loudness (BS.1770-4, eqs. 3 to 7) of mean squares of 100 ms; ``-inf`` below −70 LUFS."""
    blocks = np.lib.stride_tricks.sliding_window_view(hops, 4).mean(axis=1)
    blocks = blocks[blocks > _mean_square(_ABSOLUTE_GATE_LUFS)]
    if not len(blocks):
        return -math.inf
    gate = float(blocks.mean()) * 10.0 ** (_RELATIVE_GATE_LU / 10.0)
    return _lufs(float(blocks[blocks > gate].mean()))


def _range_lu(hops: NDArray[np.float64]) -> float:
    """Loudness range (EBU Tech 3342) of mean squares of 100 ms; 0 for less than 3 s or silence."""
    hops_per_window = _SHORT_TERM_STEPS // _HOP_STEPS
    if len(hops) < hops_per_window:
        return 0.0
    windows = np.lib.stride_tricks.sliding_window_view(hops, hops_per_window).mean(axis=1)
    windows = windows[windows > _mean_square(_ABSOLUTE_GATE_LUFS)]
    if not len(windows):
        return 0.0
    gate = float(windows.mean()) * 10.0 ** (_RANGE_GATE_LU / 10.0)
    low, high = np.percentile(windows[windows > gate], [10.0, 95.0], method="nearest")
    return float(10.0 * math.log10(high / low))
