"""An analysis of a made recording, for tests of what is done with one; each signal is listened to once."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from mixdown.analysis import analyze
from mixdown.model import Analysis
from tests.signals import speech_like, write_wav


def made_analysis(samples: NDArray[np.float32] | None = None, *, rate_hz: int = 48_000) -> Analysis:
    """The analysis of these samples, or of 12 s of something like speech."""
    return _speech() if samples is None else _analyzed(samples, rate_hz)


@cache
def _speech() -> Analysis:
    samples = speech_like(12.0, channels=2)
    return _analyzed(
        samples + np.random.default_rng(1).standard_normal(samples.shape).astype(np.float32) * 0.001, 48_000
    )


def _analyzed(samples: NDArray[np.float32], rate_hz: int) -> Analysis:
    with TemporaryDirectory() as folder:
        path = write_wav(Path(folder) / "made.wav", samples, rate_hz)
        return analyze(path, name=path.name, music=False)
