"""What holds for every processor of a chain."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mixdown.dsp import dc, declick, declip, deess, dynamics, filters, leveller, logmmse, true_peak
from mixdown.dsp import hum_notches as notches
from mixdown.dsp import limiter as limiting
from mixdown.dsp.channel_balance import ChannelBalance, SideToBoth
from mixdown.dsp.dc import DcRemoval
from mixdown.dsp.declick import ClickRepair
from mixdown.dsp.declip import Clipping, ClipRepair, FlatTop
from mixdown.dsp.deess import DeEsser
from mixdown.dsp.dynamics import Compressor
from mixdown.dsp.filters import HighPassFilter
from mixdown.dsp.hum import Hum, HumLine
from mixdown.dsp.hum_notches import HumNotches
from mixdown.dsp.leveller import GainRide
from mixdown.dsp.limiter import TruePeakLimiter
from mixdown.dsp.logmmse import LogMmse
from mixdown.dsp.processor import Block, Processor, run
from tests.unit.signals import RATES_HZ, block_lengths, cut, noise, processed, sine

Maker = Callable[[int, int], Processor]


def high_pass(rate_hz: int, channels: int) -> Processor:
    return HighPassFilter(80.0, sample_rate_hz=rate_hz, channels=channels)


def compressor(rate_hz: int, channels: int) -> Processor:
    return Compressor(
        threshold_dbfs=-30.0,
        ratio=3.0,
        knee_db=6.0,
        attack_s=0.010,
        release_s=0.150,
        sample_rate_hz=rate_hz,
        channels=channels,
    )


def limiter(rate_hz: int, channels: int) -> Processor:
    return TruePeakLimiter(gain_db=12.0, ceiling_dbtp=-1.0, sample_rate_hz=rate_hz, channels=channels)


def dc_removal(rate_hz: int, channels: int) -> Processor:
    return DcRemoval(sample_rate_hz=rate_hz, channels=channels)


def click_repair(rate_hz: int, channels: int) -> Processor:
    return ClickRepair(sensitivity=1.0, sample_rate_hz=rate_hz, channels=channels)


def clip_repair(rate_hz: int, channels: int) -> Processor:
    top = FlatTop(level=0.3, tolerance=0.01, overshoot=1000.0)
    clipping = Clipping(level_dbfs=-10.5, runs=9, samples=99, share=0.01, tops=((top, top),) * channels)
    return ClipRepair(clipping, sample_rate_hz=rate_hz, channels=channels)


def hum_notches(rate_hz: int, channels: int) -> Processor:
    lines = tuple(
        HumLine(frequency_hz=hz, level_dbfs=-40.0, prominence_db=20.0, bandwidth_hz=1.5)
        for hz in (50.0, 100.0, 300.0)
    )
    return HumNotches(Hum(mains_hz=50.0, lines=lines), sample_rate_hz=rate_hz, channels=channels)


def side_to_both(rate_hz: int, channels: int) -> Processor:
    dead = ChannelBalance(level_dbfs=(-20.0, -90.0), correlation=0.0, identical=False, silent_side=1)
    return SideToBoth(dead, channels=channels)


def log_mmse(rate_hz: int, channels: int) -> Processor:
    return LogMmse(limit_db=12.0, sample_rate_hz=rate_hz, channels=channels)


def de_esser(rate_hz: int, channels: int) -> Processor:
    return DeEsser(reduction_db=12.0, sample_rate_hz=rate_hz, channels=channels)


def gain_ride(rate_hz: int, channels: int) -> Processor:
    gains_db = np.array([0.0, 6.0, -12.0, 0.0, 0.0, 3.0], np.float32)
    return GainRide(gains_db, 0.1, sample_rate_hz=rate_hz, channels=channels)


every_processor = pytest.mark.parametrize(
    "make",
    [
        dc_removal,
        side_to_both,
        click_repair,
        clip_repair,
        hum_notches,
        high_pass,
        compressor,
        limiter,
        log_mmse,
        de_esser,
        gain_ride,
    ],
)


@every_processor
@given(
    lengths=block_lengths,
    frames=st.integers(0, 4_000),
    channels=st.integers(1, 6),
    rate_hz=st.sampled_from(RATES_HZ),
)
@settings(deadline=None)
def test_any_split_gives_the_same_samples(
    make: Maker, lengths: list[int], frames: int, channels: int, rate_hz: int
):
    """However a signal is cut into blocks, what comes out is the same bit for bit, and as long."""
    signal = noise(frames, channels, rms=0.3, seed=frames)

    whole = processed(make(rate_hz, channels), signal)
    split = processed(make(rate_hz, channels), *cut(signal, lengths))

    assert whole.shape == signal.shape
    assert np.array_equal(whole, split)


@every_processor
@pytest.mark.parametrize("block_frames", [1, 441, 65_536])
def test_any_split_of_a_long_signal_gives_the_same_samples(make: Maker, block_frames: int):
    """The same over seconds of sound that starts, stops and starts again."""
    signal = noise(100_000, 2, rms=0.3)
    signal[20_000:60_000] = 0.0
    if block_frames == 1:
        signal = signal[15_000:25_000]

    whole = processed(make(44_100, 2), signal)
    split = processed(make(44_100, 2), *cut(signal, [block_frames] * (len(signal) // block_frames)))

    assert np.array_equal(whole, split)


@every_processor
@given(
    signal=arrays(
        np.float32, st.tuples(st.integers(0, 600), st.integers(1, 3)), elements=st.floats(-100, 100, width=32)
    )
)
@settings(deadline=None)
def test_finite_stays_finite(make: Maker, signal: Block):
    """Samples up to 40 dB above full scale, denormal ones too, come out as finite numbers."""
    result = processed(make(8_000, signal.shape[1]), signal)

    assert result.shape == signal.shape
    assert np.isfinite(result).all()


@every_processor
@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_silence_stays_silence(make: Maker, rate_hz: int):
    """Nothing comes out where nothing goes in; a second after a sound has ended it is over."""
    silence = np.zeros((2 * rate_hz, 1), np.float32)

    assert not processed(make(rate_hz, 1), silence).any()

    after = processed(make(rate_hz, 1), sine(300.0, rate_hz, 0.2), silence)
    assert not after[-rate_hz // 2 :].any()


@every_processor
def test_time_is_kept(make: Maker):
    """A click comes out in the frame in which it went in: latency is compensated."""
    signal = np.zeros((5_000, 2), np.float32)
    signal[1_234] = 0.05

    result = processed(make(48_000, 2), signal)

    assert (np.abs(result).argmax(axis=0) == 1_234).all()


@every_processor
def test_the_input_is_left_alone(make: Maker):
    """A processor never writes into what it was given, and takes what it may not write into."""
    signal = noise(3_000)
    before = signal.copy()
    signal.flags.writeable = False

    processed(make(48_000, 2), signal, signal)

    assert np.array_equal(signal, before)


@every_processor
def test_any_layout_is_taken(make: Maker):
    """Double precision, reversed or column-wise samples give what the same values give in a plain block."""
    signal = noise(3_000)

    expected = processed(make(48_000, 2), signal)

    for layout in (np.asfortranarray(signal), signal.astype(np.float64), signal[::-1].copy()[::-1]):
        assert np.array_equal(processed(make(48_000, 2), layout), expected)


@every_processor
@pytest.mark.parametrize("shape", [(10,), (10, 1), (10, 3), (10, 2, 1)])
def test_another_number_of_channels_is_refused(make: Maker, shape: tuple[int, ...]):
    """A block of another shape than (frames, channels) is a mistake, not sound."""
    with pytest.raises(ValueError, match="expected \\(frames, 2\\)"):
        make(48_000, 2).process(np.zeros(shape, np.float32))


@every_processor
def test_more_channels_than_two(make: Maker):
    """Sixteen channels, each of its own."""
    signal = noise(3_000, 16, rms=0.05)

    assert processed(make(48_000, 16), signal).shape == signal.shape


@given(lengths=block_lengths)
@settings(deadline=None, max_examples=30)
def test_a_cascade_is_its_processors_one_after_the_other(lengths: list[int]):
    """`run` gives what each processor would give on the whole result of the one before, flush included."""
    signal = noise(4_000, rms=0.3)

    together = np.concatenate(
        list(run([make(44_100, 2) for make in (high_pass, limiter, compressor, limiter)], cut(signal, lengths)))
    )

    alone = signal
    for make in (high_pass, limiter, compressor, limiter):
        alone = processed(make(44_100, 2), alone)
    assert np.array_equal(together, alone)


def test_a_cascade_of_nothing_passes_the_signal_through():
    """Without processors the blocks come out as they went in, but for empty ones."""
    blocks = cut(noise(1_000), [0, 300, 0])

    assert [len(block) for block in run([], blocks)] == [300, 700]


def test_a_cascade_holds_no_more_than_its_processors():
    """Blocks come out while the signal still goes in."""
    given_out = []

    def blocks():
        for index in range(10):
            yield noise(4_410, seed=index)
            given_out.append(index)

    stream = run([limiter(44_100, 2)], blocks())
    next(stream)

    assert given_out == []


@pytest.mark.parametrize(
    "kernel",
    [
        dc._subtract,
        declick._examine,
        declip._rebuild,
        notches._filter,
        filters._filter,
        deess._listen,
        deess._turn_down,
        leveller._apply,
        dynamics._compress,
        limiting._smooth,
        limiting._turn_down,
        logmmse._judge,
        true_peak.group_peaks,
    ],
    ids=lambda kernel: kernel.__name__,
)
def test_every_kernel_is_compiled_once(kernel):
    """Whatever layout, precision, channels or rate come in: one machine code, so one wait for the compiler."""
    for make in (
        dc_removal,
        click_repair,
        clip_repair,
        hum_notches,
        high_pass,
        compressor,
        limiter,
        log_mmse,
        de_esser,
        gain_ride,
    ):
        for channels in (1, 2, 5):
            signal = noise(2_000, channels)
            read_only = signal.copy()
            read_only.flags.writeable = False
            for block in (signal, signal.astype(np.float64), np.asfortranarray(signal), read_only, signal[:0]):
                processed(make(int(np.int32(44_100)), channels), block)
                processed(make(96_000, channels), block[:1], block)

    assert len(kernel.signatures) == 1
