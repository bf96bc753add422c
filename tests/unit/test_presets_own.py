"""Presets of a user's own: a file in a folder is enough, and a bad one harms nobody else."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixdown import presets
from mixdown.chain import effective_steps
from mixdown.errors import InvalidPreset, UnknownPreset
from mixdown.model import Enhance, HighPass, Label, Loudness, Preset, Recipe, Requirement
from mixdown.presets.file import parse, written

MINE = """
# Our own show.
title = "My show"
description = "As we like it."

[[steps]]
kind = "high_pass"
cutoff_hz = 70

[[steps]]
kind = "loudness"
target_lufs = -18
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my-show.toml").write_text(MINE, encoding="utf-8")
    return tmp_path


def test_a_file_in_the_folder_is_a_preset(folder: Path) -> None:
    """It is found by its file name, and listed after the shipped ones."""
    preset = presets.load("my-show", folder=folder)

    assert (preset.name, preset.title) == ("my-show", "My show")
    assert preset.steps == (HighPass(cutoff_hz=70), Loudness(target_lufs=-18))
    assert presets.catalogue(folder).own == (preset,)
    assert presets.source_text("my-show", folder=folder) == MINE


def test_without_the_folder_there_are_the_shipped_ones(folder: Path, tmp_path: Path) -> None:
    """A folder that is not there is no mistake; a preset in it cannot be had without naming it."""
    assert [each.name for each in presets.catalogue(tmp_path / "nowhere").shipped] == presets.names()
    assert presets.load("podcast", folder=tmp_path / "nowhere").name == "podcast"
    with pytest.raises(UnknownPreset):
        presets.load("my-show")


def test_an_unknown_name_lists_own_presets_too(folder: Path) -> None:
    """Who mistypes the name of a preset of theirs sees it."""
    with pytest.raises(UnknownPreset, match=r"There is no preset “my-shwo”\. There are: .*, my-show\."):
        presets.load("my-shwo", folder=folder)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("title = ", "The preset file “x.toml” is not TOML: invalid value (at end of document)."),
        ("title = 'x'\ndescription = 'x'", "The preset file “x.toml” is wrong in steps: field required."),
        (
            MINE.replace("70", "7000"),
            "The preset file “x.toml” is wrong in step 1 (high_pass), cutoff_hz: "
            "input should be less than or equal to 500.",
        ),
        (
            MINE.replace("cutoff_hz = 70", "frequency = 70"),
            "The preset file “x.toml” is wrong in step 1 (high_pass), frequency: extra inputs are not permitted.",
        ),
        (
            MINE.split('[[steps]]\nkind = "loud')[0],
            "The preset file “x.toml” is wrong: the last step must be loudness or rms_level: "
            "it decides the level of the master.",
        ),
        (
            MINE + "\n[[steps]]\nkind = 'loudness'\n",
            "The preset file “x.toml” is wrong: there is one loudness step, and it comes last.",
        ),
        (MINE + "\n[[requirements]]\nmeasure = 'loudness'\nat_most = 1\n", "there is no measure “loudness”"),
        (
            MINE + "\n[[requirements]]\nmeasure = 'rms_dbfs'\n",
            "requirement 1: a requirement needs at_least, at_most",
        ),
        (
            MINE + "\n[[cases]]\ntitle = 'x'\nexpect = { rms_dbfs = [-18, -23] }\n",
            "is wrong in case 1: rms_dbfs: the first number is the least, the second the most.",
        ),
        (
            MINE + "\n[[cases]]\ntitle = 'x'\nrecipe = { voice = false }\nexpect = { rms_dbfs = [-23, -18] }\n",
            "is wrong in case 1, recipe: a recipe needs voice or music: silence has no loudness.",
        ),
        ('name = "y"\n' + MINE, "The preset file “x.toml” has a field “name”: its file name is its name."),
        ("a = " + "[" * 20_000, "The preset file “x.toml” is not TOML"),
    ],
)
def test_a_broken_file_says_what_is_wrong(text: str, sentence: str, folder: Path) -> None:
    """One sentence: the file, the place in it as a person counts, and what is wrong; no path."""
    (folder / "x.toml").write_text(text, encoding="utf-8")

    with pytest.raises(InvalidPreset) as refused:
        presets.load("x", folder=folder)

    assert sentence in refused.value.message
    assert str(folder) not in refused.value.message
    assert "\n" not in refused.value.message


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.toml", b"\xff\xfe\x00"),
        ("x.toml", b"# " + b"long" * 100_000),
        ("My Show.toml", MINE.encode()),
        ("podcast.toml", MINE.encode()),
        ("-.toml", MINE.encode()),
    ],
)
def test_a_file_that_is_none_hides_no_other(name: str, content: bytes, folder: Path) -> None:
    """It is listed as broken; the shipped presets and the user's others are there as before."""
    (folder / name).write_bytes(content)

    found = presets.catalogue(folder)

    assert [each.name for each in found.shipped] == presets.names()
    assert [each.name for each in found.own] == ["my-show"]
    assert [f"“{name}”" in each.message for each in found.broken] == [True]
    assert presets.load("my-show", folder=folder).title == "My show"


def test_what_is_no_file_hides_no_other(folder: Path) -> None:
    """Folders, links that lead nowhere and hidden files are met in a folder, too."""
    (folder / "folder.toml").mkdir()
    (folder / "gone.toml").symlink_to(folder / "nowhere")
    (folder / "._my-show.toml").write_bytes(b"\0")
    (folder / "notes.txt").write_text("none", encoding="utf-8")

    found = presets.catalogue(folder)

    assert [each.name for each in found.own] == ["my-show"]
    assert len(found.broken) == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_must_not_be_read_says_so(folder: Path) -> None:
    """Rights that are missing are told, not taken for an empty folder."""
    folder.chmod(0)
    try:
        with pytest.raises(InvalidPreset, match="cannot be read"):
            presets.catalogue(folder)
    finally:
        folder.chmod(0o700)


def test_a_shipped_name_is_not_taken_over_in_silence(folder: Path) -> None:
    """`podcast` means the same on every machine: a file of that name is refused until it is renamed."""
    (folder / "podcast.toml").write_text(MINE, encoding="utf-8")

    with pytest.raises(InvalidPreset, match="has the name of a shipped preset: rename it"):
        presets.load("podcast", folder=folder)
    assert presets.load("podcast").title == "Podcast"
    assert presets.load("broadcast-ebu", folder=folder).name == "broadcast-ebu"


def test_a_request_carries_the_steps_of_ones_own_preset(folder: Path) -> None:
    """Whoever works on it needs no such folder, and a file that is changed makes another request."""
    asked = presets.settled(Enhance(preset="my-show"), folder)
    (folder / "my-show.toml").write_text(MINE.replace("70", "75"), encoding="utf-8")
    again = presets.settled(Enhance(preset="my-show"), folder)

    assert asked.preset == "my-show"
    assert effective_steps(asked) == (HighPass(cutoff_hz=70), Loudness(target_lufs=-18))
    assert asked != again


def test_a_request_for_a_shipped_preset_stays_as_it_is(folder: Path) -> None:
    """So does one that brings its own steps, whatever it calls them."""
    for work in (Enhance(), Enhance(preset="of mine", steps=(Loudness(),))):
        assert presets.settled(work, folder) == work


def test_the_how_to_is_true() -> None:
    """The preset and the case that it shows can be used, and every part of a recipe is in its table."""
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "presets.md").read_text(encoding="utf-8")
    preset, case = re.findall(r"^```toml\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)

    shown = parse(preset + case, name="my-show")

    assert shown.output is not None
    assert len(shown.asked_of(2)) == len(shown.asked_of(1)) + 1
    assert [each.recipe.guest_db for each in shown.cases] == [-12]
    assert set(Recipe.model_fields) == set(
        re.findall(r"`(\w+)`", page.split("| in a recipe |")[1].split("\n\n")[0])
    )


words = st.text(min_size=1, max_size=40)


@given(title=words, album=words, low=st.floats(-1e6, 1e6), tag=st.sampled_from(["artist", "odd key", 'k"', "k\n"]))
def test_what_is_written_is_read_again(title: str, album: str, low: float, tag: str) -> None:
    """Whatever stands in a preset, its file gives the same preset back, comments and all."""
    preset = Preset(
        name="x",
        title=title,
        description="Made by a test.",
        steps=(Label(tags={tag: album}), HighPass(cutoff_hz=70.5), Loudness(mono_target_lufs=-19)),
        requirements=(Requirement(measure="rms_dbfs", at_least=low, channels=1),),
    )

    assert parse(written(preset, comments=[f"{title}\n{album}", ""]), name="x") == preset
