"""Dynamics: a compressor."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from mixdown.dsp.processor import Block, as_block

#: Longest averaging of the level detector: half a pitch period of a low voice.
_DETECTOR_S = 0.005

#: A new gain is computed this often and interpolated between.
_CONTROL_S = 0.00035

_DB_PER_NEPER = 20.0 / math.log(10.0)


class Compressor:
    """Turns loud passages down: above the threshold, the level rises 1 dB for every ``ratio`` dB.

    Parameters
    ----------
    threshold_dbfs : float
        Mean-square level summed over the channels, as BS.1770 sums them without its filter: a
        full-scale sine in one channel is −3.01 dBFS, so that a programme's LUFS can be put in.
    ratio : float
        At least 1; 1 changes nothing.
    knee_db : float
        Width of the soft knee, centred on the threshold; 0 is a hard knee.
    attack_s, release_s : float
        Time constants with which the gain falls and recovers; above 0.
    sample_rate_hz : int
    channels : int
        All get the same gain, so that the image stays where it is.

    Raises
    ------
    ValueError
        The ratio is below 1, the knee below 0, or a time is not above 0.

    Notes
    -----
    Feed-forward, after D. Giannoulis, M. Massberg, J. D. Reiss, "Digital Dynamic Range Compressor
    Design: A Tutorial and Analysis", JAES 60(6), 2012: static curve with quadratic knee (eq. 4),
    smoothed in the logarithmic domain by a branching one-pole (eq. 16). No look-ahead, no latency.
    """

    def __init__(
        self,
        *,
        threshold_dbfs: float,
        ratio: float,
        knee_db: float,
        attack_s: float,
        release_s: float,
        sample_rate_hz: int,
        channels: int,
    ) -> None:
        if ratio < 1.0 or knee_db < 0.0 or attack_s <= 0.0 or release_s <= 0.0:
            raise ValueError("a compressor needs ratio >= 1, knee >= 0, attack and release > 0")
        self._channels = channels
        self._group_frames = max(1, round(_CONTROL_S * sample_rate_hz))
        group_s = self._group_frames / sample_rate_hz
        self._curve = np.array([threshold_dbfs, 1.0 - 1.0 / ratio, max(knee_db, 1e-9)])
        self._smoothing = np.array(
            [math.exp(-group_s / time_s) for time_s in (min(attack_s, _DETECTOR_S), attack_s, release_s)]
        )
        # power being summed, smoothed power, reduction in dB, gain at the start and end of the group
        self._state = np.array([0.0, 0.0, 0.0, 1.0, 1.0])
        self._phase = 0

    def process(self, block: Block) -> Block:
        """The block, compressed; same shape."""
        block = as_block(block, self._channels)
        compressed = np.empty_like(block)
        self._phase = _compress(
            block, compressed, self._curve, self._smoothing, self._state, self._phase, self._group_frames
        )
        return compressed

    def flush(self) -> Block:
        """Nothing: this compressor holds no frames back."""
        return np.zeros((0, self._channels), np.float32)


@njit(nogil=True, cache=True, fastmath={"contract"})
def _compress(block, compressed, curve, smoothing, state, phase, group_frames):  # type: ignore[no-untyped-def]
    """Compress a block; the new phase (frames into the current group) is returned.

    The gain at the end of a group of frames follows from the groups before it, so no frame waits.
    """
    frames, channels = block.shape
    threshold_db, slope, knee_db = curve
    detector, attack, release = smoothing
    power, smoothed, reduction_db, gain_from, gain_to = state
    silent = 10.0 ** ((threshold_db - knee_db / 2.0) / 10.0)
    start = 0
    while start < frames:
        stop = min(frames, start + group_frames - phase)
        step = (gain_to - gain_from) / group_frames
        for frame in range(start, stop):
            gain = np.float32(gain_from + step * (phase + frame - start + 1))
            for channel in range(channels):
                x = block[frame, channel]
                power += np.float64(x) * np.float64(x)
                compressed[frame, channel] = x * gain
        phase += stop - start
        start = stop
        if phase == group_frames:
            smoothed = detector * smoothed + (1.0 - detector) * power / group_frames
            wanted_db = 0.0
            if smoothed > silent:
                over_db = 10.0 * math.log10(smoothed) - threshold_db
                if over_db > knee_db / 2.0:
                    wanted_db = slope * over_db
                else:
                    wanted_db = slope * (over_db + knee_db / 2.0) ** 2 / (2.0 * knee_db)
            elif smoothed < 1e-30:
                smoothed = 0.0
            coefficient = attack if wanted_db > reduction_db else release
            reduction_db = wanted_db + coefficient * (reduction_db - wanted_db)
            if reduction_db < 1e-6:
                reduction_db = 0.0
            gain_from = gain_to
            gain_to = math.exp(-reduction_db / _DB_PER_NEPER)
            power = 0.0
            phase = 0
    state[0], state[1], state[2] = power, smoothed, reduction_db
    state[3], state[4] = gain_from, gain_to
    return phase
