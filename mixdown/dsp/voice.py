"""A survey that hears where somebody speaks, where music plays, and what is neither."""

from __future__ import annotations

import math
from array import array

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mixdown.dsp.processor import Block
from mixdown.dsp.voice_evidence import evidence
from mixdown.dsp.voice_features import FEATURES, LEAST_POWER, STEP_S, VoiceFeatures
from mixdown.dsp.voice_map import MUSIC, NOISE, SILENCE, SILENT_LUFS, SPEECH, VoiceMap
from mixdown.dsp.voice_network import likelihoods

__all__ = ["MUSIC", "NOISE", "SILENCE", "SPEECH", "VoiceMap", "VoiceSurvey"]

#: What is quieter than this is silence, whatever it is.
_SILENCE_LUFS = -80.0

#: What it takes to believe that something else begins, in nepers: from noise, speech and music (rows) to each.
_CHANGE_COST = np.array([[0.0, 2.0, 16.0], [2.0, 0.0, 20.0], [16.0, 20.0, 0.0]])

#: Louder parts of the noise are events, not its floor.
_FLOOR_QUANTILE = 0.1


class VoiceSurvey:
    """Hears what each tenth of a second of a signal is: silence, noise, speech or music.

    Parameters
    ----------
    sample_rate_hz : int
        4,000 at least.
    channels : int

    Notes
    -----
    A small network looks at levels over the noise floor, voicing, the pace of syllables and partials that stand
    still, in the step and up to 12 s around it; the likeliest course of kinds is then found by the Viterbi
    algorithm, so that a syllable more or less does not make a change. Takes 44 bytes for every step.
    The same map however the signal is cut.
    """

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self._listener = VoiceFeatures(sample_rate_hz, channels)
        self._sample_rate_hz = sample_rate_hz
        self._channels = channels
        self._frames = 0
        self._powers = array("f")
        self._features = bytearray()
        self._finished = False

    def push(self, block: Block) -> None:
        """Take the next block of the signal."""
        self._frames += len(block)
        self._keep(*self._listener.push(block))

    def _keep(self, powers: NDArray[np.float32], features: NDArray[np.float16]) -> None:
        self._powers.frombytes(powers.tobytes())
        self._features += features.tobytes()

    def report(self) -> VoiceMap:
        """The map of all that was pushed. The survey is spent afterwards."""
        if not self._finished:
            self._keep(*self._listener.finish())
            self._finished = True
        steps = int(self._frames / self._sample_rate_hz / STEP_S + 1e-6)
        powers = np.frombuffer(self._powers, np.float32).reshape(-1, 2)[:steps]
        features = np.frombuffer(self._features, np.float16).reshape(-1, FEATURES)[:steps]
        level_lufs = np.maximum(-0.691 + 10.0 * np.log10(powers[:, 0] + LEAST_POWER), SILENT_LUFS)
        kinds = np.zeros(0, np.uint8)
        if steps:
            kinds = (_likeliest(likelihoods(evidence(features)), _CHANGE_COST) + NOISE).astype(np.uint8)
            kinds[level_lufs < _SILENCE_LUFS] = SILENCE
        return VoiceMap(
            step_s=STEP_S,
            kinds=kinds,
            level_lufs=level_lufs.astype(np.float32),
            noise_floor_dbfs=_noise_floor_dbfs(kinds, powers[:, 1] / self._channels),
        )


def _noise_floor_dbfs(kinds: NDArray[np.uint8], powers: NDArray[np.floating]) -> float:
    """Level of the quieter part of the noise; of the quietest moments where there is no pause."""
    noise = powers[kinds == NOISE]
    if not len(noise):
        if (kinds == SILENCE).any() or not len(kinds):
            return -math.inf
        noise = powers
    return 10.0 * math.log10(float(np.quantile(noise, _FLOOR_QUANTILE)) + LEAST_POWER)


@njit(nogil=True, cache=True, fastmath={"contract"})
def _likeliest(likelihood, change_cost):  # type: ignore[no-untyped-def]
    """The course of kinds that costs least: what the steps speak against, and every change."""
    steps, kinds = likelihood.shape
    origins = np.empty((steps, kinds), np.uint8)
    costs = np.zeros(kinds)
    arrived = np.empty(kinds)
    for step in range(steps):
        for kind in range(kinds):
            best = 0
            for before in range(1, kinds):
                if costs[before] + change_cost[before, kind] < costs[best] + change_cost[best, kind]:
                    best = before
            origins[step, kind] = best
            arrived[kind] = costs[best] + change_cost[best, kind] - likelihood[step, kind]
        least = arrived.min()
        for kind in range(kinds):
            costs[kind] = arrived[kind] - least
    course = np.empty(steps, np.uint8)
    kind = np.argmin(costs)
    for step in range(steps - 1, -1, -1):
        course[step] = kind
        kind = origins[step, kind]
    return course
