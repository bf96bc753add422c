"""An adaptive leveller: the gain that brings every speaker to the same loudness, and its application."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mixdown.dsp.processor import Block, as_block
from mixdown.dsp.speakers import speaker_turns
from mixdown.dsp.voice_map import MUSIC, NOISE, SILENCE, SPEECH, VoiceMap, gated_lufs, runs

#: What is left of a difference at half the amount, in LU, however large it was.
_REMAINDER_LU = 4.0

#: A quiet turn as short as this that no pause sets apart may be a gap over a bed of music: it is not lifted.
_BRIEF_S = 3.0

#: So little speech may be a mistake: it is moved no further than this.
_LITTLE_SPEECH_S, _LITTLE_SPEECH_DB = 8.0, 3.0

#: Music is moved by half of what speech would be, and no further than this.
_MUSIC_SHARE, _MUSIC_DOWN_DB, _MUSIC_UP_DB = 0.5, 6.0, 3.0

#: Music that pauses for less than this is one piece, and keeps its dynamics.
_PIECE_GAP_S = 5.0

#: A gain moves to the next one within this time.
_RAMP_S = 0.6

#: A lift comes before a word, and goes after it, within this time.
_LIFT_RAMP_S = 0.2

#: Gaps in speech as short as this are part of a word (the closure before a p, t or k).
_CLOSURE_S = 0.2

#: The gain is computed anew every so many frames, and interpolated between.
_GROUP_FRAMES = 32


def ride(voice_map: VoiceMap, *, amount: float, largest_gain_db: float) -> NDArray[np.float32]:
    """The gain of every step that evens out the loudness of those who speak.

    Parameters
    ----------
    voice_map : VoiceMap
    amount : float
        0 to 1. At 1 every speaker gets the loudness of the programme's speech. Below, small
        differences are reduced by this part; of large ones no more than ``4 (1 - amount) / amount`` LU is left.
    largest_gain_db : float
        Up or down; at least 0.

    Returns
    -------
    ndarray of float32, shape (steps,)
        In dB, for the middle of each step.

    Raises
    ------
    ValueError
        The amount is not between 0 and 1, or the gain is below 0.

    Notes
    -----
    Each turn of a speaker (see `speaker_turns`) has one gain, and each piece of music has one, so that the
    dynamics within are kept. Between two gains lies a ramp, in the middle of the pause if there is one.
    A pause follows its neighbors down but never up: it keeps the level it was recorded with while the
    words around it are lifted. Lifting it with them would bring up the room; turning it down further
    would make the room come and go. The lift is there when the word begins, and ends with it.
    """
    if not 0.0 <= amount <= 1.0 or not 0.0 <= largest_gain_db < math.inf:
        raise ValueError("a leveller needs an amount from 0 to 1 and a largest gain of at least 0")
    steps = len(voice_map.kinds)
    gains_db = np.full(steps, np.nan)
    if amount > 0.0:
        _ride_speech(voice_map, gains_db, amount)
        _ride_music(voice_map, gains_db, amount)
    known = np.flatnonzero(~np.isnan(gains_db))
    if not len(known):
        return np.zeros(steps, np.float32)
    # Every step that has none takes the gain of the nearest one: gains change in the middle of pauses.
    middles = (known[1:] + known[:-1] + 1) // 2
    gains_db = gains_db[known[np.searchsorted(middles, np.arange(steps), side="right")]]
    gains_db = _smooth(np.clip(gains_db, -largest_gain_db, largest_gain_db), round(_RAMP_S / voice_map.step_s))
    lift = _smooth(_may_be_lifted(voice_map), round(_LIFT_RAMP_S / voice_map.step_s))
    return np.where(gains_db > 0.0, gains_db * lift, gains_db).astype(np.float32)


def _ride_speech(voice_map: VoiceMap, gains_db: NDArray[np.float64], amount: float) -> None:
    """Write the gains of the steps in which somebody speaks."""
    turns = speaker_turns(voice_map)
    if not turns:
        return
    speech_lufs = voice_map.speech_lufs
    differences_lu = np.array([speech_lufs - gated_lufs(voice_map.level_lufs[turn]) for turn in turns])
    turn_gains_db = differences_lu - np.array([_remainder_lu(difference, amount) for difference in differences_lu])
    if sum(map(len, turns)) * voice_map.step_s < _LITTLE_SPEECH_S:
        turn_gains_db = np.clip(turn_gains_db, -_LITTLE_SPEECH_DB, _LITTLE_SPEECH_DB)
    around_db = np.pad(turn_gains_db, 1, mode="edge")
    pauses = np.pad((voice_map.kinds == NOISE) | (voice_map.kinds == SILENCE), 1, constant_values=True)
    for index, turn in enumerate(turns):
        apart = pauses[turn[0]] and pauses[turn[-1] + 2]
        if len(turn) * voice_map.step_s < _BRIEF_S and not apart and len(turns) > 1:
            neighbors_db = np.delete(around_db[index : index + 3], 1)
            turn_gains_db[index] = min(turn_gains_db[index], max(0.0, neighbors_db.max()))
        gains_db[turn] = turn_gains_db[index]


def _remainder_lu(difference_lu: float, amount: float) -> float:
    """What of a difference is left."""
    if amount >= 1.0:
        return 0.0
    most_lu = _REMAINDER_LU * (1.0 - amount) / amount
    return most_lu * math.tanh((1.0 - amount) * difference_lu / most_lu)


def _ride_music(voice_map: VoiceMap, gains_db: NDArray[np.float64], amount: float) -> None:
    """Write the gains of the steps in which music plays: one for each piece."""
    music = voice_map.kinds == MUSIC
    programme = speech = voice_map.kinds == SPEECH
    if np.count_nonzero(speech) * voice_map.step_s < _LITTLE_SPEECH_S:
        programme = speech | music
    programme_lufs = gated_lufs(voice_map.level_lufs[programme])
    pieces: list[tuple[int, int]] = []
    for start, end in runs(music):
        spoken = pieces and (voice_map.kinds[pieces[-1][1] : start] == SPEECH).any()
        if pieces and not spoken and (start - pieces[-1][1]) * voice_map.step_s < _PIECE_GAP_S:
            start, _ = pieces.pop()
        pieces.append((start, end))
    for start, end in pieces:
        played = start + np.flatnonzero(music[start:end])
        difference_lu = programme_lufs - gated_lufs(voice_map.level_lufs[played])
        gain_db = _MUSIC_SHARE * (difference_lu - _remainder_lu(difference_lu, amount))
        gains_db[played] = min(max(gain_db, -_MUSIC_DOWN_DB), _MUSIC_UP_DB)


def _may_be_lifted(voice_map: VoiceMap) -> NDArray[np.float64]:
    """1 for speech and music, the step before them and the gaps in words; else 0."""
    sound = (voice_map.kinds == SPEECH) | (voice_map.kinds == MUSIC)
    closure = round(_CLOSURE_S / voice_map.step_s)
    for start, end in runs(~sound):
        if start > 0 and end < len(sound) and end - start <= closure:
            sound[start:end] = True
    early = sound.copy()
    early[:-1] |= sound[1:]
    return early.astype(np.float64)


def _smooth(values: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """A raised cosine of about this many steps over the values; the ends go on as they are."""
    half = max(1, steps // 2)
    weights = 0.5 + 0.5 * np.cos(np.pi * np.arange(-half, half + 1) / (half + 1))
    return np.convolve(np.pad(values, half, mode="edge"), weights / weights.sum(), "valid")


class GainRide:
    """Applies gains that were decided step by step.

    Parameters
    ----------
    gains_db : ndarray of float, shape (steps,)
        For the middle of each step. None at all changes nothing.
    step_s : float
        Above 0.
    sample_rate_hz : int
    channels : int
        All get the same gain.

    Raises
    ------
    ValueError
        A gain is not finite, or the step is not above 0.

    Notes
    -----
    Gains are interpolated in decibels every 32 frames and linearly between, by the place in the signal
    alone. Before the first and after the last middle of a step its gain is held. 0 dB leaves the samples
    as they are, bit for bit.
    """

    def __init__(
        self, gains_db: NDArray[np.floating], step_s: float, *, sample_rate_hz: int, channels: int
    ) -> None:
        if not np.isfinite(gains_db).all() or not step_s > 0.0:
            raise ValueError("a gain ride needs finite gains and a step above 0")
        self._channels = channels
        self._gains_db = np.array(gains_db, np.float32) if len(gains_db) else np.zeros(1, np.float32)
        self._steps_per_frame = 1.0 / (float(step_s) * sample_rate_hz)
        self._frames = 0

    def process(self, block: Block) -> Block:
        """The block at its gain; same shape."""
        block = as_block(block, self._channels)
        ridden = np.empty_like(block)
        _apply(block, ridden, self._gains_db, self._steps_per_frame, self._frames)
        self._frames += len(block)
        return ridden

    def flush(self) -> Block:
        """Nothing: the gains are known beforehand."""
        return np.zeros((0, self._channels), np.float32)


@njit(nogil=True, cache=True, fastmath={"contract"})
def _gain_at(gains_db, position):  # type: ignore[no-untyped-def]
    """The gain at a place given in steps, as a factor."""
    place = min(max(position - 0.5, 0.0), len(gains_db) - 1.0)
    index = min(int(place), len(gains_db) - 2) if len(gains_db) > 1 else 0
    gain_db = np.float64(gains_db[index])
    if len(gains_db) > 1:
        gain_db += (place - index) * (gains_db[index + 1] - gain_db)
    return 10.0 ** (gain_db / 20.0) if gain_db != 0.0 else 1.0


@njit(nogil=True, cache=True, fastmath={"contract"})
def _apply(block, ridden, gains_db, steps_per_frame, first):  # type: ignore[no-untyped-def]
    """Apply the gains to a block that begins at frame ``first`` of the signal."""
    frames, channels = block.shape
    start = 0
    while start < frames:
        group = (first + start) // _GROUP_FRAMES
        stop = min(frames, (group + 1) * _GROUP_FRAMES - first)
        gain_from = _gain_at(gains_db, group * _GROUP_FRAMES * steps_per_frame)
        gain_to = _gain_at(gains_db, (group + 1) * _GROUP_FRAMES * steps_per_frame)
        slope = (gain_to - gain_from) / _GROUP_FRAMES
        offset = first - group * _GROUP_FRAMES
        for frame in range(start, stop):
            gain = np.float32(gain_from + slope * (offset + frame))
            for channel in range(channels):
                ridden[frame, channel] = block[frame, channel] * gain
        start = stop
