"""Test signals made in code: something like speech, and files of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import lfilter

_FORMANTS_HZ = ((700, 1200, 2600), (300, 2200, 3000), (500, 900, 2400), (400, 1900, 2550))


def speech_like(
    seconds: float, *, rate_hz: int = 48_000, channels: int = 1, level_dbfs: float = -26.0, seed: int = 1
) -> NDArray[np.float32]:
    """Voiced syllables with pauses between phrases: (frames, channels), RMS of the voice at `level_dbfs`."""
    rng = np.random.default_rng(seed)
    frames = round(seconds * rate_hz)
    pitch_hz = 110 + 25 * np.sin(np.cumsum(rng.uniform(0.2, 0.5, frames // rate_hz * 4 + 8)))
    pitch = np.interp(np.arange(frames), np.linspace(0, frames, len(pitch_hz)), pitch_hz)
    phase = np.cumsum(pitch / rate_hz)
    source = np.diff(np.floor(phase), prepend=0.0) + 0.02 * rng.standard_normal(frames)
    voice = np.zeros(frames)
    syllable = round(0.18 * rate_hz)
    for start in range(0, frames, syllable):
        end = min(start + syllable, frames)
        part = source[start:end]
        for formant_hz in _FORMANTS_HZ[rng.integers(len(_FORMANTS_HZ))]:
            radius = np.exp(-np.pi * 90 / rate_hz)
            angle = 2 * np.pi * formant_hz / rate_hz
            part = lfilter([1 - radius], [1, -2 * radius * np.cos(angle), radius**2], part)
        spoken = start % (9 * syllable) < 7 * syllable
        voice[start:end] = part * np.hanning(end - start) * spoken * rng.uniform(0.5, 1.0)
    loud = voice[np.abs(voice) > 0]
    voice *= 10 ** (level_dbfs / 20) / np.sqrt(np.mean(loud**2))
    sides = [voice * (1.0 if side == 0 else 0.8) for side in range(channels)]
    return np.stack(sides, axis=1).astype(np.float32)


def write_wav(path: Path, samples: NDArray[np.float32], rate_hz: int = 48_000) -> Path:
    """Write samples as 24-bit WAV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate_hz, subtype="PCM_24")
    return path


def recording(path: Path, seconds: float = 3.0, *, seed: int = 1, channels: int = 1) -> Path:
    """A short recording of something like speech in a little noise."""
    samples = speech_like(seconds, channels=channels, seed=seed)
    noise = np.random.default_rng(seed + 1).standard_normal(samples.shape) * 0.001
    return write_wav(path, samples + noise.astype(np.float32))
