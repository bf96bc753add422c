"""Noise reduction of stereo: everybody stays where they sit, and nobody is lost."""

import numpy as np
import py_nanotts
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mixdown.dsp.deepfilter import HOP, RATE_HZ, REHEARSALS, SEGMENT_HOPS, DeepFilter
from mixdown.dsp.deepfilter_network import load
from mixdown.dsp.denoise import Denoiser
from mixdown.dsp.downmix import Downmix
from mixdown.dsp.filters import HighPassFilter
from mixdown.dsp.processor import Block, run
from mixdown.dsp.resample import Resampler
from mixdown.model import Recipe
from mixdown.presets.recipes import made

WIDTHS = np.full(8, 4)
HALF_SECOND = RATE_HZ // 2


@pytest.fixture(scope="module")
def voices() -> tuple[Block, Block]:
    """Two who speak for the same seven and a half seconds, mono, 48 kHz."""
    sentences = ("Mixdown listens to the whole recording first.", "Only then does it touch a single sample of it.")
    spoken = []
    for sentence in sentences:
        pcm = py_nanotts.NanoTTS().speak(sentence, voice="en-GB")
        samples = np.frombuffer(pcm, "<i2").astype(np.float32)[:, None] / 32_768
        spoken.append(
            np.resize(np.concatenate(list(run([Resampler(16_000, RATE_HZ, 1)], [samples]))), (15 * HALF_SECOND, 1))
        )
    return spoken[0], spoken[1]


def noise(frames: int, seed: int, level: float) -> Block:
    """Brown-ish noise, mono."""
    white = np.random.default_rng(seed).standard_normal(frames + 200)
    brown = np.convolve(white, np.exp(-np.arange(201) / 20), mode="valid")[:, None]
    return (brown * level / rms(brown)).astype(np.float32)


def noises(frames: int, level: float) -> Block:
    """Noise of its own on each side."""
    return np.concatenate([noise(frames, seed, level) for seed in (1, 2)], axis=1)


def rms(signal: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(np.square(signal, dtype=np.float64))))


def si_sdr_db(reference: Block, estimate: Block) -> float:
    """Scale-invariant signal-to-distortion ratio (Le Roux et al., 2019)."""
    wanted = reference * float(np.vdot(reference, estimate) / np.vdot(reference, reference))
    return 20 * np.log10(rms(wanted) / rms(estimate - wanted))


def shifts_db(voice: Block, output: Block) -> NDArray[np.float64]:
    """By how much the voice in the output has moved to the left, every half second that somebody speaks."""
    pieces = [np.split(x[: len(x) // HALF_SECOND * HALF_SECOND], len(x) // HALF_SECOND) for x in (voice, output)]
    moved = []
    for before, after in zip(*pieces, strict=True):
        if rms(before) < 0.3 * rms(voice):
            continue
        left, right = (abs(float(np.vdot(before[:, side], after[:, side]))) for side in (0, 1))
        power = np.sum(np.square(before, dtype=np.float64), axis=0)
        moved.append(20 * np.log10(left / power[0] / (right / power[1])))
    return np.array(moved)


def denoise(signal: Block, *, block_frames: int = 65_536) -> Block:
    denoiser = Denoiser(limit_db=None, sample_rate_hz=RATE_HZ, channels=signal.shape[1])
    blocks = (signal[start : start + block_frames] for start in range(0, len(signal), block_frames))
    return np.concatenate([signal[:0], *run([denoiser], blocks)])


class CountingNetwork:
    """The real network, and how often it was asked."""

    def __init__(self) -> None:
        self.runs = 0
        self._network = load(["CPUExecutionProvider"], 1)

    def run(self, *arguments):
        self.runs += 1
        return self._network.run(*arguments)


def counted(signal: Block) -> tuple[Block, int]:
    """The signal enhanced, and how often the network was asked."""
    network = CountingNetwork()
    deep_filter = DeepFilter(signal.shape[1], 0.0, network)
    return np.concatenate([deep_filter.process(signal), deep_filter.flush()]), network.runs


def runs_of_one(signal: Block) -> int:
    return REHEARSALS + len(signal) // (SEGMENT_HOPS * HOP) + 1


@pytest.mark.parametrize("cutoff_hz", [80, 100, 120])
def test_a_voice_under_a_fan_stays_in_the_middle(cutoff_hz):
    """The fan is another on each side; the voice is as loud on both as before, all the time."""
    recipe = {"level_lufs": -24, "channels": 2, "duration_s": 12}
    heard = [made(Recipe(**recipe)), made(Recipe(**recipe, noise="fan", noise_dbfs=-38))]
    filtered = (run([HighPassFilter(cutoff_hz, sample_rate_hz=RATE_HZ, channels=2)], [sound]) for sound in heard)
    voice, noisy = (np.concatenate(list(blocks)) for blocks in filtered)

    moved_db = shifts_db(voice, denoise(noisy))

    assert abs(moved_db.mean()) < 0.1
    assert np.abs(moved_db).max() < 0.5


@pytest.mark.parametrize("right", [1.0, 0.4, -1.0], ids=["centre", "to the left", "antiphase"])
def test_a_voice_stays_where_it_is(voices, right):
    """In noise of its own on each side, the voice gets clearer on both and its image does not move."""
    voice = voices[0] * np.float32([1, right])
    noisy = voice + noises(len(voice), 0.5 * rms(voice[:, 1:]))

    enhanced, runs = counted(noisy)

    assert abs(shifts_db(voice, enhanced).mean()) < 0.3
    for side in (0, 1):
        assert si_sdr_db(voice[:, side], enhanced[:, side]) > si_sdr_db(voice[:, side], noisy[:, side]) + 5
    assert runs == runs_of_one(noisy)


@pytest.mark.parametrize("in_turn", [True, False], ids=["in turn", "at once"])
def test_two_on_a_side_each_are_worked_on_by_themselves(voices, in_turn):
    """A host on the left and a guest on the right come out as each would alone."""
    pair = np.concatenate(voices, axis=1)
    if in_turn:
        turn = np.arange(len(pair)) // (2 * RATE_HZ) % 2
        pair *= np.stack([turn == 0, turn == 1], axis=1)
    noisy = pair + noises(len(pair), 0.3 * rms(pair))

    enhanced = denoise(noisy)

    for side in (0, 1):
        assert si_sdr_db(pair[:, side], enhanced[:, side]) > si_sdr_db(pair[:, side], noisy[:, side]) + 3
        assert np.array_equal(enhanced[:, side : side + 1], denoise(noisy[:, side : side + 1].copy()))


def test_equal_channels_are_worked_on_once(voices):
    """Two equal channels take one channel's work and both get the result that it has by itself."""
    noisy = voices[0] + noise(len(voices[0]), 1, 0.02)

    enhanced, runs = counted(np.repeat(noisy, 2, axis=1))

    assert runs == runs_of_one(noisy)
    assert np.array_equal(enhanced, np.repeat(denoise(noisy), 2, axis=1))


def test_one_silent_side_stays_silent(voices):
    """A recording on one side comes out as mono would, the other side in digital silence."""
    noisy = voices[0] + noise(len(voices[0]), 1, 0.02)

    enhanced, runs = counted(np.concatenate([noisy, np.zeros_like(noisy)], axis=1))

    assert runs == runs_of_one(noisy)
    assert np.array_equal(enhanced[:, :1], denoise(noisy))
    assert not enhanced[:, 1].any()


def test_channels_part_and_meet_again(voices):
    """A pair on a side each between passages with a voice in the middle: all are clear in two seconds at most."""
    host, guest = (voice[: 4 * RATE_HZ] for voice in voices)
    pair = np.concatenate([host, guest], axis=1)
    programme = np.concatenate([np.repeat(host, 2, axis=1), pair, np.repeat(guest, 2, axis=1)])
    noisy = programme + noises(len(programme), 0.05 * rms(programme))

    enhanced, _ = counted(noisy)

    for start in (0, 2, 6, 8, 10):
        passage = slice(start * RATE_HZ, (start + 2) * RATE_HZ)
        for side in (0, 1):
            assert si_sdr_db(programme[passage, side], enhanced[passage, side]) > 20
    parting = slice(4 * RATE_HZ, 6 * RATE_HZ)
    assert rms(enhanced[parting]) > 0.6 * rms(programme[parting])


@given(
    frames=st.integers(0, 250_000), block_frames=st.integers(200, 130_000), right=st.sampled_from([1.0, -0.5, 0.0])
)
@settings(deadline=None, max_examples=12)
def test_any_split_gives_the_same_samples(frames, block_frames, right):
    """Channels with much or nothing in common: cutting the stream into blocks changes no bit."""
    rng = np.random.default_rng(frames)
    common = rng.uniform(-0.3, 0.3, (frames, 1)) * (np.arange(frames)[:, None] % 100_000 < 50_000)
    signal = (common * [1, right] + rng.uniform(-0.1, 0.1, (frames, 2)) * [0.1, 1]).astype(np.float32)

    assert np.array_equal(denoise(signal, block_frames=max(frames, 1)), denoise(signal, block_frames=block_frames))


def spectrum(seed: int, hops: int = 100) -> NDArray[np.complex64]:
    parts = np.random.default_rng(seed).standard_normal((2, hops, int(WIDTHS.sum())))
    return (parts[0] + 1j * parts[1]).astype(np.complex64)


@pytest.mark.parametrize("turn", [1, -1, 1j, -1j, 0.3])
def test_a_downmix_loses_nothing(turn):
    """Whatever the phase between the channels, their mix holds what they have in common in full."""
    first = spectrum(1)

    mixed = Downmix(WIDTHS).mix([first, first * np.complex64(turn)])

    assert np.allclose(np.abs(mixed), np.abs(first) * (1 + abs(turn)) / 2, rtol=1e-4)


def test_channels_are_apart_only_while_they_have_nothing_in_common():
    """Noise in both is not; a sound on each side is, and stays so in the pauses, until both have one in common."""
    downmix = Downmix(WIDTHS)
    left = (np.arange(100) // 10 % 2)[:, None].astype(np.complex64)

    downmix.mix([spectrum(1), spectrum(2)])
    noise_alone = downmix.apart
    downmix.mix([10 * spectrum(3) * left, 10 * spectrum(4) * (1 - left)])
    pair = downmix.apart
    downmix.mix([spectrum(5), spectrum(6)])
    pause = downmix.apart
    downmix.mix([100 * spectrum(7), 90 * spectrum(7)])

    assert (noise_alone, pair, pause, downmix.apart) == (False, True, True, False)
