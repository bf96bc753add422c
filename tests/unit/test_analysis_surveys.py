"""What listens while a recording goes by: the same however it is cut, in constant memory."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixdown.analysis.excerpts import MiddleExcerpt, SegmentSampler
from mixdown.analysis.passages import PassageSurvey
from mixdown.analysis.spectrum import SpectrumSurvey, bandwidth_hz
from mixdown.analysis.waveform import WaveSurvey, peaks_json
from mixdown.dsp.processor import Block
from mixdown.dsp.voice_map import NOISE, SPEECH, VoiceMap
from mixdown.model import Spectrum, WavePeaks
from tests.unit.signals import block_lengths, cut, noise, sine


def spectrum_of(*blocks: Block, rate_hz: int = 48_000, expected_s: float | None = None) -> Spectrum:
    survey = SpectrumSurvey(rate_hz, blocks[0].shape[1], expected_s=expected_s)
    for block in blocks:
        survey.push(block)
    return survey.report()


def outline_of(*blocks: Block) -> WavePeaks:
    survey = WaveSurvey(8_000, blocks[0].shape[1])
    for block in blocks:
        survey.push(block)
    return survey.report()


@given(lengths=block_lengths, frames=st.integers(0, 40_000), channels=st.integers(1, 3))
@settings(deadline=None, max_examples=40)
def test_any_split_gives_the_same_passages(lengths: list[int], frames: int, channels: int):
    """Levels, floor, ends and offsets do not depend on the blocks."""
    signal = noise(frames, channels, seed=frames)
    whole, split = PassageSurvey(11_025, channels), PassageSurvey(11_025, channels)
    whole.push(signal)
    for block in cut(signal, lengths):
        split.push(block)

    first, second = whole.report(), split.report()

    assert np.array_equal(first.powers, second.powers)
    assert (first.noise_floor_dbfs, first.head_s, first.tail_s) == (
        second.noise_floor_dbfs,
        second.head_s,
        second.tail_s,
    )
    assert first.dc_offsets == second.dc_offsets


@given(lengths=block_lengths, frames=st.integers(0, 40_000))
@settings(deadline=None, max_examples=30)
def test_any_split_gives_the_same_spectrum(lengths: list[int], frames: int):
    """Spectrogram and long-term spectrum are the same bit for bit."""
    signal = noise(frames, 2, seed=frames)

    whole, split = spectrum_of(signal), spectrum_of(*cut(signal, lengths))

    assert np.array_equal(whole.columns_db, split.columns_db)
    assert np.array_equal(whole.mean_db, split.mean_db)


@given(lengths=block_lengths, frames=st.integers(0, 40_000))
@settings(deadline=None, max_examples=30)
def test_any_split_gives_the_same_outline(lengths: list[int], frames: int):
    """Peaks and power of every point are the same bit for bit."""
    signal = noise(frames, 2, seed=frames)

    whole, split = outline_of(signal), outline_of(*cut(signal, lengths))

    for name in ("low", "high", "power"):
        assert np.array_equal(getattr(whole, name), getattr(split, name))


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 48_000, 192_000])
def test_a_tone_stands_at_its_frequency_and_level(rate_hz: int):
    """A full-scale sine of 1 kHz reads 0 dBFS in the spectrogram, all along, and nothing 2 kHz above it."""
    spectrum = spectrum_of(sine(1_000.0, rate_hz, 2.0), rate_hz=rate_hz)

    middle = spectrum.columns_db[5:-5]
    at = int(np.argmin(np.abs(spectrum.bins_hz - 1_000.0)))
    assert middle[:, at - 1 : at + 2].max(axis=1) == pytest.approx(0.0, abs=0.8)
    assert middle[:, spectrum.bins_hz > 3_000.0].max() < -90.0


def test_white_noise_has_its_density():
    """Noise of −40 dBFS over 24 kHz: −40 − 10·log10(24000) dBFS/Hz in every bin, on average."""
    spectrum = spectrum_of(noise(480_000, 2, rms=0.01))

    density_db = 10 * np.log10(np.mean(10 ** (spectrum.mean_db[5:-5] / 10)))
    assert density_db == pytest.approx(-40.0 - 10 * np.log10(24_000), abs=0.05)


def test_an_hour_becomes_no_more_columns_than_a_minute():
    """A spectrogram has at most 2,048 columns, an outline 8,192 points; a click stays in both."""
    spectrum, outline = SpectrumSurvey(8_000, 1), WaveSurvey(8_000, 1)
    silence = np.zeros((80_000, 1), np.float32)
    for index in range(120):
        block = silence
        if index == 60:
            block = silence.copy()
            block[0] = 0.5
        spectrum.push(block)
        outline.push(block)

    drawn, peaks = spectrum.report(), outline.report()

    assert 1_024 <= len(drawn.columns_db) <= 2_048
    loudest = int(drawn.columns_db.max(axis=1).argmax())
    assert loudest * drawn.column_s == pytest.approx(600.0, abs=2 * drawn.column_s)
    assert 4_096 <= len(peaks.low) <= 8_192
    assert int(peaks.high.argmax()) * peaks.frames_per_point / 8_000 == pytest.approx(600.0, abs=1.0)


@pytest.mark.parametrize("frames", [0, 1, 100])
def test_snippets_have_a_spectrum_and_an_outline(frames: int):
    """Less than one window is something, too; nothing is nothing."""
    signal = noise(frames, 1)

    assert len(spectrum_of(signal).columns_db) == (1 if frames else 0)
    assert len(outline_of(signal).low) == (1 if frames else 0)
    if not frames:
        assert bandwidth_hz(spectrum_of(signal)) == (None, False)


def test_peaks_are_what_audiowaveform_writes():
    """Version 2: pairs of lowest and highest, channel by channel, as whole numbers of the bits."""
    signal = np.zeros((600, 2), np.float32)
    signal[10], signal[20], signal[300, 1] = (0.5, -1.0), (-0.25, 1.5), 1.0

    document = json.loads(peaks_json(outline_of(signal)))

    assert document == {
        "version": 2,
        "channels": 2,
        "sample_rate": 8_000,
        "samples_per_pixel": 256,
        "bits": 8,
        "length": 3,
        "data": [-32, 64, -127, 127, 0, 0, 0, 127, 0, 0, 0, 0],
    }
    assert json.loads(peaks_json(outline_of(signal), bits=16))["data"][:4] == [-8192, 16384, -32767, 32767]


@given(lengths=block_lengths)
@settings(deadline=None, max_examples=20)
def test_the_middle_is_kept(lengths: list[int]):
    """Of 10 s the middle 4, at half the rate, however it is cut: the tone that is there and nowhere else."""
    signal = np.zeros((80_000, 1), np.float32)
    signal[30_000:50_000] = sine(500.0, 8_000, 2.5, peak=0.5)
    excerpt = MiddleExcerpt(8_000, 4_000, most_s=4.0, expected_s=10.0)
    for block in cut(signal, lengths):
        excerpt.push(block)

    samples = excerpt.samples()

    assert excerpt.start_s == 3.0
    assert len(samples) == 16_000
    assert np.abs(samples[4_000:12_000]).max() == pytest.approx(0.5, abs=0.01)
    assert np.abs(samples[:2_500]).max() < 0.001


def test_a_header_that_promises_too_much_costs_the_excerpt():
    """A recording that is over before its promised middle leaves nothing to listen to, and no error."""
    excerpt = MiddleExcerpt(8_000, 4_000, most_s=4.0, expected_s=1_000.0)
    excerpt.push(noise(8_000, 1))

    assert len(excerpt.samples()) == 0


@pytest.mark.parametrize(("duration_s", "expected_s"), [(60, 60.0), (60, None), (60, 5.0), (60, 6_000.0), (2, 2.0)])
def test_segments_are_spread_over_the_recording(duration_s: int, expected_s: float | None):
    """Whatever the header says: some segments, never twice as many as wanted, each from where it says it is."""
    sampler = SegmentSampler(8_000, 8_000, segment_s=2.0, wanted=5, expected_s=expected_s)
    ramp = np.arange(duration_s * 8_000, dtype=np.float32)[:, None] / 1e6
    for block in np.array_split(ramp, 7):
        sampler.push(block)

    segments = sampler.segments()

    assert 1 <= len(segments) < 10
    for start_s, end_s, samples in segments:
        assert len(samples) == round((end_s - start_s) * 8_000) <= 16_000
        assert samples[0] == np.float32(round(start_s * 8_000) / 1e6)


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 25.0])
def test_speech_is_held_against_what_goes_on_in_its_pauses(snr_db: float):
    """Where two of three seconds are spoken: the level of the speech alone over that of the noise alone."""
    spoken = np.arange(12 * 8_000) // 8_000 % 3 < 2
    voice = noise(12 * 8_000, 1, rms=0.01 * 10 ** (snr_db / 20), seed=1)
    signal = noise(12 * 8_000, 1, rms=0.01) + voice * spoken[:, None]
    survey = PassageSurvey(8_000, 1)
    survey.push(signal)
    kinds = np.where(np.arange(120) // 10 % 3 < 2, SPEECH, NOISE).astype(np.uint8)
    voices = VoiceMap(0.1, kinds, np.zeros(120, np.float32), noise_floor_dbfs=-40.0)

    assert survey.report().snr_db(voices) == pytest.approx(snr_db, abs=0.5)


def test_without_speech_there_is_no_signal_to_noise_ratio():
    """Noise alone has none."""
    survey = PassageSurvey(8_000, 1)
    survey.push(noise(16_000, 1))
    voices = VoiceMap(0.1, np.full(20, NOISE, np.uint8), np.zeros(20, np.float32), noise_floor_dbfs=-20.0)

    assert survey.report().snr_db(voices) is None
