"""`mixdown presets`: listed, shown, tried, imported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from mixdown import presets
from mixdown.cli import app
from mixdown.presets.file import parse

MINE = """
title = "My show"
description = "As we like it."

[[steps]]
kind = "high_pass"

[[steps]]
kind = "loudness"
target_lufs = -18

[output]
format = "wav"

[[cases]]
title = "A voice"
recipe = { duration_s = 5 }
expect = { integrated_lufs = [-18.2, -17.8] }
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of one's own presets, as the settings name it."""
    monkeypatch.setenv("MIXDOWN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MIXDOWN_PRESETS", str(tmp_path / "presets"))
    (tmp_path / "presets").mkdir()
    return tmp_path / "presets"


def mixdown(*words: str) -> Result:
    return CliRunner().invoke(app, ["presets", *words])


def test_alone_it_lists(folder: Path) -> None:
    """The shipped ones, one's own, and the folder to drop a file into."""
    (folder / "my-show.toml").write_text(MINE, encoding="utf-8")

    for words in ((), ("list",)):
        listed = mixdown(*words)

        assert listed.exit_code == 0
        assert all(name in listed.stdout for name in presets.names())
        assert "−18 LUFS" in listed.stdout
        assert "Your own: my-show" in listed.stdout


def test_a_broken_file_is_told_beside_the_list(folder: Path) -> None:
    """It takes nothing from the list."""
    (folder / "mine.toml").write_text("title", encoding="utf-8")

    listed = mixdown()
    documents = json.loads(mixdown("--json").stdout)

    assert listed.exit_code == 0
    assert "podcast" in listed.stdout
    assert "The preset file “mine.toml” is not TOML" in listed.stderr
    assert [each["error"]["code"] for each in documents if "error" in each] == ["invalid_preset"]
    assert [each["name"] for each in documents if not each.get("own", True)] == presets.names()


def test_one_is_shown(folder: Path) -> None:
    """Steps in their order, what is delivered, what is asked of a file; or its file, to begin with."""
    shown = mixdown("show", "audiobook-acx")
    text = mixdown("show", "audiobook-acx", "--toml").stdout

    assert shown.exit_code == 0
    assert shown.stdout.index("room_tone") < shown.stdout.index("rms_level")
    assert "noise floor: at most −60 dBFS" in shown.stdout
    assert "bitrate_kbps = 192" in shown.stdout
    assert parse(text, name="audiobook-acx") == presets.load("audiobook-acx")
    assert json.loads(mixdown("show", "podcast", "--json").stdout)["steps"][-1]["target_lufs"] == -16.0


def test_an_unknown_one_is_wrong_usage(folder: Path) -> None:
    """A sentence, and exit code 2."""
    for words in (("show", "vinyl"), ("test", "vinyl")):
        refused = mixdown(*words)

        assert refused.exit_code == 2
        assert "unknown_preset" in refused.stderr


def test_ones_own_is_tried(folder: Path) -> None:
    """Rendered and measured: a table with numbers; exit code 1 where one is not met."""
    (folder / "my-show.toml").write_text(MINE, encoding="utf-8")
    (folder / "too-loud.toml").write_text(MINE.replace("[-18.2, -17.8]", "[-10, -9]"), encoding="utf-8")

    good, bad = mixdown("test", "my-show"), mixdown("test", "too-loud", "my-show", "--json")
    outcomes = json.loads(bad.stdout)

    assert good.exit_code == 0, good.output
    assert "−18.2 to −17.8 LUFS" in good.stdout
    assert "1 of 1 cases passed." in good.stdout
    assert bad.exit_code == 1
    assert [(each["preset"], each["passed"]) for each in outcomes] == [("too-loud", False), ("my-show", True)]
    assert outcomes[0]["readings"][0]["measured"] == pytest.approx(-18, abs=0.2)


def test_a_preset_of_auphonic_is_imported(folder: Path, tmp_path: Path) -> None:
    """Its settings are listed one by one, and it can be used; it replaces another one only by force."""
    file = tmp_path / "preset.json"
    file.write_text('{"preset_name": "Talk [1]", "algorithms": {"leveler": true, "filler_cutter": true}}', "utf-8")

    done = mixdown("import", str(file))
    again, forced = mixdown("import", str(file)), mixdown("import", str(file), "--force")
    named = json.loads(mixdown("import", str(file), "--name", "talk", "--json").stdout)

    assert done.exit_code == 0
    assert "filler_cutter" in done.stdout
    assert "no counterpart" in done.stdout
    assert presets.load("talk-1", folder=folder).title == "Talk [1]"
    assert (again.exit_code, forced.exit_code) == (2, 0)
    assert named["preset"]["name"] == "talk"
    assert {each["fate"] for each in named["findings"]} == {"taken over", "no counterpart", "default"}


@pytest.mark.parametrize("content", [b"\xff", b"{}", b""])
def test_what_cannot_be_imported_leaves_nothing(content: bytes, folder: Path, tmp_path: Path) -> None:
    """A sentence, exit code 2, no file."""
    (tmp_path / "x.json").write_bytes(content)

    assert mixdown("import", str(tmp_path / "x.json")).exit_code == 2
    assert mixdown("import", str(tmp_path / "nowhere.json")).exit_code == 2
    assert list(folder.iterdir()) == []
