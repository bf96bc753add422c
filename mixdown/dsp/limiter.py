"""A limiter that keeps the true peak under a ceiling."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from mixdown.dsp.processor import Block, as_block
from mixdown.dsp.true_peak import AFTER, BEFORE, group_peaks, interpolation_phases, overshoot_bound

#: The gain is computed this many times within the look-ahead and interpolated between.
_GROUPS_PER_LOOK_AHEAD = 32

#: Groups on each side of a peak over which the gain stays down, so that what lies between is scaled alike.
_MARGIN_GROUPS = 2

#: Where something has to be turned down it is turned down this much further: what the interpolation misses.
_SAFETY_DB = 0.1

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
        self._bound = overshoot_bound(self._phases)
        group_s = self._group_frames / sample_rate_hz
        self._release = np.exp(-group_s / np.array([release_s, release_s * _SLOW_RELEASE]))

        self._samples = np.zeros((BEFORE, channels), np.float32)  # from BEFORE frames before the next one out
        self._needed_db = np.zeros(hold)  # of the last groups
        self._released_db = np.zeros(window)  # of the last groups
        self._smoother = np.zeros(3)
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
        padding = (self._delay_groups + 3) * self._group_frames + AFTER
        return self._advance(np.zeros((padding, self._channels), np.float32))[:missing]

    def _advance(self, block: Block) -> Block:
        """Take frames in; give out those whose gain is known."""
        kept = len(self._samples)
        samples = np.empty((kept + len(block), self._channels), np.float32)
        samples[:kept] = self._samples
        np.multiply(block, self._gain, out=samples[kept:])
        self._analyse(samples)

        groups = max(0, len(self._reductions_db) - 1)
        ready = groups * self._group_frames
        self._samples = samples[ready:].copy()
        limited = samples[BEFORE : BEFORE + ready]
        _turn_down(limited, self._group_frames, self._reductions_db)
        self._reductions_db = self._reductions_db[groups:]
        self._ahead -= ready
        self._frames_out += ready
        return limited

    def _analyse(self, samples: Block) -> None:
        """Append the reductions that the new samples determine."""
        start = BEFORE + self._ahead
        groups = max(0, len(samples) - start - AFTER) // self._group_frames
        if not groups:
            return
        hold, window = len(self._needed_db), len(self._weights)
        needed_db = np.concatenate([self._needed_db, np.empty(groups)])
        group_peaks(
            samples.reshape(-1),
            start,
            self._channels,
            self._group_frames,
            self._phases,
            self._bound,
            self._ceiling,
            needed_db[hold:],
        )
        released_db = np.concatenate([self._released_db, np.empty(groups)])
        reductions_db = np.empty(groups)
        _smooth(self._ceiling, needed_db, released_db, reductions_db, self._weights, self._release, self._smoother)
        self._needed_db, self._released_db = needed_db[-hold:].copy(), released_db[-window:].copy()
        self._ahead += groups * self._group_frames
        skipped = min(self._edges_to_skip, groups)
        self._edges_to_skip -= skipped
        self._reductions_db = np.concatenate([self._reductions_db, reductions_db[skipped:]])


def _oversampling_factor(sample_rate_hz: int) -> int:
    """Twice what the standard asks of a meter: a limiter must not miss a peak."""
    return 8 if sample_rate_hz < 96_000 else 4 if sample_rate_hz < 192_000 else 2


@njit(nogil=True, cache=True, fastmath={"contract"})
def _smooth(ceiling, needed_db, released_db, reductions_db, weights, release, state):  # type: ignore[no-untyped-def]
    """Turn peaks into the reductions they need; hold, release and smooth them.

    ``needed_db`` starts with the groups over which a reduction is held, and ends with the peaks of the
    new groups; ``released_db`` starts with as many groups as there are weights. State: the reduction
    held, that released, and its slow average.
    """
    window = len(weights)
    hold = len(needed_db) - len(reductions_db)
    fast, slow = release
    held, released, average = state
    idle = 0
    for index in range(window):
        idle = idle + 1 if released_db[index] == 0.0 else 0
    for index in range(len(reductions_db)):
        peak = needed_db[hold + index]
        new = 20.0 * math.log10(peak / ceiling) + _SAFETY_DB if peak > 0.0 else 0.0
        needed_db[hold + index] = new
        leaving = needed_db[index]
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
    state[0], state[1], state[2] = held, released, average


@njit(nogil=True, cache=True, fastmath={"contract"})
def _turn_down(frames, group, reductions_db):  # type: ignore[no-untyped-def]
    """Turn groups of frames down, in place, by what interpolates the reductions at their edges."""
    gain_to = math.exp(-reductions_db[0] / _DB_PER_NEPER) if len(reductions_db) else 1.0
    for index in range(len(reductions_db) - 1):
        if reductions_db[index] == 0.0 and reductions_db[index + 1] == 0.0:
            continue
        gain_from = gain_to
        gain_to = math.exp(-reductions_db[index + 1] / _DB_PER_NEPER)
        step = (gain_to - gain_from) / group
        for offset in range(group):
            gain = np.float32(gain_from + step * offset)
            for channel in range(frames.shape[1]):
                frames[index * group + offset, channel] *= gain
