"""Recordings at work and the desk they lie on, for tests of the edits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

from mixdown.dsp.processor import Block
from mixdown.editing import Desk
from mixdown.intermediate import Intermediate, Recording
from mixdown.model import Labels, Limits, Mark, Source


class Workplace:
    """A folder with a desk in it, recordings on it, and materials beside it."""

    def __init__(self, folder: Path, *, limits: Limits | None = None) -> None:
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        self._materials = folder / "materials"
        self._materials.mkdir()
        self.paths: dict[str, Path] = {}
        self.ticked: list[int] = []
        self.desk = Desk(self.scratch, self.paths, limits or Limits(), self.ticked.append, name="interview.wav")
        self._made = 0

    def recording(
        self, samples: Block, rate_hz: int = 48_000, *, marks: Sequence[Mark] = (), tags: Mapping[str, str] = {}
    ) -> Recording:
        """These samples, at work."""
        self._made += 1
        audio = Intermediate(
            self.scratch / f"recording-{self._made}.f32", sample_rate_hz=rate_hz, channels=samples.shape[1]
        )
        audio.fill([samples])
        return Recording(audio=audio, labels=Labels(tags=tags, marks=tuple(marks)))

    def material(self, samples: Block, rate_hz: int = 48_000, name: str = "jingle.wav") -> Source:
        """These samples, as a file from outside, in floating point."""
        path = self._materials / name
        soundfile.write(path, samples, rate_hz, subtype="FLOAT")
        return self.file(path)

    def file(self, path: Path) -> Source:
        """A file from outside."""
        source = Source(uri=f"s3://outside/{path.name}")
        self.paths[source.uri] = path
        return source

    @property
    def files(self) -> set[str]:
        """What lies in the scratch folder."""
        return {path.name for path in self.scratch.iterdir()}


def samples_of(recording: Recording) -> Block:
    """The whole sound of a short recording."""
    return recording.audio.read(0, recording.audio.frames)


def level_db(block: Block) -> float:
    """RMS level, in dB."""
    return float(10.0 * np.log10(np.mean(np.square(block, dtype=np.float64)) + 1e-30))
