"""The promise, on the delivered bytes: at its loudness, under the ceiling, whole, tagged, the same every time."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from mixdown import presets
from mixdown.chain import effective_steps
from mixdown.model import AudioFormat, Denoise, Enhance, Loudness, NoiseReduction, OutputSpec, RmsLevel
from mixdown.render import Rendered, render
from tests.golden.other_meter import decoded, loudness_lufs, tags, true_peak_dbtp
from tests.signals import speech_like, write_wav

ROOT = Path(__file__).parent.parent.parent

LOUDNESS_TOLERANCE_LU = 0.2
PEAK_TOLERANCE_DB = 0.3
LENGTH_TOLERANCE_S = 0.030

ALL_FORMATS = [OutputSpec(format=audio_format) for audio_format in AudioFormat]
FLAC = OutputSpec(format=AudioFormat.flac)

#: Tags that every format has a place for.
TAGS = {"title": "Größe 🎧 = 1; 2", "artist": "Ä & B", "album": "C", "genre": "Speech", "track": "3"}

#: Mastered in every format. Chains differ, but what brings a file to its level is the same for all presets.
PRESETS = ("podcast", "broadcast-ebu", "music-gentle")


@dataclass(frozen=True)
class Delivered:
    """A job over one recording."""

    source: Path
    rendered: Rendered
    level: Loudness | RmsLevel

    @property
    def file(self) -> Path:
        """The one master of a job with one output."""
        [master] = self.rendered.masters
        return master.path

    @property
    def loudness(self) -> Loudness:
        """What it was brought to."""
        assert isinstance(self.level, Loudness)
        return self.level

    @property
    def denoised(self) -> bool:
        """Whether noise reduction was run."""
        return any(isinstance(step, Denoise) for step in self.rendered.steps)


Deliver = Callable[..., Delivered]


def delivered_from(source: Path, folder: Path, outputs: list[OutputSpec], work: Enhance) -> Delivered:
    """Master a recording in this folder."""
    steps = effective_steps(work)
    folder.mkdir()
    rendered = render(source, steps, outputs, folder, name=source.name)
    assert isinstance(steps[-1], Loudness | RmsLevel)
    return Delivered(source, rendered, steps[-1])


@pytest.fixture
def deliver(tmp_path: Path) -> Deliver:
    """Write samples as a WAV and master it."""

    def deliver(
        samples: NDArray[np.floating],
        rate_hz: int = 48_000,
        *,
        outputs: list[OutputSpec] | None = None,
        **work: object,
    ) -> Delivered:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        source = write_wav(folder / "source.wav", samples.astype(np.float32), rate_hz)
        return delivered_from(source, folder / "work", outputs or [FLAC], Enhance.model_validate(work))

    return deliver


def assert_on_target(path: Path, target_lufs: float, ceiling_dbtp: float = -1.0, *, block_s: float = 0.4) -> None:
    """A delivered file is as loud as it should be and its peaks are where they may be, by another meter."""
    samples, rate_hz = decoded(path)
    assert loudness_lufs(samples, rate_hz, block_s=block_s) == pytest.approx(target_lufs, abs=LOUDNESS_TOLERANCE_LU)
    assert true_peak_dbtp(samples) <= ceiling_dbtp + PEAK_TOLERANCE_DB


def music(duration_s: float, rate_hz: int, channels: int) -> NDArray[np.float32]:
    """Chords under a beat whose hits stand 20 dB above them: loudness cannot be met without limiting."""
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    chords = np.zeros((len(time_s), channels))
    for bar, root_hz in enumerate((220.0, 174.6, 261.6, 196.0)):
        playing = (time_s // 2 % 4 == bar) * np.minimum(1.0, np.minimum(time_s % 2, 2 - time_s % 2) * 20)
        for place, ratio in enumerate((1.0, 1.26, 1.5, 2.0)):
            tone = playing * np.sin(2 * np.pi * root_hz * ratio * time_s)
            chords += tone[:, None] * np.cos(np.arange(channels) * np.pi / 2 - place * np.pi / 6)
    hiss = np.random.default_rng(4).standard_normal((len(time_s), channels))
    hits = hiss * np.exp(-(time_s % 0.5) * 60)[:, None]
    return (0.02 * chords + 0.25 * np.clip(hits, -2.5, 2.5)).astype(np.float32)


def first_seconds(path: Path, folder: Path, seconds: float) -> Path:
    """The beginning of a recording, as 24-bit WAV."""
    with soundfile.SoundFile(path) as file:
        beginning = file.read(round(seconds * file.samplerate), dtype="float32", always_2d=True)
        return write_wav(folder / f"{path.stem}.wav", beginning, file.samplerate)


# -- every preset, every format -------------------------------------------------------------------

RECORDINGS = ("spoken, stereo", "spoken, mono", "music, stereo", "music, mono")


@pytest.fixture(scope="module")
def recordings(examples: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Eight seconds of each kind, at 44.1 and 48 kHz."""
    folder = tmp_path_factory.mktemp("recordings")
    made = [
        first_seconds(examples["interview.wav"], folder, 8),
        first_seconds(examples["hum and clicks.flac"], folder, 8),
        write_wav(folder / "song.wav", music(8, 44_100, 2), 44_100),
        write_wav(folder / "one-microphone.wav", music(8, 48_000, 1), 48_000),
    ]
    return dict(zip(RECORDINGS, made, strict=True))


@pytest.fixture(scope="module", params=[(preset, kind) for preset in PRESETS for kind in RECORDINGS], ids=str)
def job(
    request: pytest.FixtureRequest, recordings: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Delivered:
    """One recording, mastered with one preset in every format at once."""
    preset, kind = request.param
    folder = tmp_path_factory.mktemp("job") / "work"
    return delivered_from(recordings[kind], folder, ALL_FORMATS, Enhance(preset=preset))


@pytest.mark.parametrize("index", range(len(ALL_FORMATS)), ids=[output.format.value for output in ALL_FORMATS])
def test_masters_keep_the_promise(job: Delivered, index: int) -> None:
    """Within 0.2 LU of the target, at most 0.3 dB over the ceiling, as long and as wide as the recording."""
    file = job.rendered.masters[index].path
    source, source_rate_hz = decoded(job.source)

    samples, rate_hz = decoded(file)

    assert samples.shape[1] == source.shape[1]
    assert len(samples) / rate_hz == pytest.approx(len(source) / source_rate_hz, abs=LENGTH_TOLERANCE_S)
    assert_on_target(file, job.loudness.target_for(source.shape[1]), job.loudness.ceiling_dbtp)


def test_reports_tell_the_truth(job: Delivered) -> None:
    """What is told of each master is what another meter finds in its bytes, and there is nothing to warn of."""
    for master in job.rendered.masters:
        samples, rate_hz = decoded(master.path)
        assert master.after.sample_rate_hz == rate_hz
        assert master.after.integrated_lufs == pytest.approx(loudness_lufs(samples, rate_hz), abs=0.1)
        assert master.after.true_peak_dbtp == pytest.approx(true_peak_dbtp(samples), abs=0.2)
    assert job.rendered.warnings == ()


@pytest.mark.parametrize("preset", presets.names())
def test_every_preset_keeps_its_promise(preset: str, recordings: dict[str, Path], tmp_path: Path) -> None:
    """The file that a preset delivers of itself has its level and its form, by another meter."""
    output = presets.load(preset).output or OutputSpec()

    job = delivered_from(recordings["spoken, stereo"], tmp_path / "work", [output], Enhance(preset=preset))

    samples, rate_hz = decoded(job.file)
    assert samples.shape[1] == (output.channels or 2)
    assert rate_hz == (output.sample_rate_hz or rate_hz)
    if isinstance(job.level, RmsLevel):
        assert 20 * np.log10(rms(samples)) == pytest.approx(job.level.target_rms_dbfs, abs=LOUDNESS_TOLERANCE_LU)
        assert true_peak_dbtp(samples) <= job.level.ceiling_dbtp + PEAK_TOLERANCE_DB
    else:
        assert_on_target(job.file, job.level.target_for(samples.shape[1]), job.level.ceiling_dbtp)


def test_music_is_limited(recordings: dict[str, Path]) -> None:
    """The signal that the limiter is tried on needs it: turned up to −16 LUFS its peaks would be far over."""
    for kind in ("music, stereo", "music, mono"):
        samples, rate_hz = decoded(recordings[kind])
        assert true_peak_dbtp(samples) - loudness_lufs(samples, rate_hz) > 18


# -- tags, bytes, outputs -------------------------------------------------------------------------


def test_tags_survive_in_every_format(tmp_path: Path) -> None:
    """What a recording is tagged with, every master of it is."""
    source = tmp_path / "tagged.flac"
    with soundfile.SoundFile(source, "w", 48_000, 1, "PCM_16") as file:
        file.title, file.artist, file.album = TAGS["title"], TAGS["artist"], TAGS["album"]
        file.genre, file.tracknumber = TAGS["genre"], TAGS["track"]
        file.write(speech_like(2))

    job = delivered_from(source, tmp_path / "work", ALL_FORMATS, Enhance())

    for master in job.rendered.masters:
        found = tags(master.path)
        assert {name: found.get(name) for name in TAGS} == TAGS, master.path.suffix


_IN_ANOTHER_PROCESS = """
import hashlib, json, sys
from pathlib import Path
from mixdown.chain import effective_steps
from mixdown.model import AudioFormat, Enhance, OutputSpec
from mixdown.render import render
source, workspace = Path(sys.argv[1]), Path(sys.argv[2])
outputs = [OutputSpec(format=each) for each in AudioFormat]
rendered = render(source, effective_steps(Enhance()), outputs, workspace, name="another name")
masters = [hashlib.sha256(master.path.read_bytes()).hexdigest() for master in rendered.masters]
print(json.dumps([*masters, hashlib.sha256(rendered.picture).hexdigest()]))
"""


def test_same_bytes_in_every_process(recordings: dict[str, Path], tmp_path: Path) -> None:
    """A recording mastered again elsewhere, by a process with other settings, gives the same files to the bit."""
    here = delivered_from(recordings["spoken, stereo"], tmp_path / "work", ALL_FORMATS, Enhance())
    elsewhere = tmp_path / "another folder"
    elsewhere.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C"}

    there = subprocess.run(
        [sys.executable, "-c", _IN_ANOTHER_PROCESS, str(here.source), str(elsewhere)],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        check=True,
    )

    bodies = [*(master.path.read_bytes() for master in here.rendered.masters), here.rendered.picture]
    assert json.loads(there.stdout) == [hashlib.sha256(body).hexdigest() for body in bodies]


def test_outputs_are_as_asked(deliver: Deliver) -> None:
    """Rate, bit depth and channels of each output are its own, whatever its neighbors of the same job are."""
    outputs = [
        OutputSpec(format=AudioFormat.wav, sample_rate_hz=96_000, bit_depth=24),
        OutputSpec(format=AudioFormat.wav, sample_rate_hz=22_050, bit_depth=16, channels=1),
        OutputSpec(format=AudioFormat.flac, bit_depth=16),
        OutputSpec(format=AudioFormat.flac),
        OutputSpec(format=AudioFormat.mp3, sample_rate_hz=24_000, bitrate_kbps=64, channels=1),
        OutputSpec(format=AudioFormat.m4a, sample_rate_hz=32_000, channels=2),
        OutputSpec(format=AudioFormat.ogg, sample_rate_hz=16_000),
        OutputSpec(format=AudioFormat.opus, bitrate_kbps=64),
    ]

    job = deliver(speech_like(6, rate_hz=44_100, channels=2), 44_100, outputs=outputs)

    files = [master.path for master in job.rendered.masters]
    shapes = [(rate_hz, samples.shape[1]) for samples, rate_hz in map(decoded, files)]
    assert shapes == [
        *[(96_000, 2), (22_050, 1), (44_100, 2), (44_100, 2)],
        *[(24_000, 1), (32_000, 2), (16_000, 2), (48_000, 2)],
    ]
    subtypes = [soundfile.info(file).subtype for file in files[:4]]
    assert subtypes == ["PCM_24", "PCM_16", "PCM_16", "PCM_24"]
    for file, (_, channels) in zip(files, shapes, strict=True):
        assert_on_target(file, -19.0 if channels == 1 else -16.0)


def test_bitrates_are_met(deliver: Deliver) -> None:
    """A file of twice the bitrate is about twice as large."""
    outputs = [
        OutputSpec(format=audio_format, bitrate_kbps=kbps)
        for audio_format in (AudioFormat.mp3, AudioFormat.m4a, AudioFormat.opus, AudioFormat.ogg)
        for kbps in (64, 128)
    ]

    job = deliver(music(6, 48_000, 2), outputs=outputs)

    for low, high in zip(job.rendered.masters[::2], job.rendered.masters[1::2], strict=True):
        assert 1.5 < high.path.stat().st_size / low.path.stat().st_size < 3.0, low.path.suffix


# -- recordings that are not like others ----------------------------------------------------------


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("output", ALL_FORMATS, ids=lambda output: output.format.value)
def test_hot_recordings_come_down(deliver: Deliver, preset: str, output: OutputSpec) -> None:
    """What was driven into clipping is turned down to the target, its peaks with it."""
    samples = np.clip(8 * speech_like(5, channels=2), -1.0, 1.0)

    job = deliver(samples, outputs=[output], preset=preset)

    assert job.rendered.before.integrated_lufs > -12
    assert_on_target(job.file, job.loudness.target_lufs)


def test_very_quiet_recordings_come_up(deliver: Deliver, examples: dict[str, Path]) -> None:
    """Speech at −60 LUFS is brought to −23 LUFS, every format of it, and stays speech."""
    samples, rate_hz = soundfile.read(examples["interview.wav"], frames=8 * 44_100)
    at_its_level = deliver(samples, rate_hz, preset="broadcast-ebu")
    samples *= 10 ** ((-60 - loudness_lufs(samples, rate_hz)) / 20)

    job = deliver(samples, rate_hz, outputs=ALL_FORMATS, preset="broadcast-ebu")

    for master in job.rendered.masters:
        assert_on_target(master.path, -23.0)
    assert job.rendered.warnings == ()
    assert correlation(decoded(job.rendered.masters[-1].path)[0], decoded(at_its_level.file)[0]) > 0.95


def correlation(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """How alike two recordings of the same length are, whatever their levels."""
    return float(np.corrcoef(one.mean(axis=1), other.mean(axis=1))[0, 1])


def test_too_quiet_recordings_come_up_as_far_as_makes_sense(deliver: Deliver) -> None:
    """More than 40 dB is not gained, and that is said."""
    tone = 10 ** (-65 / 20) * np.sin(2 * np.pi * 1000 * np.arange(3 * 48_000) / 48_000)

    job = deliver(tone[:, None], steps=[Loudness(target_lufs=-16, ceiling_dbtp=-1)])

    samples, rate_hz = decoded(job.file)
    assert loudness_lufs(samples, rate_hz) - job.rendered.before.integrated_lufs == pytest.approx(40, abs=0.2)
    [warning] = job.rendered.warnings
    assert "LU off target: 40 dB is the most" in warning


@pytest.mark.parametrize("output", ALL_FORMATS, ids=lambda output: output.format.value)
def test_a_sting_has_its_loudness(deliver: Deliver, output: OutputSpec) -> None:
    """100 ms, shorter than any block of the meter, come out at the target and as long as they were."""
    time_s = np.arange(4_800) / 48_000
    sting = 0.2 * np.sin(2 * np.pi * 880 * time_s) * np.sin(np.pi * time_s / 0.1)

    job = deliver(np.stack([sting, sting], axis=1), outputs=[output])

    samples, rate_hz = decoded(job.file)
    assert len(samples) / rate_hz == pytest.approx(0.1, abs=LENGTH_TOLERANCE_S)
    assert_on_target(job.file, -16.0, block_s=min(0.1, len(samples) / rate_hz))


def test_telephone_recordings_become_masters(deliver: Deliver) -> None:
    """8 kHz mono comes out at 48 kHz, mono, at the mono target, in every format."""
    job = deliver(speech_like(6, rate_hz=8_000), 8_000, outputs=ALL_FORMATS)

    for master in job.rendered.masters:
        samples, rate_hz = decoded(master.path)
        assert (rate_hz, samples.shape[1]) == (48_000, 1)
        assert_on_target(master.path, -19.0)


def test_surround_becomes_stereo(deliver: Deliver, tmp_path: Path) -> None:
    """Of 5.1, the centre is heard on both sides, left on its own, and the low-frequency channel nowhere."""
    voice = speech_like(6)[:, 0]
    rumble = 0.5 * np.sin(2 * np.pi * 90 * np.arange(len(voice)) / 48_000).astype(np.float32)
    left = np.zeros_like(voice)
    left[:48_000] = 0.3 * voice[48_000:96_000]
    surround = np.stack([left, 0 * voice, voice, rumble, 0 * voice, 0 * voice], axis=1)
    quiet = tmp_path / "without" / "low-frequency.wav"
    without = write_wav(quiet, surround * np.array([1, 1, 1, 0, 1, 1], np.float32))

    job = deliver(surround, noise_reduction="off")
    other = delivered_from(without, tmp_path / "other", [FLAC], Enhance(noise_reduction=NoiseReduction.off))

    samples, _ = decoded(job.file)
    assert samples.shape[1] == 2
    assert_on_target(job.file, -16.0)
    assert np.abs(samples[60_000:, 0] - samples[60_000:, 1]).max() < 1e-6
    assert np.abs(samples[:48_000, 0] - samples[:48_000, 1]).max() > 0.01
    assert job.file.read_bytes() == other.file.read_bytes()


@pytest.mark.parametrize("output", ALL_FORMATS, ids=lambda output: output.format.value)
def test_mono_of_a_stereo_recording_has_the_mono_target(deliver: Deliver, output: OutputSpec) -> None:
    """A master asked for in one channel is 3 LU lower than a stereo one: it plays on two speakers."""
    mono = output.model_copy(update={"channels": 1})

    job = deliver(speech_like(5, channels=2), outputs=[mono, FLAC])

    assert decoded(job.rendered.masters[0].path)[0].shape[1] == 1
    assert_on_target(job.rendered.masters[0].path, -19.0)
    assert_on_target(job.rendered.masters[1].path, -16.0)


def test_stereo_of_a_mono_recording_has_the_stereo_target(deliver: Deliver) -> None:
    """A master asked for in two channels is the same on both sides, and as loud as stereo should be."""
    job = deliver(speech_like(5), outputs=[FLAC.model_copy(update={"channels": 2})])

    samples, _ = decoded(job.file)
    assert (samples[:, 0] == samples[:, 1]).all()
    assert_on_target(job.file, -16.0)


# -- noise reduction knows what it is for ---------------------------------------------------------


@pytest.mark.parametrize("preset", ["podcast", "broadcast-ebu"])
def test_music_is_not_taken_for_noise(deliver: Deliver, preset: str) -> None:
    """Noise reduction leaves music alone: next to nothing is missing from it."""
    samples = music(16, 48_000, 2)

    job = deliver(samples, preset=preset)

    plain = decoded(deliver_without_noise_reduction(job, preset).file)[0]
    lost = decoded(job.file)[0] - plain
    assert rms(lost) < 0.1 * rms(plain)


def deliver_without_noise_reduction(job: Delivered, preset: str) -> Delivered:
    """The same recording once more, with noise reduction switched off."""
    work = Enhance(preset=preset, noise_reduction=NoiseReduction.off)
    return delivered_from(job.source, job.source.parent / "plain", [FLAC], work)


@pytest.mark.parametrize("preset", ["podcast", "broadcast-ebu"])
def test_noise_goes_and_speech_stays(deliver: Deliver, examples: dict[str, Path], preset: str) -> None:
    """In noise as loud as the voice noise reduction is run, and what it takes away is the noise."""
    spoken, rate_hz = soundfile.read(examples["interview.wav"], frames=12 * 44_100)
    voice = spoken.mean(axis=1, keepdims=True)
    noise = np.random.default_rng(3).standard_normal(voice.shape) * np.sqrt(np.mean(voice**2))

    job = deliver(voice + noise, rate_hz, preset=preset)
    plain = deliver_without_noise_reduction(job, preset)

    assert job.denoised
    assert job.rendered.warnings == ()
    cleaned, noisy = decoded(job.file)[0], decoded(plain.file)[0]
    assert correlation(cleaned, voice) > correlation(noisy, voice) + 0.1
    pause = slice(0, round(0.3 * rate_hz))
    assert 20 * np.log10(rms(noisy[pause]) / rms(cleaned[pause])) > 5
    assert_on_target(job.file, job.loudness.target_for(1))


def rms(samples: NDArray[np.floating]) -> float:
    """Level of some samples."""
    return float(np.sqrt(np.mean(samples**2)))
