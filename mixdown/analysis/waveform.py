"""The outline of a waveform, for pictures and for players that draw it themselves."""

from __future__ import annotations

import json

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mixdown.dsp.processor import Block, as_block
from mixdown.model import WavePeaks

#: Points begin this long, as audiowaveform's do, and double whenever there are too many.
_FRAMES_PER_POINT = 256
_MOST_POINTS = 8192

_EIGHT_BIT, _SIXTEEN_BIT = 127, 32767


class WaveSurvey:
    """Listens for the lowest and highest samples of equal stretches, in constant memory.

    Parameters
    ----------
    sample_rate_hz : int
    channels : int
    """

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self._sample_rate_hz = sample_rate_hz
        self._channels = channels
        self._frames_per_point = _FRAMES_PER_POINT
        self._low = np.full((_MOST_POINTS, channels), np.inf, np.float32)
        self._high = np.full((_MOST_POINTS, channels), -np.inf, np.float32)
        self._energy = np.zeros((_MOST_POINTS, channels))
        self._frames = 0

    def push(self, block: Block) -> None:
        """Take the next block of the signal."""
        block = as_block(block, self._channels)
        while len(block):
            if self._frames == _MOST_POINTS * self._frames_per_point:
                self._halve()
            taken = block[: _MOST_POINTS * self._frames_per_point - self._frames]
            _outline(taken, self._frames, self._frames_per_point, self._low, self._high, self._energy)
            self._frames += len(taken)
            block = block[len(taken) :]

    def report(self) -> WavePeaks:
        """The outline of all that was pushed: at most 8,192 points."""
        points = -(-self._frames // self._frames_per_point)
        frames = np.full((points, 1), self._frames_per_point, np.float64)
        if points:
            frames[-1] = self._frames - (points - 1) * self._frames_per_point
        return WavePeaks(
            frames_per_point=self._frames_per_point,
            sample_rate_hz=self._sample_rate_hz,
            low=self._low[:points].copy(),
            high=self._high[:points].copy(),
            power=(self._energy[:points] / frames).astype(np.float32),
        )

    def _halve(self) -> None:
        half = _MOST_POINTS // 2
        for values, joined, empty in (
            (self._low, np.minimum, np.inf),
            (self._high, np.maximum, -np.inf),
            (self._energy, np.add, 0.0),
        ):
            values[:half] = joined(values[0::2], values[1::2])
            values[half:] = empty
        self._frames_per_point *= 2


@njit(nogil=True, cache=True)
def _outline(block, before, frames_per_point, lows, highs, energies):  # type: ignore[no-untyped-def]
    """Add frames, of which there were ``before``, to the points they fall into."""
    frames, channels = block.shape
    frame = 0
    while frame < frames:
        point = (before + frame) // frames_per_point
        end = min(frames, (point + 1) * frames_per_point - before)
        for channel in range(channels):
            low, high, energy = lows[point, channel], highs[point, channel], energies[point, channel]
            for position in range(frame, end):
                value = block[position, channel]
                low = min(low, value)
                high = max(high, value)
                energy += np.float64(value) * np.float64(value)
            lows[point, channel], highs[point, channel], energies[point, channel] = low, high, energy
        frame = end


def peaks_json(peaks: WavePeaks, *, bits: int = 8) -> bytes:
    """The outline as audiowaveform's JSON, version 2, which peaks.js and waveform-data.js read.

    Parameters
    ----------
    peaks : WavePeaks
    bits : int
        8 or 16.

    Notes
    -----
    Data are the lowest and the highest sample of each channel in turn, point by point.
    """
    full_scale = _EIGHT_BIT if bits == 8 else _SIXTEEN_BIT
    pairs: NDArray[np.float32] = np.stack([peaks.low, peaks.high], axis=2)
    whole = np.rint(np.clip(pairs, -1.0, 1.0) * full_scale).astype(int)
    document = {
        "version": 2,
        "channels": peaks.low.shape[1],
        "sample_rate": peaks.sample_rate_hz,
        "samples_per_pixel": peaks.frames_per_point,
        "bits": bits,
        "length": len(peaks.low),
        "data": whole.reshape(-1).tolist(),
    }
    return json.dumps(document, separators=(",", ":")).encode()
