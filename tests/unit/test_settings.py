"""Settings, as the environment gives them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mixdown.codec.probe import probe
from mixdown.errors import UnsupportedFormat
from mixdown.settings import Settings
from tests.signals import recording


def test_everything_is_below_home_unless_said_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One variable moves the database, the results and the scratch folder."""
    monkeypatch.setenv("MIXDOWN_HOME", str(tmp_path))

    settings = Settings()

    assert settings.effective_database_url == f"sqlite:///{tmp_path}/mixdown.db"
    assert settings.effective_results_url == str(tmp_path / "results")
    assert settings.effective_scratch == tmp_path / "scratch"


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Printing the settings gives no credential away."""
    monkeypatch.setenv("MIXDOWN_S3_SECRET", "hush-hush")
    monkeypatch.setenv("MIXDOWN_WEBHOOK_SECRET", "hush-hush")

    assert "hush" not in f"{Settings()!r} {Settings()}"


def test_accepted_formats_are_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `flac, mp3` accepted a WAV is refused by name; with `wav` it is let in."""
    path = recording(tmp_path / "talk.wav", seconds=0.5)
    monkeypatch.setenv("MIXDOWN_ACCEPTED_FORMATS", "flac, MP3")

    with pytest.raises(UnsupportedFormat, match=r"talk\.wav is a wav file; accepted here: flac, mp3\."):
        probe(path, name="talk.wav", limits=Settings().limits)

    monkeypatch.setenv("MIXDOWN_ACCEPTED_FORMATS", "wav")
    assert probe(path, name="talk.wav", limits=Settings().limits).container == "wav"
