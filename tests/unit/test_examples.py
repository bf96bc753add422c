"""The example recordings: varied, readable, the same bytes each time, and not made twice."""

import hashlib
from pathlib import Path

import pytest

from mixdown.codec.decode import open_audio
from mixdown.codec.probe import probe
from mixdown.dsp.loudness import LoudnessMeter
from mixdown.errors import AudioError
from mixdown.examples import make_examples
from mixdown.examples.voices import Line, speak
from mixdown.model import LevelReport, Limits, ProbedAudio

LIMITS = Limits()


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return make_examples(tmp_path_factory.mktemp("examples") / "recordings")


@pytest.fixture(scope="module")
def sound_ones(examples: list[Path]) -> list[Path]:
    return [path for path in examples if path.name != "broken.mp3"]


def described(path: Path) -> ProbedAudio:
    return probe(path, name=path.name, limits=LIMITS)


def measured(path: Path) -> LevelReport:
    with open_audio(path, name=path.name, limits=LIMITS) as reader:
        meter = LoudnessMeter(reader.sample_rate_hz, reader.channels)
        for block in reader.blocks():
            meter.push(block)
        assert not reader.warnings
    return meter.report()


def contents(paths: list[Path]) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_examples_cover_formats_rates_and_channels(sound_ones):
    """Seven recordings in six formats, mono and stereo, at three rates, with tags."""
    probed = [described(path) for path in sound_ones]

    assert {path.suffix for path in sound_ones} == {".wav", ".m4a", ".mp3", ".flac", ".ogg", ".opus"}
    assert {audio.channels for audio in probed} == {1, 2}
    assert {audio.sample_rate_hz for audio in probed} == {16_000, 44_100, 48_000}
    assert all(audio.tags["title"] for audio in probed)


def test_examples_need_work(sound_ones):
    """They last 15 to 60 seconds and lie far apart in loudness, one of them below −40 LUFS."""
    reports = [measured(path) for path in sound_ones]
    loudness_lufs = [report.integrated_lufs for report in reports]

    assert all(15 <= report.duration_s <= 60 for report in reports)
    assert min(loudness_lufs) < -40
    assert max(loudness_lufs) > -22
    assert max(report.range_lu for report in reports) > 10
    assert all(report.true_peak_dbtp < 0 for report in reports)


def test_one_example_is_broken(examples):
    """`broken.mp3` is refused as audio, by name."""
    broken = examples[-1]

    with pytest.raises(AudioError, match=r"broken\.mp3"):
        described(broken)


def test_same_bytes_each_time(examples, tmp_path):
    """Examples made elsewhere are the same files."""
    assert contents(make_examples(tmp_path)) == contents(examples)


def test_examples_that_are_there_are_left_alone(examples):
    """A second call touches no file."""
    times = {path: path.stat().st_mtime_ns for path in examples}

    assert make_examples(examples[0].parent) == examples
    assert {path: path.stat().st_mtime_ns for path in examples} == times


def test_what_is_missing_or_damaged_is_made_again(examples, tmp_path):
    """A deleted file comes back, and so does one that was cut short."""
    for path in examples:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    manifest = examples[0].parent / ".examples.json"
    (tmp_path / manifest.name).write_bytes(manifest.read_bytes())
    (tmp_path / "interview.wav").unlink()
    (tmp_path / "jingle.flac").write_bytes(b"fLaC")

    assert contents(make_examples(tmp_path)) == contents(examples)


def test_speech_does_not_depend_on_what_was_said_before():
    """A line spoken among others, or twice, is the same samples; the engine's own memory is not."""
    lines = [Line("Bitte umsteigen.", "de-DE"), Line("Mind the gap."), Line("Bitte umsteigen.", "de-DE")]

    first, other, again = speak(lines)

    assert (first == again).all()
    assert (speak(lines[1:2])[0] == other).all()
    assert len(first) > 8_000
