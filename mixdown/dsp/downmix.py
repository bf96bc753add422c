"""One signal that stands for all channels, without losing what is in one of them or in antiphase."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: Share of the evidence before that still counts, a call. A pause is decided by what was heard around it; where two
#: begin to speak at once on a side each, every second that they are heard as one costs them 10 dB of clarity.
MEMORY, PHASE_MEMORY = 0.2, 0.5

#: Channels that have nothing in common: coherence of speech in two microphones is 0.2 at least, in noise as loud as
#: it is, of two who sit on a side each 0.1 at most. And it takes a louder side, or it is noise: then each has half.
APART_COHERENCE, TOGETHER_COHERENCE = 0.15, 0.22
APART_SHARE, TOGETHER_SHARE = 0.65, 0.58


class Downmix:
    """Mixes spectra to one, with the phases of each band turned to those of the first channel.

    Parameters
    ----------
    widths : ndarray of int, shape (bands,)
        Bins in each band.

    Attributes
    ----------
    apart : bool
        Whether the channels had nothing in common lately, like two persons on a side each: no image would
        shift if each was worked on by itself.

    Notes
    -----
    The power of the mix is on average that of the channels or more, whatever they hold: J. Breebaart et al.,
    "Parametric coding of stereo audio", EURASIP Journal on Applied Signal Processing 2005:9, section 4.
    """

    def __init__(self, widths: NDArray[np.int64]) -> None:
        self.apart = False
        self._first_bin = np.cumsum(widths) - widths
        self._widths = widths
        self._cross: NDArray[np.complex64] | None = None
        self._evidence = np.zeros(4)

    def mix(self, spectra: Sequence[NDArray[np.complex64]]) -> NDArray[np.complex64]:
        """Return the mix of the next spectra, each of shape (hops, bins); equal ones are returned as they are."""
        first, *others = spectra
        if all(np.array_equal(first, other) for other in others):
            self.apart, self._cross, self._evidence = False, None, np.zeros(4)
            return first
        before = np.zeros((), np.complex64) if self._cross is None else self._cross * np.float32(PHASE_MEMORY)
        now = np.array([self._in_bands((first * other.conj()).sum(axis=0)) for other in others])
        self._cross = before + now
        self._judge(spectra, now)
        length = np.abs(self._cross)
        turns = np.where(length > 0, self._cross / np.maximum(length, np.finfo(np.float32).tiny), 1)
        mixed = first.copy()
        for other, turn in zip(others, turns, strict=True):
            mixed += other * np.repeat(turn, self._widths).astype(np.complex64)
        return mixed * np.float32(1 / len(spectra))

    def _judge(self, spectra: Sequence[NDArray[np.complex64]], cross: NDArray[np.complex64]) -> None:
        """Weigh what these spectra tell of the channels; the lowest band is rumble and does not count."""
        powers = np.array([np.square(x.real, dtype=np.float64) + np.square(x.imag) for x in spectra])
        of_hops = powers[:, :, self._first_bin[1] :].sum(axis=2)
        in_bands = np.array([self._in_bands(power) for power in powers.sum(axis=1)])
        common = np.abs(cross)[:, 1:].sum()
        at_most = np.sqrt(in_bands[:1] * in_bands[1:])[:, 1:].sum()
        now = np.array([of_hops.max(axis=0).sum(), of_hops.sum(), common, at_most])
        self._evidence = self._evidence * MEMORY + now
        louder_side, both, common, at_most = self._evidence
        share = TOGETHER_SHARE if self.apart else APART_SHARE
        coherence = TOGETHER_COHERENCE if self.apart else APART_COHERENCE
        self.apart = bool(louder_side > share * both and common <= coherence * at_most)

    def _in_bands(self, of_bins: NDArray[np.inexact]) -> NDArray[np.inexact]:
        return np.add.reduceat(of_bins, self._first_bin)
