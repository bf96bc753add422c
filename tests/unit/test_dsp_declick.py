"""Repair of clicks."""

import numpy as np
import pytest

from mixdown.dsp.declick import ClickRepair
from mixdown.dsp.processor import Block
from tests.signals import speech_like
from tests.unit.signals import noise, processed

RATE_HZ = 48_000


def repaired(signal: Block, *, sensitivity: float = 0.5, rate_hz: int = RATE_HZ) -> tuple[Block, int]:
    repair = ClickRepair(sensitivity=sensitivity, sample_rate_hz=rate_hz, channels=signal.shape[1])
    return processed(repair, signal), repair.repaired


def distance_db(signal: Block, other: Block) -> float:
    """How far one lies below the other's difference from it."""
    difference = signal.astype(np.float64) - other
    return float(10.0 * np.log10(np.sum(signal.astype(np.float64) ** 2) / np.sum(difference**2)))


def speech() -> Block:
    return speech_like(6.0, rate_hz=RATE_HZ) + noise(6 * RATE_HZ, 1, rms=3e-4)


def with_clicks(signal: Block, kind: str, count: int = 40) -> tuple[Block, np.ndarray]:
    """The signal with clicks of one kind, and where each begins."""
    generator = np.random.default_rng(5)
    starts = 3_000 + (np.arange(count) + generator.uniform(0.0, 0.5, count)) * ((len(signal) - 6_000) // count)
    starts = starts.astype(int)
    clicked = signal.copy()
    for start in starts:
        sign, size = generator.choice([-1.0, 1.0]), generator.uniform(0.15, 0.6)
        if kind == "single sample":
            shape = np.array([1.0])
        elif kind == "vinyl":
            shape = np.exp(-np.arange(12) / 4.0) * np.cos(np.arange(12))
        else:
            shape = generator.uniform(-1.0, 1.0, generator.integers(30, 90))
        clicked[start : start + len(shape), 0] += (sign * size * shape).astype(np.float32)
    return clicked, starts


@pytest.mark.parametrize(
    ("kind", "found", "nearer_db"), [("single sample", 0.95, 25.0), ("vinyl", 0.95, 20.0), ("burst", 0.75, 3.0)]
)
def test_clicks_in_speech_are_repaired(kind: str, found: float, nearer_db: float):
    """Nearly every click is found, and what comes out is much nearer to the sound without clicks."""
    clean = speech()
    clicked, starts = with_clicks(clean, kind)

    result, count = repaired(clicked)

    changed = (result != clicked)[:, 0]
    assert np.mean([changed[start : start + 8].any() for start in starts]) >= found
    assert count <= 1.1 * len(starts)
    assert distance_db(clean, result) > distance_db(clean, clicked) + nearer_db


def test_what_is_no_click_stays_as_it_is():
    """All but a few samples around the clicks come out bit for bit."""
    clean = speech()
    clicked, starts = with_clicks(clean, "vinyl")

    result, _ = repaired(clicked)

    changed = np.flatnonzero((result != clicked)[:, 0])
    away = np.abs(changed[:, None] - starts[None, :]).min(axis=1)
    assert len(changed) < 40 * 30
    assert away.max() < 100


def drums() -> Block:
    """Strokes of noise and of a damped resonance that begin within a sample."""
    generator = np.random.default_rng(3)
    signal = 1e-3 * generator.standard_normal(4 * RATE_HZ)
    for number, start in enumerate(range(6_000, len(signal) - 12_000, 12_000)):
        time_s = np.arange(9_600) / RATE_HZ
        decay = np.exp(-time_s / (0.01 + 0.02 * (number % 4)))
        tone = np.sin(2.0 * np.pi * (200.0 + 150.0 * (number % 5)) * time_s)
        stroke = tone if number % 2 else generator.standard_normal(9_600)
        signal[start : start + 9_600] += 0.3 * decay * stroke
    return signal.astype(np.float32)[:, None]


def chords() -> Block:
    time_s = np.arange(4 * RATE_HZ) / RATE_HZ
    tones = sum(np.sin(2.0 * np.pi * hz * time_s) for hz in (220.0, 277.2, 329.6, 440.0, 1_760.0))
    return (0.1 * tones * (1.0 + np.sin(2.0 * np.pi * 2.0 * time_s)))[:, None].astype(np.float32)


@pytest.mark.parametrize(
    "make", [speech, drums, chords, lambda: noise(4 * RATE_HZ)], ids=["speech", "drums", "chords", "noise"]
)
def test_sound_without_clicks_is_left_alone(make):
    """The pulses of a voice, the strokes of drums, chords and noise are not clicks."""
    signal = make()

    result, count = repaired(signal)

    assert count == 0
    assert np.array_equal(result, signal)


def test_a_higher_sensitivity_finds_fainter_clicks():
    """Clicks just above the noise are left by default and found at the highest sensitivity."""
    hiss = noise(4 * RATE_HZ, 1, rms=0.01)
    clicked = hiss.copy()
    clicked[5_000:-5_000:5_000] += np.float32(0.09)
    count = len(range(5_000, len(hiss) - 5_000, 5_000))

    found = [repaired(clicked, sensitivity=sensitivity)[1] for sensitivity in (0.0, 0.5, 1.0)]

    assert found[0] <= found[1] < found[2]
    assert found[0] == 0
    assert found[2] > 0.6 * count


def test_each_channel_is_repaired_on_its_own():
    """A click on one side leaves the other side as it is."""
    both = np.repeat(speech(), 2, axis=1)
    clicked = both.copy()
    clicked[:, 1:], _ = with_clicks(both[:, 1:], "single sample")

    result, _ = repaired(clicked)

    assert np.array_equal(result[:, 0], both[:, 0])
    assert distance_db(both[:, 1], result[:, 1]) > distance_db(both[:, 1], clicked[:, 1]) + 20.0


def test_an_impulse_in_digital_silence_was_meant():
    """Nothing around it says what should be there instead."""
    signal = np.zeros((RATE_HZ, 1), np.float32)
    signal[20_000] = 0.5

    assert np.array_equal(repaired(signal)[0], signal)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100, 96_000])
def test_any_rate(rate_hz: int):
    """Single-sample errors in noise are found at any rate."""
    hiss = noise(3 * rate_hz, 1, rms=0.02)
    clicked = hiss.copy()
    clicked[rate_hz // 2 : -rate_hz // 2 : rate_hz // 10] += np.float32(0.6)

    result, count = repaired(clicked, rate_hz=rate_hz)

    assert count == 20
    assert abs(result - hiss).max() < 0.12


@pytest.mark.parametrize("sensitivity", [-0.1, 1.1])
def test_an_impossible_sensitivity_is_refused(sensitivity: float):
    """It lies between 0 and 1."""
    with pytest.raises(ValueError, match="sensitivity"):
        ClickRepair(sensitivity=sensitivity, sample_rate_hz=RATE_HZ, channels=1)
