"""Turns of speakers, as far as they differ in loudness."""

from __future__ import annotations

import itertools

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mixdown.dsp.voice_map import SPEECH, VoiceMap, runs

#: Speech is looked at in pieces of this length at most.
_PIECE_S = 1.0

#: What a change of level has to explain, in dB² times seconds: speech of one person varies by 3 to 4 dB.
_CHANGE_COST = 80.0

#: A change after a pause of this length is half as surprising.
_PAUSE_S, _PAUSE_SHARE = 0.3, 0.5

#: Longest turn, in pieces: longer ones are cut, which changes nothing but the effort.
_LONGEST_TURN = 600


def speaker_turns(voice_map: VoiceMap) -> list[NDArray[np.int64]]:
    """The steps of speech, split where their loudness changes for good.

    Returns
    -------
    list of ndarray of int64
        Indices of the steps of each turn, in order; together all the steps of speech.

    Notes
    -----
    The segmentation of pieces of up to a second that minimises the squared deviations of their levels
    from the mean of their turn plus a cost for each turn, found exactly by dynamic programming
    (B. Jackson et al., "An algorithm for optimal partitioning of data on an interval", IEEE Signal
    Processing Letters 12(2), 2005).
    """
    longest = max(1, round(_PIECE_S / voice_map.step_s))
    starts, costs, after = [], [], -1
    for start, end in runs(voice_map.kinds == SPEECH):
        pause_s = (start - after) * voice_map.step_s
        pieces = -(-(end - start) // longest)
        edges = np.linspace(start, end, pieces + 1).round().astype(np.int64)
        starts += [(int(first), int(last)) for first, last in itertools.pairwise(edges)]
        costs += [_CHANGE_COST * (_PAUSE_SHARE if pause_s >= _PAUSE_S else 1.0)] + [_CHANGE_COST] * (pieces - 1)
        after = end
    if not starts:
        return []
    power = 10.0 ** (np.asarray(voice_map.level_lufs, np.float64) / 10.0)
    total = np.concatenate([[0.0], np.cumsum(power)])
    bounds = np.array(starts)
    lengths = bounds[:, 1] - bounds[:, 0]
    level_lufs = 10.0 * np.log10((total[bounds[:, 1]] - total[bounds[:, 0]]) / lengths + 1e-12)
    firsts = _partition(level_lufs, lengths * voice_map.step_s, np.array(costs))
    changes = np.flatnonzero(np.diff(firsts, prepend=-1))
    return [
        np.concatenate([np.arange(first, last) for first, last in part]) for part in np.split(bounds, changes[1:])
    ]


@njit(nogil=True, cache=True, fastmath={"contract"})
def _partition(level_lufs, weights, costs):  # type: ignore[no-untyped-def]
    """For every piece, the first piece of its turn.

    ``costs`` holds for every piece what it costs to begin a turn with it.
    """
    count = len(level_lufs)
    sums = np.zeros((3, count + 1))
    for index in range(count):
        level, weight = level_lufs[index], weights[index]
        sums[0, index + 1] = sums[0, index] + weight
        sums[1, index + 1] = sums[1, index] + weight * level
        sums[2, index + 1] = sums[2, index] + weight * level * level
    best = np.zeros(count + 1)
    origin = np.zeros(count + 1, np.int64)
    for end in range(1, count + 1):
        best[end] = np.inf
        for start in range(max(0, end - _LONGEST_TURN), end):
            mass = sums[0, end] - sums[0, start]
            moment = sums[1, end] - sums[1, start]
            cost = best[start] + costs[start] + (sums[2, end] - sums[2, start]) - moment * moment / mass
            if cost < best[end]:
                best[end] = cost
                origin[end] = start
    firsts = np.zeros(count, np.int64)
    end = count
    while end > 0:
        firsts[origin[end] : end] = origin[end]
        end = origin[end]
    return firsts
