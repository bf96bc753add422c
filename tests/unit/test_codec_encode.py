"""Six formats: the same bytes every time, decoded to the frame, tagged, and nothing left of a failure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
from scipy.signal import correlate, lfilter

from mixdown.codec.decode import open_audio
from mixdown.codec.encode import bitrate_kbps, encodable_rate_hz, expected_gain_db, open_writer
from mixdown.dsp.loudness import LoudnessMeter
from mixdown.errors import ScratchFull
from mixdown.model import AudioFormat, Labels, Limits, OutputSpec
from tests.recordings import tone

TAGS = {
    "title": "Größe 🎧 = 1; 2",
    "artist": "Ä & B",
    "album": "C",
    "album_artist": "D",
    "composer": "E",
    "genre": "Speech",
    "date": "2026-11-22",
    "track": "3/9",
    "disc": "1/2",
    "comment": "two\nlines",
    "copyright": "© me",
}


def programme(rate_hz: int, channels: int, *, frames: int | None = None, seed: int = 1) -> np.ndarray:
    """Noise that falls with frequency, swelling and ebbing; its channels are alike but not equal."""
    rng = np.random.default_rng(seed)
    frames = frames or 3 * rate_hz + 123
    white = rng.standard_normal((frames, channels)) + rng.standard_normal((frames, 1))
    coloured = lfilter([1.0], np.convolve([1.0, -0.98], [1.0, -0.8]), white, axis=0)
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * np.arange(frames) / rate_hz)[:, None]
    return (0.1 * swell * coloured / coloured.std()).astype(np.float32)


def write(
    path: Path, output: OutputSpec, samples: np.ndarray, rate_hz: int, tags=None, block: int = 10_000
) -> None:
    with open_writer(
        path, output, sample_rate_hz=rate_hz, channels=samples.shape[1], labels=Labels(tags=tags or {})
    ) as writer:
        for start in range(0, len(samples), block):
            writer.write(samples[start : start + block])


def read(path: Path) -> np.ndarray:
    with open_audio(path, name="it", limits=Limits()) as reader:
        samples = np.concatenate(list(reader.blocks()))
        assert reader.warnings == []
    return samples


def loudness_lufs(samples: np.ndarray, rate_hz: int) -> float:
    meter = LoudnessMeter(rate_hz, samples.shape[1])
    meter.push(samples)
    return meter.report().integrated_lufs


@pytest.fixture(params=list(AudioFormat))
def audio_format(request: pytest.FixtureRequest) -> AudioFormat:
    return request.param


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("wanted_hz", [16_000, 44_100, 48_000, 96_000])
def test_decoded_again_it_is_the_same_sound(audio_format, wanted_hz, channels, tmp_path: Path) -> None:
    """Every format gives back as many frames as were written, none of them moved, at the level announced."""
    rate_hz = encodable_rate_hz(audio_format, wanted_hz)
    samples = programme(rate_hz, channels)
    output = OutputSpec(format=audio_format, bitrate_kbps=160 * channels, sample_rate_hz=rate_hz)

    write(tmp_path / "x", output, samples, rate_hz)
    again = read(tmp_path / "x")

    assert again.shape == samples.shape
    middle = slice(rate_hz, rate_hz + 8000)
    correlation = correlate(again[middle.start - 500 : middle.stop + 500, 0], samples[middle, 0], "valid")
    assert np.argmax(correlation) == 500
    gain_db = loudness_lufs(again, rate_hz) - loudness_lufs(samples, rate_hz)
    assert gain_db == pytest.approx(expected_gain_db(output, channels), abs=0.1 if rate_hz <= 48_000 else 0.2)


@pytest.mark.parametrize("frames", [100, 1000, 4410])
def test_stings_come_back_whole(audio_format, frames: int, tmp_path: Path) -> None:
    """Sounds shorter than a codec's frame come back with all their samples and no more."""
    rate_hz = encodable_rate_hz(audio_format, 44_100)
    samples = programme(rate_hz, 2, frames=frames)

    write(tmp_path / "x", OutputSpec(format=audio_format), samples, rate_hz)

    assert read(tmp_path / "x").shape == samples.shape


@pytest.mark.parametrize("bit_depth", [16, 24])
@pytest.mark.parametrize("lossless", [AudioFormat.flac, AudioFormat.wav])
def test_lossless_formats_keep_the_samples(lossless, bit_depth, tmp_path: Path) -> None:
    """What comes back differs by rounding alone: half a step of 24 bits, one and a half of dithered 16."""
    samples = programme(48_000, 2)

    write(tmp_path / "x", OutputSpec(format=lossless, bit_depth=bit_depth), samples, 48_000)

    step = 2.0 ** (1 - bit_depth)
    assert np.abs(read(tmp_path / "x") - samples).max() <= step * (0.51 if bit_depth == 24 else 1.51)
    assert soundfile.info(tmp_path / "x").subtype == f"PCM_{bit_depth}"


@pytest.fixture(scope="module")
def from_another_process(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file of every format, written by a process of its own."""
    folder = tmp_path_factory.mktemp("another")
    script = """
import sys; from pathlib import Path
from mixdown.model import AudioFormat, OutputSpec
from tests.unit.test_codec_encode import TAGS, programme, write
for each in AudioFormat:
    write(Path(sys.argv[1], each), OutputSpec(format=each, bit_depth=16), programme(48_000, 2), 48_000, TAGS)
"""
    subprocess.run([sys.executable, "-c", script, folder], check=True, cwd=Path(__file__).parents[2])
    return folder


def test_bytes_do_not_depend_on_the_run(audio_format, from_another_process: Path, tmp_path: Path) -> None:
    """The same samples, output and tags give the same bytes, here and in another process."""
    output = OutputSpec(format=audio_format, bit_depth=16)
    for name in ("first", "second"):
        write(tmp_path / name, output, programme(48_000, 2), 48_000, TAGS)

    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    assert (tmp_path / "first").read_bytes() == (from_another_process / audio_format).read_bytes()


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
@pytest.mark.parametrize("known_to_both", [each for each in AudioFormat if each is not AudioFormat.m4a])
def test_other_decoders_agree(known_to_both, rate_hz, tmp_path: Path) -> None:
    """libsndfile, with mpg123, libvorbis and libopus, finds the same frames as FFmpeg's decoders."""
    rate_hz = encodable_rate_hz(known_to_both, rate_hz)
    write(tmp_path / "x", OutputSpec(format=known_to_both), programme(rate_hz, 2), rate_hz)

    theirs, their_rate_hz = soundfile.read(tmp_path / "x", dtype="float32")

    ours = read(tmp_path / "x")
    assert their_rate_hz == rate_hz
    assert theirs.shape == ours.shape
    assert np.sqrt(np.mean((theirs - ours) ** 2)) < 1e-3


def test_bytes_do_not_depend_on_the_blocks(audio_format, tmp_path: Path) -> None:
    """How the samples are cut into blocks does not show in the file."""
    output = OutputSpec(format=audio_format, bit_depth=16)
    for block in (997, 65_536):
        write(tmp_path / str(block), output, programme(48_000, 2), 48_000, block=block)

    assert (tmp_path / "997").read_bytes() == (tmp_path / "65536").read_bytes()


def test_tags_are_written_and_read_back(audio_format, tmp_path: Path) -> None:
    """Every tag that a format has a place for comes back as it was."""
    no_place = {"album_artist", "composer", "disc"} if audio_format is AudioFormat.wav else set()

    write(tmp_path / "x", OutputSpec(format=audio_format), programme(48_000, 2), 48_000, TAGS)

    with open_audio(tmp_path / "x", name="it", limits=Limits()) as reader:
        assert dict(reader.probe.tags) == {name: value for name, value in TAGS.items() if name not in no_place}


def test_hostile_tags_do_no_harm(audio_format, tmp_path: Path) -> None:
    """NUL, control and surrogate characters and endless values are cleaned, not written and not fatal."""
    tags = {
        "title": "a\x00b\x1b[31mc\ud800d\r\n",
        "artist": "x" * 1_000_000,
        "album": "\x00",
        "comment": "line\r\nline\x07",
        "\ud800": "y",
        "TITLE\x00": "z",
        "mxd": "not one of ours",
    }

    write(tmp_path / "x", OutputSpec(format=audio_format), programme(48_000, 1), 48_000, tags)

    with open_audio(tmp_path / "x", name="it", limits=Limits()) as reader:
        assert dict(reader.probe.tags) == {"title": "ab[31mcd", "artist": "x" * 512, "comment": "line\nline"}


def test_a_failure_leaves_no_file(audio_format, tmp_path: Path) -> None:
    """An error inside the `with` takes the file away, and keeps no descriptor."""
    descriptors = psutil.Process().num_fds()

    def leave_half_way() -> None:
        output = OutputSpec(format=audio_format)
        with open_writer(tmp_path / "x", output, sample_rate_hz=48_000, channels=2) as writer:
            writer.write(programme(48_000, 2))
            raise RuntimeError("on the way")

    with pytest.raises(RuntimeError, match="on the way"):
        leave_half_way()

    assert list(tmp_path.iterdir()) == []
    assert psutil.Process().num_fds() == descriptors


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="the device that is always full is Linux's")
def test_a_full_disk_is_told(audio_format, tmp_path: Path) -> None:
    """No room left is an error that may pass, without a path in its message, and nothing stays behind."""
    (tmp_path / "x").symlink_to("/dev/full")
    descriptors = psutil.Process().num_fds()

    with pytest.raises(ScratchFull) as caught:
        write(tmp_path / "x", OutputSpec(format=audio_format), programme(48_000, 2), 48_000)

    assert str(tmp_path) not in caught.value.message
    assert list(tmp_path.iterdir()) == []
    assert psutil.Process().num_fds() == descriptors


def test_misuse_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    """Rates and channels that were not made fit, and files without audio, are refused and leave nothing."""
    samples, mono = np.zeros((10, 2), np.float32), np.zeros((10, 1), np.float32)
    for audio_format, rate_hz in [("opus", 44_100), ("mp3", 96_000), ("ogg", 44_000)]:
        with pytest.raises(ValueError, match="cannot be written at"):
            write(tmp_path / "x", OutputSpec(format=audio_format), samples, rate_hz)
    with pytest.raises(ValueError, match="one or two channels"):
        write(tmp_path / "x", OutputSpec(format="wav"), np.zeros((10, 6), np.float32), 48_000)
    for audio_format in AudioFormat:
        output = OutputSpec(format=audio_format)
        with pytest.raises(ValueError, match="no audio was written"):
            write(tmp_path / "x", output, samples[:0], 48_000)
    assert list(tmp_path.iterdir()) == []

    with open_writer(tmp_path / "x", OutputSpec(format="wav"), sample_rate_hz=48_000, channels=2) as writer:
        writer.write(samples)
        with pytest.raises(ValueError, match="expected 2 channels"):
            writer.write(mono)


@pytest.mark.parametrize(
    ("audio_format", "wanted_hz", "expected_hz"),
    [
        ("opus", 44_100, 48_000),
        ("opus", 16_000, 48_000),
        ("mp3", 96_000, 48_000),
        ("mp3", 88_200, 44_100),
        ("mp3", 44_000, 44_100),
        ("m4a", 192_000, 96_000),
        ("m4a", 176_400, 88_200),
        ("ogg", 12_000, 11_025),
        ("flac", 44_000, 44_000),
        ("wav", 384_000, 384_000),
    ],
)
def test_nearest_rate_that_a_format_takes(audio_format, wanted_hz, expected_hz) -> None:
    """A format that cannot take a rate takes the nearest, and the simplest fraction of a higher one."""
    assert encodable_rate_hz(AudioFormat(audio_format), wanted_hz) == expected_hz


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 32_000, 48_000, 96_000])
@pytest.mark.parametrize("wanted_kbps", [None, 24, 100, 512])
@pytest.mark.parametrize("lossy", [AudioFormat.mp3, AudioFormat.m4a, AudioFormat.opus, AudioFormat.ogg])
def test_any_bitrate_is_made_one_that_exists(lossy, wanted_kbps, rate_hz, tmp_path: Path) -> None:
    """Whatever bitrate is asked for, at any rate, mono or stereo, a file comes out that decodes whole."""
    rate_hz = encodable_rate_hz(lossy, rate_hz)
    for channels in (1, 2):
        samples = programme(rate_hz, channels, frames=rate_hz)

        write(tmp_path / "x", OutputSpec(format=lossy, bitrate_kbps=wanted_kbps), samples, rate_hz)

        assert read(tmp_path / "x").shape == samples.shape


@pytest.mark.parametrize(
    ("output", "rate_hz", "channels", "expected_kbps"),
    [
        (OutputSpec(format="mp3"), 44_100, 2, 128),
        (OutputSpec(format="mp3"), 44_100, 1, 80),
        (OutputSpec(format="mp3", bitrate_kbps=100), 48_000, 2, 96),
        (OutputSpec(format="mp3", bitrate_kbps=512), 48_000, 2, 320),
        (OutputSpec(format="mp3", bitrate_kbps=320), 22_050, 2, 160),
        (OutputSpec(format="m4a"), 48_000, 2, 128),
        (OutputSpec(format="m4a", bitrate_kbps=320), 16_000, 1, 96),
        (OutputSpec(format="opus"), 48_000, 1, 58),
        (OutputSpec(format="opus", bitrate_kbps=512), 48_000, 1, 256),
        (OutputSpec(format="ogg"), 48_000, 2, 128),
    ],
)
def test_bitrates(output, rate_hz, channels, expected_kbps) -> None:
    """The bitrate asked for or the default, less for mono, the nearest that the codec has at the rate."""
    assert bitrate_kbps(output, sample_rate_hz=rate_hz, channels=channels) == expected_kbps


@pytest.mark.parametrize(
    ("kbps", "gain_db"), [(64, -0.446), (128, -0.446), (160, -0.446), (192, -0.265), (224, -0.175), (320, 0.0)]
)
def test_lame_turns_it_down_as_announced(kbps, gain_db, tmp_path: Path) -> None:
    """LAME multiplies the signal by a constant of its preset; a tone shows it to 0.01 dB."""
    output = OutputSpec(format="mp3", bitrate_kbps=kbps)
    samples = tone(duration_s=2.0)

    write(tmp_path / "x", output, samples, 44_100)

    again = read(tmp_path / "x")
    measured_db = 20 * np.log10(np.std(again[10_000:-10_000, 0]) / np.std(samples[10_000:-10_000, 0]))
    assert measured_db == pytest.approx(gain_db, abs=0.015)
    assert expected_gain_db(output, 2) == pytest.approx(gain_db, abs=0.001)


def test_loud_samples_are_clipped_not_wrapped(audio_format, tmp_path: Path) -> None:
    """Samples beyond full scale never come back with the other sign."""
    rate_hz = 48_000
    samples = tone(rate_hz=rate_hz, level=2.0, channels=1)

    write(tmp_path / "x", OutputSpec(format=audio_format, bitrate_kbps=256), samples, rate_hz)

    again = read(tmp_path / "x")
    loud = np.abs(samples) > 1.0
    assert (np.sign(again[loud]) == np.sign(samples[loud])).all()
