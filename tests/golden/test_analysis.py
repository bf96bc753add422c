"""An analysis of signals whose answers are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from mixdown.analysis import analyze
from mixdown.codec.encode import open_writer
from mixdown.model import Analysis, AudioFormat, OutputSpec
from tests.signals import speech_like, write_wav

RATE_HZ = 48_000

Samples = NDArray[np.floating]
Analyzed = Callable[..., Analysis]


@pytest.fixture
def analyzed(tmp_path: Path) -> Analyzed:
    """Write samples as a WAV and analyze it."""

    def analyzed(samples: Samples, rate_hz: int = RATE_HZ, **asked: bool) -> Analysis:
        path = write_wav(tmp_path / "made.wav", np.asarray(samples, np.float32), rate_hz)
        return analyze(path, name=path.name, **asked)

    return analyzed


def noise(seconds: float, level_dbfs: float, *, channels: int = 1, seed: int = 1) -> Samples:
    white = np.random.default_rng(seed).standard_normal((round(seconds * RATE_HZ), channels))
    return white * 10 ** (level_dbfs / 20)


def tone(seconds: float, frequency_hz: float = 1_000.0, *, peak_dbfs: float = 0.0) -> Samples:
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (10 ** (peak_dbfs / 20) * np.sin(2 * np.pi * frequency_hz * time_s))[:, None]


def measured(analysis: Analysis, name: str) -> float:
    value = analysis.measures[name]
    assert value is not None
    return value


def test_a_tone_is_as_loud_as_it_was_made(analyzed: Analyzed):
    """A 997 Hz sine with peaks at −20 dBFS: RMS −23.01, −23.0 LUFS (mono), no dynamics, nothing wrong."""
    analysis = analyzed(tone(10.0, 997.0, peak_dbfs=-20.0))

    assert measured(analysis, "rms_dbfs") == pytest.approx(-23.01, abs=0.01)
    assert measured(analysis, "integrated_lufs") == pytest.approx(-23.0, abs=0.05)
    assert measured(analysis, "true_peak_dbtp") == pytest.approx(-20.0, abs=0.05)
    assert measured(analysis, "range_lu") == pytest.approx(0.0, abs=0.05)
    assert measured(analysis, "duration_s") == pytest.approx(10.0)
    assert measured(analysis, "dc_offset") == pytest.approx(0.0, abs=1e-5)
    assert analysis.measures["hum_hz"] is None
    assert analysis.measures["stereo_correlation"] is None
    assert measured(analysis, "clipped_runs") == 0


@pytest.mark.parametrize("floor_dbfs", [-45.0, -60.0, -72.0])
def test_the_noise_floor_is_that_of_the_pauses(analyzed: Analyzed, floor_dbfs: float):
    """Whatever is said between, the floor is the RMS of the noise that goes on."""
    speech = speech_like(20.0)
    speech[6 * RATE_HZ : 8 * RATE_HZ] = 0.0

    analysis = analyzed(speech + noise(20.0, floor_dbfs))

    assert measured(analysis, "noise_floor_dbfs") == pytest.approx(floor_dbfs, abs=0.5)


def test_a_gap_of_digital_silence_hides_no_noise(analyzed: Analyzed):
    """Half a second that was cut out does not make a noisy recording clean."""
    speech = speech_like(60.0)
    speech[20 * RATE_HZ : 22 * RATE_HZ] = 0.0
    samples = speech + noise(60.0, -50.0)
    samples[5 * RATE_HZ : round(5.55 * RATE_HZ)] = 0.0

    assert measured(analyzed(samples), "noise_floor_dbfs") == pytest.approx(-50.0, abs=0.6)


def test_gated_pauses_are_silence(analyzed: Analyzed):
    """Where pauses are digital silence throughout, so is the floor: minus infinity."""
    speech = speech_like(10.0)
    for second in (2, 5, 8):
        speech[second * RATE_HZ : (second + 1) * RATE_HZ] = 0.0

    assert measured(analyzed(speech), "noise_floor_dbfs") == -np.inf


def test_head_and_tail_are_what_is_before_and_after(analyzed: Analyzed):
    """Room tone of 0.75 s before the first and 2.5 s after the last word, a click in it notwithstanding."""
    room = noise(13.25, -65.0)
    start, end = round(0.75 * RATE_HZ), round(10.75 * RATE_HZ)
    room[start:end] += tone(10.0, 300.0, peak_dbfs=-20.0)
    room[round(0.3 * RATE_HZ)] += 0.5

    analysis = analyzed(room)

    assert measured(analysis, "head_silence_s") == pytest.approx(0.75, abs=0.06)
    assert measured(analysis, "tail_silence_s") == pytest.approx(2.5, abs=0.06)


def test_an_offset_is_found_where_it_is(analyzed: Analyzed):
    """0.01 on the right side: the offset of each channel, and the larger one as the measure."""
    samples = noise(5.0, -30.0, channels=2)
    samples[:, 1] += 0.01

    analysis = analyzed(samples)

    assert analysis.dc_offsets == pytest.approx((0.0, 0.01), abs=2e-4)
    assert measured(analysis, "dc_offset") == pytest.approx(0.01, abs=2e-4)


def test_a_low_pass_is_found(analyzed: Analyzed):
    """Noise cut off at 4 kHz ends there; the same noise as it is reaches half the sample rate."""
    white = noise(10.0, -25.0)
    low = sosfilt(butter(20, 4_000, fs=RATE_HZ, output="sos"), white, axis=0)

    cut_off = analyzed(low + noise(10.0, -90.0, seed=2))

    assert measured(cut_off, "bandwidth_hz") == pytest.approx(4_000, abs=300)
    assert cut_off.low_pass
    whole = analyzed(white)
    assert measured(whole, "bandwidth_hz") == RATE_HZ / 2
    assert not whole.low_pass


def test_a_gentle_slope_is_no_low_pass(analyzed: Analyzed):
    """Sound that falls by 12 dB an octave, as voices do, above the hiss of a microphone, was not cut off."""
    dark = sosfilt(butter(2, 500, fs=RATE_HZ, output="sos"), noise(10.0, -15.0), axis=0)

    assert not analyzed(dark + noise(10.0, -75.0, seed=2)).low_pass


def test_the_low_pass_of_a_codec_is_found(tmp_path: Path):
    """An mp3 of 96 kbit/s ends well below half its sample rate."""
    path = tmp_path / "made.mp3"
    output = OutputSpec(format=AudioFormat.mp3, bitrate_kbps=96)
    with open_writer(path, output, sample_rate_hz=44_100, channels=2) as writer:
        writer.write(np.random.default_rng(1).standard_normal((441_000, 2)).astype(np.float32) * 0.05)

    analysis = analyze(path, name=path.name)

    assert analysis.low_pass
    assert 14_000 < measured(analysis, "bandwidth_hz") < 18_000
    assert measured(analysis, "bitrate_kbps") == pytest.approx(96, abs=2)


def test_hum_is_found(analyzed: Analyzed):
    """Hum of 50 Hz with harmonics under noise: its frequency, and its level all together."""
    hum = (
        tone(30.0, 50.0, peak_dbfs=-40.0) + tone(30.0, 100.0, peak_dbfs=-43.0) + tone(30.0, 150.0, peak_dbfs=-46.0)
    )

    analysis = analyzed(hum + noise(30.0, -60.0) + speech_like(30.0))

    assert measured(analysis, "hum_hz") == pytest.approx(50.0, abs=0.2)
    assert measured(analysis, "hum_dbfs") == pytest.approx(-37.5, abs=1.5)
    assert {round(line.frequency_hz / 50) for line in analysis.hum} >= {1, 2, 3}


def test_clipping_is_counted(analyzed: Analyzed):
    """A tone driven 6 dB into the converter has flat tops twice a period."""
    clipped = np.clip(tone(5.0, 200.0, peak_dbfs=6.0), -1.0, 1.0) * 0.98

    analysis = analyzed(clipped)

    assert measured(analysis, "clipped_runs") == pytest.approx(2 * 200 * 5, rel=0.02)
    assert measured(analyzed(tone(5.0, 200.0, peak_dbfs=-0.2)), "clipped_runs") == 0


@pytest.mark.parametrize(("right", "correlation"), [(-1.0, -1.0), (1.0, 1.0)])
def test_sides_are_compared(analyzed: Analyzed, right: float, correlation: float):
    """The same with the sign turned is −1, the same is 1."""
    left = noise(5.0, -25.0)

    assert measured(analyzed(np.hstack([left, right * left])), "stereo_correlation") == pytest.approx(correlation)


def test_balance_is_left_over_right(analyzed: Analyzed):
    """Unlike sides, the right one half as high: correlation 0, balance +6 dB."""
    analysis = analyzed(noise(5.0, -25.0, channels=2) * [1.0, 0.5])

    assert measured(analysis, "stereo_correlation") == pytest.approx(0.0, abs=0.02)
    assert measured(analysis, "stereo_balance_db") == pytest.approx(6.02, abs=0.1)


@pytest.mark.parametrize("bpm", [90.0, 120.0, 140.0])
def test_a_click_track_has_its_tempo(analyzed: Analyzed, bpm: float):
    """Clicks at an even pace: that tempo, a beat at each, an onset at each."""
    samples = noise(30.0, -70.0)
    period = round(60 / bpm * RATE_HZ)
    click = np.exp(-np.arange(2_400) / 300)[:, None] * tone(0.05, 1_500.0)
    for start in range(RATE_HZ // 4, len(samples) - 2_400, period):
        samples[start : start + 2_400] += 0.5 * click

    analysis = analyzed(samples, always_music=True)

    assert measured(analysis, "tempo_bpm") == pytest.approx(bpm, abs=2.0)
    assert analysis.music is not None
    assert len(analysis.music.onsets_s) == pytest.approx(29.5 * bpm / 60, abs=3)
    assert min(abs(each - 0.25) for each in analysis.music.onsets_s) < 0.06


@pytest.mark.parametrize(("tonic_hz", "key"), [(261.63, "C major"), (440.0, "A major")])
def test_a_scale_has_its_key(analyzed: Analyzed, tonic_hz: float, key: str):
    """A major scale up and down, resting on its triad, is heard in its key."""
    steps = [0, 2, 4, 5, 7, 9, 11, 12, 11, 9, 7, 5, 4, 2, 0, 4, 7, 12]
    notes = []
    for step in steps * 2:
        frequency_hz = tonic_hz * 2 ** (step / 12)
        note = sum(tone(0.4, frequency_hz * harmonic) / harmonic**2 for harmonic in range(1, 5))
        notes.append(0.2 * note * np.hanning(len(note))[:, None] ** 0.5)

    analysis = analyzed(np.concatenate(notes), always_music=True)

    assert analysis.music is not None
    assert analysis.music.key == key


def test_music_is_looked_for_where_it_is_asked_for(analyzed: Analyzed):
    """Never where it is not wanted; not in noise, unless always."""
    hiss = noise(6.0, -30.0)

    assert analyzed(hiss, music=False).music is None
    assert analyzed(hiss).music is None
    assert analyzed(hiss, always_music=True).music is not None


@pytest.mark.parametrize("frames", [1, 100, RATE_HZ])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_silence_and_snippets_can_be_analyzed(analyzed: Analyzed, frames: int, channels: int):
    """A single frame, a second, surround sound: nothing breaks, and silence has no level."""
    analysis = analyzed(np.zeros((frames, channels)), always_music=True)

    assert analysis.measures["integrated_lufs"] == -np.inf
    assert analysis.measures["noise_floor_dbfs"] == -np.inf
    assert analysis.measures["bandwidth_hz"] is None
    assert analysis.music is None
    assert analysis.quality == ()


def test_the_same_recording_gives_the_same_analysis(analyzed: Analyzed):
    """Twice the same, number for number."""
    samples = speech_like(12.0, channels=2) + noise(12.0, -60.0, channels=2)

    first, second = analyzed(samples), analyzed(samples)

    assert first.measures == second.measures
    assert np.array_equal(first.spectrum.columns_db, second.spectrum.columns_db)
    assert first.quality == second.quality
