"""A chain run over a recording: the product in one function.

Two passes in constant memory. The first decodes, restores (high-pass, noise reduction) and leaves an
intermediate on the scratch disk; the second compresses, brings it to its loudness under the ceiling
and encodes. Then every delivered file is decoded again and measured, and where the codec has moved
its loudness or its peaks, it is made again with that made up for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mixdown.codec.decode import AudioReader, open_audio
from mixdown.codec.encode import encodable_rate_hz, expected_gain_db, open_writer
from mixdown.codec.remix import remix
from mixdown.dsp.denoise import Denoiser
from mixdown.dsp.dynamics import Compressor
from mixdown.dsp.filters import HighPassFilter
from mixdown.dsp.loudness import LoudnessMeter
from mixdown.dsp.processor import Block, Processor, run
from mixdown.dsp.resample import Resampler
from mixdown.errors import SilentAudio
from mixdown.intermediate import Intermediate
from mixdown.mastering import LARGEST_GAIN_DB, Mastering, Tick, is_silent
from mixdown.model import (
    Compress,
    Denoise,
    HighPass,
    LevelReport,
    Limits,
    Loudness,
    OutputSpec,
    ProbedAudio,
    Step,
    Tags,
)
from mixdown.picture import PeakCollector, waveform
from mixdown.safeguard import ProgrammeLoss

#: What a delivered file may be off before it is made again.
LOUDNESS_TOLERANCE_LU = 0.1
PEAK_TOLERANCE_DB = 0.1

#: Percussive sound leaves a lossy codec with other peaks each time. From the third encode on half as much again
#: is good enough; after the last one the best is delivered.
MOST_ENCODES = 6
_STRICT_ENCODES = 2
_LATER_TOLERANCE = 1.5

#: Peaks a lossy codec adds to limited audio; allowed for from the start, as encoding twice is dear.
CODEC_OVERSHOOT_DB = 0.3

#: What strangers are held to does not bind our own masters: a WAV may well be larger than its source.
_OUR_OWN = Limits(source_bytes=2**62, duration_s=math.inf)

#: Told how far a job is (0 to 1); may raise to stop it.
Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Master:
    """A finished file in the workspace, measured on its own bytes."""

    output: OutputSpec
    path: Path
    after: LevelReport
    target_lufs: float
    ceiling_dbtp: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """All that came of rendering a recording."""

    source: ProbedAudio
    before: LevelReport
    steps: tuple[Step, ...]  #: those that were run
    masters: tuple[Master, ...]
    picture: bytes  #: waveform before and after, PNG
    warnings: tuple[str, ...]


class _Trial:
    """An encoded file, measured."""

    def __init__(self, after: LevelReport, peaks: PeakCollector, target_lufs: float, ceiling_dbtp: float) -> None:
        self.after = after
        self.peaks = peaks
        self.off_lu = after.integrated_lufs - target_lufs
        self.over_db = after.true_peak_dbtp - ceiling_dbtp
        #: how far it is off, 1 being what is tolerated
        self.miss = max(abs(self.off_lu) / LOUDNESS_TOLERANCE_LU, self.over_db / PEAK_TOLERANCE_DB)

    def in_words(self, output: OutputSpec, *, most_gain: bool) -> str:
        """The warning that it stays off."""
        off = f"The {output.format.value} is {self.off_lu:+.1f} LU off target"
        if most_gain:
            return f"{off}: {LARGEST_GAIN_DB:.0f} dB is the most that is gained."
        return f"{off}, its peaks {self.over_db:+.1f} dB."


def render(
    source: Path,
    steps: Sequence[Step],
    outputs: Sequence[OutputSpec],
    workspace: Path,
    *,
    name: str,
    limits: Limits | None = None,
    providers: Sequence[str] = ("CPUExecutionProvider",),
    progress: Progress = lambda _: None,
) -> Rendered:
    """Master one recording.

    Parameters
    ----------
    source : file to read
    steps : chain, ending with its `Loudness` step (see `chain.effective_steps`)
    outputs : files to make
    workspace : empty folder; takes the intermediate (4 bytes a sample) and the masters
    name : what its owner calls the recording, for messages
    limits : what is accepted; the defaults of `Limits`
    providers : ONNX Runtime execution providers for noise reduction
    progress : called with 0 to 1; may raise to stop the work

    Raises
    ------
    AudioError
        The recording cannot be used; SilentAudio where there is nothing to bring to a loudness.
    ScratchFull
        The workspace ran out of room.
    """
    job = _Rendering(source, workspace, name=name, limits=limits or Limits(), providers=providers)
    return job.run(steps, outputs, progress)


def measure(
    path: Path, *, name: str, limits: Limits | None = None, progress: Progress = lambda _: None
) -> tuple[ProbedAudio, LevelReport, tuple[str, ...]]:
    """What a file is and how loud it is, decoded from start to end, with the decoder's warnings."""
    with open_audio(path, name=name, limits=limits or Limits()) as reader:
        meter = LoudnessMeter(reader.sample_rate_hz, reader.channels)
        tick = _ticker(progress, reader.probe.duration_s, reader.sample_rate_hz)
        for block in reader.blocks():
            tick(len(block))
            meter.push(block)
        return reader.probe, meter.report(), tuple(reader.warnings)


class _Rendering:
    """The state of one `render`."""

    def __init__(
        self, source: Path, workspace: Path, *, name: str, limits: Limits, providers: Sequence[str]
    ) -> None:
        self._source = source
        self._workspace = workspace
        self._name = name
        self._limits = limits
        self._providers = providers
        self._source_hz = 0  #: known once the source is open
        self._warnings: list[str] = []
        self._pictured = PeakCollector()

    def run(self, steps: Sequence[Step], outputs: Sequence[OutputSpec], progress: Progress) -> Rendered:
        probe, before, recording, steps = self._restore(steps, outputs, _part(progress, 0.0, 0.5))
        loudness = next(step for step in steps if isinstance(step, Loudness))
        self._compress(steps, recording)
        masters, pictured = [], []
        for index, output in enumerate(outputs):
            share = _part(progress, 0.5 + 0.5 * index / len(outputs), 0.5 + 0.5 * (index + 1) / len(outputs))
            path = self._workspace / f"master-{index}{output.format.suffix}"
            master, peaks = self._deliver(recording, output, loudness, path, probe.tags, share)
            masters.append(master)
            pictured.append(peaks)
        recording.path.unlink()
        progress(1.0)
        return Rendered(
            source=probe,
            before=before,
            steps=tuple(steps),
            masters=tuple(masters),
            picture=waveform(self._pictured.peaks(), pictured[0].peaks()),
            warnings=tuple(dict.fromkeys(self._warnings)),
        )

    # -- first pass -------------------------------------------------------------------------------

    def _restore(
        self, steps: Sequence[Step], outputs: Sequence[OutputSpec], progress: Progress
    ) -> tuple[ProbedAudio, LevelReport, Intermediate, Sequence[Step]]:
        """Decode and restore into an intermediate; without noise reduction where that would harm."""
        with open_audio(self._source, name=self._name, limits=self._limits) as reader:
            self._source_hz = reader.sample_rate_hz
            meter = LoudnessMeter(reader.sample_rate_hz, reader.channels)
            self._pictured = PeakCollector()
            recording = Intermediate(
                self._workspace / "intermediate.f32",
                sample_rate_hz=chain_rate_hz(reader.sample_rate_hz, outputs),
                channels=chain_channels(reader.channels, outputs),
            )
            loss = ProgrammeLoss(recording.sample_rate_hz)
            tick = _ticker(progress, reader.probe.duration_s, reader.sample_rate_hz)
            decoded = _tapped(reader.blocks(), lambda block: tick(len(block)), meter.push, self._pictured.push)
            recording.fill(self._restored(decoded, reader, recording, steps, loss))
            before = meter.report()
            self._warnings += reader.warnings
            probe = reader.probe
        if is_silent(before):
            raise SilentAudio(f"“{self._name}” is silent: it has no loudness to bring to a target.")
        if not loss.programme_survived:
            self._warnings.append(
                "Noise reduction was left out: it heard no speech here and would have turned everything down."
            )
            spoken = [step for step in steps if not isinstance(step, Denoise)]
            return self._restore(spoken, outputs, progress)
        return probe, before, recording, steps

    def _restored(
        self,
        decoded: Iterable[Block],
        reader: AudioReader,
        recording: Intermediate,
        steps: Sequence[Step],
        loss: ProgrammeLoss,
    ) -> Iterator[Block]:
        """The recording at the chain's rate, through every step that needs no loudness."""
        rate_hz, channels = recording.sample_rate_hz, recording.channels
        remixed = (remix(block, channels) for block in decoded)
        blocks: Iterable[Block] = run([Resampler(reader.sample_rate_hz, rate_hz, channels)], remixed)
        for step in steps:
            if isinstance(step, HighPass):
                high_pass = HighPassFilter(step.cutoff_hz, sample_rate_hz=rate_hz, channels=channels)
                blocks = run([high_pass], blocks)
            elif isinstance(step, Denoise):
                denoiser = Denoiser(
                    limit_db=step.reduction.limit_db,
                    sample_rate_hz=rate_hz,
                    channels=channels,
                    providers=tuple(self._providers),
                )
                blocks = _tapped(run([denoiser], _tapped(blocks, loss.before)), loss.after)
        return iter(blocks)

    # -- second pass ------------------------------------------------------------------------------

    def _compress(self, steps: Sequence[Step], recording: Intermediate) -> None:
        """Run the compressor in place; its threshold is relative to the recording's loudness."""
        for step in steps:
            if isinstance(step, Compress):
                meter = LoudnessMeter(recording.sample_rate_hz, recording.channels, true_peak=False)
                for block in recording.blocks():
                    meter.push(block)
                level = meter.report()
                if is_silent(level):
                    raise SilentAudio(f"“{self._name}” holds nothing but low rumble and noise.")
                recording.rewrite([_compressor(step, level.integrated_lufs, recording)])

    def _deliver(
        self,
        recording: Intermediate,
        output: OutputSpec,
        loudness: Loudness,
        path: Path,
        tags: Tags,
        progress: Progress,
    ) -> tuple[Master, PeakCollector]:
        """Encode, measure what was encoded, and mend it until it is on target."""
        channels = output.channels or recording.channels
        rate_hz = delivered_rate_hz(self._source_hz, output)
        target_lufs, ceiling_dbtp = loudness.target_for(channels), loudness.ceiling_dbtp
        tick = _ticker(progress, 4 * recording.frames / recording.sample_rate_hz, recording.sample_rate_hz)
        mastering = Mastering(recording, channels=channels, tick=tick)
        if is_silent(mastering.level):
            raise SilentAudio(f"“{self._name}” holds nothing but low rumble and noise.")
        make_up_db = -expected_gain_db(output, channels)
        overshoot_db = (0.0 if output.format.lossless else CODEC_OVERSHOOT_DB) - make_up_db
        trial = path.with_name(f"trial{path.suffix}")
        attempt, best = 0, None
        while True:
            attempt += 1
            drive = mastering.drive_for(target_lufs + make_up_db, ceiling_dbtp - overshoot_db)
            _encode(mastering.limited(drive), recording, output, rate_hz, channels, trial, tags)
            made = _Trial(*self._measured(trial), target_lufs, ceiling_dbtp)
            if best is None or made.miss < best.miss:
                best = made
                trial.replace(path)
            good = best.miss <= (1.0 if attempt <= _STRICT_ENCODES else _LATER_TOLERANCE)
            most_gain = drive.gain_db >= LARGEST_GAIN_DB
            if good or most_gain or attempt == MOST_ENCODES:
                break
            make_up_db -= made.off_lu
            overshoot_db += attempt * max(0.0, made.over_db)
        trial.unlink(missing_ok=True)
        if not good:
            self._warnings.append(best.in_words(output, most_gain=most_gain))
        return Master(
            output=output, path=path, after=best.after, target_lufs=target_lufs, ceiling_dbtp=ceiling_dbtp
        ), best.peaks

    def _measured(self, path: Path) -> tuple[LevelReport, PeakCollector]:
        """Levels and waveform of a delivered file, from its bytes."""
        peaks = PeakCollector()
        with open_audio(path, name=self._name, limits=_OUR_OWN) as reader:
            meter = LoudnessMeter(reader.sample_rate_hz, reader.channels)
            for block in _tapped(reader.blocks(), peaks.push):
                meter.push(block)
        return meter.report(), peaks


def delivered_rate_hz(source_rate_hz: int, output: OutputSpec) -> int:
    """The sample rate of a master in Hz: the one asked for, else the 44.1 kHz of its source or 48 kHz."""
    natural_hz = source_rate_hz if source_rate_hz == 44_100 else 48_000
    return encodable_rate_hz(output.format, output.sample_rate_hz or natural_hz)


def chain_rate_hz(source_rate_hz: int, outputs: Sequence[OutputSpec]) -> int:
    """The sample rate a recording is worked in: the highest one that is delivered, in Hz."""
    return max(delivered_rate_hz(source_rate_hz, output) for output in outputs)


def chain_channels(source_channels: int, outputs: Sequence[OutputSpec]) -> int:
    """The channels a recording is worked in: as many as are delivered, at most two."""
    natural = min(source_channels, 2)
    return max(min(output.channels or natural, natural) for output in outputs)


def _compressor(step: Compress, programme_lufs: float, recording: Intermediate) -> Processor:
    return Compressor(
        threshold_dbfs=programme_lufs + step.threshold_lu,
        ratio=step.ratio,
        knee_db=step.knee_db,
        attack_s=step.attack_s,
        release_s=step.release_s,
        sample_rate_hz=recording.sample_rate_hz,
        channels=recording.channels,
    )


def _encode(
    blocks: Iterable[Block],
    recording: Intermediate,
    output: OutputSpec,
    rate_hz: int,
    channels: int,
    path: Path,
    tags: Tags,
) -> None:
    with open_writer(path, output, sample_rate_hz=rate_hz, channels=channels, tags=tags) as writer:
        for block in run([Resampler(recording.sample_rate_hz, rate_hz, channels)], blocks):
            writer.write(block)


def _tapped(blocks: Iterable[Block], *taps: Callable[[Block], None]) -> Iterator[Block]:
    """The same blocks, shown to each tap on their way."""
    for block in blocks:
        for tap in taps:
            tap(block)
        yield block


def _part(progress: Progress, start: float, end: float) -> Progress:
    """Progress of a part of the work that reaches from start to end of the whole."""
    return lambda fraction: progress(start + (end - start) * min(1.0, fraction))


def _ticker(progress: Progress, duration_s: float | None, sample_rate_hz: int) -> Tick:
    """A tick that turns frames done into progress; an unknown or wrong length never passes 95 %."""
    expected = max(1.0, (duration_s or 600.0) * sample_rate_hz)
    done = 0

    def tick(frames: int) -> None:
        nonlocal done
        done += frames
        progress(min(0.95, done / expected))

    return tick
