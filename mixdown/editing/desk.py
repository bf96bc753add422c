"""Where editing takes place: scratch for what is made, and the recordings that come in from outside."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mixdown.codec.decode import open_audio
from mixdown.codec.remix import remix
from mixdown.dsp.loudness import LoudnessMeter
from mixdown.dsp.processor import Block, run
from mixdown.dsp.resample import Resampler
from mixdown.editing.timeline import Clip, joined, mixed
from mixdown.errors import NothingLeft, TooLong
from mixdown.intermediate import Intermediate
from mixdown.model import Labels, Limits, Source
from mixdown.progress import Tick

#: Bringing one recording to the loudness of another changes it by no more than this.
LARGEST_MATCH_DB = 20.0


@dataclass(frozen=True, slots=True)
class Material:
    """A recording from outside, at the rate and with the channels of the one at work."""

    audio: Intermediate
    labels: Labels


class Desk:
    """Makes the intermediates of an edit.

    Parameters
    ----------
    folder : Path
        Scratch; what is made is put there, and what it replaces is removed.
    materials : mapping of str to Path
        Local file of every `Source.uri` that the steps name.
    limits : Limits
        For materials, as for any source, and for the length of what is made.
    tick : callable
        Told the frames of every block.
    name : str
        What the owner calls the recording at work, for messages.
    """

    def __init__(
        self,
        folder: Path,
        materials: Mapping[str, Path],
        limits: Limits,
        tick: Tick = lambda _: None,
        *,
        name: str = "The recording",
    ) -> None:
        self.name = name
        self.limits = limits
        self.tick = tick
        self._folder = folder
        self._materials = materials
        self._brought: dict[tuple[str, int, int], Material] = {}

    def fresh(self, *, sample_rate_hz: int, channels: int) -> Intermediate:
        """An empty intermediate under a name that nothing else has."""
        handle, path = tempfile.mkstemp(prefix="edit-", suffix=".f32", dir=self._folder)
        os.close(handle)
        return Intermediate(Path(path), sample_rate_hz=sample_rate_hz, channels=channels)

    def made(self, blocks: Iterable[Block], *, like: Intermediate, channels: int | None = None) -> Intermediate:
        """These blocks as an intermediate at the rate of another, and with its channels if not with others.

        Raises
        ------
        NothingLeft
            There are none.
        TooLong, ScratchFull
        """
        audio = self.fresh(sample_rate_hz=like.sample_rate_hz, channels=channels or like.channels)
        complete = False
        try:
            audio.fill(self._watched(blocks, like.sample_rate_hz))
            complete = audio.frames > 0
        finally:
            if not complete:
                self.discard(audio)
        if not complete:
            raise NothingLeft(f"Nothing would be left of {self.name}.")
        return audio

    def mixed(self, clips: Iterable[Clip], *, like: Intermediate) -> Intermediate:
        """These clips as one recording, as long as the last to end."""
        ordered, frames = joined(clips)
        self.check_length(frames, like.sample_rate_hz)
        return self.made(mixed(ordered, frames=frames, channels=like.channels), like=like)

    def check_length(self, frames: float, sample_rate_hz: int) -> None:
        """Refuse to make what is longer than this installation accepts; before the disk is full of it.

        Raises
        ------
        TooLong
        """
        if frames / sample_rate_hz > self.limits.duration_s:
            raise TooLong(
                f"{self.name} would become {frames / sample_rate_hz / 3600:,.1f} hours long;"
                f" at most {self.limits.duration_s / 3600:.1f} are accepted."
            )

    def path_of(self, source: Source) -> Path:
        """The local file of a source."""
        return self._materials[source.uri]

    def material(self, source: Source, *, like: Intermediate) -> Material:
        """A source at the rate and with the channels of another recording; decoded once for an edit.

        Raises
        ------
        SourceError, AudioError
            As for any source.
        ScratchFull
        """
        key = (source.uri, like.sample_rate_hz, like.channels)
        if key not in self._brought:
            with open_audio(self.path_of(source), name=source.name, limits=self.limits) as reader:
                resampler = Resampler(reader.sample_rate_hz, like.sample_rate_hz, like.channels)
                remixed = (remix(block, like.channels) for block in reader.blocks())
                audio = self.made(run([resampler], remixed), like=like)
                self._brought[key] = Material(audio, reader.labels)
        return self._brought[key]

    def loudness_lufs(self, audio: Intermediate) -> float:
        """Integrated loudness; ``-inf`` for silence."""
        meter = LoudnessMeter(audio.sample_rate_hz, audio.channels, true_peak=False)
        for block in audio.blocks():
            self.tick(len(block))
            meter.push(block)
        return meter.report().integrated_lufs

    def matching_gain(self, audio: Intermediate, target_lufs: float) -> float:
        """The factor that brings a recording to a loudness, ±20 dB at most; 1 where either is silent."""
        change_db = target_lufs - self.loudness_lufs(audio)
        if not math.isfinite(change_db):
            return 1.0
        return float(10.0 ** (max(-LARGEST_MATCH_DB, min(LARGEST_MATCH_DB, change_db)) / 20.0))

    def discard(self, audio: Intermediate) -> None:
        """Remove an intermediate from the scratch disk."""
        audio.discard()

    @contextmanager
    def replacing(self, audio: Intermediate) -> Iterator[list[Intermediate]]:
        """For the time of an edit: what it used is removed at its end, but for what is put into the list."""
        kept: list[Intermediate] = []
        try:
            yield kept
            if all(audio.path != each.path for each in kept):
                self.discard(audio)
        finally:
            for material in self._brought.values():
                if all(material.audio.path != each.path for each in kept):
                    self.discard(material.audio)
            self._brought.clear()

    def _watched(self, blocks: Iterable[Block], sample_rate_hz: int) -> Iterator[Block]:
        frames = 0
        for block in blocks:
            frames += len(block)
            self.check_length(frames, sample_rate_hz)
            self.tick(len(block))
            yield block
