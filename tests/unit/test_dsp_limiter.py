"""The limiter, measured by an interpolation that is not its own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.signal import resample_poly

from mixdown.dsp.limiter import TruePeakLimiter
from mixdown.dsp.loudness import LoudnessMeter
from mixdown.dsp.processor import Block
from tests.unit.signals import RATES_HZ, bursts, noise, processed, sine

CEILING_DBTP = -1.0


def limited(
    signal: Block, *, gain_db: float = 0.0, rate_hz: int = 44_100, ceiling_dbtp: float = CEILING_DBTP
) -> Block:
    limiter = TruePeakLimiter(
        gain_db=gain_db, ceiling_dbtp=ceiling_dbtp, sample_rate_hz=rate_hz, channels=signal.shape[1]
    )
    return processed(limiter, signal)


def true_peak_db(signal: Block, factor: int) -> float:
    """True peak by scipy's own resampling filter."""
    return float(20.0 * np.log10(np.abs(resample_poly(signal.astype(np.float64), factor, 1, axis=0)).max()))


def chords(rate_hz: int, duration_s: float = 3.0) -> Block:
    """Like music: decaying chords over a bass and a beat, two unlike channels."""
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    beat_s = time_s % 0.5
    partials_hz = [55.0, 220.0, 277.2, 329.6, 440.0, 880.0, 1_318.5, 2_637.0]
    tone = sum(np.sin(2.0 * np.pi * f * time_s + f) / (1 + k) for k, f in enumerate(partials_hz) if f < rate_hz / 2)
    drum = noise(len(time_s), 1, rms=1.0)[:, 0] * np.exp(-beat_s * 40.0)
    left = tone * np.exp(-beat_s * 3.0) + drum
    right = np.roll(tone, rate_hz // 97) * np.exp(-beat_s * 3.0) - 0.5 * drum
    return (0.1 * np.stack([left, right], axis=1)).astype(np.float32)


def square(rate_hz: int) -> Block:
    """Hard edges that ring between the samples, at two frequencies that no period joins."""
    return np.sign(np.hstack([sine(441.37, rate_hz), sine(1_003.1, rate_hz)])).astype(np.float32)


def clipped(rate_hz: int) -> Block:
    """Music that was clipped before."""
    return np.clip(chords(rate_hz) * 10.0, -0.9, 0.9)


def full_band(rate_hz: int) -> Block:
    """White noise up to half the sample rate."""
    return noise(2 * rate_hz, rms=0.2)


def clicks(rate_hz: int) -> Block:
    """Single samples in silence."""
    return (np.random.default_rng(5).random((2 * rate_hz, 2)) < 1e-3).astype(np.float32)


MATERIAL = [chords, bursts, square, clipped, full_band, clicks]


@pytest.mark.parametrize("factor", [8, 16])
@pytest.mark.parametrize("gain_db", [3.0, 20.0])
@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
@pytest.mark.parametrize("material", MATERIAL)
def test_the_ceiling_holds_between_the_samples(material, rate_hz: int, gain_db: float, factor: int):
    """Driven up to 20 dB too hard, no true peak passes the ceiling by more than 0.05 dB."""
    result = limited(material(rate_hz), gain_db=gain_db, rate_hz=rate_hz)

    assert true_peak_db(result, factor) <= CEILING_DBTP + 0.05


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_the_ceiling_holds_at_any_rate(rate_hz: int):
    """From 4 to 384 kHz speech driven 20 dB too hard keeps under the ceiling, and close to it."""
    result = limited(bursts(rate_hz), gain_db=20.0, rate_hz=rate_hz)

    assert CEILING_DBTP - 0.5 <= true_peak_db(result, 8) <= CEILING_DBTP + 0.05


@given(
    signal=arrays(
        np.float32, st.tuples(st.integers(1, 700), st.integers(1, 3)), elements=st.floats(-50, 50, width=32)
    ),
    ceiling_dbtp=st.floats(-12.0, 0.0),
    rate_hz=st.sampled_from([4_000, 44_100, 192_000]),
)
@settings(deadline=None)
def test_no_sample_passes_the_ceiling(signal: Block, ceiling_dbtp: float, rate_hz: int):
    """Whatever goes in, up to 34 dB over: every sample that comes out is at or under the ceiling."""
    result = limited(signal, ceiling_dbtp=ceiling_dbtp, rate_hz=rate_hz)

    assert np.abs(result).max() <= 10.0 ** (ceiling_dbtp / 20.0) * (1.0 + 1e-6)


@pytest.mark.parametrize("material", [chords, bursts, full_band])
@pytest.mark.parametrize("gain_db", [-30.0, -6.0, 0.0, 4.7])
def test_below_the_ceiling_it_is_only_a_gain(material, gain_db: float):
    """Where no true peak reaches the ceiling the samples are those of the gain, bit for bit."""
    signal = material(44_100)
    signal *= np.float32(10.0 ** ((CEILING_DBTP - gain_db - true_peak_db(signal, 16) - 0.2) / 20.0))

    assert np.array_equal(limited(signal, gain_db=gain_db), signal * np.float32(10.0 ** (gain_db / 20.0)))


def test_a_peak_between_the_samples_is_seen():
    """A tone whose samples stay 3 dB under its peaks is limited by its peaks."""
    phase = np.pi / 2.0 * np.arange(44_100) + np.pi / 4.0
    tone = np.sin(phase).astype(np.float32)[:, None]  # samples at -3.01 dBFS, peaks at 0

    result = limited(tone)[11_025:33_075]

    assert 20.0 * np.log10(np.abs(result).max()) == pytest.approx(CEILING_DBTP - 3.01, abs=0.15)


def test_channels_share_one_gain():
    """The image stays: what is turned down in one channel is turned down in all."""
    signal = bursts(44_100)

    result = limited(signal, gain_db=20.0)

    sounding = np.abs(signal).min(axis=1) > 1e-2
    gains = result[sounding] / signal[sounding]
    assert gains.min() < 5.0
    assert gains[:, 0] == pytest.approx(gains[:, 1], rel=1e-5)


def gain_curve_db(driver: Block, pilot: float = 1e-3) -> np.ndarray:
    """What the limiter does to a constant in a second channel while the first one drives it, in dB."""
    signal = np.hstack([driver, np.full_like(driver, pilot)])
    return 20.0 * np.log10(limited(signal)[:, 1] / pilot)


def test_the_gain_moves_ahead_of_a_peak_and_smoothly():
    """A click 12 dB over is met by a gain that has come down within about the look-ahead, without a corner."""
    driver = np.zeros((44_100, 1), np.float32)
    driver[22_050] = 4.0

    gain_db = gain_curve_db(driver)

    assert (gain_db[: 22_050 - 243] == 0.0).all()
    assert gain_db[22_050] == pytest.approx(-20.0 * np.log10(4.0) + CEILING_DBTP - 0.1, abs=0.05)
    assert np.abs(np.diff(gain_db)).max() < 0.25
    assert np.abs(np.diff(gain_db, 2)).max() < 0.03


def test_the_gain_recovers():
    """After a short peak two thirds of the reduction are gone within the release and all within seconds."""
    driver = np.zeros((5 * 44_100, 1), np.float32)
    driver[22_050] = 4.0

    gain_db = gain_curve_db(driver)

    assert gain_db[22_050 + 4_410 + 441] > 0.37 * gain_db[22_050]
    assert (gain_db[-22_050:] == 0.0).all()
    assert (np.diff(gain_db[22_500:]) >= -1e-4).all()


def test_the_gain_does_not_pump():
    """Under steady limiting with gaps as between words the gain recovers slowly, not to the noise floor's rise."""
    gate = np.where(np.arange(4 * 44_100) % 22_050 < 15_000, 4.0, 0.0).astype(np.float32)[:, None]
    driver = np.tile(sine(500.0, 44_100), (4, 1)) * gate

    gain_db = gain_curve_db(driver)

    last_words = gain_db[2 * 44_100 :]
    assert last_words.max() < -3.0


@pytest.mark.parametrize(
    ("frequency_hz", "distortion_db"), [(30.0, -45.0), (50.0, -65.0), (100.0, -90.0), (1_000.0, -90.0)]
)
def test_it_does_not_distort(frequency_hz: float, distortion_db: float):
    """A tone driven 20 dB too hard is turned down, not bent: harmonics and noise stay far below it."""
    result = limited(sine(frequency_hz, 44_100, 6.0), gain_db=20.0)[4 * 44_100 : 5 * 44_100, 0]

    spectrum = np.abs(np.fft.rfft(result * np.hanning(len(result)))) ** 2
    tone = slice(int(frequency_hz) - 3, int(frequency_hz) + 4)
    power = spectrum[tone].sum()
    spectrum[tone] = spectrum[:3] = 0.0
    assert 10.0 * np.log10(spectrum.sum() / power) < distortion_db


def test_loud_programme_keeps_its_loudness():
    """Driven 6 dB into the ceiling, music loses no more of its loudness than it must."""
    signal = chords(44_100)
    drive_db = CEILING_DBTP - true_peak_db(signal, 8) + 6.0

    before, after = LoudnessMeter(44_100, 2), LoudnessMeter(44_100, 2)
    before.push(signal)
    after.push(limited(signal, gain_db=drive_db))

    lost_lu = before.report().integrated_lufs + drive_db - after.report().integrated_lufs
    assert 0.0 <= lost_lu <= 3.0


@pytest.mark.parametrize("wrong", [{"look_ahead_s": 0.0}, {"release_s": 0.0}])
def test_impossible_settings_are_refused(wrong: dict[str, float]):
    """Times of nothing make no limiter."""
    with pytest.raises(ValueError, match="limiter"):
        TruePeakLimiter(gain_db=0.0, ceiling_dbtp=-1.0, sample_rate_hz=48_000, channels=1, **wrong)
