"""The low end of a signal, at a lower rate."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mixdown.dsp.processor import Block

#: Products that are added at once: a multiple of what any processor takes.
_LANES = 32


class Decimator:
    """Brings a signal down to a fraction of its rate, to look at what lies below a quarter of the new one.

    Parameters
    ----------
    factor : int
        One frame in so many is kept; at least 1.
    channels : int

    Notes
    -----
    A windowed sinc with its −6 dB point at half the new rate: below a quarter of that rate it is flat
    within 0.1 dB, and nothing folds onto that louder than −40 dB. It delays by half its length.
    """

    def __init__(self, factor: int, *, channels: int) -> None:
        self._factor = factor
        self._taps = _low_pass(factor)
        self._waiting = np.zeros((len(self._taps) - 1, channels), np.float32)

    def push(self, block: Block) -> Block:
        """The frames of lower rate that a block completes."""
        samples = np.concatenate([self._waiting, block])
        frames = max(0, (len(samples) - len(self._taps)) // self._factor + 1)
        low = np.empty((frames, block.shape[1]), np.float32)
        for channel in range(block.shape[1]):
            _decimate(np.ascontiguousarray(samples[:, channel]), low, channel, self._taps, self._factor)
        self._waiting = samples[frames * self._factor :]
        return low


def _low_pass(factor: int) -> NDArray[np.float32]:
    """Taps of the filter, zeros added for whole lanes."""
    if factor == 1:
        taps = np.ones(1)
    else:
        width = 6 * factor
        taps = np.sinc((np.arange(width) - (width - 1) / 2.0) / factor) * np.kaiser(width, 4.5)
    padded = np.zeros(math.ceil(len(taps) / _LANES) * _LANES, np.float32)
    padded[: len(taps)] = taps / taps.sum()
    return padded


# Sums over a fixed number of products may be done in any order: it is the same order in every block.
@njit(nogil=True, cache=True, fastmath={"contract", "reassoc", "nsz"})
def _decimate(samples, low, channel, taps, factor):  # type: ignore[no-untyped-def]
    """Filter a channel, and keep one frame in ``factor``."""
    width = len(taps)
    for frame in range(len(low)):
        part = samples[frame * factor : frame * factor + width]
        total = np.float32(0.0)
        for tap in range(width):
            total += taps[tap] * part[tap]
        low[frame, channel] = total
