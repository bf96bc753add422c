"""Where the marks of a scale stand, and what is written on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_TIME_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
_FREQUENCIES_HZ = (100, 250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000)


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on a scale, as a part of its length, and what stands there."""

    place: float
    text: str


def time_marks(duration_s: float, most: int = 8) -> list[Mark]:
    """Marks on a time axis that is as long as the recording: `0:30`, `1:00:00`; tenths where it is short."""
    if duration_s <= 0.0:
        return [Mark(0.0, "0:00")]
    step_s = next((step for step in _TIME_STEPS_S if duration_s / step <= most), _TIME_STEPS_S[-1])
    count = int(duration_s / step_s + 1e-9)
    return [Mark(index * step_s / duration_s, _time_words(index * step_s, step_s)) for index in range(count + 1)]


def _time_words(seconds: float, step_s: float) -> str:
    if step_s < 1:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def pitch(frequency_hz: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """A frequency on the mel scale (O'Shaughnessy 1987), which spreads pitches as they are heard."""
    return np.asarray(2595.0 * np.log10(1.0 + np.asarray(frequency_hz, np.float64) / 700.0))


def frequency_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """The frequency at a place on the mel scale."""
    return np.asarray(700.0 * (10.0 ** (mel / 2595.0) - 1.0))


def frequency_marks(highest_hz: float) -> list[Mark]:
    """Marks on a mel scale from 0 Hz: `500 Hz`, `4 kHz`."""
    return [
        Mark(float(pitch(each) / pitch(highest_hz)), f"{each // 1000} kHz" if each >= 1_000 else f"{each} Hz")
        for each in _FREQUENCIES_HZ
        if each <= 0.97 * highest_hz
    ]
