"""Verdicts, words, JSON, pictures: what an analysis says, and that its documentation is true."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mixdown.analysis import verdicts
from mixdown.analysis.axes import frequency_hz, pitch, time_marks
from mixdown.analysis.colours import heat
from mixdown.analysis.document import document
from mixdown.analysis.graph import loudness_graph
from mixdown.analysis.pictures import spectrogram_png, waveform_png
from mixdown.analysis.words import GROUPS, heard_words, measure_words
from mixdown.model import MEASURED, Loudness, Preset, Requirement
from tests.unit.made_analysis import made_analysis

DOCUMENTED = (Path(__file__).parent.parent.parent / "docs/reference/analysis.md").read_text(encoding="utf-8")


def preset(*requirements: Requirement) -> Preset:
    return Preset(
        name="acx", title="ACX", description="A book.", steps=(Loudness(),), requirements=tuple(requirements)
    )


NOISE_FLOOR = Requirement(measure="noise_floor_dbfs", at_most=-60.0)


@pytest.mark.parametrize(
    ("value", "passes", "text"),
    [
        (-57.2, False, "ACX: fails noise floor, −57.2 dBFS (at most −60)"),
        (-60.04, True, "ACX: meets all that is required"),
        (-59.96, True, "ACX: meets all that is required"),
        (-59.94, False, "ACX: fails noise floor, −59.9 dBFS (at most −60)"),
        (-math.inf, True, "ACX: meets all that is required"),
        (None, None, "ACX: cannot be told: noise floor not measured"),
    ],
)
def test_a_verdict_says_what_fails_and_by_how_much(value: float | None, passes: bool | None, text: str) -> None:
    """Values are held against the limits as they are printed; silence is quiet enough; unknown is not passed."""
    [verdict] = verdicts({"channels": 1, "noise_floor_dbfs": value}, [preset(NOISE_FLOOR)])

    assert (verdict.passes, verdict.text) == (passes, text)


def test_every_failure_is_named() -> None:
    """Two failures are two; what passes is not mentioned."""
    asked = preset(
        NOISE_FLOOR,
        Requirement(measure="rms_dbfs", at_least=-23, at_most=-18),
        Requirement(measure="sample_rate_hz", at_least=44_100, at_most=44_100),
        Requirement(measure="duration_s", at_most=7_200),
    )
    measures = {"channels": 1, "noise_floor_dbfs": -40, "rms_dbfs": -25, "sample_rate_hz": 48_000, "duration_s": 9}

    [verdict] = verdicts(measures, [asked])

    assert verdict.text == (
        "ACX: fails noise floor, −40.0 dBFS (at most −60); RMS, −25.0 dBFS (−23 to −18);"
        " sample rate, 48,000 Hz (exactly 44,100)"
    )


def test_what_is_asked_of_mono_only_is_not_asked_of_stereo() -> None:
    """A requirement for so many channels holds for those; a preset that asks nothing gives no verdict."""
    asked = preset(
        Requirement(measure="integrated_lufs", at_least=-17, at_most=-15, channels=2),
        Requirement(measure="integrated_lufs", at_least=-20, at_most=-18, channels=1),
    )

    [verdict] = verdicts({"channels": 1, "integrated_lufs": -19.0}, [asked, preset()])

    assert verdict.passes is True


def test_every_measure_is_documented() -> None:
    """The page lists each measure with its unit, and no other; each belongs to a group of the tables."""
    documented = re.findall(r"^\| `(\w+)` \| ([^|]*) \|", DOCUMENTED.split("## Everything else")[0], re.MULTILINE)

    assert {name: unit.strip() for name, unit in documented} == {name: each.unit for name, each in MEASURED.items()}
    assert sorted(name for _, names in GROUPS for name in names) == sorted(MEASURED)


def test_every_part_of_the_json_is_documented() -> None:
    """What stands in the JSON stands on the page."""
    names = set(document(made_analysis())) - {"mixdown", "measures"}

    assert {name for name in names if f"`{name}`" not in DOCUMENTED} == set()


def numbers(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every number in a document that does not stand beside a unit."""
    if isinstance(value, dict):
        covered = {"value", "values"} if "unit" in value else set()
        for name, each in value.items():
            if name not in covered:
                yield from numbers(each, f"{path}.{name}")
    elif isinstance(value, list):
        for each in value:
            yield from numbers(each, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, value


def test_every_number_carries_its_unit() -> None:
    """No bare number anywhere; and strict JSON, in which silence is null."""
    silent = made_analysis(np.zeros((48_000, 1), np.float32))
    for analysis in (made_analysis(), silent):
        found = document(analysis)

        assert list(numbers(found)) == []
        json.loads(json.dumps(found, allow_nan=False))

    assert document(silent)["measures"]["integrated_lufs"] == {"value": None, "unit": "LUFS"}


def test_a_long_recording_is_told_second_by_second() -> None:
    """Up to two minutes loudness is told every 100 ms, then every second, with the highest momentary value."""
    analysis = made_analysis()
    hops = 6_000
    momentary = np.full(hops, -30.0, np.float32)
    momentary[3_005] = -10.0
    long = replace(
        analysis,
        loudness=replace(
            analysis.loudness, momentary_lufs=momentary, short_term_lufs=np.full(hops, -20, np.float32)
        ),
    )

    short, told = document(analysis)["loudness"], document(long)["loudness"]

    assert short["step"] == {"value": 0.1, "unit": "s"}
    assert told["step"] == {"value": 1.0, "unit": "s"}
    assert len(told["momentary"]["values"]) == len(told["short_term"]["values"]) == 600
    assert told["momentary"]["values"][300] == -10.0


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("integrated_lufs", -16.04, "−16.0 LUFS"),
        ("integrated_lufs", -math.inf, "−∞ LUFS"),
        ("snr_db", math.inf, "∞ dB"),
        ("stereo_correlation", -0.001, "0.00"),
        ("bandwidth_hz", 15_949.0, "15.9 kHz"),
        ("sample_rate_hz", 44_100, "44,100 Hz"),
        ("tempo_bpm", None, "–"),
    ],
)
def test_measures_in_words(name: str, value: float | None, words: str) -> None:
    """True minus signs, units, infinities; a dash for what was not measured."""
    assert measure_words(name, value) == words


def test_what_is_odd_is_said_first() -> None:
    """Sides out of phase and an offset are sentences; a sound recording has none."""
    analysis = made_analysis()
    odd = {
        **analysis.measures,
        "stereo_correlation": -0.98,
        "dc_offset": 0.01,
        "clipped_runs": 2,
        "clipped_samples": 9,
    }

    assert heard_words(analysis) == []
    assert heard_words(replace(analysis, measures=odd)) == [
        "Clipped twice (9 samples in flat tops).",
        "A constant offset of 0.0100 of full scale.",
        "Left and right are out of phase (correlation −0.98).",
    ]


@pytest.mark.parametrize(
    ("duration_s", "first", "last"),
    [(0.0, "0:00", "0:00"), (0.5, "0.0 s", "0.5 s"), (53.0, "0:00", "0:50"), (7_300.0, "0:00", "2:00:00")],
)
def test_times_are_marked_at_round_numbers(duration_s: float, first: str, last: str) -> None:
    """At most nine marks, from the start on, within the recording."""
    marks = time_marks(duration_s)

    assert (marks[0].text, marks[-1].text) == (first, last)
    assert len(marks) <= 9
    assert all(0 <= mark.place <= 1 for mark in marks)


def test_the_frequency_scale_can_be_read_backwards() -> None:
    """A place on the mel scale belongs to one frequency."""
    frequencies_hz = np.array([0.0, 100.0, 1_000.0, 20_000.0])

    assert frequency_hz(pitch(frequencies_hz)) == pytest.approx(frequencies_hz)


def test_heat_grows_lighter_step_by_step() -> None:
    """No two neighbours are the same, and each is lighter than the one before: it can be read in grey."""
    colours = heat(200).astype(float) / 255.0
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)

    assert np.diff(linear @ [0.2126, 0.7152, 0.0722]).min() > -1e-4
    assert (linear @ [0.2126, 0.7152, 0.0722])[-1] > 0.8


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA")).astype(int)


def test_a_tone_is_a_bright_line_in_the_spectrogram() -> None:
    """1 kHz of 8 kHz stands where the mel scale has it; silence after it is dark."""
    time_s = np.arange(96_000) / 16_000
    samples = 0.5 * np.sin(2 * np.pi * 1_000.0 * time_s) * (time_s < 3.0)
    analysis = made_analysis(samples[:, None].astype(np.float32), rate_hz=16_000)

    bare = pixels(spectrogram_png(analysis.spectrum, duration_s=6.0, axes=False))
    brightness = bare[:, :, :3].sum(axis=2)

    expected = (1.0 - float(pitch(1_000.0) / pitch(8_000.0))) * len(bare)
    assert brightness[:, 300].argmax() == pytest.approx(expected, abs=4)
    assert brightness[:, 900].max() < 60


def test_pictures_have_axes_and_let_the_page_through() -> None:
    """Marks stand beside the plot on a clear ground; the same recording gives the same bytes."""
    analysis = made_analysis()
    drawn = [
        (waveform_png(analysis.peaks, duration_s=12.0), waveform_png(analysis.peaks, duration_s=12.0, axes=False)),
        (
            spectrogram_png(analysis.spectrum, duration_s=12.0),
            spectrogram_png(analysis.spectrum, duration_s=12.0, axes=False),
        ),
    ]
    for whole, bare in drawn:
        assert pixels(whole).shape[0] > pixels(bare).shape[0]
        margin = pixels(whole)[:, :60, 3]
        assert (margin == 0).mean() > 0.8
        assert (margin > 200).any()
    assert waveform_png(analysis.peaks, duration_s=12.0) == drawn[0][0]


def test_sides_have_lanes_of_their_own() -> None:
    """A silent right side is a line in the lower lane."""
    samples = np.random.default_rng(1).standard_normal((48_000, 2)).astype(np.float32) * [0.2, 0.0]
    bare = pixels(waveform_png(made_analysis(samples.astype(np.float32)).peaks, duration_s=1.0, axes=False))
    upper, lower = np.split(bare[:, 600, 3] > 0, 2)

    assert upper.sum() > 30
    assert 0 < lower.sum() <= 2


def test_the_curve_of_a_long_recording_has_few_points() -> None:
    """However long it is, a curve has at most 500 points, and silence is a gap in it."""
    analysis = made_analysis()
    momentary = np.full(36_000, -20.0, np.float32)
    momentary[10_000:20_000] = -np.inf
    long = replace(analysis, loudness=replace(analysis.loudness, momentary_lufs=momentary))
    long = replace(long, levels=replace(long.levels, duration_s=3_600.0))

    [curve] = [line for line in loudness_graph(long).lines if line.kind == "momentary"]

    assert 300 < curve.path.count("L") <= 500
    assert curve.path.count("M") == 2
