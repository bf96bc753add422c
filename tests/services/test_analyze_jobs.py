"""Analyses as jobs, and masters held against their source, the whole way through the ledger."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mixdown.accelerator import providers_of
from mixdown.errors import UnavailableProvider
from mixdown.model import Analyze, Enhance, JobRecord, NeverWorse, NoiseReduction, Status, Work
from mixdown.runner import run_jobs
from mixdown.settings import Settings
from mixdown.studio import Studio, open_studio
from mixdown.submission import job_specs, sources, submit
from tests.signals import recording


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    """A studio on the embedded defaults."""
    return open_studio(Settings(home=tmp_path / "home", workers=1))


def worked(studio: Studio, source: Path, work: Work) -> JobRecord:
    """One job, as it ended."""
    [record] = submit(studio, job_specs(sources([str(source)]), work))
    if not record.status.ended:
        [record] = run_jobs(studio, [record.id])
    assert record.status is Status.succeeded, record.error_detail
    return record


def test_an_analysis_leaves_its_files_and_no_audio(studio: Studio, tmp_path: Path) -> None:
    """Measurements, pictures, peaks and a page are stored; each preset asked for has its verdict."""
    record = worked(studio, recording(tmp_path / "talk.wav"), Analyze(presets=("podcast",), music=False))

    result = record.result
    assert result is not None
    assert result.renditions == ()
    assert [each.name for each in result.attachments] == ["spectrogram.png", "peaks.json", "report.html"]
    assert result.picture.media_type == "image/png"
    found = json.loads(studio.objects.read_bytes(result.report.uri))
    assert found["measures"]["integrated_lufs"]["unit"] == "LUFS"
    assert [note.split(":")[0] for note in result.notes] == ["Podcast"]


def test_the_same_analysis_is_found_again(studio: Studio, tmp_path: Path) -> None:
    """A copy of the recording under another name costs no second look; another question does."""
    first = worked(studio, recording(tmp_path / "talk.wav"), Analyze(presets=("podcast",), music=False))
    copy = worked(studio, recording(tmp_path / "copy.wav"), Analyze(presets=("podcast",), music=False))
    other = worked(studio, tmp_path / "talk.wav", Analyze(presets=("streaming",), music=False))

    assert first.result is not None
    assert copy.result is not None
    assert other.result is not None
    assert copy.result.reused
    assert copy.result.attachments == first.result.attachments
    assert not other.result.reused


def test_an_analysis_whose_page_is_gone_is_made_again(studio: Studio, tmp_path: Path) -> None:
    """What goes with a result is part of it."""
    source = recording(tmp_path / "talk.wav")
    first = worked(studio, source, Analyze(presets=("podcast",), music=False))
    assert first.result is not None
    studio.objects.delete(first.result.attachments[-1].object.uri)

    again = worked(studio, source, Analyze(presets=("podcast",), music=False))

    assert again.result is not None
    assert studio.intact(again.result)


def test_a_preset_that_has_changed_gives_another_verdict(studio: Studio, tmp_path: Path) -> None:
    """The same question about a preset of one's own is asked anew when its file says something else."""
    source, own = recording(tmp_path / "talk.wav"), tmp_path / "home" / "presets" / "house.toml"
    own.parent.mkdir(parents=True)
    preset = 'title = "House"\ndescription = "Ours."\n\n[[steps]]\nkind = "loudness"\n\n[[requirements]]\n'
    work = Analyze(presets=("house",), music=False)

    own.write_text(f'{preset}measure = "duration_s"\nat_least = 1.0\n')
    passed = worked(studio, source, work).result
    own.write_text(f'{preset}measure = "duration_s"\nat_least = 100.0\n')
    failed = worked(studio, source, work).result

    assert passed is not None
    assert failed is not None
    assert "meets" in passed.notes[0]
    assert "fails" in failed.notes[0]


def test_a_master_is_held_against_its_source(studio: Studio, tmp_path: Path) -> None:
    """By default the comparison is in the result and in the report; it can be left out."""
    source = recording(tmp_path / "talk.wav")

    compared = worked(studio, source, Enhance(noise_reduction=NoiseReduction.off)).result
    silent = worked(studio, source, Enhance(noise_reduction=NoiseReduction.off, never_worse=NeverWorse.off)).result

    assert compared is not None
    assert silent is not None
    assert len(compared.comparisons) == 1
    assert not compared.comparisons[0].worse
    report = json.loads(studio.objects.read_bytes(compared.report.uri))
    assert {each["aspect"] for each in report["compared_with_the_source"][0]["findings"]} >= {
        "clipping",
        "duration",
    }
    assert silent.comparisons == ()


def test_a_provider_that_is_not_there_is_an_error() -> None:
    """ONNX Runtime would take another without a word; ours names those there are, blanks do not matter."""
    assert providers_of(Settings(onnx_providers=" CPUExecutionProvider ,")) == ("CPUExecutionProvider",)
    for wrong in ("CUDAExecutionProviderOfNobody", ""):
        with pytest.raises(UnavailableProvider, match="CPUExecutionProvider"):
            providers_of(Settings(onnx_providers=wrong))
