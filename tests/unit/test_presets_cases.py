"""Recipes make the recordings they speak of; cases are held against what is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from mixdown.codec.probe import probe
from mixdown.dsp.loudness import LoudnessMeter
from mixdown.errors import ScratchFull
from mixdown.model import Case, HighPass, Limits, Loudness, OutputSpec, Preset, Recipe, Requirement
from mixdown.presets.cases import readings, run
from mixdown.presets.recipes import made, record
from mixdown.render import measure, render

HIGH_PASS_ONLY = Preset(
    name="mine",
    title="Mine",
    description="For this test.",
    steps=(HighPass(), Loudness(target_lufs=-20)),
    output=OutputSpec(format="wav"),
    requirements=(
        Requirement(measure="integrated_lufs", at_least=-21, at_most=-19),
        Requirement(measure="true_peak_dbtp", at_most=-1),
        Requirement(measure="channels", at_least=2, channels=2),
    ),
)


def levels(path: Path) -> Mapping[str, float | None]:
    """What a meter says of a delivered file."""
    return asdict(measure(path, name=path.name)[1])


def loudness_lufs(samples: NDArray[np.float32], rate_hz: int = 48_000) -> float:
    meter = LoudnessMeter(rate_hz, samples.shape[1])
    meter.push(samples)
    return meter.report().integrated_lufs


def level_dbfs(samples: NDArray[np.float32]) -> float:
    return float(10 * np.log10(np.mean(samples.astype(np.float64) ** 2) + 1e-30))


def around_db(samples: NDArray[np.float32], frequency_hz: float, rate_hz: int = 48_000) -> float:
    """Power within 2 Hz of a frequency."""
    power = np.abs(np.fft.rfft(samples[:, 0] * np.hanning(len(samples)))) ** 2
    hz = np.fft.rfftfreq(len(samples), 1 / rate_hz)
    return float(10 * np.log10(power[np.abs(hz - frequency_hz) < 2].sum() + 1e-30))


# -- recipes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(duration_s=5),
        Recipe(duration_s=5, channels=2, music=True, guest_db=-8, noise_dbfs=-40, hum_hz=60, clicks=3, offset=0.01),
        Recipe(duration_s=5, voice=False, music=True, sample_rate_hz=44100, echo=True, rumble_dbfs=-40),
    ],
)
def test_a_recipe_gives_the_same_samples_each_time(recipe: Recipe) -> None:
    """As many as it says, on as many channels, none of them out of range."""
    samples = made(recipe)

    assert samples.shape == (5 * recipe.sample_rate_hz, recipe.channels)
    assert samples.dtype == np.float32
    assert np.abs(samples).max() <= 1.0
    assert np.array_equal(samples, made(recipe))


@pytest.mark.parametrize("heard", [{}, {"voice": False, "music": True}, {"guest_db": -12}, {"echo": True}])
@pytest.mark.parametrize("channels", [1, 2])
def test_what_is_heard_has_its_loudness(heard: dict, channels: int) -> None:
    """Whatever it is, and on however many channels."""
    recipe = Recipe(level_lufs=-27, channels=channels, duration_s=10, **heard)

    assert loudness_lufs(made(recipe)) == pytest.approx(-27, abs=0.1)


def test_silences_hold_nothing_but_what_disturbs() -> None:
    """Before and after what is heard there is silence, or the noise alone, at its level."""
    quiet = made(Recipe(silence_head_s=2, silence_tail_s=1))
    noisy = made(Recipe(silence_head_s=2, silence_tail_s=1, noise_dbfs=-50))

    assert not quiet[: 2 * 48_000].any()
    assert not quiet[-48_000:].any()
    assert quiet[2 * 48_000 : 3 * 48_000].any()
    assert level_dbfs(noisy[: 2 * 48_000]) == pytest.approx(-50, abs=1)


@pytest.mark.parametrize("mains_hz", [50, 60])
def test_hum_is_that_of_the_mains(mains_hz: int) -> None:
    """Its frequency and third harmonic stand out; those of the other mains do not."""
    hum = {"hum_hz": mains_hz, "hum_dbfs": -40, "silence_head_s": 5, "duration_s": 9}
    samples = made(Recipe(**hum))[: 5 * 48_000]
    other = {50: 60, 60: 50}[mains_hz]

    assert level_dbfs(samples) == pytest.approx(-40, abs=0.5)
    for harmonic in (1, 3):
        assert around_db(samples, mains_hz * harmonic) > around_db(samples, other * harmonic) + 60


def test_clicks_are_as_many_as_asked_for() -> None:
    """Each is short; apart from them nothing changes."""
    plain, clicked = made(Recipe(seed=4)), made(Recipe(seed=4, clicks=9))
    struck = np.flatnonzero(np.abs(clicked - plain)[:, 0] > 0.01)
    apart = np.count_nonzero(np.diff(struck, prepend=-10_000) > 400)

    assert 5 <= apart <= 9  # two may fall together
    assert len(struck) < 9 * 200


def test_faults_are_there() -> None:
    """Peaks cut off, an offset, one side silent, a rumble: each as the recipe has it."""
    clipped = made(Recipe(level_lufs=-12, clipped_at_dbfs=-8))
    offset = made(Recipe(offset=0.05, silence_head_s=2))
    one_sided = made(Recipe(one_sided=True, channels=2))
    rumbling = made(Recipe(rumble_dbfs=-30, silence_head_s=4))[: 4 * 48_000]

    assert np.abs(clipped).max() == pytest.approx(10 ** (-8 / 20), abs=1e-6)
    assert np.count_nonzero(np.abs(clipped) > 10 ** (-8 / 20) - 1e-6) > 100
    assert offset[:48_000].mean() == pytest.approx(0.05, abs=1e-6)
    assert one_sided[:, 0].any()
    assert not one_sided[:, 1].any()
    assert level_dbfs(rumbling) == pytest.approx(-30, abs=1.5)
    assert around_db(rumbling, 20) > around_db(rumbling, 200) + 25


def test_a_guest_is_softer() -> None:
    """Turns alternate: the second sentence is so much below the first."""
    alike, apart = made(Recipe(guest_db=0, duration_s=20)), made(Recipe(guest_db=-20, duration_s=20))
    spread = [
        np.percentile([level_dbfs(block) for block in np.split(each, 20)], (15, 85)) for each in (alike, apart)
    ]

    assert spread[1][1] - spread[1][0] > spread[0][1] - spread[0][0] + 10


def test_music_comes_before_the_voice() -> None:
    """A third of a recording with both is music, as loud as what follows."""
    samples = made(Recipe(music=True, channels=2, duration_s=18))

    assert not np.array_equal(samples[: 5 * 48_000, 0], samples[: 5 * 48_000, 1])  # plucked on both sides
    assert np.array_equal(samples[7 * 48_000 :, 0], samples[7 * 48_000 :, 1])  # spoken in the middle
    assert loudness_lufs(samples[: 6 * 48_000]) == pytest.approx(loudness_lufs(samples[6 * 48_000 :]), abs=2)


@pytest.mark.parametrize(
    "nonsense",
    [
        {"voice": False},
        {"duration_s": 4, "silence_head_s": 3},
        {"one_sided": True},
        {"duration_s": 4000},
        {"hiss": 1},
    ],
)
def test_a_recipe_without_sound_is_refused(nonsense: dict) -> None:
    """What could not be brought to a loudness, or is no part of a recipe."""
    with pytest.raises(ValidationError):
        Recipe(**nonsense)


def test_a_recording_is_a_wav(tmp_path: Path) -> None:
    """With the rate and the channels of the recipe."""
    made_file = probe(
        record(Recipe(duration_s=4, sample_rate_hz=16000, channels=2), tmp_path / "a.wav"),
        name="a.wav",
        limits=Limits(),
    )

    assert (made_file.container, made_file.sample_rate_hz, made_file.channels) == ("wav", 16_000, 2)
    assert made_file.duration_s == pytest.approx(4)


# -- cases ----------------------------------------------------------------------------------------


def test_a_case_is_rendered_and_measured() -> None:
    """Through the real chain, into the preset's own format; what the case leaves open, the requirements ask."""
    case = Case(title="A voice", recipe=Recipe(duration_s=5), expect={"integrated_lufs": (-20.2, -19.8)})

    [outcome] = run(HIGH_PASS_ONLY.model_copy(update={"cases": (case,)}), render=render, measure=levels)

    assert outcome.passed
    assert outcome.error is None
    assert [(each.measure, each.least, each.most) for each in outcome.readings] == [
        ("integrated_lufs", -20.2, -19.8),
        ("true_peak_dbtp", None, -1),
    ]
    assert outcome.readings[0].measured == pytest.approx(-20, abs=0.2)


def test_a_case_that_is_not_met_fails_with_its_number() -> None:
    """So does one whose measure nobody took, and one that cannot be rendered; the others go on."""
    cases = (
        Case(title="Too loud", recipe=Recipe(duration_s=5), expect={"integrated_lufs": (-11, -9)}),
        Case(title="Not measured", recipe=Recipe(duration_s=5), expect={"noise_floor_dbfs": (-120, -60)}),
        Case(title="Stereo", recipe=Recipe(duration_s=5, channels=2), expect={"duration_s": (4.9, 5.1)}),
    )
    preset = HIGH_PASS_ONLY.model_copy(update={"cases": cases})

    outcomes = list(run(preset, render=render, measure=levels))

    assert [outcome.passed for outcome in outcomes] == [False, False, True]
    assert outcomes[0].readings[0].measured == pytest.approx(-20, abs=0.2)
    assert [each.measured for each in outcomes[1].readings if not each.passed] == [None]
    assert [each.measure for each in outcomes[2].readings][-1] == "channels"


def test_what_cannot_be_rendered_says_why() -> None:
    """A case that met an error fails with the sentence a user would get."""
    case = Case(title="No room", recipe=Recipe(duration_s=5), expect={"duration_s": (4, 6)})
    preset = HIGH_PASS_ONLY.model_copy(update={"cases": (case,)})

    def full_disk(*_: object, **__: object) -> object:
        raise ScratchFull("The scratch disk is full.")

    [outcome] = run(preset, render=full_disk, measure=levels)

    assert not outcome.passed
    assert outcome.error == "The scratch disk is full. (scratch_full)"


def test_a_number_is_held_against_its_range_as_it_is_printed() -> None:
    """−0.96 dBTP is printed as −1.0, and meets “at most −1”; −0.94 does not."""
    case = Case(title="x", expect={"duration_s": (0, 99)})

    for measured, passed in ((-0.96, True), (-0.94, False), (None, False)):
        found = {each.measure: each for each in readings(HIGH_PASS_ONLY, case, {"true_peak_dbtp": measured})}
        assert found["true_peak_dbtp"].passed is passed
