"""Mains hum: found where it is, and only there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixdown.dsp.hum import Hum, HumLine, HumSurvey
from mixdown.dsp.hum_notches import HumNotches
from mixdown.dsp.processor import Block
from tests.signals import speech_like
from tests.unit.signals import cut, noise, processed, sine

RATE_HZ = 16_000
HARMONICS = ((1, 1.0), (2, 0.5), (3, 0.5), (5, 0.3))
NOTHING = Hum(mains_hz=None, lines=())


def surveyed(*blocks: Block, rate_hz: int = RATE_HZ, mains_hz: float | None = None) -> Hum:
    survey = HumSurvey(rate_hz, blocks[0].shape[1], mains_hz=mains_hz)
    for block in blocks:
        survey.push(block)
    return survey.report()


def notched(signal: Block, hum: Hum, rate_hz: int = RATE_HZ) -> Block:
    return processed(HumNotches(hum, sample_rate_hz=rate_hz, channels=signal.shape[1]), signal)


def hum_of(
    mains_hz: float, seconds: float, *, rms: float = 0.02, drift_hz: float = 0.0, rate_hz: int = RATE_HZ
) -> Block:
    """A hum of four harmonics whose frequency may wander slowly."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    phase = 2.0 * np.pi * np.cumsum(mains_hz + drift_hz * np.sin(2.0 * np.pi * time_s / 25.0)) / rate_hz
    hum = sum(level * np.sin(number * phase + number) for number, level in HARMONICS)
    return (rms * hum / np.std(hum)).astype(np.float32)[:, None]


def speech(seconds: float = 30.0) -> Block:
    return speech_like(seconds, rate_hz=RATE_HZ, level_dbfs=-23.0) + noise(round(seconds * RATE_HZ), 1, rms=1e-4)


def change_db(before: Block, after: Block) -> float:
    settled = slice(2 * RATE_HZ, None)
    return float(20.0 * np.log10(np.std(after[settled]) / np.std(before[settled])))


@pytest.mark.parametrize(
    ("mains_hz", "drift_hz"), [(50.0, 0.0), (60.0, 0.0), (49.95, 0.02), (60.05, 0.02), (50.7, 0.01)]
)
def test_hum_under_speech_is_removed(mains_hz: float, drift_hz: float):
    """Of the hum less than a twentieth stays, of the speech everything."""
    voice, hum = speech(), hum_of(mains_hz, 30.0, drift_hz=drift_hz)

    found = surveyed(voice + hum)

    assert found.mains_hz == pytest.approx(mains_hz, abs=0.03)
    assert [round(line.frequency_hz / mains_hz) for line in found.lines] == [number for number, _ in HARMONICS]
    assert change_db(hum, notched(hum, found)) < -25.0
    assert change_db(voice, notched(voice, found)) == pytest.approx(0.0, abs=0.2)


def test_levels_of_lines_are_told():
    """A line at −40 dBFS is a sine with a hundredth of full scale as its peak."""
    found = surveyed(noise(20 * RATE_HZ, 2, rms=0.05) + sine(50.0, RATE_HZ, 20.0, peak=0.01))

    (line,) = found.lines
    assert line.frequency_hz == pytest.approx(50.0, abs=0.02)
    assert line.level_dbfs == pytest.approx(-40.0, abs=1.0)


def test_only_what_is_near_a_line_is_touched():
    """Ten hertz beside the notches the level stays within 0.2 dB."""
    voice = speech() + hum_of(50.0, 30.0)
    found = surveyed(voice)

    for line in found.lines:
        for beside_hz in (line.frequency_hz - 10.0, line.frequency_hz + 10.0):
            tone = sine(beside_hz, RATE_HZ, 4.0, peak=0.3)
            assert change_db(tone, notched(tone, found)) == pytest.approx(0.0, abs=0.2)


def test_no_deeper_than_needed():
    """A faint line is turned down by less than a strong one."""
    faint = surveyed(speech() + hum_of(50.0, 30.0, rms=0.002))
    strong = surveyed(speech() + hum_of(50.0, 30.0, rms=0.05))

    def depth_db(found: Hum) -> float:
        tone = sine(found.lines[0].frequency_hz, RATE_HZ, 6.0, peak=0.3)
        return change_db(tone[3 * RATE_HZ :], notched(tone, found)[3 * RATE_HZ :])

    assert depth_db(strong) < depth_db(faint) < -10.0


def notes(frequencies_hz: tuple[float, ...], length_s: float, seconds: float = 30.0) -> Block:
    """Plucked notes with overtones, one after the other."""
    music = 1e-3 * np.random.default_rng(2).standard_normal(round(seconds * RATE_HZ))
    for number, start in enumerate(range(0, len(music), round(length_s * RATE_HZ))):
        time_s = np.arange(min(round(length_s * RATE_HZ), len(music) - start)) / RATE_HZ
        pitch_hz = frequencies_hz[number % len(frequencies_hz)]
        note = sum(np.sin(2.0 * np.pi * k * pitch_hz * time_s) / k for k in range(1, 7))
        music[start : start + len(time_s)] += (
            0.15 * note * np.exp(-time_s / length_s) * np.minimum(1.0, time_s * 200.0)
        )
    return music.astype(np.float32)[:, None]


def chord(frequencies_hz: tuple[float, ...]) -> Block:
    return (sum(notes((hz,), 4.0) for hz in frequencies_hz) / len(frequencies_hz)).astype(np.float32)


@pytest.mark.parametrize(
    "make",
    [
        speech,
        lambda: chord((55.0, 110.0, 138.6, 164.8)),
        lambda: chord((98.0, 123.5, 146.8, 196.0)),
        lambda: notes((100.0,), 0.5),
        lambda: notes((100.0, 120.0, 150.0), 0.7),
        lambda: notes((100.0, 75.0), 4.0),
        lambda: noise(30 * RATE_HZ),
        lambda: sine(100.0, RATE_HZ, 30.0, peak=0.3),
        lambda: sine(1_000.0, RATE_HZ, 30.0, peak=0.1) + noise(30 * RATE_HZ, 1, rms=0.3),
        lambda: np.zeros((30 * RATE_HZ, 1), np.float32),
    ],
    ids=[
        "voice",
        "A chord",
        "G chord",
        "100 Hz bass",
        "bass line",
        "long bass",
        "noise",
        "tone",
        "1 kHz",
        "silence",
    ],
)
def test_no_false_alarm(make):
    """A voice, bass notes and chords near the mains and its harmonics, and test tones are not hum."""
    assert surveyed(make()) == NOTHING


def test_what_is_too_short_is_not_judged():
    """Five seconds do not tell a held note from hum."""
    assert surveyed(hum_of(50.0, 5.0) + noise(5 * RATE_HZ, 1)) == NOTHING
    assert surveyed(np.zeros((0, 2), np.float32)) == NOTHING


def test_only_the_mains_asked_for():
    """Where 60 Hz is asked for, 50 Hz is left alone."""
    signal = speech() + hum_of(50.0, 30.0)

    assert surveyed(signal, mains_hz=60.0) == NOTHING
    assert surveyed(signal, mains_hz=50.0).lines


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 96_000])
def test_any_rate(rate_hz: int):
    """The same hum is found at any rate."""
    found = surveyed(noise(12 * rate_hz, 1, rms=0.05) + hum_of(60.0, 12.0, rate_hz=rate_hz), rate_hz=rate_hz)

    assert found.mains_hz == pytest.approx(60.0, abs=0.02)
    assert len(found.lines) == 4


@given(lengths=st.lists(st.integers(0, 70_000), max_size=6))
@settings(deadline=None, max_examples=10)
def test_any_split_gives_the_same_report(lengths: list[int]):
    """However a signal is cut into blocks, the same is found."""
    signal = noise(10 * RATE_HZ, 1) + hum_of(50.0, 10.0, rms=0.05)

    assert surveyed(*cut(signal, lengths)) == surveyed(signal)


def test_without_lines_the_signal_passes_through():
    """Nothing found, nothing done."""
    signal = noise(1_000)

    assert np.array_equal(notched(signal, NOTHING), signal)


def test_a_line_above_the_band_is_left_out():
    """A notch cannot lie above half the sample rate."""
    high = HumLine(frequency_hz=950.0, level_dbfs=-40.0, prominence_db=20.0, bandwidth_hz=2.0)
    signal = noise(1_000)

    assert np.array_equal(notched(signal, Hum(mains_hz=50.0, lines=(high,)), rate_hz=1_900), signal)
