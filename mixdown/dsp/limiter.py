"""A limiter that keeps the true peak under a ceiling."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from mixdown.dsp.processor import Block, as_block
from mixdown.dsp.true_peak import TAPS, interpolated_magnitudes, interpolation_phases

#: The gain is computed this many times within the look-ahead and interpolated between.
_GROUPS_PER_LOOK_AHEAD = 32

#: Groups on each side of a peak over which the gain stays down, so that what lies between is scaled alike.
_MARGIN_GROUPS = 2

#: Frames that are looked at before they are interpolated, or skipped.
_RUN_FRAMES = 64

#: Where something has to be turned down it is turned down this much further: what the interpolation misses.
_SAFETY_DB = 0.05

#: The slow part of the release, in multiples of the release time.
_SLOW_RELEASE = 5.0

#: Less reduction than this is none, in dB.
_NEGLIGIBLE_DB = 1e-3

_DB_PER_NEPER = 20.0 / math.log(10.0)


class TruePeakLimiter:
    """Applies a gain, then turns down what would exceed the ceiling, between the samples too.

    Parameters
    ----------
    gain_db : float
    ceiling_dbtp : float
        Highest true peak to leave.
    sample_rate_hz : int
    channels : int
        All are turned down alike, so that the image stays where it is.
    look_ahead_s : float
        Within this time the gain moves to where a peak needs it; above 0.
    release_s : float
        Time constant with which the gain recovers from a short peak; above 0. After a longer
        reduction it recovers its average five times slower, so that the level does not pump.

    Raises
    ------
    ValueError
        A time is not above 0.

    Notes
    -----
    The reduction that each group of frames needs (interpolated at least eight-fold up to 96 kHz) is
    held over the look-ahead, released, and smoothed by a raised cosine of the same length, in
    decibels: it arrives where it is needed, and its spectrum is narrow. Where nothing exceeds the
    ceiling the samples are those of the gain alone, bit for bit.
    """

    def __init__(
        self,
        *,
        gain_db: float,
        ceiling_dbtp: float,
        sample_rate_hz: int,
        channels: int,
        look_ahead_s: float = 0.005,
        release_s: float = 0.100,
    ) -> None:
        if look_ahead_s <= 0.0 or release_s <= 0.0:
            raise ValueError("a limiter needs look-ahead and release above 0")
        self._channels = channels
        self._gain = np.float32(10.0 ** (gain_db / 20.0))
        self._ceiling = 10.0 ** (ceiling_dbtp / 20.0)
        self._group_frames = max(1, round(look_ahead_s * sample_rate_hz / _GROUPS_PER_LOOK_AHEAD))
        window = max(2, round(look_ahead_s * sample_rate_hz / self._group_frames) + 1 - _MARGIN_GROUPS)
        weights = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(1, window + 1) / (window + 1))
        self._weights = weights / weights.sum()
        self._delay_groups = window - 1 + _MARGIN_GROUPS
        hold = window + 1 + 2 * _MARGIN_GROUPS

        self._phases = interpolation_phases(_oversampling_factor(sample_rate_hz))
        self._bound = np.abs(self._phases).sum(axis=1).max(initial=1.0) * 1.0001
        group_s = self._group_frames / sample_rate_hz
        self._release = np.exp(-group_s / np.array([release_s, release_s * _SLOW_RELEASE]))

        self._samples = np.zeros(
            (_BEFORE, channels), np.float32
        )  # from _BEFORE frames before the next one out
        self._needed_db = np.zeros(hold)  # of the last groups
        self._released_db = np.zeros(window)  # of the last groups
        self._envelope_state = np.zeros(3)
        self._reductions_db = np.zeros(0)  # at the edges of the groups not yet out, from the next one on
        self._ahead = 0  # frames analysed, after the next one out
        self._edges_to_skip = self._delay_groups
        self._frames_in = self._frames_out = 0

    def process(self, block: Block) -> Block:
        """What is ready; the last ``look_ahead_s`` are held back."""
        block = as_block(block, self._channels)
        self._frames_in += len(block)
        return self._advance(block)

    def flush(self) -> Block:
        """The frames held back."""
        missing = self._frames_in - self._frames_out
        padding = (self._delay_groups + 3) * self._group_frames + TAPS
        return self._advance(np.zeros((padding, self._channels), np.float32))[:missing]

    def _advance(self, block: Block) -> Block:
        """Take frames in; give out those whose gain is known."""
        kept = len(self._samples)
        samples = np.empty((kept + len(block), self._channels), np.float32)
        samples[:kept] = self._samples
        np.multiply(block, self._gain, out=samples[kept:])
        self._analyse(samples)

        group = self._group_frames
        groups = max(0, len(self._reductions_db) - 1)
        limited = np.empty((groups * group, self._channels), np.float32)
        _apply(samples.reshape(-1), limited.reshape(-1), self._channels, group, self._reductions_db)
        self._reductions_db = self._reductions_db[groups:]
        self._samples = samples[len(limited) :].copy()
        self._ahead -= len(limited)
        self._frames_out += len(limited)
        return limited

    def _analyse(self, samples: Block) -> None:
        """Append the reductions that the new samples determine."""
        start = _BEFORE + self._ahead
        groups = max(0, len(samples) - start - _AFTER) // self._group_frames
        if not groups:
            return
        hold, window = len(self._needed_db), len(self._weights)
        needed = np.concatenate([self._needed_db, np.zeros(groups)])
        _find_needed(
            samples.reshape(-1),
            start,
            self._channels,
            self._group_frames,
            self._phases,
            self._bound,
            self._ceiling,
            needed[hold:],
        )
        released = np.concatenate([self._released_db, np.empty(groups)])
        reductions = np.empty(groups)
        _smooth(needed, released, reductions, hold, self._weights, self._release, self._envelope_state)
        self._needed_db, self._released_db = needed[-hold:].copy(), released[-window:].copy()
        self._ahead += groups * self._group_frames
        skipped = min(self._edges_to_skip, groups)
        self._edges_to_skip -= skipped
        self._reductions_db = np.concatenate([self._reductions_db, reductions[skipped:]])


#: Frames of context that interpolation needs before and after.
_BEFORE, _AFTER = TAPS // 2 - 1, TAPS // 2


def _oversampling_factor(sample_rate_hz: int) -> int:
    """Twice what the standard asks of a meter: a limiter must not miss a peak."""
    return 8 if sample_rate_hz < 96_000 else 4 if sample_rate_hz < 192_000 else 2


@njit(nogil=True, cache=True, fastmath={"contract", "nnan", "ninf", "nsz"})
def _find_needed(samples, start, channels, group, phases, bound, ceiling, needed_db):  # type: ignore[no-untyped-def]
    """Write the reduction that each group of frames from ``start`` on needs, in dB.

    Runs of frames that cannot exceed the ceiling, even between the samples, are not interpolated.
    """
    groups_per_run = max(1, _RUN_FRAMES // group)
    magnitudes = np.empty(groups_per_run * group * channels, np.float32)
    for first in range(0, len(needed_db), groups_per_run):
        groups = min(groups_per_run, len(needed_db) - first)
        begin = (start + first * group) * channels
        count = groups * group * channels
        highest = np.float32(0.0)
        for index in range(begin - _BEFORE * channels, begin + count + _AFTER * channels):
            highest = max(highest, abs(samples[index]))
        if highest * bound <= ceiling:
            needed_db[first : first + groups] = 0.0
            continue
        interpolated_magnitudes(samples, begin, count, channels, phases, magnitudes)
        for index in range(groups):
            peak = np.float32(0.0)
            for sample in range(index * group * channels, (index + 1) * group * channels):
                peak = max(peak, magnitudes[sample])
            needed_db[first + index] = (
                20.0 * math.log10(peak / ceiling) + _SAFETY_DB if peak > ceiling else 0.0
            )


@njit(nogil=True, cache=True, fastmath={"contract"})
def _smooth(needed_db, released_db, reductions_db, hold, weights, release, state):  # type: ignore[no-untyped-def]
    """Hold, release and smooth the needed reductions.

    ``needed_db`` starts with the ``hold`` groups before the new ones, ``released_db`` with as many as
    there are weights. State: reduction held, released, and its slow average.
    """
    window = len(weights)
    fast, slow = release
    held, released, average = state
    idle = 0
    for index in range(window):
        idle = idle + 1 if released_db[index] == 0.0 else 0
    for index in range(len(reductions_db)):
        new, leaving = needed_db[hold + index], needed_db[index]
        if new >= held:
            held = new
        elif leaving == held:
            held = new
            for earlier in range(index + 1, index + hold):
                held = max(held, needed_db[earlier])
        average = held + slow * (average - held)
        released = max(held, average + fast * (released - average))
        if average < _NEGLIGIBLE_DB:
            average = 0.0
        if released < _NEGLIGIBLE_DB:
            released = 0.0
        released_db[window + index] = released
        idle = idle + 1 if released == 0.0 else 0
        smoothed = 0.0
        if idle < window:
            for lag in range(window):
                smoothed += weights[lag] * released_db[window + index - lag]
        reductions_db[index] = smoothed
    state[:] = held, released, average


@njit(nogil=True, cache=True, fastmath={"contract"})
def _apply(samples, limited, channels, group, reductions_db):  # type: ignore[no-untyped-def]
    """Write the groups of frames, turned down by what interpolates the reductions at their edges."""
    offset = _BEFORE * channels
    count = group * channels
    gain_to = math.exp(-reductions_db[0] / _DB_PER_NEPER) if len(reductions_db) else 1.0
    for index in range(len(reductions_db) - 1):
        begin = index * count
        if reductions_db[index] == 0.0 and reductions_db[index + 1] == 0.0:
            limited[begin : begin + count] = samples[offset + begin : offset + begin + count]
            gain_to = 1.0
            continue
        gain_from = gain_to
        gain_to = math.exp(-reductions_db[index + 1] / _DB_PER_NEPER)
        step = (gain_to - gain_from) / group
        for frame in range(group):
            gain = np.float32(gain_from + step * frame)
            for channel in range(channels):
                sample = begin + frame * channels + channel
                limited[sample] = samples[offset + sample] * gain
