"""Instruments: notes made of partials, none of them where it could alias."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.random import Generator
from numpy.typing import NDArray

#: One side of a sound, shape (frames,).
Mono = NDArray[np.float32]

#: Partials above this share of the sample rate are left out.
_HIGHEST = 0.45


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """What is hit or plucked: partials that die away, the higher ones sooner."""

    ratios: tuple[float, ...]  #: of the partials' frequencies to that of the note
    levels: tuple[float, ...]
    decays_s: tuple[float, ...]  #: at 220 Hz, to 1/e
    length_s: float
    attack_s: float = 0.004

    def note(self, frequency_hz: float, sample_rate_hz: int) -> Mono:
        """A note, shape (frames,); it begins and ends at nothing."""
        frames = max(2, round(self.length_s * sample_rate_hz))
        time_s = np.arange(frames) / sample_rate_hz
        samples = np.zeros(frames, np.float32)
        shorter = (220.0 / frequency_hz) ** 0.4
        for ratio, level, decay_s in zip(self.ratios, self.levels, self.decays_s, strict=True):
            if frequency_hz * ratio >= _HIGHEST * sample_rate_hz:
                continue
            turns = (frequency_hz * ratio) * time_s
            turns -= np.floor(turns)  # float32 holds the sine of a small angle, not that of a large one
            wave = np.sin((2.0 * math.pi * turns).astype(np.float32))
            samples += wave * (level * np.exp(-time_s / (decay_s * shorter))).astype(np.float32)
        return shaped(samples, round(self.attack_s * sample_rate_hz), frames // 4)


def _string(
    partials: int, *, slope: float, decay_s: float, faster: float, length_s: float, attack_s: float = 0.004
) -> Struck:
    """A string, somewhat stiff: its partials lie a little too high."""
    numbers = range(1, partials + 1)
    return Struck(
        ratios=tuple(number * math.sqrt(1.0 + 0.0002 * number * number) for number in numbers),
        levels=tuple(number**-slope for number in numbers),
        decays_s=tuple(decay_s / (1.0 + faster * (number - 1)) for number in numbers),
        length_s=length_s,
        attack_s=attack_s,
    )


KEYS = Struck(
    ratios=(1.0, 2.0, 3.0, 4.0, 7.02, 14.1),
    levels=(1.0, 0.34, 0.12, 0.06, 0.05, 0.02),
    decays_s=(1.3, 0.8, 0.6, 0.45, 0.12, 0.05),
    length_s=3.2,
    attack_s=0.006,
)
PIANO = _string(10, slope=1.45, decay_s=1.5, faster=0.35, length_s=3.2)
KALIMBA = Struck(
    ratios=(1.0, 2.0, 5.4, 8.9), levels=(1.0, 0.16, 0.14, 0.05), decays_s=(0.55, 0.3, 0.08, 0.03), length_s=1.6
)
MARIMBA = Struck(ratios=(1.0, 3.93, 9.5), levels=(1.0, 0.22, 0.06), decays_s=(0.35, 0.1, 0.04), length_s=1.0)
BELL = Struck(
    ratios=(1.0, 2.0, 2.76, 5.4, 8.2),
    levels=(1.0, 0.35, 0.18, 0.1, 0.04),
    decays_s=(1.8, 1.1, 0.7, 0.35, 0.15),
    length_s=4.0,
)
STRINGS = _string(14, slope=1.1, decay_s=0.16, faster=0.06, length_s=0.45, attack_s=0.016)
PULSE = _string(9, slope=1.25, decay_s=0.26, faster=0.45, length_s=0.7, attack_s=0.006)
BASS = _string(5, slope=1.7, decay_s=1.4, faster=0.5, length_s=2.8, attack_s=0.012)


def kick(sample_rate_hz: int) -> Mono:
    """A soft bass drum: a sine that falls from 120 to 48 Hz, shape (frames,)."""
    time_s = np.arange(round(0.4 * sample_rate_hz)) / sample_rate_hz
    turns = 48.0 * time_s + 72.0 * 0.03 * (1.0 - np.exp(-time_s / 0.03))
    samples = (np.sin(2.0 * math.pi * turns) * np.exp(-time_s / 0.11)).astype(np.float32)
    return shaped(samples, round(0.003 * sample_rate_hz), len(samples) // 3)


def shaker(sample_rate_hz: int, random: Generator) -> Mono:
    """A shaker: a puff of noise around 6 kHz, shape (frames,)."""
    frames = round(0.09 * sample_rate_hz)
    frequencies = np.maximum(scipy.fft.rfftfreq(frames, 1.0 / sample_rate_hz), 1.0)
    levels = np.exp(-((np.log2(frequencies / 6000.0) / 0.6) ** 2)) * (frequencies < _HIGHEST * sample_rate_hz)
    noise = scipy.fft.irfft(levels * np.exp(2j * math.pi * random.random(len(frequencies))), frames)
    noise *= np.exp(-np.arange(frames) / (0.028 * sample_rate_hz))
    noise /= max(float(np.abs(noise).max()), 1e-9)
    return shaped(noise.astype(np.float32), round(0.012 * sample_rate_hz), frames // 3)


def pad(
    frequencies_hz: Sequence[float], frames: int, *, brightness_hz: float, sample_rate_hz: int, random: Generator
) -> Mono:
    """A chord that is held, as many players have it: each partial a narrow band of noise around a line.

    Returns
    -------
    ndarray of float32, shape (2, frames)
        RMS 1 for one note; its two sides agree more than they differ, so it stays whole in mono.

    Notes
    -----
    After P. N. Nasca's PADsynth: the spectrum is written and transformed once, so nothing can alias.
    """
    length = scipy.fft.next_fast_len(frames, real=True)
    middle, side = np.zeros((2, length // 2 + 1), np.complex64)
    bin_hz = sample_rate_hz / length
    for frequency_hz in frequencies_hz:
        for number in range(1, 25):
            partial_hz = frequency_hz * number
            level = number**-1.1 * math.exp(-partial_hz / brightness_hz)
            if partial_hz >= 0.9 * _HIGHEST * sample_rate_hz or level < 0.002:
                break
            width = max(1.5, partial_hz * 0.006 / bin_hz)
            centre = partial_hz / bin_hz
            bins = np.arange(max(1, int(centre - 3 * width)), min(len(middle) - 1, int(centre + 3 * width) + 2))
            band = np.exp(-0.5 * ((bins - centre) / width) ** 2)
            band *= level / math.sqrt(float((band * band).sum()))
            phases = np.exp(2j * math.pi * random.random((2, len(bins)))) * band
            middle[bins] += 0.5 * phases[0]
            side[bins] += 0.35 * phases[1]
            middle[round(centre)] += 0.8 * level * np.exp(2j * math.pi * random.random())
    both = scipy.fft.irfft(np.stack([middle + side, middle - side]), length) * np.float32(length / math.sqrt(2.0))
    return np.asarray(both[:, :frames], np.float32)


def shaped(samples: Mono, fade_in: int, fade_out: int) -> Mono:
    """Samples that rise from nothing and fall to it along raised cosines; changed in place."""
    fade_in, fade_out = max(1, fade_in), max(1, fade_out)
    samples[:fade_in] *= _raised_cosine(fade_in)
    samples[-fade_out:] *= _raised_cosine(fade_out)[::-1]
    return samples


def sides(pan: float) -> tuple[float, float]:
    """Levels on the left and the right of what stands between -1 and 1; as loud everywhere."""
    angle = 0.25 * math.pi * (1.0 + pan)
    return math.cos(angle), math.sin(angle)


def _raised_cosine(frames: int) -> Mono:
    return (0.5 - 0.5 * np.cos(math.pi * np.arange(frames) / frames)).astype(np.float32)
