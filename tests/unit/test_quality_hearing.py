"""What is kept of a recording: levels, clipped runs, spectra, excerpts at the same places."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixdown.dsp.dnsmos import RATE_HZ, SEGMENT_FRAMES
from mixdown.dsp.processor import Block
from mixdown.quality.hearing import BANDS_HZ, LOWEST_DB, MOST_EXCERPTS, STEPS_PER_S, Heard, Hearing
from tests.unit.signals import block_lengths, cut, noise, sine


def heard(signal: Block, rate_hz: int, *, excerpts: bool = True) -> Heard:
    """A signal, heard in blocks."""
    hearing = Hearing(rate_hz, signal.shape[1], excerpts=excerpts)
    for start in range(0, len(signal), 65_536):
        hearing.push(signal[start : start + 65_536])
    return hearing.report()


@settings(deadline=None)
@given(lengths=block_lengths, rate_hz=st.sampled_from([8_000, 11_025, 16_000, 44_100]))
def test_any_split_into_blocks_is_heard_alike(lengths: list[int], rate_hz: int) -> None:
    """Levels, counts and excerpts do not depend on the blocks, bit for bit."""
    signal = noise(12_000, rms=0.5)
    split, whole = Hearing(rate_hz, 2), Hearing(rate_hz, 2)
    for block in cut(signal, lengths):
        split.push(block)
    whole.push(signal)

    one, other = split.report(), whole.report()

    assert one.frames == other.frames
    assert one.clipped_runs == other.clipped_runs
    np.testing.assert_array_equal(one.power, other.power)
    np.testing.assert_array_equal(one.crest_db, other.crest_db)
    np.testing.assert_array_equal(one.band_levels, other.band_levels)
    assert one.excerpts.keys() == other.excerpts.keys()
    np.testing.assert_array_equal(one.excerpts[0], other.excerpts[0])


@pytest.mark.parametrize("rate_hz", [11_025, 44_100, 48_000])
def test_a_step_lasts_20_ms_at_every_rate(rate_hz: int) -> None:
    """Steps of a source and of a master at another rate are the same stretches of time."""
    tone = sine(1_000.0, rate_hz, 2.0, peak=0.5)
    tone[rate_hz:] = 0.0

    levels = heard(tone, rate_hz).power

    assert len(levels) == 2 * STEPS_PER_S
    assert levels[5:49] == pytest.approx(0.125, rel=0.3)
    assert levels[52:] == pytest.approx(0.0, abs=1e-9)


def test_the_crest_of_a_sine_is_3_db() -> None:
    """Its peak stands 3.01 dB above its root mean square, in every step that sounds."""
    tone = np.concatenate([sine(1_000.0, 48_000, 1.0, peak=0.3), np.zeros((48_000, 1), np.float32)])

    crest_db = heard(tone, 48_000).crest_db

    assert crest_db[:50] == pytest.approx(3.01, abs=0.05)
    assert crest_db[51:] == pytest.approx(0.0)


def test_runs_at_full_scale_are_counted_and_single_samples_are_not() -> None:
    """Three samples in a row at full scale are one run, per channel; a peak that only touches it is none."""
    signal = noise(48_000, rms=0.1)
    signal[100:103, 0] = 1.0
    signal[200:240, 1] = -1.0
    signal[300, 0] = 1.0
    signal[-5:, 0] = 1.0

    assert heard(signal, 48_000).clipped_runs == 3


def test_bands_know_where_a_tone_is() -> None:
    """A tone of 4.5 kHz is in the band from 4 to 5 kHz."""
    levels = heard(sine(4_500.0, 48_000, 2.0, peak=0.5), 48_000).band_levels

    loudest = [int(np.flatnonzero(band)[-1]) + LOWEST_DB for band in levels]

    assert int(np.argmax(loudest)) == BANDS_HZ.index(4_000.0)


@pytest.mark.parametrize("minutes", [1, 3, 10])
def test_excerpts_are_few_and_evenly_spread(minutes: int) -> None:
    """Of any length: at most eight, equally far apart, over all of it."""
    signal = noise(minutes * 60 * 4_000, 1)

    starts = sorted(heard(signal, 4_000).excerpts)

    assert len(starts) <= MOST_EXCERPTS
    assert len(set(np.diff(starts))) == 1
    assert starts[0] == 0
    assert starts[-1] >= minutes * 60 * 0.7


def test_excerpts_of_another_rate_are_of_the_same_places() -> None:
    """A source at 44.1 kHz and its master at 48 kHz: the same seconds, the same sound."""
    at_44 = heard(sine(440.0, 44_100, 65.0, peak=0.5), 44_100).excerpts
    at_48 = heard(sine(440.0, 48_000, 65.0, peak=0.5), 48_000).excerpts

    assert at_44.keys() == at_48.keys()
    for start_s, excerpt in at_44.items():
        assert len(excerpt) == len(at_48[start_s])
        inner = slice(200, len(excerpt) - 200)
        np.testing.assert_allclose(excerpt[inner], at_48[start_s][inner], atol=1e-3)


def test_an_excerpt_is_as_long_as_dnsmos_takes() -> None:
    """9.01 s at 16 kHz, where the recording is that long; of a shorter one, all."""
    assert [len(excerpt) for excerpt in heard(noise(16_000 * 15), 16_000).excerpts.values()] == [
        SEGMENT_FRAMES,
        5 * RATE_HZ,
    ]
    assert len(heard(noise(16_000), 16_000).excerpts[0]) == RATE_HZ


def test_without_excerpts_none_are_kept() -> None:
    """Where speech is not scored, nothing is resampled for it."""
    assert heard(noise(48_000), 48_000, excerpts=False).excerpts == {}


def test_nothing_at_all_is_heard_as_nothing() -> None:
    """A recording without frames has no steps and no excerpts."""
    nothing = Hearing(48_000, 2).report()

    assert nothing.duration_s == 0.0
    assert len(nothing.power) == 0
    assert nothing.excerpts == {}
