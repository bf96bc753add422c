"""The shipped presets: complete, as their standards say, and nothing but them."""

from __future__ import annotations

import pytest

from mixdown import presets
from mixdown.chain import effective_steps
from mixdown.errors import InvalidRequest, UnknownPreset
from mixdown.model import Denoise, Enhance, HighPass, Loudness, NoiseReduction


def loudness_of(name: str) -> Loudness:
    """The last step of a preset."""
    last = presets.load(name).steps[-1]
    assert isinstance(last, Loudness)
    return last


def test_names_are_sorted() -> None:
    """There are presets, and they are listed as a person would look for them."""
    assert presets.names() == sorted(presets.names())
    assert {"podcast", "broadcast-ebu"} <= set(presets.names())


@pytest.mark.parametrize("name", presets.names())
def test_each_preset_is_complete(name: str) -> None:
    """It has a title and a sentence for a person, and a chain that can be run."""
    preset = presets.load(name)

    assert preset.name == name
    assert preset.title[0].isupper()
    assert preset.description.endswith(".")
    assert "\n" not in preset.title + preset.description
    assert effective_steps(Enhance(preset=name)) == preset.steps


@pytest.mark.parametrize("name", presets.names())
def test_a_preset_says_what_it_does(name: str) -> None:
    """The loudness and the ceiling that its description promises are those of its chain."""
    step, text = loudness_of(name), presets.load(name).description

    assert f"−{abs(step.target_lufs):g} LUFS" in text
    assert f"−{abs(step.ceiling_dbtp):g} dBTP" in text
    assert step.mono_target_lufs is None or f"mono −{abs(step.mono_target_lufs):g}" in text


def test_podcast_is_what_platforms_ask_for() -> None:
    """−16 LUFS, mono 3 LU below as it plays on two speakers, peaks at −1 dBTP (Apple, AES TD1008)."""
    step = loudness_of("podcast")

    assert (step.target_for(2), step.target_for(1), step.ceiling_dbtp) == (-16.0, -19.0, -1.0)


def test_broadcast_is_r_128() -> None:
    """−23 LUFS however many channels, peaks at −1 dBTP (EBU R 128)."""
    step = loudness_of("broadcast-ebu")

    assert (step.target_for(2), step.target_for(1), step.ceiling_dbtp) == (-23.0, -23.0, -1.0)


@pytest.mark.parametrize("name", presets.names())
def test_rumble_goes_before_noise(name: str) -> None:
    """Noise reduction hears the recording without its rumble, and leaves some of the room."""
    first, second, *_ = presets.load(name).steps

    assert isinstance(first, HighPass)
    assert isinstance(second, Denoise)
    assert second.reduction not in (NoiseReduction.off, NoiseReduction.full)


def test_an_unknown_preset_says_which_there_are() -> None:
    """The sentence names what was asked for and what can be had."""
    with pytest.raises(UnknownPreset) as refused:
        presets.load("vinyl")

    assert refused.value.message == f"There is no preset “vinyl”. There are: {', '.join(presets.names())}."
    assert isinstance(refused.value, InvalidRequest)


@pytest.mark.parametrize("name", ["", "Podcast", "podcast.toml", "../presets/podcast", "__init__", "/etc/passwd"])
def test_a_preset_is_a_name_not_a_path(name: str) -> None:
    """What is no name of a preset opens no file."""
    with pytest.raises(UnknownPreset):
        presets.load(name)
