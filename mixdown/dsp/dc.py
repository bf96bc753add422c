"""Removal of a DC offset."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from mixdown.dsp.processor import Block, as_block

#: −3 dB point: 0.04 dB at 20 Hz, and a drift slower than a second is followed.
_CUTOFF_HZ = 2.0

#: The offset that the signal begins with is measured over this time.
_OPENING_S = 0.5

#: Frames between two clearings of an offset too small to matter.
_CLEARING_FRAMES = 1024

#: −180 dBFS.
_NEGLIGIBLE = 1e-9


class DcRemoval:
    """Takes out a constant offset and what drifts slower than about a second.

    Parameters
    ----------
    sample_rate_hz : int
    channels : int
        Each has an offset of its own.

    Notes
    -----
    A first-order high-pass at 2 Hz in double precision: 0.04 dB at 20 Hz, 6° of phase, no delay. The
    first half second is held back once: its mean under a Hann window, which is blind to anything above
    4 Hz, is the offset to begin with, so that neither an offset nor a sound cut in the middle of a wave
    begins with a thump.
    """

    def __init__(self, *, sample_rate_hz: int, channels: int) -> None:
        self._channels = channels
        self._rise = 1.0 - math.exp(-2.0 * math.pi * _CUTOFF_HZ / sample_rate_hz)
        self._opening_frames = max(1, round(_OPENING_S * sample_rate_hz))
        self._opening: list[Block] = []
        self._held = 0
        self._offset: np.ndarray | None = None
        self._phase = 0

    def process(self, block: Block) -> Block:
        """The block without its offset; the opening comes with the first block after it."""
        block = as_block(block, self._channels)
        if self._offset is None:
            self._opening.append(block.copy())
            self._held += len(block)
            if self._held < self._opening_frames:
                return np.zeros((0, self._channels), np.float32)
            block = self._begin()
        return self._remove(block)

    def flush(self) -> Block:
        """The opening, where the signal was shorter than that."""
        if self._offset is not None or not self._held:
            return np.zeros((0, self._channels), np.float32)
        return self._remove(self._begin())

    def _begin(self) -> Block:
        """All that was held back; what it begins with is known from here on."""
        held = np.concatenate(self._opening)
        self._opening = []
        measured = held[: self._opening_frames]
        weights = np.hanning(len(measured) + 2)[1:-1]
        self._offset = (weights[:, None] * measured).sum(axis=0) / weights.sum()
        return held

    def _remove(self, block: Block) -> Block:
        removed = np.empty_like(block)
        self._phase = _subtract(block, removed, self._rise, self._offset, self._phase)
        return removed


@njit(nogil=True, cache=True, fastmath={"contract"})
def _subtract(block, removed, rise, offset, phase):  # type: ignore[no-untyped-def]
    """Subtract the offset, which follows the signal; the frames since the last clearing are returned."""
    frames, channels = block.shape
    start = 0
    while start < frames:
        stop = min(frames, start + _CLEARING_FRAMES - phase)
        for channel in range(channels):
            mean = offset[channel]
            for frame in range(start, stop):
                sample = np.float64(block[frame, channel])
                removed[frame, channel] = sample - mean
                mean += rise * (sample - mean)
            offset[channel] = mean
        phase = (phase + stop - start) % _CLEARING_FRAMES
        start = stop
        if phase == 0:
            for channel in range(channels):
                # A silence after a sound becomes silence, and denormal numbers would be slow.
                if abs(offset[channel]) < _NEGLIGIBLE:
                    offset[channel] = 0.0
    return phase
