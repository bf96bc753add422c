"""Clipping mended: peaks that were cut off are rebuilt."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from mixdown.dsp.autoregression import autocorrelation, fill_in, levinson
from mixdown.dsp.clipping import Clipping, ClipSurvey, FlatTop
from mixdown.dsp.processor import Block, as_block

__all__ = ["ClipRepair", "ClipSurvey", "Clipping", "FlatTop"]

#: Order of the model; times that it and the peaks are estimated from each other; times that those which come
#: out too low are put back.
_ORDER = 32
_ROUNDS = 2
_PASSES = 3

#: A hop of the repair; the model is fitted to it, to one before and half of one after.
_HOP_S = 0.020
_LEAST_HOP_FRAMES = 256

#: Peaks are rebuilt to 12 dB above the level at most.
_LARGEST_RISE = 4.0


class ClipRepair:
    """Rebuilds peaks that were cut off; every other sample stays as it is.

    Parameters
    ----------
    clipping : Clipping
        Of the same signal. Without flat tops the signal passes through.
    sample_rate_hz : int
    channels : int

    Notes
    -----
    The samples at the level are taken for lost, and given the values for which a linear predictor errs
    least (Janssen, Veldhuis & Vries 1986, which holds its own among newer methods: Záviška, Rajmic,
    Ozerov & Rencker 2021, "A survey and an extensive evaluation of popular audio declipping methods"),
    the predictor being fitted again to what results. Those that come out below what was recorded are
    put back, and the rest solved again: a peak was never lower than where it was cut. Peaks rise 12 dB
    at most, and may exceed full scale: a limiter belongs behind this. 40 to 60 ms are held back.
    """

    def __init__(self, clipping: Clipping, *, sample_rate_hz: int, channels: int) -> None:
        self._channels = channels
        self._hop = max(_LEAST_HOP_FRAMES, round(_HOP_S * sample_rate_hz))
        # Level, tolerance and overshoot of each channel and polarity; a level of 0 where nothing was cut off.
        self._tops = np.zeros((channels, 2, 3))
        for channel, pair in enumerate(clipping.tops[:channels]):
            for polarity, top in enumerate(pair):
                if top is not None:
                    self._tops[channel, polarity] = top.level, top.tolerance, top.overshoot
        self._idle = not self._tops.any()
        self._window = np.zeros((3 * self._hop, channels))
        self._pending = np.zeros((0, channels), np.float32)
        self._to_skip = self._hop
        self._frames_in = self._frames_out = 0

    def process(self, block: Block) -> Block:
        """What is ready."""
        block = as_block(block, self._channels)
        if self._idle:
            return block.copy()
        self._frames_in += len(block)
        return self._advance(block)

    def flush(self) -> Block:
        """The frames held back."""
        missing = self._frames_in - self._frames_out
        if self._idle or not missing:
            return np.zeros((0, self._channels), np.float32)
        return self._advance(np.zeros((3 * self._hop, self._channels), np.float32))[:missing]

    def _advance(self, block: Block) -> Block:
        """Take frames in; give out those that are repaired."""
        waiting = np.concatenate([self._pending, block])
        hop = self._hop
        hops = len(waiting) // hop
        self._pending = waiting[hops * hop :].copy()
        result = np.empty((hops * hop, self._channels), np.float32)
        for index in range(hops):
            self._window[: 2 * hop] = self._window[hop:]
            self._window[2 * hop :] = waiting[index * hop : (index + 1) * hop]
            for channel in range(self._channels):
                if (self._tops[channel, :, 0] > 0.0).any():
                    repaired = _rebuild(np.ascontiguousarray(self._window[:, channel]), self._tops[channel])
                    self._window[hop : 2 * hop, channel] = repaired
            result[index * hop : (index + 1) * hop] = self._window[hop : 2 * hop]
        skipped = min(self._to_skip, len(result))
        self._to_skip -= skipped
        self._frames_out += len(result) - skipped
        return result[skipped:]


@njit(nogil=True, cache=True, fastmath={"contract"})
def _mark(samples, top, sign, start, stop, lost, count):  # type: ignore[no-untyped-def]
    """Append the samples that lie where one polarity was cut off; their number."""
    level, tolerance, overshoot = top
    index = start
    while index < stop:
        if sign * samples[index] < level * (1.0 - tolerance):
            index += 1
            continue
        first, highest = index, 0.0
        while index < len(samples) and sign * samples[index] >= level * (1.0 - tolerance):
            highest = max(highest, sign * samples[index])
            index += 1
        if highest <= level * (1.0 + overshoot):
            for at in range(first, min(index, stop)):
                lost[count] = at
                count += 1
    return count


@njit(nogil=True, cache=True, fastmath={"contract"})
def _rebuild(window, tops):  # type: ignore[no-untyped-def]
    """The middle third of a window, its peaks rebuilt from all of it."""
    hop = len(window) // 3
    stop = 2 * hop + hop // 2
    lost = np.empty(2 * len(window), np.int64)
    count = 0
    for polarity in range(2):
        if tops[polarity, 0] > 0.0:
            count = _mark(window, tops[polarity], 1.0 - 2.0 * polarity, hop, stop, lost, count)
    if count == 0 or lost[:count].min() >= 2 * hop:
        return window[hop : 2 * hop].copy()
    lost = np.sort(lost[:count])

    lags = _ORDER + 1
    windowed = np.zeros(stop + lags + 4)
    correlation, spare, model = np.empty(lags), np.empty(lags), np.empty(lags)
    factor, solution = np.empty((count, lags)), np.empty(count)
    rebuilt = window.copy()
    for _ in range(_ROUNDS):
        for index in range(stop):
            windowed[index] = rebuilt[index] * (0.5 - 0.5 * math.cos(2.0 * math.pi * (index + 1) / (stop + 1)))
        autocorrelation(windowed, correlation)
        if not levinson(correlation, model, spare):
            break
        unknown, left = lost.copy(), count
        for _attempt in range(_PASSES):
            fill_in(rebuilt, unknown, left, model, factor, solution)
            kept = 0
            for row in range(left):
                at = unknown[row]
                sign = 1.0 if window[at] > 0.0 else -1.0
                if not sign * rebuilt[at] >= sign * window[at]:
                    rebuilt[at] = window[at]
                else:
                    unknown[kept] = at
                    kept += 1
            if kept == left or kept == 0:
                break
            left = kept
    for row in range(count):
        at = lost[row]
        sign = 1.0 if window[at] > 0.0 else -1.0
        highest = tops[0 if sign > 0.0 else 1, 0] * _LARGEST_RISE
        rebuilt[at] = sign * min(max(sign * rebuilt[at], sign * window[at]), highest)
    return rebuilt[hop : 2 * hop].copy()
