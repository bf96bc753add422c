"""Notches at the lines of mains hum."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from mixdown.dsp.hum import Hum, HumLine
from mixdown.dsp.processor import Block, as_block

#: Notches are not deeper than this.
_DEEPEST_DB = 50.0

#: What a notch takes off more than a line stands above what surrounds it.
_BURIED_DB = 6.0

#: After this much digital silence a notch forgets the hum, within the same time again.
_SILENCE_S = 0.1
_FORGETTING_S = 0.005

#: Frames that one notch is run over before the next: they stay in the fastest cache.
_CHUNK_FRAMES = 512


class HumNotches:
    """Narrow notches at the lines of a hum.

    Parameters
    ----------
    hum : Hum
        Of the same signal. Without lines the signal passes through.
    sample_rate_hz : int
    channels : int

    Notes
    -----
    Each notch is 1 − (1 − d)·B(z), B a band-pass of second order and unit gain (Regalia & Mitra 1987,
    "Tunable digital frequency response equalization filters"), d what takes its line 6 dB below what
    surrounds it. In double precision, no latency. A second after it begins the hum is gone; digital
    silence makes the notches forget.
    """

    def __init__(self, hum: Hum, *, sample_rate_hz: int, channels: int) -> None:
        self._channels = channels
        lines = [line for line in hum.lines if line.frequency_hz < 0.45 * sample_rate_hz]
        self._coefficients = np.array([_notch(line, sample_rate_hz) for line in lines]).reshape(-1, 5)
        self._state = np.zeros((channels, len(lines), 4))
        self._silent_frames = np.zeros(channels, np.int64)
        self._silence_frames = round(_SILENCE_S * sample_rate_hz)
        self._forgetting = math.exp(-1.0 / (_FORGETTING_S * sample_rate_hz))

    def process(self, block: Block) -> Block:
        """The block without the hum; same shape."""
        block = as_block(block, self._channels)
        cleaned = np.empty_like(block)
        _filter(
            block,
            cleaned,
            self._coefficients,
            self._state,
            self._silent_frames,
            self._silence_frames,
            self._forgetting,
        )
        return cleaned

    def flush(self) -> Block:
        """Nothing: no frames are held back."""
        return np.zeros((0, self._channels), np.float32)


def _notch(line: HumLine, sample_rate_hz: int) -> tuple[float, float, float, float, float]:
    """b₀, b₁, b₂, −a₁, −a₂ of the notch for a line."""
    depth = 10.0 ** (-min(line.prominence_db + _BURIED_DB, _DEEPEST_DB) / 20.0)
    angle = 2.0 * math.pi * line.frequency_hz / sample_rate_hz
    width = math.tan(math.pi * line.bandwidth_hz / sample_rate_hz)
    radius = (1.0 - width) / (1.0 + width)
    # All-pass A(z) = (r − c·z⁻¹ + z⁻²) / (1 − c·z⁻¹ + r·z⁻²); the notch is (1 + d)/2 + (1 − d)/2 · A.
    middle = math.cos(angle) * (1.0 + radius)
    plain, passed = (1.0 + depth) / 2.0, (1.0 - depth) / 2.0
    return plain + passed * radius, -middle, plain * radius + passed, middle, -radius


@njit(nogil=True, cache=True)
def _filter(block, cleaned, coefficients, state, silent, silence_frames, forgetting):  # type: ignore[no-untyped-def]
    """Run every notch over a block (direct form I: only its last product waits for the sample before).

    State of a section: its last two inputs and its last two outputs. Rounding as written, without
    contraction: the result must not depend on how a loop over a shorter block is compiled.
    """
    frames, channels = block.shape
    work = np.empty((min(frames, _CHUNK_FRAMES), channels))
    for start in range(0, frames, _CHUNK_FRAMES):
        count = min(frames - start, _CHUNK_FRAMES)
        forgets = False
        for channel in range(channels):
            forgets = forgets or silent[channel] + count > silence_frames
        for frame in range(count):
            for channel in range(channels):
                work[frame, channel] = block[start + frame, channel]
        if forgets:
            _notch_and_forget(work, count, coefficients, state, silent, silence_frames, forgetting)
        else:
            for section in range(len(coefficients)):
                if channels == 2:
                    _notch_pair(work, count, coefficients[section], state[0, section], state[1, section])
                else:
                    for channel in range(channels):
                        _notch_one(work[:, channel], count, coefficients[section], state[channel, section])
            for channel in range(channels):
                quiet = 0
                while quiet < count and block[start + count - 1 - quiet, channel] == 0.0:
                    quiet += 1
                silent[channel] = silent[channel] + count if quiet == count else quiet
        for frame in range(count):
            for channel in range(channels):
                cleaned[start + frame, channel] = work[frame, channel]


@njit(nogil=True, cache=True)
def _notch_one(work, count, coefficients, state):  # type: ignore[no-untyped-def]
    """One notch over one channel, in place."""
    b0, b1, b2, a1, a2 = coefficients
    x1, x2, y1, y2 = state
    for frame in range(count):
        x = work[frame]
        y = (((b0 * x + b1 * x1) + b2 * x2) + a2 * y2) + a1 * y1
        x2, x1, y2, y1 = x1, x, y1, y
        work[frame] = y
    state[0], state[1], state[2], state[3] = x1, x2, y1, y2


@njit(nogil=True, cache=True)
def _notch_pair(work, count, coefficients, left, right):  # type: ignore[no-untyped-def]
    """One notch over two channels, in place: neither waits for the other."""
    b0, b1, b2, a1, a2 = coefficients
    x1, x2, y1, y2 = left
    u1, u2, v1, v2 = right
    for frame in range(count):
        x, u = work[frame, 0], work[frame, 1]
        y = (((b0 * x + b1 * x1) + b2 * x2) + a2 * y2) + a1 * y1
        v = (((b0 * u + b1 * u1) + b2 * u2) + a2 * v2) + a1 * v1
        x2, x1, y2, y1 = x1, x, y1, y
        u2, u1, v2, v1 = u1, u, v1, v
        work[frame, 0], work[frame, 1] = y, v
    left[0], left[1], left[2], left[3] = x1, x2, y1, y2
    right[0], right[1], right[2], right[3] = u1, u2, v1, v2


@njit(nogil=True, cache=True)
def _notch_and_forget(work, count, coefficients, state, silent, silence_frames, forgetting):  # type: ignore[no-untyped-def]
    """Every notch over frames with digital silence in them, sample by sample: it makes the notches forget."""
    for channel in range(work.shape[1]):
        quiet = silent[channel]
        for frame in range(count):
            sample = work[frame, channel]
            quiet = quiet + 1 if sample == 0.0 else 0
            for section in range(len(coefficients)):
                b0, b1, b2, a1, a2 = coefficients[section]
                x1, x2, y1, y2 = state[channel, section]
                result = (((b0 * sample + b1 * x1) + b2 * x2) + a2 * y2) + a1 * y1
                state[channel, section, 0], state[channel, section, 1] = sample, x1
                state[channel, section, 2], state[channel, section, 3] = result, y1
                sample = result
            work[frame, channel] = sample
            if quiet > silence_frames:
                # Inputs and outputs together: they nearly cancel each other.
                state[channel] *= forgetting if quiet < 2 * silence_frames else 0.0
        silent[channel] = quiet
