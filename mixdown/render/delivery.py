"""From a recording to a delivered file: encoded, measured on its own bytes, made again until it is on target."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from mixdown.codec.decode import open_audio
from mixdown.codec.encode import expected_gain_db, open_writer
from mixdown.dsp.loudness import LoudnessMeter
from mixdown.dsp.processor import Block, Survey, run
from mixdown.dsp.resample import Resampler
from mixdown.errors import SilentAudio
from mixdown.intermediate import Recording
from mixdown.model import LevelReport, Limits, Loudness, OutputSpec, RmsLevel
from mixdown.overlap import ahead
from mixdown.picture import PeakCollector
from mixdown.progress import Progress, ticker
from mixdown.render.mastering import LARGEST_GAIN_DB, Aim, Drive, Mastering, aim_of

#: What a delivered file may be off before it is made again.
LEVEL_TOLERANCE_DB = 0.1
PEAK_TOLERANCE_DB = 0.1

#: Percussive sound leaves a lossy codec with other peaks each time. From the third encode on half as much again
#: is good enough; after the last one the best is delivered.
MOST_ENCODES = 6
_STRICT_ENCODES = 2
_LATER_TOLERANCE = 1.5

#: Peaks a lossy codec adds to limited audio; allowed for from the start, as encoding twice is dear.
CODEC_OVERSHOOT_DB = 0.3

#: Where nobody asked for a level, what would be cut off at full scale is limited to this.
FULL_SCALE_CEILING_DBTP = -0.1

#: What strangers are held to does not bind our own masters: a WAV may well be larger than its source.
_OUR_OWN = Limits(source_bytes=2**62, duration_s=inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Master:
    """A finished file in the workspace, measured on its own bytes."""

    output: OutputSpec
    path: Path
    after: LevelReport
    target_lufs: float | None
    ceiling_dbtp: float | None
    target_rms_dbfs: float | None = None
    title: str | None = None  #: of a part, where the recording was split


#: Makes a survey for a rate in Hz and a number of channels.
Listen = Callable[[int, int], Survey[Any]]


@dataclass(frozen=True, slots=True)
class Delivered:
    """A master, with what was seen and heard while it was measured."""

    master: Master
    ear: Ear
    warnings: tuple[str, ...]


class Ear:
    """Listens to a file from start to end: its levels, its waveform, and what `listen` makes it listen for."""

    def __init__(self, sample_rate_hz: int, channels: int, listen: Listen | None) -> None:
        self._meter = LoudnessMeter(sample_rate_hz, channels)
        self.peaks = PeakCollector()
        self.hearing = listen(sample_rate_hz, channels) if listen else None

    def push(self, block: Block) -> None:
        """Take the next block."""
        self._meter.push(block)
        self.peaks.push(block)
        if self.hearing is not None:
            self.hearing.push(block)

    def levels(self) -> LevelReport:
        """The levels of all that was heard."""
        return self._meter.report()


class _Trial:
    """An encoded file, measured."""

    def __init__(self, ear: Ear, aim: Aim) -> None:
        self.ear = ear
        self.after = after = ear.levels()
        self.off_db = aim.measured(after) - aim.level
        self.over_db = after.true_peak_dbtp - aim.ceiling_dbtp
        #: how far it is off, 1 being what is tolerated
        self.miss = max(abs(self.off_db) / LEVEL_TOLERANCE_DB, self.over_db / PEAK_TOLERANCE_DB)

    def in_words(self, output: OutputSpec, unit: str, *, most_gain: bool) -> str:
        """The warning that it stays off."""
        off = f"The {output.format.value} is {self.off_db:+.1f} {unit} off target"
        if most_gain:
            return f"{off}: {LARGEST_GAIN_DB:.0f} dB is the most that is gained."
        return f"{off}, its peaks {self.over_db:+.1f} dB."


class Delivery:
    """One recording on its way into one file.

    Parameters
    ----------
    recording : what is delivered
    output : the file to make
    rate_hz : its sample rate
    name : what the owner calls the recording, for messages
    level : the recording, measured with its own channels, where that has been done
    progress : told how far this file is
    listen : makes what listens to the delivered bytes, besides the meters
    """

    def __init__(
        self,
        recording: Recording,
        output: OutputSpec,
        *,
        rate_hz: int,
        name: str,
        level: LevelReport | None,
        progress: Progress,
        listen: Listen | None = None,
    ) -> None:
        audio = recording.audio
        self._recording = recording
        self._output = output
        self._rate_hz = rate_hz
        self._name = name
        self._listen = listen
        self._channels = output.channels or audio.channels
        tick = ticker(progress, 4 * audio.frames / audio.sample_rate_hz, audio.sample_rate_hz)
        known = level if self._channels == audio.channels else None
        self._mastering = Mastering(audio, channels=self._channels, tick=tick, level=known)

    def to_level(self, step: Loudness | RmsLevel, path: Path) -> Delivered:
        """Make the file at `path` with the level that a step asks for; SilentAudio where it has none."""
        aim = aim_of(step, self._channels)
        if aim.measured(self._mastering.level) == -inf:
            raise SilentAudio(f"“{self._name}” holds nothing but low rumble and noise.")
        make_up_db = -expected_gain_db(self._output, self._channels)
        overshoot_db = (0.0 if self._output.format.lossless else CODEC_OVERSHOOT_DB) - make_up_db
        trial = path.with_name(f"trial{path.suffix}")
        attempt, best = 0, None
        while True:
            attempt += 1
            drive = self._mastering.drive_for(aim.moved(make_up_db, -overshoot_db))
            self._encode(self._mastering.limited(drive), trial)
            made = _Trial(self._measured(trial), aim)
            if best is None or made.miss < best.miss:
                best = made
                trial.replace(path)
            good = best.miss <= (1.0 if attempt <= _STRICT_ENCODES else _LATER_TOLERANCE)
            most_gain = drive.gain_db >= LARGEST_GAIN_DB
            if good or most_gain or attempt == MOST_ENCODES:
                break
            make_up_db -= made.off_db
            overshoot_db += attempt * max(0.0, made.over_db)
        trial.unlink(missing_ok=True)
        warnings = () if good else (best.in_words(self._output, aim.unit, most_gain=most_gain),)
        return Delivered(self._master(path, best.after, step), best.ear, warnings)

    def as_it_is(self, path: Path) -> Delivered:
        """Make the file at `path` with the level that the recording has.

        What is beyond full scale would be cut off: it is limited, with a warning.
        """
        level, gain_db = self._mastering.level, -expected_gain_db(self._output, self._channels)
        warnings: tuple[str, ...] = ()
        if level.sample_peak_dbfs > 0.0:
            drive = Drive(gain_db=gain_db, ceiling_dbtp=FULL_SCALE_CEILING_DBTP + gain_db)
            blocks = self._mastering.limited(drive)
            warnings = (f"Its peaks were {level.sample_peak_dbfs:.1f} dB beyond full scale, and were limited.",)
        else:
            blocks = self._mastering.gained(gain_db)
        self._encode(blocks, path)
        ear = self._measured(path)
        return Delivered(self._master(path, ear.levels(), None), ear, warnings)

    def _master(self, path: Path, after: LevelReport, step: Loudness | RmsLevel | None) -> Master:
        return Master(
            output=self._output,
            path=path,
            after=after,
            target_lufs=step.target_for(self._channels) if isinstance(step, Loudness) else None,
            target_rms_dbfs=step.target_rms_dbfs if isinstance(step, RmsLevel) else None,
            ceiling_dbtp=step.ceiling_dbtp if step else None,
            title=self._recording.title,
        )

    def _encode(self, blocks: Iterable[Block], path: Path) -> None:
        resampler = Resampler(self._recording.audio.sample_rate_hz, self._rate_hz, self._channels)
        with open_writer(
            path,
            self._output,
            sample_rate_hz=self._rate_hz,
            channels=self._channels,
            labels=self._recording.labels,
            durable=False,
        ) as writer:
            for block in ahead(run([resampler], blocks)):
                writer.write(block)

    def _measured(self, path: Path) -> Ear:
        """What is heard of a delivered file, from its bytes."""
        with open_audio(path, name=self._name, limits=_OUR_OWN) as reader:
            ear = Ear(reader.sample_rate_hz, reader.channels, self._listen)
            for block in ahead(reader.blocks()):
                ear.push(block)
        return ear
