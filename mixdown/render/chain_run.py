"""The chain up to the delivery: decoded, restored, edited."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from mixdown.codec.decode import AudioReader, open_audio
from mixdown.codec.remix import remix
from mixdown.dsp.loudness import LoudnessMeter
from mixdown.dsp.processor import Block, run
from mixdown.dsp.resample import Resampler
from mixdown.editing import Desk, edit
from mixdown.errors import SilentAudio
from mixdown.intermediate import HELD_BYTES, Intermediate, Recording
from mixdown.model import EDITS, FINAL, LevelReport, Limits, OutputSpec, ProbedAudio, Step
from mixdown.overlap import ahead
from mixdown.progress import Progress, Tick, ticker
from mixdown.render.delivery import Ear, Listen
from mixdown.render.mastering import is_silent
from mixdown.render.passes import Passes, Tap, tapped
from mixdown.render.rates import chain_channels, chain_rate_hz
from mixdown.render.workings import Hears, Signal, working_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A recording, or its parts, ready to be delivered."""

    probe: ProbedAudio
    before: LevelReport
    ear: Ear  #: what was heard of the source
    recordings: tuple[Recording, ...]
    level: LevelReport | None  #: of the one recording, where it was measured on its way
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


class ChainRun:
    """The state of one chain, run over one recording."""

    def __init__(
        self,
        source: Path,
        steps: Sequence[Step],
        outputs: Sequence[OutputSpec],
        workspace: Path,
        *,
        name: str,
        limits: Limits,
        materials: Mapping[str, Path],
        providers: tuple[str, ...],
        listen: Listen | None,
    ) -> None:
        self._source = source
        self._needs_level = bool(steps) and isinstance(steps[-1], FINAL)
        self._steps = steps[:-1] if self._needs_level else steps
        self._outputs = outputs
        self._workspace = workspace
        self._name = name
        self._limits = limits
        self._materials = materials
        self._providers = providers
        self._listen = listen
        self._notes: list[str] = []
        self._tick: Tick = lambda _: None  #: a real one as soon as the length is known

    def run(self, progress: Progress) -> Ready:
        """Decode the recording and take it through the steps."""
        groups = [(is_edit, list(steps)) for is_edit, steps in groupby(self._steps, _is_edit)]
        first = groups.pop(0)[1] if groups and not groups[0][0] else []
        with open_audio(self._source, name=self._name, limits=self._limits) as reader:
            audio = Intermediate(
                self._workspace / "intermediate.f32",
                sample_rate_hz=chain_rate_hz(reader.sample_rate_hz, self._outputs),
                channels=chain_channels(reader.channels, self._outputs, self._steps),
                held_bytes=HELD_BYTES,
            )
            ear = Ear(reader.sample_rate_hz, reader.channels, self._listen)
            expected_s = (reader.probe.duration_s or 600.0) * self._sweeps()
            self._tick = ticker(progress, expected_s, audio.sample_rate_hz)
            meter = LoudnessMeter(audio.sample_rate_hz, audio.channels)
            taps = [] if groups else [meter.push]
            self._stream(first, audio, self._decoded(reader, audio, ear), taps)
            before, probe, warnings = ear.levels(), reader.probe, list(reader.warnings)
            recording = Recording(audio=audio, labels=reader.labels)
        if self._needs_level and is_silent(before):
            raise SilentAudio(f"“{self._name}” is silent: it has no loudness to bring to a target.")
        recordings = [recording]
        for is_edit, steps in groups:
            recordings = self._edited(steps, recordings) if is_edit else self._streamed(steps, recordings)
        return Ready(
            probe=probe,
            before=before,
            ear=ear,
            recordings=tuple(recordings),
            level=None if groups else meter.report(),
            notes=tuple(self._notes),
            warnings=tuple(warnings),
        )

    def _decoded(self, reader: AudioReader, audio: Intermediate, ear: Ear) -> Iterator[Block]:
        """The recording at the chain's rate and with its channels."""
        resampler = Resampler(reader.sample_rate_hz, audio.sample_rate_hz, audio.channels)
        heard = (remix(block, audio.channels) for block in tapped(ahead(reader.blocks()), ear.push))
        return tapped(run([resampler], heard), lambda block: self._tick(len(block)))

    def _sweeps(self) -> int:
        """How often, about, the recording is gone through: for the progress."""
        edits = [step for step in self._steps if _is_edit(step)]
        hearing = [working_of(step).hears for step in self._steps if not _is_edit(step)]
        return 1 + len(edits) + hearing.count(Hears.before) + (Hears.source in hearing)

    def _streamed(self, steps: Sequence[Step], recordings: Sequence[Recording]) -> list[Recording]:
        for recording in recordings:
            self._stream(steps, recording.audio, None, [])
        return list(recordings)

    def _stream(
        self, steps: Sequence[Step], audio: Intermediate, decoded: Iterable[Block] | None, taps: Sequence[Tap]
    ) -> None:
        signal = Signal(sample_rate_hz=audio.sample_rate_hz, channels=audio.channels, providers=self._providers)
        passes = Passes(steps, signal, self._tick)
        passes.run(audio, decoded, taps)
        self._notes += passes.notes

    def _edited(self, steps: Sequence[Step], recordings: list[Recording]) -> list[Recording]:
        desk = Desk(self._workspace, self._materials, self._limits, self._tick, name=self._name)
        for step in (step for step in steps if isinstance(step, EDITS)):
            recordings = [part for recording in recordings for part in edit(step, recording, desk)]
        return recordings


def _is_edit(step: Step) -> bool:
    return isinstance(step, EDITS)
