"""What will be done, and when two requests come to the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mixdown import chain, presets
from mixdown.errors import InvalidRequest, UnknownPreset
from mixdown.model import (
    AudioFormat,
    Compress,
    Denoise,
    Enhance,
    HighPass,
    JobSpec,
    Loudness,
    NoiseReduction,
    OutputSpec,
    Source,
    Step,
    WebhookTarget,
)

ROOT = Path(__file__).parent.parent.parent
SHA256 = "5" * 64
MASTERED = Loudness()


def job(
    *, uri: str = "/recordings/talk.wav", work: Enhance | None = None, outputs: tuple[OutputSpec, ...] = ()
) -> JobSpec:
    """A request, by default for the default."""
    return JobSpec(source=Source(uri=uri), work=work or Enhance(), outputs=outputs or (OutputSpec(),))


def own(*steps: Step, noise_reduction: NoiseReduction | None = None) -> Enhance:
    """Work by a chain of one's own."""
    return Enhance(steps=steps, noise_reduction=noise_reduction)


# -- the steps that are run -----------------------------------------------------------------------


@pytest.mark.parametrize("preset", presets.names())
def test_a_preset_is_run_as_it_is_written(preset: str) -> None:
    """Without overrides the steps are those of the preset, in its order."""
    assert chain.effective_steps(Enhance(preset=preset)) == presets.load(preset).steps


def test_own_steps_replace_the_preset() -> None:
    """Of a preset nothing is left where steps are given, not even whether it exists."""
    steps = (HighPass(cutoff_hz=120), MASTERED)

    assert chain.effective_steps(Enhance(preset="no such preset", steps=steps)) == steps


def test_noise_reduction_of_the_job_replaces_that_of_the_chain() -> None:
    """The override changes every noise reduction there is, where it stands, and nothing else."""
    work = own(
        Denoise(), HighPass(), Denoise(reduction=NoiseReduction.db12), MASTERED, noise_reduction=NoiseReduction.full
    )

    full = Denoise(reduction=NoiseReduction.full)
    assert chain.effective_steps(work) == (full, HighPass(), full, MASTERED)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ((HighPass(), Compress(), MASTERED), (HighPass(), Denoise(), Compress(), MASTERED)),
        (
            (HighPass(), HighPass(cutoff_hz=100), MASTERED),
            (HighPass(), HighPass(cutoff_hz=100), Denoise(), MASTERED),
        ),
        ((Compress(), HighPass(), MASTERED), (Denoise(), Compress(), HighPass(), MASTERED)),
        ((MASTERED,), (Denoise(), MASTERED)),
    ],
)
def test_noise_reduction_is_added_behind_the_high_pass(steps: tuple[Step, ...], expected: tuple[Step, ...]) -> None:
    """A chain without noise reduction gets it where it belongs: behind the high-pass, before anything else."""
    assert chain.effective_steps(own(*steps, noise_reduction=NoiseReduction.db18)) == expected


def test_noise_reduction_that_is_off_is_no_step() -> None:
    """Switched off by the job or by the chain itself, noise reduction is not run."""
    off = Denoise(reduction=NoiseReduction.off)

    for work in (
        Enhance(noise_reduction=NoiseReduction.off),
        own(HighPass(), off, MASTERED),
        own(HighPass(), MASTERED, noise_reduction=NoiseReduction.off),
    ):
        assert not any(isinstance(step, Denoise) for step in chain.effective_steps(work))


@pytest.mark.parametrize(
    "steps",
    [
        (),
        (HighPass(),),
        (MASTERED, Compress()),
        (Denoise(reduction=NoiseReduction.off),),
        (MASTERED, MASTERED),
        (MASTERED, HighPass(), MASTERED),
    ],
)
def test_a_chain_ends_with_its_one_loudness_step(steps: tuple[Step, ...]) -> None:
    """A chain that leaves the level of the master open, or decides it twice, is refused in a sentence."""
    with pytest.raises(InvalidRequest, match=r"^A chain .*loudness step.*\.$"):
        chain.effective_steps(own(*steps))


def test_an_unknown_preset_is_refused() -> None:
    """Also where the job overrides something of it."""
    with pytest.raises(UnknownPreset):
        chain.effective_steps(Enhance(preset="vinyl", noise_reduction=NoiseReduction.full))


# -- the key of a result --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "same",
    [
        job(uri="s3://elsewhere/other.wav"),
        JobSpec(source=Source(uri="/x", filename="a name.wav", sha256=SHA256)),
        JobSpec(source=Source(uri="/x"), deliver_to="/masters"),
        JobSpec(source=Source(uri="/x"), notify=(WebhookTarget(url="https://example.com"),)),
        job(work=Enhance(steps=presets.load("podcast").steps)),
        job(work=Enhance(noise_reduction=NoiseReduction.db18)),  # as the preset says
        job(outputs=(OutputSpec(format=AudioFormat.mp3, bitrate_kbps=None),)),
    ],
)
def test_same_work_has_the_same_key(same: JobSpec) -> None:
    """Where a recording lies, what it is called and who is told makes no other result; nor does the way to ask."""
    assert chain.result_key(SHA256, same) == chain.result_key(SHA256, job())


def test_other_work_has_another_key() -> None:
    """Whatever can be heard or seen in the delivered bytes is part of the key."""
    flac, wav = OutputSpec(format=AudioFormat.flac), OutputSpec(format=AudioFormat.wav)
    others = [
        *(job(work=Enhance(preset=preset)) for preset in presets.names()),
        *(job(work=Enhance(noise_reduction=each)) for each in NoiseReduction if each is not NoiseReduction.db18),
        job(work=own(MASTERED)),
        job(work=own(Loudness(target_lufs=-14))),
        job(work=own(Loudness(mono_target_lufs=-19))),
        job(work=own(Loudness(ceiling_dbtp=-2))),
        job(work=own(HighPass(), Compress(), MASTERED)),
        job(work=own(Compress(), HighPass(), MASTERED)),
        job(work=own(HighPass(cutoff_hz=81), Compress(), MASTERED)),
        job(outputs=(flac,)),
        job(outputs=(wav,)),
        job(outputs=(flac, wav)),
        job(outputs=(wav, flac)),
        job(outputs=(OutputSpec(bitrate_kbps=64),)),
        job(outputs=(OutputSpec(bitrate_kbps=128),)),
        job(outputs=(OutputSpec(sample_rate_hz=44_100),)),
        job(outputs=(OutputSpec(channels=1),)),
        job(outputs=(OutputSpec(bit_depth=16),)),
    ]

    keys = [chain.result_key(SHA256, each) for each in others] + [chain.result_key("6" * 64, job())]

    assert len(set(keys)) == len(keys)


def test_keys_mean_the_same_in_every_process() -> None:
    """A key is a hash written in hexadecimal, the same wherever and whenever it is made."""
    program = "from tests.unit.test_chain import *; print(chain.result_key(SHA256, job()))"
    environment = {**os.environ, "PYTHONHASHSEED": "42", "TZ": "Asia/Tokyo"}

    elsewhere = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )

    key = chain.result_key(SHA256, job())
    assert elsewhere.stdout.strip() == key
    assert len(key) == 64
    assert set(key) <= set("0123456789abcdef")


def test_another_version_of_a_tool_is_other_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upgrade of anything that decides the bytes makes every result anew."""
    keys = {chain.result_key(SHA256, job())}
    for tool in chain.TOOLS:
        with monkeypatch.context() as patched:
            info = tmp_path / tool / f"{tool.replace('-', '_')}-99.0.dist-info"
            info.mkdir(parents=True)
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {tool}\nVersion: 99.0\n")
            patched.syspath_prepend(str(tmp_path / tool))
            assert chain.tool_versions()[tool] == "99.0"
            keys.add(chain.result_key(SHA256, job()))

    assert len(keys) == 1 + len(chain.TOOLS)


def test_every_tool_that_touches_samples_is_in_the_key() -> None:
    """Engines of ours have a number of their own; libraries have their version."""
    versions = chain.tool_versions()

    assert {"av", "lameenc", "soundfile", "soxr", "onnxruntime", "numpy", "scipy", "numba"} <= set(versions)
    assert versions["mixdown-engine"] == str(chain.ENGINE)
    assert all(versions.values())
