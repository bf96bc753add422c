"""A de-esser."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mixdown.dsp.processor import Block, as_block

#: The bell that is turned down: centre and quality; −3 dB at 4 and 10.5 kHz.
_BELL_HZ, _BELL_Q = 6_500.0, 1.0

#: Where the power of vowels is measured: one-pole filters, that at the upper end twice.
_VOICE_HZ = (150.0, 3_500.0)

#: Below this rate there is too little of the band to be sharp.
_LEAST_RATE_HZ = 15_000

#: The gain is computed this often and interpolated between.
_CONTROL_S = 0.0007

#: Groups of that length by which the gain is ahead of the sound: 4 ms.
_AHEAD_GROUPS = 6

#: Averaging of the powers; movement of the gain down and up.
_DETECTOR_S, _ATTACK_S, _RELEASE_S = 0.004, 0.002, 0.025

#: The level of the voice follows vowels within the first time, and forgets them within the second.
_VOICE_ATTACK_S, _VOICE_RELEASE_S = 0.030, 2.0

#: Sibilance has more power in the bell than in the band of the vowels, and more so than white noise has:
#: with so much above (or below) that of white noise it is not heard as an s at all, or for certain.
_UNLIKELY_DB, _CERTAIN_DB = -4.0, 1.0

#: No s lasts this long: hiss and cymbals do. After the first part of such a time they count less, after
#: the second no more.
_LONG_S, _RATHER_LONG, _TOO_LONG = 0.6, 0.40, 0.65

#: An s this far below the vowels is left as it is; above it grows more slowly than it would.
_SHARP_DB, _SLOPE = -22.0, 1.0

_SILENT_POWER = 1e-10
_NEGLIGIBLE_DB = 1e-3
_DB_PER_NEPER = 20.0 / math.log(10.0)


class DeEsser:
    """Turns sharp s sounds down.

    Parameters
    ----------
    reduction_db : float
        The most that they are turned down, at 6.5 kHz; at least 0.
    sample_rate_hz : int
        Under 15 kHz nothing is done.
    channels : int
        All are turned down alike, so that the image stays where it is.

    Raises
    ------
    ValueError
        The reduction is below 0.

    Notes
    -----
    A dynamic bell: ``x + (g - 1) B x`` with a second-order band-pass B is a peaking equaliser of gain g,
    of minimum phase at any g, and leaves the samples as they are, bit for bit, where g is 1. A sound is
    sibilant if it has more power in the bell than where vowels have theirs, and sharp by how far
    that comes near the vowels before it: both are ratios, so that the level of a recording does not
    matter, and neither cymbals in a mix nor the hiss of a room pass for an s.
    """

    def __init__(self, *, reduction_db: float, sample_rate_hz: int, channels: int) -> None:
        if not reduction_db >= 0.0:
            raise ValueError("a de-esser needs a reduction of at least 0")
        self._channels = channels
        self._idle = reduction_db == 0.0 or sample_rate_hz < _LEAST_RATE_HZ
        self._reduction_db = float(reduction_db)
        self._group_frames = max(1, round(_CONTROL_S * sample_rate_hz))
        group_s = self._group_frames / sample_rate_hz
        self._coefficients = np.array(
            [*_bell(sample_rate_hz), *(1.0 - math.exp(-2.0 * math.pi * hz / sample_rate_hz) for hz in _VOICE_HZ)]
        )
        times_s = np.array([_DETECTOR_S, _ATTACK_S, _RELEASE_S, _VOICE_ATTACK_S, _VOICE_RELEASE_S, _LONG_S])
        self._memory = np.exp(-group_s / times_s)
        self._white_db = _white_db(self._coefficients, sample_rate_hz)
        self._filters = np.zeros((channels, 7))
        # Smoothed power in the bell and in the voice band; level of vowels; reduction; time of sibilance.
        self._detector = np.zeros(5)
        self._partial = np.zeros(2)  # powers of the group that is not complete yet
        self._phase = 0  # frames in that group
        self._samples = np.zeros((0, channels), np.float32)  # those not yet out
        self._bell = np.zeros((0, channels), np.float32)  # of them, what is in the bell
        self._reductions_db = np.zeros(1)  # at the edges of groups, from the next one out
        self._edges_to_skip = _AHEAD_GROUPS

    def process(self, block: Block) -> Block:
        """What is ready; the last 5 ms are held back."""
        block = as_block(block, self._channels)
        return block.copy() if self._idle else self._advance(block)

    def flush(self) -> Block:
        """The frames held back."""
        missing = len(self._samples)
        padding = np.zeros(((_AHEAD_GROUPS + 2) * self._group_frames, self._channels), np.float32)
        return self._advance(padding)[:missing]

    def _advance(self, block: Block) -> Block:
        """Take frames in; give out those whose gain is known."""
        kept = len(self._samples)
        samples = np.concatenate([self._samples, block])
        bell = np.empty_like(samples)
        bell[:kept] = self._bell
        reductions_db = np.empty(len(block) // self._group_frames + 2)
        self._phase, groups = _listen(
            block,
            bell[kept:],
            self._coefficients,
            self._filters,
            self._partial,
            self._phase,
            self._group_frames,
            self._memory,
            self._detector,
            self._white_db,
            self._reduction_db,
            reductions_db,
        )
        skipped = min(self._edges_to_skip, groups)
        self._edges_to_skip -= skipped
        self._reductions_db = np.concatenate([self._reductions_db, reductions_db[skipped:groups]])
        ready = len(self._reductions_db) - 1
        _turn_down(samples, bell, self._group_frames, self._reductions_db)
        frames = ready * self._group_frames
        self._samples, self._bell = samples[frames:].copy(), bell[frames:].copy()
        self._reductions_db = self._reductions_db[ready:]
        return samples[:frames]


def _bell(sample_rate_hz: int) -> tuple[float, float, float]:
    """Band-pass of unit gain at the centre: factor of (1, 0, −1), −a1 and −a2.

    R. Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter coefficients".
    """
    angle = 2.0 * math.pi * min(_BELL_HZ, 0.42 * sample_rate_hz) / sample_rate_hz
    alpha = math.sin(angle) / (2.0 * _BELL_Q)
    return alpha / (1.0 + alpha), 2.0 * math.cos(angle) / (1.0 + alpha), -(1.0 - alpha) / (1.0 + alpha)


def _white_db(coefficients: NDArray[np.float64], sample_rate_hz: int) -> float:
    """How much more power of white noise there is in the bell than in the voice band, in dB."""
    b, a1, a2, low, high = coefficients
    delay = np.exp(-2j * np.pi * (np.arange(2048) + 0.5) / 4096)
    bell = b * (1.0 - delay**2) / (1.0 - a1 * delay - a2 * delay**2)
    slow, fast = (share / (1.0 - (1.0 - share) * delay) for share in (low, high))
    return float(10.0 * np.log10(np.mean(np.abs(bell) ** 2) / np.mean(np.abs(fast**2 - slow) ** 2)))


@njit(nogil=True, cache=True, fastmath={"contract"})
def _listen(  # type: ignore[no-untyped-def]
    block,
    bell,
    coefficients,
    filters,
    partial,
    phase,
    group_frames,
    memory,
    detector,
    white_db,
    most_db,
    reductions_db,
):
    """Filter a block and write the reduction after each group that ends in it.

    Returns the frames in the group that is not complete, and how many groups are.
    """
    frames, channels = block.shape
    b, a1, a2, low, high = coefficients
    start = groups = 0
    while start < frames:
        stop = min(frames, start + group_frames - phase)
        for channel in range(channels):
            x1, x2, y1, y2, slow, fast, low_passed = filters[channel]
            sharp, voice = 0.0, 0.0
            for frame in range(start, stop):
                x = np.float64(block[frame, channel])
                y = (b * (x - x2) + a2 * y2) + a1 * y1
                x2, x1 = x1, x
                y2, y1 = y1, y
                slow += low * (x - slow)
                fast += high * (x - fast)
                low_passed += high * (fast - low_passed)
                bell[frame, channel] = y
                sharp += y * y
                voice += (low_passed - slow) * (low_passed - slow)
            filters[channel, 0], filters[channel, 1], filters[channel, 2] = x1, x2, y1
            filters[channel, 3], filters[channel, 4], filters[channel, 5] = y2, slow, fast
            filters[channel, 6] = low_passed
            partial[0] += sharp
            partial[1] += voice
        phase += stop - start
        start = stop
        if phase == group_frames:
            reductions_db[groups] = _reduction_db(partial / group_frames, memory, detector, white_db, most_db)
            groups += 1
            phase = 0
            partial[:] = 0.0
            for channel in range(channels):
                for index in range(7):
                    # Denormal numbers would slow the decay into silence down a hundredfold.
                    if abs(filters[channel, index]) < 1e-30:
                        filters[channel, index] = 0.0
    return phase, groups


@njit(nogil=True, cache=True, fastmath={"contract"})
def _reduction_db(powers, memory, detector, white_db, most_db):  # type: ignore[no-untyped-def]
    """The reduction after a group with these powers in the bell and in the voice band."""
    for index in range(2):
        detector[index] = powers[index] + memory[0] * (detector[index] - powers[index])
        if detector[index] < 1e-30:
            detector[index] = 0.0
    sharp, voice, vowels, reduction_db, long = detector
    vowels = voice + memory[3 if voice > vowels else 4] * (vowels - voice)
    wanted_db, likely = 0.0, 0.0
    if sharp > _SILENT_POWER:
        ratio_db = 10.0 * math.log10(sharp / (voice + 1e-30)) - white_db
        likely = min(1.0, max(0.0, (ratio_db - _UNLIKELY_DB) / (_CERTAIN_DB - _UNLIKELY_DB)))
        over_db = 10.0 * math.log10(sharp / (vowels + 1e-30)) - _SHARP_DB
        short = min(1.0, max(0.0, (_TOO_LONG - long) / (_TOO_LONG - _RATHER_LONG)))
        wanted_db = likely * short * min(most_db, max(0.0, _SLOPE * over_db))
    long = likely + memory[5] * (long - likely)
    coefficient = memory[1] if wanted_db > reduction_db else memory[2]
    reduction_db = wanted_db + coefficient * (reduction_db - wanted_db)
    if reduction_db < _NEGLIGIBLE_DB:
        reduction_db = 0.0
    detector[2], detector[3], detector[4] = max(vowels, 1e-30), reduction_db, max(long, 1e-30)
    return reduction_db


@njit(nogil=True, cache=True, fastmath={"contract"})
def _turn_down(samples, bell, group, reductions_db):  # type: ignore[no-untyped-def]
    """Turn the bell down in groups of frames, in place, by what interpolates the reductions at their edges."""
    for index in range(len(reductions_db) - 1):
        if reductions_db[index] == 0.0 and reductions_db[index + 1] == 0.0:
            continue
        taken = 1.0 - math.exp(-reductions_db[index] / _DB_PER_NEPER)
        step = (1.0 - math.exp(-reductions_db[index + 1] / _DB_PER_NEPER) - taken) / group
        for offset in range(group):
            share = np.float32(taken + step * offset)
            for channel in range(samples.shape[1]):
                samples[index * group + offset, channel] -= share * bell[index * group + offset, channel]
