"""`mixdown sounds`: what there is, and one of it as a file."""

from __future__ import annotations

import json

import pytest
import soundfile
from typer.testing import CliRunner

from mixdown.cli import app
from mixdown.music import BEDS, SOUNDS


def run(*words):
    return CliRunner().invoke(app, ["sounds", *map(str, words)])


def test_all_there_is_is_listed():
    """Beds and sounds are listed with what they are, for people and for programs."""
    document = json.loads(run("--json").stdout)
    text = run().stdout

    assert list(document["beds"]) == list(BEDS)
    assert list(document["sounds"]) == list(SOUNDS)
    assert document["sounds"]["tone"]["parameters"]["hz"] == 1000
    assert all(name in text for name in (*BEDS, *SOUNDS))


def test_a_sound_becomes_a_file(tmp_path):
    """A sound is written with what it was given, at the rate that was asked for."""
    path = tmp_path / "tone.flac"
    done = run("render", "tone", "hz=440", "s=0.5", "--out", path, "--rate", 16_000)

    assert done.exit_code == 0
    assert "tone: 0.5 s" in done.stdout
    assert soundfile.info(path).frames == 8000


def test_a_seed_chooses_the_piece(tmp_path):
    """A bed is written once through; its seed decides which piece it is."""
    for seed, name in ((1, "a.wav"), (1, "b.wav"), (2, "c.wav")):
        assert run("render", "deep", "--out", tmp_path / name, "--seed", seed, "--rate", 8000).exit_code == 0
    first, again, other = ((tmp_path / name).read_bytes() for name in ("a.wav", "b.wav", "c.wav"))

    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["polka"], "polka"),
        (["tone", "loud"], "KEY=VALUE"),
        (["warm", "s=3"], "--seed"),
        (["tone", "--out", "tone.mp3"], "tone.mp3"),
        (["tone", "--out", "nowhere/at/all/tone.wav"], "tone.wav"),
    ],
)
def test_what_cannot_be_made_is_said_in_a_sentence(words, told, tmp_path, monkeypatch):
    """Unknown names, words that are no parameters and files that cannot be are refused, and nothing is left."""
    monkeypatch.chdir(tmp_path)
    done = run("render", *words)

    assert done.exit_code == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
