"""Beds and sounds made in code."""

from __future__ import annotations

import numpy as np
import pytest

from mixdown.dsp.loudness import LoudnessMeter
from mixdown.errors import InvalidRequest, UnknownSound
from mixdown.music import BEDS, LOUDNESS_LUFS, PARAMETERS, SOUNDS, bed, sound

RATE_HZ = 48_000


def levels(samples, sample_rate_hz=RATE_HZ):
    meter = LoudnessMeter(sample_rate_hz, samples.shape[1])
    meter.push(np.ascontiguousarray(samples))
    return meter.report()


def below_db(samples, sample_rate_hz, low_hz, high_hz):
    """Energy between two frequencies against all of it, in dB."""
    power = np.abs(np.fft.rfft(samples.mean(axis=1) * np.hanning(len(samples)))) ** 2
    frequencies = np.fft.rfftfreq(len(samples), 1 / sample_rate_hz)
    return 10 * np.log10(power[(frequencies >= low_hz) & (frequencies < high_hz)].sum() / power.sum() + 1e-20)


@pytest.fixture(scope="module", params=sorted(BEDS))
def a_bed(request):
    return bed(request.param, seed=1, sample_rate_hz=RATE_HZ)


def test_beds_are_as_loud_as_each_other_and_have_headroom(a_bed):
    """20 to 60 s of stereo at -20 LUFS, below -3 dBTP, without DC."""
    report = levels(a_bed)

    assert a_bed.dtype == np.float32
    assert 20 <= len(a_bed) / RATE_HZ <= 60
    assert report.integrated_lufs == pytest.approx(LOUDNESS_LUFS, abs=0.1)
    assert report.true_peak_dbtp < -3
    assert np.abs(a_bed.mean(axis=0)).max() < 1e-6


def test_beds_stay_whole_in_mono(a_bed):
    """Their sides agree: in mono hardly more is lost than by a single voice between them."""
    mono = np.repeat(a_bed.mean(axis=1, keepdims=True), 2, axis=1).astype(np.float32)

    assert np.corrcoef(a_bed.T)[0, 1] > 0.1
    assert levels(mono).integrated_lufs > LOUDNESS_LUFS - 3


def test_beds_have_no_seam(a_bed):
    """Where a bed begins again it bends no more sharply than it does everywhere."""
    twice = np.vstack([a_bed[-RATE_HZ:], a_bed[:RATE_HZ]])
    bends = np.abs(np.diff(twice, n=2, axis=0)).max(axis=1)
    usual = np.abs(np.diff(a_bed, n=2, axis=0)).max()

    assert bends[RATE_HZ - 20 : RATE_HZ + 20].max() <= usual
    assert usual < 0.05  # a click of a twentieth of full scale would stand out


def test_a_cut_loop_would_be_found(a_bed):
    """The seam's test can fail: half a bed does jump where it begins again, on most cuts."""
    jumps = [np.abs(a_bed[cut] - a_bed[0]).max() for cut in range(RATE_HZ, 9 * RATE_HZ, 4801)]

    assert np.median(jumps) > 3 * np.abs(np.diff(a_bed, axis=0)).mean()


def test_beds_sound_like_music(a_bed):
    """There is something to hear in the bass and the middle, nothing in the way above, no rumble below."""
    assert below_db(a_bed, RATE_HZ, 100, 1000) > -6
    assert below_db(a_bed, RATE_HZ, 0, 25) < -40
    assert below_db(a_bed, RATE_HZ, 16_000, 24_000) < -60


@pytest.mark.parametrize("name", sorted(BEDS))
def test_a_seed_decides_the_bytes(name):
    """The same seed gives the same bytes, another one another piece; at a low rate too."""
    first, again, other = (bed(name, seed=seed, sample_rate_hz=16_000) for seed in (1, 1, 2))

    assert first.tobytes() == again.tobytes()
    assert first.shape != other.shape or not np.allclose(first, other, atol=0.01)
    assert levels(first, 16_000).true_peak_dbtp < -3


@pytest.mark.parametrize("seed", range(5))
def test_any_seed_has_headroom(seed):
    """Loudness and peak hold for other seeds, here of the bed with the most drums."""
    report = levels(bed("news", seed=1000 + seed, sample_rate_hz=24_000), 24_000)

    assert report.integrated_lufs == pytest.approx(LOUDNESS_LUFS, abs=0.1)
    assert report.true_peak_dbtp < -3


def test_what_there_is_is_named():
    """A bed or a sound that is not there is refused with the names of those that are."""
    with pytest.raises(UnknownSound, match=r"polka.*warm.*news"):
        bed("polka", seed=1, sample_rate_hz=RATE_HZ)
    with pytest.raises(UnknownSound, match=r"gong.*logo.*silence"):
        sound("gong", {}, sample_rate_hz=RATE_HZ, seed=1)


@pytest.mark.parametrize("rate_hz", [16_000, 48_000])
@pytest.mark.parametrize("name", sorted(SOUNDS))
def test_sounds_begin_and_end_at_nothing(name, rate_hz):
    """Each sound is stereo, as long as it says, without a click at its edges, the same bytes every time."""
    made = sound(name, {}, sample_rate_hz=rate_hz, seed=3)

    assert made.shape == (round(PARAMETERS[name]["s"] * rate_hz), 2)
    assert made.dtype == np.float32
    assert np.abs(made[[0, -1]]).max() < 1e-3
    assert np.abs(made).max() <= 1
    assert np.abs(made.mean(axis=0)).max() < 1e-3
    assert made.tobytes() == sound(name, {}, sample_rate_hz=rate_hz, seed=3).tobytes()


@pytest.mark.parametrize("name", ["logo", "sting", "pink", "room"])
def test_another_seed_gives_another_sound(name):
    """Logos, stings and noise come in as many kinds as there are seeds."""
    assert not np.allclose(*(sound(name, {}, sample_rate_hz=16_000, seed=seed) for seed in (1, 2)), atol=1e-4)


def test_a_tone_is_what_it_says():
    """Frequency, length and level of a tone are those asked for; at both edges it rises and falls."""
    tone = sound("tone", {"hz": "440", "s": "0.5", "dbfs": "-18"}, sample_rate_hz=RATE_HZ, seed=1)
    power = np.abs(np.fft.rfft(tone[:, 0]))

    assert np.argmax(power) * 2 == 440
    assert 20 * np.log10(np.abs(tone).max()) == pytest.approx(-18, abs=0.01)


def test_a_sweep_covers_what_it_says():
    """A sweep passes the middle of its range, in octaves, in the middle of its time."""
    sweep = sound("sweep", {"hz": "100", "to_hz": "6400", "s": "4"}, sample_rate_hz=RATE_HZ, seed=1)
    middle = sweep[2 * RATE_HZ - 2400 : 2 * RATE_HZ + 2400, 0] * np.hanning(4800)

    assert np.argmax(np.abs(np.fft.rfft(middle))) * 10 == pytest.approx(800, abs=30)


def test_pink_noise_falls_by_three_decibels_an_octave():
    """Every octave of pink noise has the same energy."""
    noise = sound("pink", {"s": "8"}, sample_rate_hz=RATE_HZ, seed=1)
    octaves = [below_db(noise, RATE_HZ, low, 2 * low) for low in (125, 500, 2000, 8000)]

    assert np.ptp(octaves) < 0.5


def test_a_slate_is_one_frame_of_film():
    """The pop lasts a twenty-fifth of a second, or as the frame rate says; then nothing."""
    slate = sound("slate", {"fps": "24"}, sample_rate_hz=RATE_HZ, seed=1)

    assert np.flatnonzero(np.abs(slate).max(axis=1))[-1] == pytest.approx(2000, abs=5)
    assert len(slate) == 2 * RATE_HZ


@pytest.mark.parametrize(
    "parameters", [{"s": "soon"}, {"s": "1e9"}, {"s": "nan"}, {"hz": "40000"}, {"dbfs": "3"}, {"colour": "red"}]
)
def test_parameters_that_make_no_sense_are_refused(parameters):
    """A parameter that is unknown, no number, or out of range is named."""
    with pytest.raises(InvalidRequest, match=next(iter(parameters))):
        sound("tone", parameters, sample_rate_hz=RATE_HZ, seed=1)
