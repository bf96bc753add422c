"""The shipped presets: complete, as their standards say, and nothing but them."""

from __future__ import annotations

import re

import pytest

from mixdown import presets
from mixdown.chain import effective_steps
from mixdown.errors import InvalidRequest, UnknownPreset
from mixdown.model import (
    Compress,
    DeClick,
    DeClip,
    Denoise,
    Enhance,
    HighPass,
    Level,
    Loudness,
    NoiseReduction,
    Preset,
    RmsLevel,
    RoomTone,
    Silence,
    Step,
)

NAMES = [
    *("archive-restore", "audiobook-acx", "broadcast-ebu", "broadcast-us", "elearning", "music-gentle"),
    *("podcast", "podcast-speech-noisy", "streaming", "voice-over"),
]


def loudness_of(name: str) -> Loudness:
    """The last step of a preset."""
    last = presets.load(name).steps[-1]
    assert isinstance(last, Loudness)
    return last


def places(preset: Preset, *kinds: type[Step]) -> list[int]:
    """Where steps of some kinds stand in a chain."""
    return [index for index, step in enumerate(preset.steps) if isinstance(step, kinds)]


def asked(name: str, channels: int) -> dict[str, tuple[float | None, float | None]]:
    """What a preset asks of a file of so many channels."""
    return {each.measure: (each.at_least, each.at_most) for each in presets.load(name).asked_of(channels)}


def test_there_are_ten() -> None:
    """They are listed as a person would look for them."""
    assert presets.names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_preset_is_complete(name: str) -> None:
    """It has a title and a sentence for a person, a chain that can be run, requirements, and cases."""
    preset = presets.load(name)

    assert preset.name == name
    assert preset.title[0].isupper()
    assert preset.description.endswith(".")
    assert "\n" not in preset.title + preset.description
    assert effective_steps(Enhance(preset=name)) == preset.steps
    assert preset.requirements
    assert len(preset.cases) >= 2
    assert len({case.title for case in preset.cases}) == len(preset.cases)


@pytest.mark.parametrize("name", NAMES)
def test_each_file_begins_with_its_source(name: str) -> None:
    """A comment says where the numbers come from, or that they are ours."""
    head = presets.source_text(name).split("title =")[0]

    assert head.startswith("# ")
    assert re.search(r"Apple|EBU R 128|ATSC A/85|Spotify|ACX|AES TD1008|IASA-TC 04|No standard", head)


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_says_what_it_does(name: str) -> None:
    """The level and the ceiling that its description promises are those of its chain."""
    step, text = presets.load(name).steps[-1], presets.load(name).description
    if isinstance(step, RmsLevel):
        assert f"−{abs(step.target_rms_dbfs):g} dBFS RMS" in text
        return
    assert isinstance(step, Loudness)

    assert f"−{abs(step.target_lufs):g} LUFS" in text
    assert f"−{abs(step.ceiling_dbtp):g} dBTP" in text
    assert step.mono_target_lufs is None or f"mono −{abs(step.mono_target_lufs):g}" in text


@pytest.mark.parametrize("name", NAMES)
def test_a_chain_aims_within_what_the_preset_asks(name: str) -> None:
    """What a chain brings a file to meets the preset's own requirements, for mono and for stereo."""
    step = presets.load(name).steps[-1]
    for channels in (1, 2):
        measure = "rms_dbfs" if isinstance(step, RmsLevel) else "integrated_lufs"
        least, most = asked(name, channels)[measure]
        target = step.target_rms_dbfs if isinstance(step, RmsLevel) else step.target_for(channels)
        peaks = asked(name, channels).get("true_peak_dbtp") or asked(name, channels)["sample_peak_dbfs"]

        assert least is not None
        assert most is not None
        assert least < target < most
        assert step.ceiling_dbtp <= (peaks[1] or 0.0)


@pytest.mark.parametrize(
    ("name", "stereo_lufs", "mono_lufs", "ceiling_dbtp"),
    [
        ("podcast", -16.0, -19.0, -1.0),  # Apple Podcasts; mono plays on two speakers
        ("podcast-speech-noisy", -16.0, -19.0, -1.0),
        ("broadcast-ebu", -23.0, -23.0, -1.0),  # EBU R 128
        ("broadcast-us", -24.0, -24.0, -2.0),  # ATSC A/85
        ("streaming", -14.0, -14.0, -1.0),  # Spotify, YouTube
        ("elearning", -18.0, -21.0, -1.0),  # AES TD1008, speech
        ("music-gentle", -16.0, -16.0, -1.0),  # AES TD1008, music
    ],
)
def test_levels_are_those_of_the_standards(
    name: str, stereo_lufs: float, mono_lufs: float, ceiling_dbtp: float
) -> None:
    """A target for stereo, one for mono, and the highest true peak."""
    step = loudness_of(name)

    assert (step.target_for(2), step.target_for(1), step.ceiling_dbtp) == (stereo_lufs, mono_lufs, ceiling_dbtp)


def test_broadcast_is_held_to_quality_control() -> None:
    """R 128 allows ±0.2 LU where it is checked; A/85 ±2 dB."""
    assert asked("broadcast-ebu", 2)["integrated_lufs"] == (-23.2, -22.8)
    assert asked("broadcast-us", 2)["integrated_lufs"] == (-26.0, -22.0)


def test_an_audiobook_is_what_acx_asks_for() -> None:
    """RMS, peaks, noise floor, format and room tone, as its submission requirements have them."""
    preset = presets.load("audiobook-acx")

    assert asked("audiobook-acx", 1) == {
        "rms_dbfs": (-23.0, -18.0),
        "sample_peak_dbfs": (None, -3.0),
        "noise_floor_dbfs": (None, -60.0),
        "sample_rate_hz": (44_100, 44_100),
        "bitrate_kbps": (192, 320),
        "duration_s": (None, 7200),
        "head_silence_s": (0.5, 1.0),
        "tail_silence_s": (1.0, 5.0),
    }
    assert preset.output is not None
    assert preset.output.model_dump(mode="json", exclude={"bit_depth"}) == {
        "format": "mp3",
        "bitrate_kbps": 192,
        "sample_rate_hz": 44_100,
        "channels": 1,
    }
    room_tone = preset.steps[places(preset, RoomTone)[0]]
    assert isinstance(room_tone, RoomTone)
    assert 0.5 <= room_tone.head_s <= 1.0
    assert 1.0 <= room_tone.tail_s <= 5.0
    assert places(preset, Silence)[0] < places(preset, RoomTone)[0]


def test_music_is_left_alone() -> None:
    """For music nothing is turned down, evened out or filtered."""
    assert not places(presets.load("music-gentle"), Denoise, HighPass, Level, Compress, DeClick, DeClip)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "music-gentle"])
def test_a_chain_runs_in_the_order_of_restoration(name: str) -> None:
    """Peaks and clicks are mended before anything filters; rumble goes before noise, noise before level."""
    preset = presets.load(name)
    mending, high_pass = places(preset, DeClip, DeClick), places(preset, HighPass)
    [denoise], levelling = places(preset, Denoise), places(preset, Level, Compress)
    step = preset.steps[denoise]

    assert len(high_pass) == 1
    assert all(index < high_pass[0] for index in mending)
    assert high_pass[0] < denoise
    assert all(index > denoise for index in levelling)
    assert isinstance(step, Denoise)
    assert step.reduction not in (NoiseReduction.off, NoiseReduction.full)


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
