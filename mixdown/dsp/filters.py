"""Filters."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mixdown.dsp.processor import Block, as_block

#: Quality factors of the two sections of a 4th-order Butterworth filter: 1 / (2 cos(kπ/8)), k = 1, 3.
_BUTTERWORTH_Q = (1.0 / (2.0 * math.cos(math.pi / 8.0)), 1.0 / (2.0 * math.cos(3.0 * math.pi / 8.0)))

#: Frames between two clearings of what has decayed to nothing.
_CLEARING_FRAMES = 1024


class HighPassFilter:
    """Removes what lies below a frequency, the DC offset with it.

    Parameters
    ----------
    cutoff_hz : float
        −3 dB point; above 0 and below half the sample rate.
    sample_rate_hz : int
    channels : int

    Raises
    ------
    ValueError
        The cutoff is not between 0 and half the sample rate.

    Notes
    -----
    A 4th-order Butterworth high-pass (24 dB per octave) by the bilinear transform with the cutoff
    pre-warped, as two biquads in double precision. No latency. It starts as if the first sample had
    been there for ever, so that a DC offset does not begin with a thump.
    """

    def __init__(self, cutoff_hz: float, *, sample_rate_hz: int, channels: int) -> None:
        if not 0.0 < cutoff_hz < sample_rate_hz / 2:
            raise ValueError(f"a cutoff of {cutoff_hz} Hz is impossible at {sample_rate_hz} Hz")
        self._channels = channels
        self._coefficients = _high_pass_coefficients(cutoff_hz, sample_rate_hz)
        self._state = np.zeros((channels, 6))
        self._phase = 0
        self._started = False

    def process(self, block: Block) -> Block:
        """The block, filtered; same shape."""
        block = as_block(block, self._channels)
        if not self._started and len(block):
            self._state[:, 0] = self._state[:, 1] = block[0]
            self._started = True
        filtered = np.empty_like(block)
        self._phase = _filter(block, filtered, self._coefficients, self._state, self._phase)
        return filtered

    def flush(self) -> Block:
        """Nothing: this filter holds no frames back."""
        return np.zeros((0, self._channels), np.float32)


def _high_pass_coefficients(cutoff_hz: float, sample_rate_hz: int) -> NDArray[np.float64]:
    """Gain of both sections together, then −a1 and −a2 of each (numerators are 1, −2, 1)."""
    warped = math.tan(math.pi * cutoff_hz / sample_rate_hz)
    gain, feedback = 1.0, []
    for quality in _BUTTERWORTH_Q:
        scale = 1.0 + warped / quality + warped * warped
        gain /= scale
        feedback += [
            -2.0 * (warped * warped - 1.0) / scale,
            -(1.0 - warped / quality + warped * warped) / scale,
        ]
    return np.array([gain, *feedback])


@njit(nogil=True, cache=True, fastmath={"contract"})
def _filter(block, filtered, coefficients, state, phase):  # type: ignore[no-untyped-def]
    """Filter a block; the new phase (frames since the last clearing) is returned.

    State of a channel: the last two inputs, outputs of the first and outputs of the second section.
    """
    frames, channels = block.shape
    gain, a1, a2, c1, c2 = coefficients
    start = 0
    while start < frames:
        stop = min(frames, start + _CLEARING_FRAMES - phase)
        for channel in range(channels):
            x1, x2, y1, y2, z1, z2 = state[channel]
            for frame in range(start, stop):
                x = np.float64(block[frame, channel])
                # Only the last product waits for the previous sample: one multiply-add per section.
                y = (x - 2.0 * x1 + x2 + a2 * y2) + a1 * y1
                z = (y - 2.0 * y1 + y2 + c2 * z2) + c1 * z1
                x2, x1 = x1, x
                y2, y1 = y1, y
                z2, z1 = z1, z
                filtered[frame, channel] = gain * z
            state[channel, 0], state[channel, 1], state[channel, 2] = x1, x2, y1
            state[channel, 3], state[channel, 4], state[channel, 5] = y2, z1, z2
        phase = (phase + stop - start) % _CLEARING_FRAMES
        start = stop
        if phase == 0:
            for channel in range(channels):
                for index in range(6):
                    # Denormal numbers would slow the decay into silence down a hundredfold.
                    if abs(state[channel, index]) < 1e-30:
                        state[channel, index] = 0.0
    return phase
