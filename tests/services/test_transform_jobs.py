"""Transforms the whole way: through the ledger, with what else they need, into named files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mixdown.codec.decode import open_audio
from mixdown.dsp.processor import Block
from mixdown.model import (
    AudioFormat,
    Bed,
    Concatenate,
    Fade,
    Gain,
    JobRecord,
    Limits,
    Loudness,
    OutputSpec,
    Source,
    Split,
    Status,
    Step,
    Transform,
    Trim,
)
from mixdown.runner import run_jobs
from mixdown.settings import Settings
from mixdown.studio import Studio, open_studio
from mixdown.submission import job_specs, sources, submit
from tests.signals import recording, speech_like, write_wav

FLAC = OutputSpec(format=AudioFormat.flac)


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    """A studio on the embedded defaults."""
    return open_studio(Settings(home=tmp_path / "home", workers=1))


def transform(
    studio: Studio, source: Path, steps: Sequence[Step], *outputs: OutputSpec, out: Path | None = None
) -> JobRecord:
    """One transform, as it ended."""
    specs = job_specs(
        sources([str(source)]), Transform(steps=tuple(steps)), outputs or (FLAC,), str(out) if out else None
    )
    [record] = submit(studio, specs)
    if not record.status.ended:
        [record] = run_jobs(studio, [record.id])
    return record


def delivered(studio: Studio, record: JobRecord, index: int = 0) -> Block:
    """The samples of a master."""
    assert record.result is not None, record.error_detail
    path = studio.objects.local_path(record.result.renditions[index].object.uri)
    assert path is not None
    with open_audio(path, name="master", limits=Limits()) as reader:
        return np.concatenate(list(reader.blocks()))


@pytest.mark.parametrize("bit_depth", [16, 24])
def test_a_lossless_conversion_changes_no_sample(studio: Studio, tmp_path: Path, bit_depth: int) -> None:
    """WAV to FLAC and nothing else: every sample is the very same; 16 bit stays 16 bit in 24."""
    samples = speech_like(2, channels=2)
    source = tmp_path / "talk.wav"
    soundfile.write(source, samples, 48_000, subtype=f"PCM_{bit_depth}")

    record = transform(studio, source, [])

    np.testing.assert_array_equal(delivered(studio, record), soundfile.read(source, dtype="float32")[0])
    assert record.result is not None
    assert record.result.renditions[0].target_lufs is None
    assert record.result.warnings == ()


@pytest.mark.parametrize("format", [AudioFormat.mp3, AudioFormat.m4a, AudioFormat.opus, AudioFormat.ogg])
def test_a_conversion_keeps_the_level(studio: Studio, tmp_path: Path, format: AudioFormat) -> None:  # noqa: A002
    """What LAME takes away is made up for: the file is as loud as its source."""
    record = transform(studio, recording(tmp_path / "talk.wav"), [], OutputSpec(format=format))

    assert record.result is not None, record.error_detail
    after = record.result.renditions[0].after
    assert after.integrated_lufs == pytest.approx(record.result.before.integrated_lufs, abs=0.15)


def test_what_would_be_cut_off_is_limited_with_a_warning(studio: Studio, tmp_path: Path) -> None:
    """A gain beyond full scale ends in a limiter, not in clipping, and is told."""
    source = write_wav(tmp_path / "talk.wav", speech_like(2, level_dbfs=-12))

    record = transform(studio, source, [Gain(gain_db=20)])

    samples = delivered(studio, record)
    assert record.result is not None
    assert np.abs(samples).max() < 1.0
    assert any("beyond full scale" in warning for warning in record.result.warnings)


def test_a_transform_may_end_at_a_loudness(studio: Studio, tmp_path: Path) -> None:
    """With a loudness step it is brought there, as by a preset."""
    record = transform(studio, recording(tmp_path / "talk.wav"), [Trim(start_s=0.5), Loudness(target_lufs=-20)])

    assert record.result is not None, record.error_detail
    [master] = record.result.renditions
    assert master.target_lufs == -20
    assert master.after.integrated_lufs == pytest.approx(-20, abs=0.1)
    assert master.after.duration_s == pytest.approx(2.5, abs=0.001)


def test_parts_are_files_of_their_own(studio: Studio, tmp_path: Path) -> None:
    """A split recording is delivered part by part, each named after its part; together they are the whole."""
    source = recording(tmp_path / "talk.wav", seconds=5)
    out = tmp_path / "out"

    record = transform(studio, source, [Split(every_s=2)], out=out)

    names = sorted(path.name for path in out.iterdir())
    parts = [delivered(studio, record, index) for index in range(3)]
    assert names == ["talk - Part 1.flac", "talk - Part 2.flac", "talk - Part 3.flac"]
    np.testing.assert_array_equal(np.concatenate(parts), soundfile.read(source, dtype="float32", always_2d=True)[0])


def test_parts_are_listed_in_their_order(studio: Studio, tmp_path: Path) -> None:
    """Names of many parts have as many digits as the last one, so that a folder shows them in order."""
    out = tmp_path / "out"

    transform(studio, recording(tmp_path / "talk.wav", seconds=11), [Split(every_s=1)], out=out)

    names = sorted(path.name for path in out.iterdir())
    assert names[:2] == ["talk - Part 01.flac", "talk - Part 02.flac"]
    assert names[-1] == "talk - Part 11.flac"


def test_other_recordings_are_part_of_the_request(studio: Studio, tmp_path: Path) -> None:
    """The same request about a changed intro is another job with another result; unchanged, the same job."""
    talk, more = recording(tmp_path / "talk.wav"), recording(tmp_path / "more.wav", seconds=1.0, seed=3)
    steps = [Concatenate(sources=(Source(uri=str(more)),), match_loudness=False)]

    first = transform(studio, talk, steps)
    again = transform(studio, talk, steps)
    recording(more, seconds=2.0, seed=4)
    changed = transform(studio, talk, steps)

    assert again.id == first.id
    assert changed.id != first.id
    assert len(delivered(studio, first)) == 4 * 48_000
    assert len(delivered(studio, changed)) == 5 * 48_000


def test_a_music_bed_lies_under_the_voice(studio: Studio, tmp_path: Path) -> None:
    """It is heard before and after the voice, and the result is as long as both."""
    rng = np.random.default_rng(5)
    music = write_wav(tmp_path / "music.wav", (0.1 * rng.standard_normal((96_000, 2))).astype(np.float32))
    steps = [
        Bed(source=Source(uri=str(music)), lead_in_s=1, lead_out_s=1, fade_in_s=0.2, fade_out_s=0.2),
        Fade(out_s=0.1),
    ]

    record = transform(studio, recording(tmp_path / "talk.wav"), steps)

    samples = delivered(studio, record)
    assert len(samples) == 5 * 48_000
    assert np.abs(samples[24_000:40_000]).max() > 0.01


@pytest.mark.parametrize(
    ("content", "code"), [(None, "source_not_found"), (b"", "empty_file"), (b"no sound at all" * 99, None)]
)
def test_an_unusable_material_ends_the_job_by_its_own_name(
    studio: Studio, tmp_path: Path, content: bytes | None, code: str | None
) -> None:
    """The sentence names the recording that is wrong, not the one that is worked on, and no folder."""
    jingle = tmp_path / "jingle.wav"
    if content is not None:
        jingle.write_bytes(content)

    record = transform(studio, recording(tmp_path / "talk.wav"), [Concatenate(sources=(Source(uri=str(jingle)),))])

    assert record.status is Status.failed
    assert code in (None, record.error_code)
    assert "jingle.wav" in (record.error_detail or "")
    assert str(tmp_path) not in (record.error_detail or "")


def test_an_edit_that_leaves_nothing_ends_the_job(studio: Studio, tmp_path: Path) -> None:
    """In a sentence, with a code."""
    record = transform(studio, recording(tmp_path / "talk.wav"), [Trim(start_s=100)])

    assert record.status is Status.failed
    assert record.error_code not in (None, "internal")
