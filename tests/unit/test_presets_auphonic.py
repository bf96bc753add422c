"""Presets of Auphonic: what is taken over is right, and nothing gets lost in silence."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mixdown import presets
from mixdown.errors import InvalidPreset, InvalidRequest
from mixdown.model import (
    Compress,
    DeHum,
    Denoise,
    DenoiseMethod,
    HighPass,
    Label,
    Level,
    Loudness,
    NoiseReduction,
    OutputSpec,
    Outro,
    RmsLevel,
    Silence,
    Source,
)
from mixdown.presets.auphonic import Fate, Imported, imported, save
from mixdown.presets.file import parse

#: As `GET /api/preset/{uuid}.json` answers, shortened in nothing that matters.
EXPORTED: dict[str, Any] = {
    "status_code": 200,
    "form_errors": {},
    "error_code": None,
    "error_message": "",
    "data": {
        "uuid": "ceigtvDv8jH6NaK52Z5eXH",
        "preset_name": "Fräulein Müllers Morgenshow!",
        "creation_time": "2024-03-01T09:00:00Z",
        "thumbnail": "https://auphonic.com/media/t.png",
        "image": "https://auphonic.com/media/i.png",
        "is_multitrack": False,
        "metadata": {
            "title": "",
            "artist": "Frl. Müller",
            "album": "Morgenshow",
            "track": "",
            "subtitle": "",
            "append_chapters": False,
            "summary": "",
            "genre": "Podcast",
            "year": 2024,
            "publisher": "",
            "url": "https://example.com",
            "license": "CC BY 4.0",
            "license_url": "",
            "tags": ["morning", "talk"],
            "location": {"latitude": "", "longitude": ""},
        },
        "output_basename": "",
        "output_files": [
            {
                "format": "mp3",
                "bitrate": "96",
                "bitrate_mode": "cbr",
                "mono_mixdown": True,
                "split_on_chapters": False,
                "suffix": "",
                "ending": "mp3",
                "filename": "",
                "outgoing_services": [],
            },
            {"format": "aac", "bitrate": "64", "ending": "m4a"},
            {"format": "chapters", "ending": "psc"},
        ],
        "algorithms": {
            "filtering": True,
            "filtermethod": "autoeq",
            "leveler": True,
            "levelerstrength": 110,
            "compressor": "auto",
            "msclassifier": "on",
            "musicgain": 0,
            "maxlra": 0,
            "maxs": 0,
            "maxm": 0,
            "normloudness": True,
            "loudnesstarget": -16,
            "maxpeak": 0,
            "dualmono": True,
            "loudnessmethod": "program",
            "denoise": True,
            "denoisemethod": "dynamic",
            "denoiseamount": 15,
            "deverbamount": 6,
            "debreathamount": -1,
            "dehum": 50,
            "dehumamount": 0,
            "silence_cutter": True,
            "filler_cutter": True,
            "cough_cutter": False,
            "music_cutter": False,
            "cut_mode": "apply_cuts",
            "of_next_year": 3,
        },
        "outgoing_services": [{"uuid": "pmefeNCzkyT4TbRbDmoCDf", "type": "dropbox"}],
        "multi_input_files": [
            {"type": "intro", "service": "pmefeNCzkyT4TbRbDmoCDf", "input_file": "jingle.wav", "offset": 2.0},
            {"type": "outro", "input_file": "https://example.com/outro.mp3", "offset": 1.5},
        ],
        "speech_recognition": {"language": "de"},
        "chapters": [],
        "webhook": "",
    },
}


def taken(**algorithms: Any) -> Imported:
    """What becomes of algorithms alone."""
    return imported(json.dumps(algorithms), name="mine")


def fates(found: Imported) -> dict[str, Fate]:
    return {each.setting: each.fate for each in found.findings}


def leaves(value: Any, prefix: str = "") -> set[str]:
    """The settings of a preset by their full names, as findings have them."""
    names: set[str] = set()
    for key, each in value.items():
        path = f"{prefix}{key}"
        if key in ("algorithms", "metadata"):
            names |= leaves(each, f"{path}.")
        elif key in ("output_files", "multi_input_files"):
            names |= {name for index, part in enumerate(each) for name in leaves(part, f"{path}[{index}].")}
        else:
            names.add(path)
    return names


def test_a_preset_becomes_a_chain() -> None:
    """Its algorithms in the order they are run here, what is around them, and the first file it delivers."""
    preset = imported(json.dumps(EXPORTED)).preset

    assert (preset.name, preset.title) == ("fraulein-mullers-morgenshow", "Fräulein Müllers Morgenshow!")
    assert [step.kind for step in preset.steps] == [
        *("high_pass", "de_hum", "denoise", "level", "compress", "silence", "outro", "label", "loudness")
    ]
    assert preset.steps[:4] == (
        HighPass(),
        DeHum(mains_hz="50"),
        Denoise(reduction=NoiseReduction.db12),
        Level(amount=1),
    )
    assert preset.steps[5] == Silence(shorten_to_s=1)
    assert preset.steps[6] == Outro(source=Source(uri="https://example.com/outro.mp3"), overlap_s=1.5)
    assert preset.steps[7] == Label(
        tags={
            "artist": "Frl. Müller",
            "album": "Morgenshow",
            "genre": "Podcast",
            "date": "2024",
            "copyright": "CC BY 4.0",
        }
    )
    assert preset.steps[8] == Loudness(target_lufs=-16, mono_target_lufs=-19, ceiling_dbtp=-1)
    assert preset.output == OutputSpec(format="mp3", bitrate_kbps=96, channels=1)


def test_nothing_is_dropped_in_silence() -> None:
    """Every setting in the file is spoken of once; what is lost is named, with what to do instead."""
    found = imported(json.dumps(EXPORTED))
    lost = {each.setting for each in found.findings if each.fate is Fate.lost}

    assert {each.setting for each in found.findings} == leaves(EXPORTED["data"])
    assert len(found.findings) == len(leaves(EXPORTED["data"]))
    assert lost == {
        *("image", "outgoing_services", "speech_recognition", "metadata.url", "metadata.tags"),
        *(
            "algorithms.filtermethod",
            "algorithms.deverbamount",
            "algorithms.filler_cutter",
            "algorithms.of_next_year",
        ),
        *(f"multi_input_files[0].{key}" for key in ("type", "service", "input_file", "offset")),
        *(f"output_files[1].{key}" for key in ("format", "bitrate", "ending")),
        *(f"output_files[2].{key}" for key in ("format", "ending")),
    }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-200, 200) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy
@given(
    values=st.dictionaries(st.sampled_from(sorted(EXPORTED["data"]["algorithms"])), json_values, max_size=12),
    around=st.dictionaries(st.sampled_from(sorted(EXPORTED["data"])), json_values, max_size=6),
    files=st.lists(
        st.dictionaries(st.sampled_from(["format", "bitrate", "mono_mixdown"]), json_values), max_size=2
    ),
)
def test_whatever_stands_in_a_file_is_taken_or_told(
    values: dict[str, Any], around: dict[str, Any], files: list[dict[str, Any]]
) -> None:
    """Values of any kind make a valid preset, whose file can be read, or are refused in a sentence."""
    document = {**around, "output_files": files, "algorithms": values, "preset_name": "Show"}

    with suppress(InvalidPreset):
        found = imported(json.dumps(document))
        told = {each.setting for each in found.findings}

        assert {f"algorithms.{key}" for key in values} <= told
        assert all(any(re.split(r"[.\[]", name)[0] == key for name in told) for key in around)
        assert isinstance(found.preset.steps[-1], Loudness | RmsLevel)
        assert parse(found.text, name="show") == found.preset


@pytest.mark.parametrize(
    ("algorithms", "denoise"),
    [
        ({"denoise": True, "denoisemethod": "dynamic", "denoiseamount": 0}, ("full", "deepfilternet")),
        ({"denoise": True, "denoisemethod": "dynamic", "denoiseamount": "100"}, ("full", "deepfilternet")),
        ({"denoise": True, "denoisemethod": "speech_isolation", "denoiseamount": 24}, ("24", "deepfilternet")),
        ({"denoise": True, "denoisemethod": "static", "denoiseamount": 0}, ("18", "log_mmse")),
        ({"denoise": True, "denoisemethod": "classic", "denoiseamount": 9}, ("12", "log_mmse")),
        ({"denoise": "true", "denoiseamount": 36}, ("24", "deepfilternet")),
        ({"denoise": True, "denoiseamount": -1}, None),
        ({"denoise": False, "denoisemethod": "dynamic", "denoiseamount": 12}, None),
    ],
)
def test_noise_reduction(algorithms: dict[str, Any], denoise: tuple[str, str] | None) -> None:
    """Its amount becomes the nearest that is no more; 0 is all of it, or auto with the older methods."""
    steps = [step for step in taken(**algorithms).preset.steps if isinstance(step, Denoise)]

    assert [(step.reduction, step.method) for step in steps] == (
        [(NoiseReduction(denoise[0]), DenoiseMethod(denoise[1]))] if denoise else []
    )


@pytest.mark.parametrize(
    ("algorithms", "ratio"),
    [
        ({"levelerstrength": 100, "compressor": "auto"}, 2.0),
        ({"levelerstrength": 110, "compressor": "auto"}, 3.0),
        ({"compressor": "soft"}, 1.5),
        ({"compressor_speech": "hard", "compressor": "soft"}, 3.0),
        ({"compressor": "off"}, None),
    ],
)
def test_leveler_and_compressor(algorithms: dict[str, Any], ratio: float | None) -> None:
    """Auto is medium, and hard above 100 %; with the leveler off there is neither."""
    steps = taken(leveler=True, **algorithms).preset.steps
    off = taken(leveler=False, **algorithms).preset.steps

    assert [step.ratio for step in steps if isinstance(step, Compress)] == ([ratio] if ratio else [])
    assert [step.amount for step in steps if isinstance(step, Level)] == [1.0]
    assert not [step for step in off if isinstance(step, Compress | Level)]


@pytest.mark.parametrize(
    ("algorithms", "last"),
    [
        ({"loudnesstarget": "-23", "maxpeak": -1}, Loudness(target_lufs=-23, ceiling_dbtp=-1)),
        ({"loudnesstarget": -24, "maxpeak": 0}, Loudness(target_lufs=-24, ceiling_dbtp=-2)),
        (
            {"loudnesstarget": -20, "maxpeak": -3, "loudnessmethod": "rms"},
            RmsLevel(target_rms_dbfs=-20, ceiling_dbtp=-3),
        ),
        ({"loudnesstarget": -99}, Loudness(target_lufs=-40)),
        ({"normloudness": False, "loudnesstarget": -23}, Loudness(target_lufs=-16)),
        ({"leveler": True}, Loudness(target_lufs=-16)),
    ],
)
def test_loudness(algorithms: dict[str, Any], last: Loudness | RmsLevel) -> None:
    """Targets and ceilings as they are asked for; a chain here always ends with one."""
    assert taken(**algorithms).preset.steps[-1] == last


def test_what_is_not_exact_is_said() -> None:
    """A value that had to be changed is not called “taken over”."""
    found = fates(
        taken(loudnesstarget=-99, maxpeak=0, denoise=True, denoiseamount=9, silence_cutter=True, dualmono=False)
    )

    assert {name for name, fate in found.items() if fate is Fate.nearly} == {
        *(
            "algorithms.loudnesstarget",
            "algorithms.maxpeak",
            "algorithms.denoiseamount",
            "algorithms.silence_cutter",
        ),
    }
    assert found["algorithms.dualmono"] is Fate.ignored
    assert found["algorithms.leveler"] is Fate.ignored  # not given, and told


def test_loudness_that_is_off_is_lost() -> None:
    """A chain here cannot leave the level open, so this has no counterpart."""
    assert fates(taken(normloudness=False))["algorithms.normloudness"] is Fate.lost


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "This file is not JSON."),
        ("[" * 100_000, "This file is not JSON."),
        ("[]", "This file holds 0 presets: give them one by one."),
        ('{"status_code": 200, "data": [{}, {}]}', "This file holds 2 presets: give them one by one."),
        ('{"foo": 1}', "This is no preset of Auphonic: there are no algorithms in it."),
        ('{"algorithms": [1]}', "This is no preset of Auphonic: there are no algorithms in it."),
        ('"leveler"', "This is no preset of Auphonic: there are no algorithms in it."),
        (
            '{"preset_name": "Podcast", "algorithms": {}}',
            "“podcast” is the name of a shipped preset: give another one with --name.",
        ),
    ],
)
def test_what_is_no_preset_is_refused(text: str, sentence: str) -> None:
    """In a sentence, whatever the file holds."""
    with pytest.raises(InvalidPreset) as refused:
        imported(text)

    assert refused.value.message == sentence


@pytest.mark.parametrize("name", ["My Show", "../x", "", "podcast"])
def test_a_name_must_be_one(name: str) -> None:
    """It becomes the name of a file, and must not be that of a shipped preset."""
    with pytest.raises(InvalidPreset):
        imported('{"leveler": true}', name=name)


def test_it_is_written_and_used(tmp_path: Path) -> None:
    """The file lists what was lost, gives the same preset back, and replaces none unless told so."""
    found = imported(json.dumps(EXPORTED), name="morning")
    folder = tmp_path / "a" / "presets"

    path = save(found, folder)

    assert path.read_text(encoding="utf-8").startswith("# Imported from the Auphonic preset “Fräulein Müllers")
    assert "# - speech_recognition = " in path.read_text(encoding="utf-8")
    assert presets.load("morning", folder=folder) == found.preset
    with pytest.raises(InvalidRequest, match="already"):
        save(found, folder)
    assert save(found, folder, force=True) == path
    assert [each.name for each in folder.iterdir()] == ["morning.toml"]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """In a sentence, without a path."""
    (tmp_path / "file").write_text("", encoding="utf-8")

    with pytest.raises(InvalidRequest, match=r"^The preset cannot be written: [^/]+\.$"):
        save(imported('{"leveler": true}', name="mine"), tmp_path / "file" / "presets")
