"""A first run of the sound, over a moment of noise, that loads what it compiles."""

from __future__ import annotations

import wave
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from mixdown.chain import effective_steps
from mixdown.errors import MixdownError
from mixdown.model import AudioFormat, Enhance, NoiseReduction, OutputSpec
from mixdown.quality import Hearing
from mixdown.render import render

_RATE_HZ = 24_000
_LASTS_S = 1.0


def rehearse() -> None:
    """Take a moment of noise through the usual chain: each numba kernel of it takes its time only at first.

    No network is loaded: ONNX Runtime has threads of its own, which a process that forks cannot have.
    A disk without room for it is no reason not to begin.
    """
    noise = np.random.default_rng(0).integers(-1600, 1600, (round(_RATE_HZ * _LASTS_S), 2), dtype="<i2")
    work = Enhance(preset="podcast", noise_reduction=NoiseReduction.off)
    outputs = (OutputSpec(format=AudioFormat.mp3), OutputSpec(format=AudioFormat.flac))
    with suppress(OSError, MixdownError), TemporaryDirectory(prefix="mixdown-") as folder:
        source = Path(folder) / "noise.wav"
        with wave.open(str(source), "wb") as file:
            file.setparams((2, 2, _RATE_HZ, 0, "NONE", ""))
            file.writeframes(noise.tobytes())
        render(
            source,
            effective_steps(work),
            outputs,
            Path(folder),
            name=source.name,
            listen=partial(Hearing, excerpts=False),
        )
