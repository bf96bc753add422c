"""The light noise reduction: what it does to speech and noise, and to the image."""

import numpy as np
import pytest

from mixdown.dsp import logmmse
from mixdown.dsp.logmmse import LogMmse
from mixdown.dsp.processor import Block
from tests.signals import speech_like
from tests.unit.signals import cut, noise, processed

RATE_HZ = 48_000


def rms(signal: Block) -> float:
    return float(np.sqrt(np.mean(np.square(signal, dtype=np.float64))))


def si_sdr_db(reference: Block, estimate: Block) -> float:
    """Scale-invariant signal-to-distortion ratio (Le Roux et al., 2019)."""
    wanted = reference * float(np.vdot(reference, estimate) / np.vdot(reference, reference))
    return 20 * np.log10(rms(wanted) / rms(estimate - wanted))


def light(signal: Block, limit_db: float | None = 18.0, *, rate_hz: int = RATE_HZ) -> Block:
    return processed(LogMmse(limit_db=limit_db, sample_rate_hz=rate_hz, channels=signal.shape[1]), signal)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("snr_db", [0, 10])
def test_speech_in_noise_gets_clearer(rate_hz: int, snr_db: float):
    """Speech in white noise comes out at least 4 dB clearer, at any rate."""
    voice = speech_like(8, rate_hz=rate_hz)
    noisy = voice + noise(len(voice), 1, rms=rms(voice) * 10 ** (-snr_db / 20))

    assert si_sdr_db(voice, light(noisy, rate_hz=rate_hz)) > si_sdr_db(voice, noisy) + 4


@pytest.mark.parametrize("limit_db", [6.0, 12.0, 18.0, 24.0])
def test_noise_is_turned_down_to_the_limit(limit_db: float):
    """Steady noise falls by what was asked for, but for 3 dB at most, from the first half second on."""
    hiss = noise(4 * RATE_HZ, 1, rms=0.01)

    fallen_db = 20 * np.log10(rms(hiss) / rms(light(hiss, limit_db)))

    assert limit_db - 3 < fallen_db < limit_db + 0.1
    assert limit_db - 3 < 20 * np.log10(rms(hiss[:24_000]) / rms(light(hiss, limit_db)[:24_000]))


def test_louder_noise_is_followed():
    """Noise that rises by 10 dB is down to the limit again within two seconds."""
    hiss = noise(10 * RATE_HZ, 1, rms=0.003)
    hiss[4 * RATE_HZ :] *= np.float32(10 ** (10 / 20))

    after = slice(6 * RATE_HZ, None)

    assert 20 * np.log10(rms(hiss[after]) / rms(light(hiss)[after])) > 15


def test_clean_speech_stays_what_it_was():
    """Where there is no noise, what is changed lies 20 dB under the speech."""
    voice = speech_like(8) + noise(8 * RATE_HZ, 1, rms=1e-5)

    assert si_sdr_db(voice, light(voice)) > 20


@pytest.mark.parametrize("level_db", [-40, 20])
def test_level_makes_no_difference(level_db: float):
    """A quieter or louder recording is treated alike."""
    noisy = speech_like(4) + noise(4 * RATE_HZ, 1, rms=0.01)
    gain = np.float32(10 ** (level_db / 20))

    assert np.abs(light(noisy * gain) / gain - light(noisy)).max() < 1e-4


def test_the_image_stays_where_it_is():
    """Channels are turned down alike: a voice panned to a side stays there, in proportion."""
    voice = speech_like(4, channels=2) + noise(4 * RATE_HZ, 1, rms=0.01) * np.float32([1.0, 0.8])

    result = light(voice)

    assert np.abs(result[:, 1] - 0.8 * result[:, 0]).max() < 1e-5


def test_equal_channels_come_out_as_one_alone():
    """Mono kept in a stereo file gives what mono gives, in both channels, bit for bit."""
    voice = speech_like(4) + noise(4 * RATE_HZ, 1, rms=0.01)

    assert np.array_equal(light(np.repeat(voice, 2, axis=1)), np.repeat(light(voice), 2, axis=1))


def test_channels_part_and_meet_again():
    """Where channels that were equal differ, and are equal again, there is no seam."""
    both = np.repeat(noise(12 * RATE_HZ, 1, rms=0.01), 2, axis=1)
    both[4 * RATE_HZ : 6 * RATE_HZ, 1] = 0.0

    right = light(both, 6.0)[:, 1]

    assert not right[4 * RATE_HZ + 2_000 : 6 * RATE_HZ - 2_000].any()
    assert np.abs(right).max() < 0.08  # a seam would click
    assert rms(right[-RATE_HZ:, None]) == pytest.approx(0.005, rel=0.3)


def test_noise_before_silence_and_after_is_known():
    """Digital silence teaches nothing: noise that goes on after it is turned down at once."""
    hiss = noise(6 * RATE_HZ, 1, rms=0.01)
    hiss[2 * RATE_HZ : 4 * RATE_HZ] = 0.0

    again = slice(4 * RATE_HZ + 2_000, 4 * RATE_HZ + 12_000)

    assert 20 * np.log10(rms(hiss[again]) / rms(light(hiss)[again])) > 14


def test_nothing_to_turn_down_passes_the_bits():
    """A limit of 0 dB gives the same samples, at once."""
    signal = noise(5_000, 2)
    processor = LogMmse(limit_db=0.0, sample_rate_hz=RATE_HZ, channels=2)

    assert np.array_equal(processor.process(signal), signal)
    assert processor.flush().shape == (0, 2)


def test_no_limit_is_thirty_decibels():
    """Without a limit noise falls by some 30 dB."""
    hiss = noise(4 * RATE_HZ, 1, rms=0.01)

    assert 25 < 20 * np.log10(rms(hiss) / rms(light(hiss, None))) < 30.1


def test_a_second_is_held_back():
    """However long the stream, the memory it takes is that of a second."""
    processor = LogMmse(limit_db=18.0, sample_rate_hz=RATE_HZ, channels=1)

    held_back = np.cumsum(
        [len(block) - len(processor.process(block)) for block in cut(noise(400_000, 1), [9_999] * 39)]
    )

    assert held_back.max() < 1.1 * RATE_HZ


def test_a_negative_limit_is_refused():
    """Noise cannot be turned down by less than nothing."""
    with pytest.raises(ValueError, match="0 dB or more"):
        LogMmse(limit_db=-1.0, sample_rate_hz=RATE_HZ, channels=1)


@pytest.mark.parametrize("x", [1e-6, 0.01, 0.3, 1.0, 2.5, 10.0, 40.0])
def test_exponential_integral_is_the_tabulated_one(x: float):
    """E1 is that of SciPy to one part in a thousand."""
    from scipy.special import exp1

    assert logmmse._exponential_integral(x) == pytest.approx(exp1(x), rel=1e-3)
