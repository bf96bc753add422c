"""Quiet and loud passages: noise floor, where the programme begins and ends, constant offset."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mixdown.dsp.processor import Block, as_block
from mixdown.dsp.voice_map import SPEECH, VoiceMap

#: Levels are taken over this long.
_STEPS_PER_S = 20
STEP_S = 1.0 / _STEPS_PER_S

#: The noise floor is that of whole half seconds, as ACX's own check and Audacity's take it.
_WINDOW_STEPS = 10

#: The part of all half seconds that the noise floor is taken from.
_QUIETEST = 0.01

#: A programme begins where the level stays this far above the floor, and at most this far below the programme.
_ABOVE_FLOOR_DB, _BELOW_PROGRAMME_DB = 10.0, 40.0

#: Less than this between the floor and the programme: there is no telling them apart.
_LEAST_DYNAMICS_DB = 6.0

#: Shorter than this is a click, not a beginning.
_LASTING_STEPS = 2

_LEAST_SPEECH_S = 0.5

#: Mean square below that of any sound in 24 bits.
_DIGITAL_SILENCE = 1e-15


@dataclass(frozen=True, slots=True, kw_only=True)
class Passages:
    """What the course of the level tells."""

    noise_floor_dbfs: float
    head_s: float
    tail_s: float
    dc_offsets: tuple[float, ...]
    powers: NDArray[np.float64]  #: mean square of each 50 ms, all channels

    def snr_db(self, voices: VoiceMap) -> float | None:
        """Level of the speech over what goes on where nobody speaks; None where nobody does.

        Parameters
        ----------
        voices : VoiceMap
            Of the same recording.

        Returns
        -------
        float or None
            In dB; ``inf`` where the pauses are digital silence.

        Notes
        -----
        Mean square of the steps with speech, less that of the pauses, over that of the pauses: of the floor
        between words and that of the quietest half seconds, the lower one. An estimate: noise that comes and
        goes with the speech cannot be told from it.
        """
        spoken = np.repeat(voices.kinds == SPEECH, round(voices.step_s * _STEPS_PER_S))[: len(self.powers)]
        speech = self.powers[: len(spoken)][spoken]
        if len(speech) < _LEAST_SPEECH_S * _STEPS_PER_S:
            return None
        floors_dbfs = [each for each in (voices.noise_floor_dbfs, self.noise_floor_dbfs) if math.isfinite(each)]
        if not floors_dbfs:
            return math.inf
        noise = 10.0 ** (min(floors_dbfs) / 10.0)
        return 10.0 * math.log10(max(float(speech.mean()) - noise, 0.01 * noise) / noise)


class PassageSurvey:
    """Listens for the level of each 50 ms, and for a constant offset.

    Parameters
    ----------
    sample_rate_hz : int
    channels : int

    Notes
    -----
    *Noise floor*: RMS of half seconds, moved on by 50 ms; the highest of the quietest hundredth of them. ACX's
    own check and Audacity's take the one quietest half second, which a single gap of digital silence sets to
    −∞ however noisy the rest is; a hundredth is a gap of 6 s in 10 minutes. Half seconds that are digital silence
    in part do not count. It is never lower than theirs, so what passes here passes there. Where nothing pauses,
    it is the level of the quietest passage.

    *Head and tail*: before the first and after the last 100 ms that stay 10 dB above that floor and within 40 dB
    of the programme (the mean of all that is not 10 dB below the mean). Takes 160 bytes a second.
    """

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self._sample_rate_hz = int(sample_rate_hz)
        self._channels = channels
        self._sums = np.zeros(channels)
        self._partial = np.zeros(channels)
        self._powers = array("d")
        self._frames = 0

    def push(self, block: Block) -> None:
        """Take the next block of the signal."""
        block = as_block(block, self._channels)
        ended = np.empty(len(block) * _STEPS_PER_S // self._sample_rate_hz + 2)
        steps = _levels(
            block, self._frames, len(self._powers), self._sample_rate_hz, self._sums, self._partial, ended
        )
        self._powers.extend(ended[:steps])
        self._frames += len(block)

    def report(self) -> Passages:
        """What was found in all that was pushed; what is left after the last whole 50 ms does not count."""
        powers = np.array(self._powers)
        floor = _noise_floor(powers)
        head_s, tail_s = self._ends(powers, floor)
        return Passages(
            noise_floor_dbfs=10.0 * math.log10(floor) if floor > 0.0 else -math.inf,
            head_s=head_s,
            tail_s=tail_s,
            dc_offsets=tuple(float(each) for each in self._sums / max(self._frames, 1)),
            powers=powers,
        )

    def _ends(self, powers: NDArray[np.float64], floor: float) -> tuple[float, float]:
        """Length of head and tail, in seconds; all of it is head where nothing is heard."""
        duration_s = self._frames / self._sample_rate_hz
        sounding = powers[powers > 0.0]
        if not len(sounding):
            return duration_s, 0.0
        programme = float(sounding[sounding >= 0.1 * sounding.mean()].mean())
        if programme < floor * 10.0 ** (_LEAST_DYNAMICS_DB / 10.0):
            return 0.0, 0.0
        lowest = max(floor * 10.0 ** (_ABOVE_FLOOR_DB / 10.0), programme * 10.0 ** (-_BELOW_PROGRAMME_DB / 10.0))
        loud = powers > (min(lowest, math.sqrt(floor * programme)) if floor > 0.0 else lowest)
        lasting = np.convolve(loud, np.ones(_LASTING_STEPS), "valid") == _LASTING_STEPS
        starts = np.flatnonzero(lasting)
        if not len(starts):
            return 0.0, 0.0
        return float(starts[0]) * STEP_S, max(0.0, duration_s - float(starts[-1] + _LASTING_STEPS) * STEP_S)


def _noise_floor(powers: NDArray[np.float64]) -> float:
    """Mean square of the quietest passages; of the whole where it is shorter than half a second."""
    if len(powers) < _WINDOW_STEPS:
        return float(powers.mean()) if len(powers) else 0.0
    windows = np.lib.stride_tricks.sliding_window_view(powers, _WINDOW_STEPS).mean(axis=1)
    silent = np.lib.stride_tricks.sliding_window_view(powers <= _DIGITAL_SILENCE, _WINDOW_STEPS).sum(axis=1)
    # Windows at the edge of a gap would tell of a floor that is neither the gap's nor the recording's.
    whole = windows[(silent == 0) | (silent == _WINDOW_STEPS)]
    return float(np.quantile(whole if len(whole) else windows, _QUIETEST, method="inverted_cdf"))


@njit(nogil=True, cache=True, fastmath={"contract"})
def _levels(block, done, step, sample_rate_hz, sums, partial, powers):  # type: ignore[no-untyped-def]
    """Write the mean square of each step that ends in a block; add up the samples of each channel.

    Returns how many steps ended. ``partial`` carries the energy of the step that has not.
    """
    frames, channels = block.shape
    written = 0
    start = 0
    first = (step * sample_rate_hz + _STEPS_PER_S // 2) // _STEPS_PER_S
    while start < frames:
        last = ((step + 1) * sample_rate_hz + _STEPS_PER_S // 2) // _STEPS_PER_S
        stop = min(frames, last - done)
        for channel in range(channels):
            total, energy = sums[channel], partial[channel]
            for frame in range(start, stop):
                value = np.float64(block[frame, channel])
                total += value
                energy += value * value
            sums[channel], partial[channel] = total, energy
        if stop == last - done:
            energy = 0.0
            for channel in range(channels):
                energy += partial[channel]
                partial[channel] = 0.0
            powers[written] = energy / ((last - first) * channels)
            written += 1
            step += 1
            first = last
        start = stop
    return written
