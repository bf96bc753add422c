"""Delivered files decoded and measured with nothing of ours: PyAV and libsndfile, pyloudnorm, scipy."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pyloudnorm
import soundfile
from numpy.typing import NDArray
from scipy.signal import resample_poly

Samples = NDArray[np.float64]

#: Decoded by libsndfile; the rest by FFmpeg.
_BY_LIBSNDFILE = {".wav", ".flac", ".ogg"}


def decoded(path: Path) -> tuple[Samples, int]:
    """Samples, shape (frames, channels), and their rate in Hz."""
    if path.suffix in _BY_LIBSNDFILE:
        samples, rate_hz = soundfile.read(path, dtype="float64", always_2d=True)
        return samples, rate_hz
    with av.open(str(path)) as container:
        to_planes = av.AudioResampler(format="fltp")
        planes = [plane.to_ndarray() for frame in container.decode(audio=0) for plane in to_planes.resample(frame)]
        return np.concatenate(planes, axis=1).T.astype(np.float64), container.streams.audio[0].rate


def loudness_lufs(samples: Samples, rate_hz: int, *, block_s: float = 0.4) -> float:
    """Integrated loudness by pyloudnorm, whose filters are right at 44.1 and 48 kHz: other rates are resampled."""
    if rate_hz not in (44_100, 48_000):
        samples, rate_hz = resample_poly(samples, 48_000 // 50, rate_hz // 50, axis=0), 48_000
    return float(pyloudnorm.Meter(rate_hz, block_size=block_s).integrated_loudness(samples))


def true_peak_dbtp(samples: Samples) -> float:
    """Highest peak between the samples, by eightfold oversampling."""
    return float(20 * np.log10(np.abs(resample_poly(samples, 8, 1, axis=0)).max()))


def tags(path: Path) -> dict[str, str]:
    """Metadata as FFmpeg reads it, names in lower case."""
    with av.open(str(path)) as container:
        found = {**container.metadata, **container.streams.audio[0].metadata}
    return {name.lower(): value for name, value in found.items()}
