"""The compressor."""

from typing import Any

import numpy as np
import pytest

from mixdown.dsp.dynamics import Compressor
from tests.unit.signals import RATES_HZ, bursts, noise, processed, sine

SETTINGS = {
    "threshold_dbfs": -20.0,
    "ratio": 4.0,
    "knee_db": 6.0,
    "attack_s": 0.010,
    "release_s": 0.100,
    "sample_rate_hz": 48_000,
    "channels": 1,
}


def compressor(**changed: Any) -> Compressor:
    return Compressor(**{**SETTINGS, **changed})


def level_db(signal: np.ndarray) -> float:
    """Mean square, in dB: -3.01 for a full-scale sine."""
    return float(10.0 * np.log10(np.mean(signal.astype(np.float64) ** 2)))


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 48_000, 192_000])
@pytest.mark.parametrize(
    ("in_dbfs", "out_dbfs"),
    [
        (-40.0, -40.0),  # below
        (-23.0, -23.0),  # where the knee begins
        (-20.0, -20.5625),  # its middle: 0.75 * 3² / 12 dB
        (-17.0, -19.25),  # where it ends
        (-8.0, -17.0),  # 12 dB above: 3 dB
    ],
)
def test_static_curve(in_dbfs: float, out_dbfs: float, rate_hz: int):
    """A steady tone comes out at the level of the curve: threshold, ratio and soft knee."""
    tone = sine(1_000.0, rate_hz, 2.0, peak=10.0 ** ((in_dbfs + 3.0103) / 20.0))

    result = processed(compressor(sample_rate_hz=rate_hz), tone)

    assert level_db(result[rate_hz:]) == pytest.approx(out_dbfs, abs=0.1)


def test_a_hard_knee():
    """Without a knee nothing happens just below the threshold."""
    tone = sine(1_000.0, 48_000, peak=10.0 ** ((-20.5 + 3.0103) / 20.0))

    assert np.array_equal(processed(compressor(knee_db=0.0), tone), tone)


def test_below_the_knee_nothing_changes():
    """A signal under the threshold comes out bit for bit."""
    signal = noise(50_000, 1, rms=0.01)

    assert np.array_equal(processed(compressor(), signal), signal)


def test_a_ratio_of_one_changes_nothing():
    """1:1 is no compression, however loud."""
    signal = noise(50_000, 1, rms=0.5)

    assert np.array_equal(processed(compressor(ratio=1.0), signal), signal)


@pytest.mark.parametrize(("attack_s", "release_s"), [(0.010, 0.100), (0.050, 0.400)])
def test_attack_and_release(attack_s: float, release_s: float):
    """After a jump in level 63 % of the way is gone within the attack, after a fall within the release."""
    carrier = sine(2_000.0, 48_000, 6.0)
    envelope = np.full((len(carrier), 1), 0.01, np.float32)
    envelope[96_000:192_000] = 0.5
    step = processed(compressor(attack_s=attack_s, release_s=release_s, knee_db=0.0), carrier * envelope)

    with np.errstate(divide="ignore", invalid="ignore"):
        gain_db = 20.0 * np.log10(np.abs(step / (carrier * envelope))[:, 0])
    gain_db = np.interp(
        np.arange(len(gain_db)), *[a[np.isfinite(gain_db)] for a in (np.arange(len(gain_db)), gain_db)]
    )
    lowest_db = gain_db[190_000]

    attacked_s = np.argmax(gain_db[96_000:] < 0.63 * lowest_db) / 48_000
    released_s = np.argmax(gain_db[192_000:] > 0.37 * lowest_db) / 48_000
    assert attack_s <= attacked_s <= attack_s + 0.006
    assert release_s <= released_s <= release_s + 0.030


def test_channels_share_one_gain():
    """The image stays: where one channel is loud, both are turned down alike."""
    signal = bursts(48_000) * 4.0

    result = processed(compressor(channels=2), signal)

    loud = np.abs(signal).min(axis=1) > 1e-2
    gains = result[loud] / signal[loud]
    assert gains.min() < 0.7
    assert gains[:, 0] == pytest.approx(gains[:, 1], abs=1e-5)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_it_never_turns_up(rate_hz: int):
    """There is no make-up gain: no sample grows."""
    signal = bursts(rate_hz)

    result = processed(compressor(sample_rate_hz=rate_hz, channels=2), signal)

    assert (np.abs(result) <= np.abs(signal)).all()


def test_a_low_tone_is_not_bent():
    """A steady 60 Hz keeps its shape: the gain does not follow single waves."""
    result = processed(compressor(channels=1), sine(60.0, 48_000, 4.0, peak=0.5))[96_000:, 0]

    spectrum = np.abs(np.fft.rfft(result * np.hanning(len(result)))) ** 2
    fundamental = spectrum[110:131].sum()
    assert spectrum[131:].sum() / fundamental < 10.0 ** (-40.0 / 10.0)


@pytest.mark.parametrize("wrong", [{"ratio": 0.9}, {"knee_db": -1.0}, {"attack_s": 0.0}, {"release_s": 0.0}])
def test_impossible_settings_are_refused(wrong: dict[str, float]):
    """A ratio below 1, a negative knee and times of nothing make no compressor."""
    with pytest.raises(ValueError, match="compressor"):
        compressor(**wrong)
