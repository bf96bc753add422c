"""Clipping found: where the tops of a signal were cut off."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mixdown.dsp.processor import Block, as_block

#: What a flat top is: cut off and stored as it is, of three samples, or of two at the very top; cut off, then
#: filtered or coded lossily. How much its samples may differ, as a share of them:
_TOLERANCES = (0.001, 0.001, 0.03)

#: How far the signal has fallen as many samples beyond both ends of it as it is long, in tolerances: the
#: round top of a wave falls by 9.
_LEAST_FALLS = (30.0, 30.0, 14.0)

#: ... and by how many of the steps that the samples are rounded to: the top of a wave of a few steps is flat, too.
_LEAST_FALL_GRAINS = 16.0

#: How many samples it has at least; and the longest whose length is taken at its word.
_LEAST_RUNS = (3, 2, 3)
_LONGEST_RUN = 1024

#: What lies higher than the level by this share was not cut off there.
_OVERSHOOTS = (0.02, 0.02, 0.35)

#: Tops are clipped where so many, and this share of those within 3 dB, have one level, within so many steps of
#: the histogram, not further than this below the highest sample.
_LEAST_TOPS = (5, 5, 12)
_LEAST_SHARES = (0.5, 0.5, 0.6)
_SPREADS = (3, 1, 20)
_LARGEST_DEPTHS_DB = (12.0, 0.2, 3.0)

#: Of the kinds above, the one of two samples.
_PAIRS = 1

#: What lies further than 14 dB below the highest sample so far, or below this, is not looked at.
_DEEPEST = 0.2
_FAINTEST = 0.004

#: Levels are told apart in steps of 0.05 dB, from −48 dBFS to 48 dB over.
_STEPS_PER_DB = 20
_LOWEST_DBFS = -48.0
_STEPS = 96 * _STEPS_PER_DB
_NEAR_STEPS = 3 * _STEPS_PER_DB

#: The share of tops at the level which are flat where it is clipped. Others are round, as a limiter leaves them.
_LEAST_FLATS = (0.4, 0.3, 0.2)

#: One sample beyond the ends of a flat top the signal is lower by this share at most, on average: the edge of a
#: square or a pulse falls at once. Two beyond, by this at least, and alike on both sides within this factor: what a
#: filter has rounded falls by less, or on one side.
_LARGEST_DROP = 0.8
_LEAST_SECOND_DROP = 0.004
_LARGEST_LEAN = 10.0

#: Of so many tops another step follows, itself flat, where samples are rounded to few levels, as in telephony.
_LARGEST_STEPPED = 0.25

#: A signal of which more than this share lies flat at one level was made so, not cut off.
_LARGEST_SHARES = (0.45, 0.45, 0.1)

#: Where more than this share of tops that are only nearly flat follow each other evenly, a synthesizer plays.
_LARGEST_EVEN = (1.0, 1.0, 0.3)

#: What is counted of each kind, polarity and level: tops, the samples in them, tops that are round, how far the
#: signal has fallen one sample beyond both ends, two samples before and two after, tops with a step beside them,
#: tops as far from the one before as that was; the last one and its distance.
_TOPS, _SAMPLES, _ROUND, _DROPS, _BEFORE, _AFTER, _STEPPED, _EVEN, _LAST, _DISTANCE = range(10)
_COUNTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatTop:
    """Where one polarity of a channel was cut off."""

    level: float  #: full scale is 1
    tolerance: float  #: share of the level that flat tops differ by
    overshoot: float  #: share of the level by which they may lie above it


@dataclass(frozen=True, slots=True, kw_only=True)
class Clipping:
    """The clipping of a recording."""

    level_dbfs: float | None  #: the highest level at which something was cut off; None: nothing was
    runs: int  #: flat tops that were counted
    samples: int  #: in those
    share: float  #: of all samples, 0 to 1
    tops: tuple[tuple[FlatTop | None, FlatTop | None], ...]  #: of each channel: above and below zero


class ClipSurvey:
    """Listens for flat tops.

    Parameters
    ----------
    channels : int
        Each, and each polarity, may be cut off at a level of its own.

    Notes
    -----
    A flat top is a run of samples that hardly differ, beyond whose ends the signal falls off much
    faster than beyond the top of a wave, and by many of the steps it was rounded to. One is nothing;
    many at one level, few at others and few round ones beside them, are clipping, whatever the level:
    files are turned down after they were clipped. Where samples differ by up to 3 %, as after lossy
    coding or filtering, more of them are asked for. What a synthesizer made flat is no loss: squares
    and pulses, whose edges fall at once, and what a filter has rounded of them. Counts by level are
    all that is kept.
    """

    def __init__(self, channels: int) -> None:
        self._channels = channels
        margin = 2 * _LONGEST_RUN
        self._waiting = np.zeros((margin, channels), np.float32)
        self._counts = np.zeros((channels, len(_TOLERANCES), 2, _STEPS, _COUNTS))
        self._highest = np.zeros((channels, 2))  # so far, of each polarity
        self._bits = np.zeros((channels, 1), np.int64)  # that samples were seen to have
        self._frames = 0

    def push(self, block: Block) -> None:
        """Take the next block of the signal."""
        block = as_block(block, self._channels)
        if len(block):
            self._listen(block)
            self._frames += len(block)

    def report(self) -> Clipping:
        """The clipping in all that was taken."""
        self._listen(np.zeros((2 * _LONGEST_RUN, self._channels), np.float32))
        runs = samples = 0
        tops: list[tuple[FlatTop | None, FlatTop | None]] = []
        for channel in range(self._channels):
            pair: list[FlatTop | None] = []
            for polarity in range(2):
                top, top_runs, top_samples = self._top(channel, polarity)
                pair.append(top)
                runs, samples = runs + top_runs, samples + top_samples
            tops.append((pair[0], pair[1]))
        levels = [top.level for pair_of in tops for top in pair_of if top is not None]
        return Clipping(
            level_dbfs=20.0 * math.log10(max(levels)) if levels else None,
            runs=runs,
            samples=samples,
            share=samples / (self._frames * self._channels) if samples else 0.0,
            tops=tuple(tops),
        )

    def _listen(self, block: Block) -> None:
        samples = np.concatenate([self._waiting, block])
        margin = 2 * _LONGEST_RUN
        if len(samples) > margin:
            for channel in range(self._channels):
                _count(
                    np.ascontiguousarray(samples[:, channel]),
                    self._frames,
                    self._highest[channel],
                    self._bits[channel],
                    self._counts[channel],
                )
        self._waiting = samples[-margin:].copy()

    def _top(self, channel: int, polarity: int) -> tuple[FlatTop | None, int, int]:
        """Where a polarity was cut off, in how many runs and samples."""
        highest = self._highest[channel, polarity]
        if highest <= 0.0:
            return None, 0, 0
        highest_step = (20.0 * math.log10(highest) - _LOWEST_DBFS) * _STEPS_PER_DB
        for kind, tolerance in enumerate(_TOLERANCES):
            counts = self._counts[channel, kind, polarity]
            tops = counts[:, _TOPS]
            spread = _SPREADS[kind]
            together = np.convolve(tops, np.ones(2 * spread + 1), "same")
            nearby = np.convolve(tops, np.ones(2 * _NEAR_STEPS + 1), "same")
            clipped = (together >= _LEAST_TOPS[kind]) & (together >= _LEAST_SHARES[kind] * nearby)
            clipped &= np.arange(_STEPS) >= highest_step - _LARGEST_DEPTHS_DB[kind] * _STEPS_PER_DB - 1
            if not clipped.any():
                continue
            step = int(np.argmax(np.where(clipped, together, 0)))
            chosen = slice(max(0, step - spread), step + spread + 1)
            found = counts[chosen].sum(axis=0)
            count, total = int(found[_TOPS]), int(found[_SAMPLES])
            if total > _LARGEST_SHARES[kind] * self._frames:
                break
            if not _cut_off(found, kind):
                continue
            steps = np.arange(_STEPS)[chosen]
            middle = float((steps * tops[chosen]).sum() / count) + 0.5
            level = 10.0 ** ((_LOWEST_DBFS + middle / _STEPS_PER_DB) / 20.0)
            # A step of the histogram is 0.6 %.
            return (
                FlatTop(level=float(level), tolerance=tolerance + 0.006, overshoot=_OVERSHOOTS[kind]),
                count,
                total,
            )
        return None, 0, 0


def _cut_off(found: NDArray[np.float64], kind: int) -> bool:
    """Whether the tops at a level are those of a wave that was cut off, not of one that was made so."""
    count = found[_TOPS]
    if count < _LEAST_FLATS[kind] * (count + found[_ROUND]) or found[_EVEN] > _LARGEST_EVEN[kind] * count:
        return False
    low, high = sorted((float(found[_BEFORE]), float(found[_AFTER])))
    if found[_DROPS] > 2.0 * _LARGEST_DROP * count or low < max(_LEAST_SECOND_DROP * count, high / _LARGEST_LEAN):
        return False
    return bool(found[_STEPPED] <= _LARGEST_STEPPED * count)


@njit(nogil=True, cache=True, fastmath={"contract"})
def _count(samples, at, highest, bits, counts):  # type: ignore[no-untyped-def]
    """Count the flat tops that end within the samples, but for a margin at each end, by level."""
    floors = np.maximum(_FAINTEST, _DEEPEST * highest)
    lowest = np.float32(floors.min())
    for index in range(_LONGEST_RUN, len(samples) - _LONGEST_RUN):
        last = abs(samples[index])
        if last < lowest:
            continue
        sign, polarity = (np.float32(1.0), 0) if samples[index] > 0.0 else (np.float32(-1.0), 1)
        if last < floors[polarity]:
            continue
        if last > highest[polarity]:
            if last > highest[polarity] * (1.0 + _TOLERANCES[_PAIRS]):
                counts[_PAIRS, polarity] = 0.0
            highest[polarity] = last
            floors[polarity] = max(_FAINTEST, _DEEPEST * highest[polarity])
            lowest = np.float32(floors.min())
        beyond, before = sign * samples[index + 1], sign * samples[index - 1]
        if beyond > last * (1.0 - _TOLERANCES[0]) or before < last * (1.0 - 2.0 * _TOLERANCES[-1]):
            continue
        for kind in range(len(_TOLERANCES)):
            tolerance = _TOLERANCES[kind]
            if beyond > last * (1.0 - tolerance):
                continue
            if kind == _PAIRS and last < highest[polarity] * (1.0 - tolerance):
                continue
            length = _length(samples, index, sign, tolerance)
            if length < _LEAST_RUNS[kind]:
                continue
            level = sign * samples[index - length // 2]
            step = int((20.0 * math.log10(level) - _LOWEST_DBFS) * _STEPS_PER_DB)
            if 0 <= step < _STEPS:
                grain = _grain(samples, index - length, index + 2, bits)
                fall = max(_LEAST_FALLS[kind] * tolerance, _LEAST_FALL_GRAINS * grain / level)
                _count_top(samples, index, length, at, fall, counts[kind, polarity, step])


@njit(nogil=True, cache=True, fastmath={"contract"})
def _grain(samples, start, stop, bits):  # type: ignore[no-untyped-def]
    """The step that all samples seen so far are multiples of, these being seen now; 24 bits are the finest."""
    for index in range(start, stop):
        bits[0] |= int(abs(samples[index]) * 8_388_608.0 + 0.5)
    return float(bits[0] & -bits[0]) / 8_388_608.0


@njit(nogil=True, cache=True, fastmath={"contract"})
def _count_top(samples, last, length, at, fall, counts):  # type: ignore[no-untyped-def]
    """Count one top, of this length up to its last sample; round where the signal falls by less than it must."""
    level = abs(samples[last - length // 2])
    sign = 1.0 if samples[last] > 0.0 else -1.0
    left, right = sign * samples[last + 1 - 2 * length], sign * samples[last + length]
    if max(left, right) > level * (1.0 - 0.5 * fall) or left + right > 2.0 * level * (1.0 - fall):
        counts[_ROUND] += 1.0
        return
    counts[_TOPS] += 1.0
    counts[_SAMPLES] += length
    counts[_DROPS] += 2.0 - sign * (samples[last - length] + samples[last + 1]) / level
    counts[_BEFORE] += 1.0 - sign * samples[last - length - 1] / level
    counts[_AFTER] += 1.0 - sign * samples[last + 2] / level
    if samples[last + 1] == samples[last + 2] or samples[last - length] == samples[last - length - 1]:
        counts[_STEPPED] += 1.0
    distance = at + last - counts[_LAST]
    if abs(distance - counts[_DISTANCE]) <= 1.0 + 0.02 * distance:
        counts[_EVEN] += 1.0
    counts[_LAST] = at + last
    counts[_DISTANCE] = distance


@njit(nogil=True, cache=True, fastmath={"contract"})
def _length(samples, last, sign, tolerance):  # type: ignore[no-untyped-def]
    """How many samples, back from the last, differ by no more than the tolerance."""
    low = high = sign * samples[last]
    length = 1
    while length < _LONGEST_RUN // 2:
        sample = sign * samples[last - length]
        low, high = min(low, sample), max(high, sample)
        if high - low > tolerance * high:
            break
        length += 1
    return length
