"""Repair of clicks and crackle."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from mixdown.dsp.autoregression import autocorrelation, fill_in, levinson, prediction_error
from mixdown.dsp.processor import Block, as_block

#: Order of the model that clicks are found with, and of the one they are filled in with.
_ORDER = 24
_FILL_ORDER = 40

#: Peaks of the prediction error are compared group by group: two thirds of a millisecond, 32 in a hop.
_GROUP_S = 1.0 / 1500.0
_LEAST_GROUP_FRAMES = 16
_HOP_GROUPS = 32

#: Hops in the window: two before the one that is worked on, three after it.
_BEFORE_HOPS = 2
_AFTER_HOPS = 3
_HOPS = _BEFORE_HOPS + 1 + _AFTER_HOPS

#: A click is compared with the groups within this many of it, without those within `_NEAR_GROUPS`.
_AROUND_GROUPS = 60
_NEAR_GROUPS = 3

#: ... and with this one of their peaks, from the highest: some may be clicks too; a voice has more pulses.
_RANK = 4

#: How many times higher than that a click must be, at sensitivity 0 and 1.
_HARDEST = 8.0
_EASIEST = 2.0

#: The signal's own movement may change by this factor across a click; more is the beginning or end of a sound,
#: unless the click stands this many times above both.
_ONSET_RATIO = 2.0
_OVER_ONSET = 8.0

#: Longest click.
_LONGEST_S = 0.003

#: Nothing below −80 dBFS is worth a repair; what stands in digital silence was meant.
_FAINTEST = 1e-4
_DIGITAL_SILENCE = 1e-7

#: What is filled in may rise above all that is around it by this factor.
_LARGEST_RISE = 2.0

#: Errors inside a click are at least this many times those around it.
_LEAST_LIMIT = 1.5

#: Up to this length a click need not stand out the more the longer it is.
_SHORT_GROUPS = 0.15

#: Groups on each side of a click that it is filled in from.
_CONTEXT_GROUPS = 16

#: Times that the model and the samples filled in are estimated from each other.
_ROUNDS = 2


class ClickRepair:
    """Finds clicks by what no model of the sound foresees, and fills them in from both sides.

    Parameters
    ----------
    sensitivity : float
        0 to 1; at 0.5 clicks that stand 4 times above their surroundings are repaired.
    sample_rate_hz : int
    channels : int
        Each is repaired on its own.

    Raises
    ------
    ValueError
        The sensitivity is not between 0 and 1.

    Notes
    -----
    Every 21 ms a linear predictor is fitted (Levinson–Durbin); a click is a group of errors that
    stands out from those within 40 ms around it, save the few highest, which may be clicks too
    (Vaseghi & Rayner 1990, "Detection and suppression of impulsive noise in speech communication
    systems"; Godsill & Rayner 1998, "Digital Audio Restoration", ch. 5). Pulses of a voice have
    their like near them, a plosive or a drum stroke is followed by its own sound: neither is a click.
    It begins where the forward prediction fails, ends where the backward one does, and its samples
    are those for which a new predictor errs least (Janssen, Veldhuis & Vries 1986). Every other
    sample stays as it is, bit for bit. About 64 ms are held back.
    """

    def __init__(self, *, sensitivity: float, sample_rate_hz: int, channels: int) -> None:
        if not 0.0 <= sensitivity <= 1.0:
            raise ValueError(f"a sensitivity of {sensitivity} is not between 0 and 1")
        self._channels = channels
        self._threshold = _HARDEST * (_EASIEST / _HARDEST) ** sensitivity
        self._group = max(_LEAST_GROUP_FRAMES, round(_GROUP_S * sample_rate_hz))
        self._hop = self._group * _HOP_GROUPS
        self._longest = max(4, round(_LONGEST_S * sample_rate_hz))
        kept_hops = _HOPS - 1
        self._samples = np.zeros((channels, kept_hops * self._hop))
        self._peaks = np.zeros((channels, kept_hops * _HOP_GROUPS))
        self._coefficients = np.zeros((channels, kept_hops, _ORDER + 1))
        self._taper = np.hanning(2 * self._hop + 2)[1:-1]
        self._pending = np.zeros((0, channels), np.float32)
        self._to_skip = _AFTER_HOPS * self._hop
        self._frames_in = self._frames_out = 0
        self._repaired = 0

    @property
    def repaired(self) -> int:
        """Clicks repaired so far, those of every channel counted."""
        return self._repaired

    def process(self, block: Block) -> Block:
        """What is ready."""
        block = as_block(block, self._channels)
        self._frames_in += len(block)
        return self._advance(block)

    def flush(self) -> Block:
        """The frames held back."""
        missing = self._frames_in - self._frames_out
        padding = np.zeros(((_AFTER_HOPS + 1) * self._hop, self._channels), np.float32)
        return self._advance(padding)[:missing]

    def _advance(self, block: Block) -> Block:
        """Take frames in; give out those that have been examined."""
        waiting = np.concatenate([self._pending, block])
        hops = len(waiting) // self._hop
        self._pending = waiting[hops * self._hop :].copy()
        new = hops * self._hop
        result = np.empty((new, self._channels), np.float32)
        samples = np.concatenate([self._samples, waiting[:new].T], axis=1)
        peaks = np.concatenate([self._peaks, np.zeros((self._channels, hops * _HOP_GROUPS))], axis=1)
        coefficients = np.concatenate([self._coefficients, np.zeros((self._channels, hops, _ORDER + 1))], axis=1)
        ready = slice(_BEFORE_HOPS * self._hop, _BEFORE_HOPS * self._hop + new)
        for channel in range(self._channels):
            self._repaired += _examine(
                samples[channel],
                peaks[channel],
                coefficients[channel],
                hops,
                self._taper,
                self._group,
                self._longest,
                self._threshold,
            )
            result[:, channel] = samples[channel, ready]
        self._samples = samples[:, new:].copy()
        self._peaks = peaks[:, hops * _HOP_GROUPS :].copy()
        self._coefficients = coefficients[:, hops:].copy()
        skipped = min(self._to_skip, len(result))
        self._to_skip -= skipped
        self._frames_out += len(result) - skipped
        return result[skipped:]


@njit(nogil=True, cache=True, fastmath={"contract"})
def _examine(samples, peaks, coefficients, hops, taper, group, longest, threshold):  # type: ignore[no-untyped-def]
    """Repair the clicks of one channel, hop by hop, in place; how many they were."""
    repaired = 0
    errors = np.empty(group * _HOP_GROUPS)
    for hop in range(hops):
        _predict(samples, peaks, coefficients, hop + _HOPS - 2, taper, group, errors)
        first = (hop + _BEFORE_HOPS) * _HOP_GROUPS
        for at in range(first, first + _HOP_GROUPS):
            peak = peaks[at]
            if peak < _FAINTEST or peak < peaks[at - 1] or peak < peaks[at + 1]:
                continue
            reference = _usual_peak(peaks, at, (hop + _HOPS - 1) * _HOP_GROUPS)
            if reference < _DIGITAL_SILENCE or peak < threshold * reference:
                continue
            window = samples[hop * group * _HOP_GROUPS : (hop + _HOPS) * group * _HOP_GROUPS]
            middle = at - hop * _HOP_GROUPS
            if _repair(window, coefficients[at // _HOP_GROUPS], middle, group, longest, reference, threshold):
                repaired += 1
                for near in range(at - _NEAR_GROUPS, at + _NEAR_GROUPS + 1):
                    peaks[near] = min(peaks[near], reference)
    return repaired


@njit(nogil=True, cache=True, fastmath={"contract"})
def _predict(samples, peaks, coefficients, index, taper, group, errors):  # type: ignore[no-untyped-def]
    """Fit a model to a hop and to half a hop on each side; how far it errs at most in each group of the hop."""
    hop = group * _HOP_GROUPS
    start = index * hop
    windowed = np.zeros(2 * hop + _ORDER + 5)
    windowed[: 2 * hop] = taper * samples[start - hop // 2 : start - hop // 2 + 2 * hop]
    correlation = np.empty(_ORDER + 1)
    autocorrelation(windowed, correlation)
    levinson(correlation, coefficients[index], np.empty(_ORDER + 1))
    prediction_error(samples, start, start + hop, coefficients[index], errors)
    for number in range(_HOP_GROUPS):
        peak = 0.0
        for error in errors[number * group : (number + 1) * group]:
            peak = max(peak, abs(error))
        peaks[index * _HOP_GROUPS + number] = peak


@njit(nogil=True, cache=True, fastmath={"contract"})
def _usual_peak(peaks, at, known):  # type: ignore[no-untyped-def]
    """The peak of the errors around a group, the highest few left out."""
    highest = np.zeros(_RANK)
    for other in range(max(0, at - _AROUND_GROUPS), min(known, at + _AROUND_GROUPS + 1)):
        if abs(other - at) <= _NEAR_GROUPS or peaks[other] <= highest[_RANK - 1]:
            continue
        place = _RANK - 1
        while place > 0 and peaks[other] > highest[place - 1]:
            highest[place] = highest[place - 1]
            place -= 1
        highest[place] = peaks[other]
    return highest[_RANK - 1]


@njit(nogil=True, cache=True, fastmath={"contract"})
def _repair(samples, coefficients, at, group, longest, reference, threshold):  # type: ignore[no-untyped-def]
    """Fill a click in, if it is one."""
    limit = reference * max(_LEAST_LIMIT, 0.5 * threshold)
    start, stop = _extent(samples, coefficients, at, group, limit)
    if stop - start > longest or not _stands_alone(samples, start, stop, group):
        return False
    start, stop = start - 1, stop + 1

    left, right = start - _CONTEXT_GROUPS * group, stop + _CONTEXT_GROUPS * group
    filled = samples[left:right].copy()
    model = np.empty(_FILL_ORDER + 1)
    if not _fill(filled, start - left, stop - left, model):
        return False
    bound = change = 0.0
    for index in range(right - left):
        difference = abs(filled[index] - samples[left + index])
        if index < start - left or index >= stop - left:
            bound = max(bound, abs(filled[index]))
        change = max(change, difference)
    for sample in filled[start - left : stop - left]:
        if not abs(sample) <= _LARGEST_RISE * bound:
            return False
    count = stop - start + _FILL_ORDER
    errors, errors_filled = np.empty(count), np.empty(count)
    prediction_error(samples[left:right], start - left, start - left + count, model, errors)
    prediction_error(filled, start - left, start - left + count, model, errors_filled)
    unforeseen = 0.0
    for index in range(count):
        unforeseen += errors[index] * errors[index] - errors_filled[index] * errors_filled[index]
    # A drum stroke is unforeseen where it begins; a click as long as that, all along.
    needed = limit * limit * (stop - start) * max(1.0, (stop - start) / (_SHORT_GROUPS * group))
    if change < max(_FAINTEST, limit) or unforeseen < needed:
        return False
    samples[start:stop] = filled[start - left : stop - left]
    return True


@njit(nogil=True, cache=True, fastmath={"contract"})
def _extent(samples, coefficients, at, group, limit):  # type: ignore[no-untyped-def]
    """Where a click begins and ends: where the prediction from before it fails, and that from after it."""
    lowest, highest = (at - _NEAR_GROUPS) * group, (at + _NEAR_GROUPS + 1) * group
    errors = np.empty(highest - lowest)
    prediction_error(samples, lowest, highest, coefficients, errors)
    start = highest - 1
    for index in range(lowest, highest):
        if abs(errors[index - lowest]) > limit:
            start = index
            break
    for index in range(highest - 1, start, -1):
        error = samples[index]
        for lag in range(1, _ORDER + 1):
            error += coefficients[lag] * samples[index + lag]
        if abs(error) > limit:
            return start, index + 1
    return start, start + 1


@njit(nogil=True, cache=True, fastmath={"contract"})
def _fill(samples, first, last, model):  # type: ignore[no-untyped-def]
    """Fill ``samples[first:last]`` in, in place, and leave the model of the rest; whether there is one."""
    frames, lags = len(samples), len(model)
    for index in range(first, last):
        share = (index - first + 1.0) / (last - first + 1.0)
        samples[index] = samples[first - 1] * (1.0 - share) + samples[last] * share
    windowed = np.zeros(frames + lags + 4)
    correlation, spare = np.empty(lags), np.empty(lags)
    unknown = np.arange(first, last)
    factor, solution = np.empty((last - first, lags)), np.empty(last - first)
    for _ in range(_ROUNDS):
        for index in range(frames):
            windowed[index] = samples[index] * (0.5 - 0.5 * math.cos(2.0 * math.pi * (index + 1) / (frames + 1)))
        autocorrelation(windowed, correlation)
        if not levinson(correlation, model, spare):
            return False
        fill_in(samples, unknown, len(unknown), model, factor, solution)
    return True


@njit(nogil=True, cache=True, fastmath={"contract"})
def _stands_alone(samples, start, stop, group):  # type: ignore[no-untyped-def]
    """Whether the sound goes on after a click as it was before."""
    before = after = peak = 0.0
    span = 4 * group
    for index in range(max(1, start - 2 - span), start - 2):
        before = before + (samples[index] - samples[index - 1]) ** 2
    for index in range(stop + 2, min(len(samples), stop + 2 + span)):
        after = after + (samples[index] - samples[index - 1]) ** 2
    for index in range(start, stop + 1):
        peak = max(peak, abs(samples[index] - samples[index - 1]))
    before, after = math.sqrt(before / span), math.sqrt(after / span)
    low, high = min(before, after), max(before, after)
    return high <= _ONSET_RATIO * low or peak >= _OVER_ONSET * high
