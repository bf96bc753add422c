"""What is around a voice: rooms, fans, hum, clicks, and a little music. All mono, float, made in code."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, lfilter, sosfilt

Samples = NDArray[np.float64]

_CHORDS_HZ = (
    (220.00, 261.63, 329.63, 392.00),
    (174.61, 220.00, 261.63, 329.63),
    (261.63, 329.63, 392.00, 493.88),
    (196.00, 246.94, 293.66, 329.63),
)


def at_level(sound: Samples, rms_dbfs: float) -> Samples:
    """The sound, its root mean square brought to a level."""
    return sound * 10 ** (rms_dbfs / 20) / np.sqrt(np.mean(sound**2))


def band(sound: Samples, rate_hz: int, low_hz: float, high_hz: float, order: int = 2) -> Samples:
    """What of the sound lies between two frequencies."""
    return sosfilt(butter(order, [low_hz, high_hz], "bandpass", fs=rate_hz, output="sos"), sound)


def room_tone(frames: int, rate_hz: int, seed: int) -> Samples:
    """The rustle of a quiet room: noise that falls off towards the highs."""
    white = np.random.default_rng(seed).standard_normal(frames)
    return band(lfilter([1], [1, -0.97], white), rate_hz, 40, 7_000)


def fan(frames: int, rate_hz: int, seed: int) -> Samples:
    """An extractor fan: broad noise, the whirr of its blades, and it never runs quite evenly."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(frames) / rate_hz
    air = band(rng.standard_normal(frames), rate_hz, 150, 5_000, order=1)
    whirr = sum(np.sin(2 * np.pi * 117 * k * time_s + k) / k for k in range(1, 6))
    return (air + 0.3 * whirr) * (1 + 0.2 * np.sin(2 * np.pi * 0.7 * time_s))


def hum(frames: int, rate_hz: int, mains_hz: int = 50) -> Samples:
    """Mains hum: its frequency and the odd harmonics above all."""
    time_s = np.arange(frames) / rate_hz
    strengths = {1: 1.0, 2: 0.2, 3: 0.6, 5: 0.35, 7: 0.2, 9: 0.1, 11: 0.06, 15: 0.03}
    return sum(
        (level * np.sin(2 * np.pi * mains_hz * k * time_s + 0.7 * k) for k, level in strengths.items()),
        np.zeros(frames),
    )


def clicks(frames: int, rate_hz: int, seed: int, per_second: float = 1.5) -> Samples:
    """Crackle: short, sharp, at random."""
    rng = np.random.default_rng(seed)
    sound = np.zeros(frames)
    for start in rng.integers(0, frames - 400, int(frames / rate_hz * per_second)):
        length = int(rng.integers(20, 200))
        sound[start : start + length] += rng.uniform(0.3, 1) * np.hanning(length) * rng.choice([-1, 1], length)
    return sound


def in_a_hall(sound: Samples, rate_hz: int, seed: int, decay_s: float = 0.6) -> Samples:
    """The sound as it arrives in the last row: directly, and then from walls that swallow the highs."""
    length = int(rate_hz * decay_s)
    noise = lfilter([1], [1, -0.7], np.random.default_rng(seed).standard_normal(length))
    tail = noise * np.exp(-6.9 * np.arange(length) / length)
    tail[: int(0.012 * rate_hz)] = 0
    tail *= 0.4 / np.sqrt(np.sum(tail**2))
    tail[0] = 0.9
    return fftconvolve(sound, tail)[: len(sound)]


def sting(rate_hz: int, bars: int = 4) -> tuple[Samples, Samples]:
    """A few bars of plucked chords over a bass, left and right."""
    bar, beat = int(1.6 * rate_hz), int(0.2 * rate_hz)
    left, right = np.zeros(bars * bar + 3 * rate_hz), np.zeros(bars * bar + 3 * rate_hz)
    for index in range(bars):
        chord = _CHORDS_HZ[index % len(_CHORDS_HZ)]
        notes = [(chord[0] / 2, 0, 0.9, 0.5)]
        for step in range(8):
            notes.append((chord[(step * 3) % 4] * (2 if step % 4 == 3 else 1), step, 0.5, step / 7))
        for frequency_hz, step, strength, place in notes:
            start = index * bar + step * beat
            note = strength * _pluck(frequency_hz, rate_hz)
            left[start : start + len(note)] += note * np.cos(place * np.pi / 2)
            right[start : start + len(note)] += note * np.sin(place * np.pi / 2)
    return left, right


def _pluck(frequency_hz: float, rate_hz: int) -> Samples:
    """A plucked string: its overtones die away the faster the higher they are."""
    time_s = np.arange(int(1.8 * rate_hz)) / rate_hz
    overtones = (
        np.sin(2 * np.pi * frequency_hz * k * time_s) * np.exp(-(1.8 + 1.4 * k) * time_s) / k for k in range(1, 7)
    )
    return sum(overtones, np.zeros(len(time_s))) * np.minimum(1, time_s / 0.004)
