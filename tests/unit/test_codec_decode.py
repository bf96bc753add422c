"""Every accepted kind of file becomes the samples that were put into it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import psutil
import pytest

from mixdown.codec.decode import open_audio
from mixdown.codec.probe import probe
from mixdown.errors import SourceTooLarge, TooLong
from mixdown.model import Limits
from tests import recordings
from tests.recordings import RECORDINGS, tone


def decoded(path: Path) -> tuple[np.ndarray, int, list[str]]:
    with open_audio(path, name="it", limits=Limits()) as reader:
        blocks = list(reader.blocks())
    return np.concatenate(blocks), reader.sample_rate_hz, reader.warnings


@pytest.fixture(params=sorted(RECORDINGS))
def recording(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, recordings.Recording]:
    made = RECORDINGS[request.param]
    path = tmp_path / request.param
    made.make(path)
    return path, made


def test_accepted_kinds_decode_to_what_was_put_in(recording) -> None:
    """Rate, channels, length and samples of every kind of file are those of the tone it was made of."""
    path, made = recording

    samples, rate_hz, warnings = decoded(path)

    frames = round(made.duration_s * made.rate_hz)
    assert warnings == []
    assert (rate_hz, samples.shape[1], samples.dtype) == (made.rate_hz, made.channels, np.float32)
    assert abs(len(samples) - frames) <= round(made.padding_s * made.rate_hz)
    expected = tone(duration_s=recordings.DURATION_S, rate_hz=made.rate_hz, channels=made.channels)
    overlap = min(len(samples), len(expected))
    assert np.sqrt(np.mean((samples[:overlap] - expected[:overlap]) ** 2)) <= made.error
    level = np.sqrt(np.mean(samples[: len(expected)].astype(float) ** 2, axis=0))
    assert level == pytest.approx(np.sqrt(np.mean(expected.astype(float) ** 2, axis=0)), rel=0.1)


def test_probe_tells_what_the_header_says(recording) -> None:
    """Container, codec, rate, channels and bit depth come from the header; a duration only if it is there."""
    path, made = recording

    probed = probe(path, name="it", limits=Limits())

    assert (probed.container, probed.codec, probed.bit_depth) == (made.container, made.codec, made.bit_depth)
    assert (probed.sample_rate_hz, probed.channels) == (made.rate_hz, made.channels)
    if path.name.startswith(("chained", "joined")):
        return
    if path.name in ("gapless.mp3",) or path.suffix not in (".mp3", ".mp2", ".aac"):
        assert probed.duration_s == pytest.approx(made.duration_s, abs=max(made.padding_s, 0.03))
    else:
        assert probed.duration_s is None


def test_default_track_is_taken(tmp_path: Path) -> None:
    """Of several audio tracks the one marked as default is decoded, wherever it stands."""
    recordings.two_tracks(tmp_path / "two.mkv")

    samples, rate_hz, _ = decoded(tmp_path / "two.mkv")

    loudest_hz = np.argmax(np.abs(np.fft.rfft(samples[:rate_hz, 0])))
    assert loudest_hz == recordings.FREQUENCY_HZ


@pytest.mark.parametrize(
    ("first", "second", "suffix"),
    [
        (
            recordings.by_soundfile("OGG", "VORBIS"),
            recordings.by_soundfile("OGG", "VORBIS", rate_hz=22_050, channels=1),
            ".ogg",
        ),
        (
            recordings.by_soundfile("OGG", "VORBIS"),
            recordings.by_ffmpeg("opus", "libopus", rate_hz=48_000),
            ".ogg",
        ),
        (
            recordings.by_soundfile("OGG", "VORBIS", channels=1),
            recordings.by_soundfile("OGG", "VORBIS", channels=2),
            ".ogg",
        ),
        (
            recordings.written(lambda: recordings.lame()),
            recordings.written(lambda: recordings.lame(rate_hz=22_050, channels=1)),
            ".mp3",
        ),
    ],
    ids=["vorbis-rate-and-channels", "vorbis-then-opus", "vorbis-mono-then-stereo", "mp3-rate-and-channels"],
)
def test_changes_on_the_way_are_brought_to_the_first(tmp_path: Path, first, second, suffix) -> None:
    """Where rate, channels or codec change within a file, all of it comes in the first part's, with a warning."""
    path = tmp_path / f"mixed{suffix}"
    recordings.joined(first, second)(path)

    samples, rate_hz, warnings = decoded(path)

    frames = round(2 * recordings.DURATION_S * rate_hz)
    assert len(samples) == pytest.approx(frames, abs=0.1 * rate_hz)
    assert rate_hz == recordings.RATE_HZ
    assert len(warnings) == 1
    assert "change on the way" in warnings[0]
    spectrum = np.abs(np.fft.rfft(samples[-rate_hz // 2 :, 0] * np.hanning(rate_hz // 2)))
    assert np.argmax(spectrum) * 2 == pytest.approx(recordings.FREQUENCY_HZ, abs=2)


def test_block_length_does_not_change_the_samples(tmp_path: Path) -> None:
    """Blocks of any length hold the same samples, all but the last are full, and each is the caller's own."""
    recordings.by_ffmpeg("mp3", "libmp3lame")(tmp_path / "x.mp3")
    whole, _, _ = decoded(tmp_path / "x.mp3")

    with open_audio(tmp_path / "x.mp3", name="it", limits=Limits()) as reader:
        blocks = list(reader.blocks(1000))

    assert {len(block) for block in blocks[:-1]} == {1000}
    assert all(block.flags.c_contiguous and block.flags.writeable for block in blocks)
    assert np.array_equal(np.concatenate(blocks), whole)
    assert reader.frames == len(whole)


def test_blocks_can_be_had_once(tmp_path: Path) -> None:
    """Asking a reader for its blocks again is a mistake of the caller."""
    recordings.by_soundfile("WAV", "PCM_16")(tmp_path / "x.wav")

    with open_audio(tmp_path / "x.wav", name="it", limits=Limits()) as reader:
        list(reader.blocks())
        with pytest.raises(ValueError, match="once"):
            reader.blocks()


@pytest.mark.parametrize("name", ["16.wav", "gapless.mp3", "chained.ogg", "video.mp4"])
def test_nothing_stays_open(tmp_path: Path, name: str) -> None:
    """However a consumer leaves (at the end, early, by an error, without a block), no descriptor stays open."""
    path = tmp_path / name
    RECORDINGS[name].make(path)
    before = psutil.Process().num_fds()

    with open_audio(path, name="it", limits=Limits()) as reader:
        list(reader.blocks())
    with open_audio(path, name="it", limits=Limits()) as reader:
        next(reader.blocks(100))
    with open_audio(path, name="it", limits=Limits()):
        pass
    with pytest.raises(TooLong), open_audio(path, name="it", limits=Limits(duration_s=0.5)) as reader:
        list(reader.blocks())

    assert psutil.Process().num_fds() == before


def test_limits_are_held_while_decoding(tmp_path: Path) -> None:
    """A file that says nothing of its length is stopped where it passes the limit."""
    (tmp_path / "x.mp3").write_bytes(recordings.lame())

    with open_audio(tmp_path / "x.mp3", name="it", limits=Limits(duration_s=1.0)) as reader:
        with pytest.raises(TooLong, match=r"it is longer than the 0\.0 hours accepted"):
            for _ in reader.blocks(1000):
                pass
        assert reader.frames <= 1.1 * reader.sample_rate_hz


def test_size_limit(tmp_path: Path) -> None:
    """A file with more bytes than are accepted is refused before anything is read of it."""
    recordings.by_soundfile("WAV", "PCM_16")(tmp_path / "x.wav")

    with pytest.raises(SourceTooLarge):
        probe(tmp_path / "x.wav", name="it", limits=Limits(source_bytes=1000))


def test_tags_are_read_under_common_names(tmp_path: Path) -> None:
    """Tags come under one vocabulary whatever the format calls them."""
    tags = {"title": "Ä", "artist": "B", "album": "C", "date": "2026-11-22", "genre": "Speech", "track": "3"}
    for muxer, encoder, suffix in [
        ("mp3", "libmp3lame", "mp3"),
        ("ipod", "aac", "m4a"),
        ("ogg", "flac", "oga"),
        ("flac", "flac", "flac"),
        ("wav", "pcm_s16le", "wav"),
        ("matroska", "flac", "mkv"),
    ]:
        path = tmp_path / f"x.{suffix}"
        recordings.by_ffmpeg(muxer, encoder, tags=tags)(path)

        assert dict(probe(path, name="it", limits=Limits()).tags) == tags, muxer
