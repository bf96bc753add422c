"""Music in a programme of speech is left alone; noise is not."""

import itertools

import numpy as np
import py_nanotts
import pytest

from mixdown.dsp.denoise import Denoiser
from mixdown.dsp.processor import Block
from mixdown.dsp.programme_guard import ProgrammeGuard
from mixdown.dsp.resample import Resampler
from tests.unit.signals import noise

RATE_HZ = 48_000
LIMIT_DB = 18.0
THIRD = 20 * RATE_HZ
SENTENCE = "Mixdown listens to the whole recording before it touches a single sample of it."


def level_db(signal: Block) -> float:
    return float(10 * np.log10(np.mean(np.square(signal, dtype=np.float64)) + 1e-20))


def at_level(signal: np.ndarray, dbfs: float) -> Block:
    return (signal * 10 ** ((dbfs - level_db(signal)) / 20)).astype(np.float32)


def music(seconds: float, *, rate_hz: int = RATE_HZ, note_s: float = 0.5, decay_s: float = 0.6) -> Block:
    """Struck chords that ring, two a second, at −22 dBFS."""
    rng = np.random.default_rng(3)
    song = np.zeros((round(seconds * rate_hz), 1))
    for start_s in np.arange(0.0, seconds, note_s):
        start = round(start_s * rate_hz)
        time_s = np.arange(min(2 * rate_hz, len(song) - start)) / rate_hz
        root_hz = 220.0 * 2 ** (rng.integers(12) / 12)
        envelope = np.exp(-time_s / decay_s) * np.minimum(1.0, time_s / 0.01)
        for interval, partial in itertools.product((0, 4, 7), range(1, 6)):
            tone_hz = root_hz * 2 ** (interval / 12) * partial
            song[start : start + len(time_s), 0] += np.sin(2 * np.pi * tone_hz * time_s) * envelope / partial**1.5
    return at_level(song, -22.0)


def hum(seconds: float) -> Block:
    """Fifty hertz and its harmonics."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return at_level(sum(np.sin(2 * np.pi * 50 * k * time_s + k) / k for k in range(1, 20))[:, None], -40.0)


def rattle(seconds: float) -> Block:
    """Bursts of coloured noise, as of dishes: it comes and goes, without a tone."""
    frames = round(seconds * RATE_HZ)
    rng = np.random.default_rng(7)
    envelope = np.zeros(frames)
    for start in rng.integers(0, frames - 10_000, round(6 * seconds)):
        envelope[start : start + 10_000] += np.exp(-np.arange(10_000) / 2_000) * rng.uniform(0.2, 1.0)
    coloured = np.convolve(rng.standard_normal(frames), [1, 0.7, 0.4, -0.2], "same")
    return at_level((coloured * (envelope + 0.02))[:, None], -30.0)


def denoised(signal: Block, *, guard: bool = True, rate_hz: int = RATE_HZ, block_frames: int = 65_536) -> Block:
    denoiser = Denoiser(limit_db=LIMIT_DB, sample_rate_hz=rate_hz, channels=signal.shape[1], guard=guard)
    starts = range(0, len(signal), block_frames)
    blocks = [denoiser.process(signal[start : start + block_frames]) for start in starts]
    return np.concatenate([*blocks, denoiser.flush()])


@pytest.fixture(scope="module")
def voice() -> Block:
    """Forty seconds of speech with digital silence between the sentences."""
    pcm = py_nanotts.NanoTTS().speak(SENTENCE, voice="en-GB")
    sentence = np.pad(np.frombuffer(pcm, "<i2").astype(np.float32) / 32_768, 6_000)[:, None]
    resampler = Resampler(16_000, RATE_HZ, 1)
    spoken = np.concatenate([resampler.process(sentence), resampler.flush()])
    spoken[np.abs(spoken) < 1e-4] = 0.0
    return at_level(np.tile(spoken, (20, 1))[: 2 * THIRD], -26.0)


@pytest.fixture(scope="module")
def programme(voice: Block) -> Block:
    """Twenty seconds of speech in noise, of music and of speech in noise again."""
    noisy = voice + noise(len(voice), 1, rms=10 ** (-48 / 20))
    return np.concatenate([noisy[:THIRD], music(20), noisy[THIRD:]])


@pytest.fixture(scope="module")
def guarded(programme: Block) -> Block:
    """The same, its noise reduced."""
    return denoised(programme)


def test_music_between_speech_is_left_alone(programme: Block, guarded: Block):
    """But for a second at both ends, music loses nothing: less than 1 dB is asked for."""
    middle = slice(THIRD + RATE_HZ, 2 * THIRD - RATE_HZ)

    assert np.array_equal(guarded[middle], programme[middle])


def test_without_a_guard_the_music_would_be_lost(programme: Block):
    """What the guard is there for."""
    middle = slice(THIRD + RATE_HZ, 2 * THIRD - RATE_HZ)

    assert level_db(denoised(programme, guard=False)[middle]) < level_db(programme[middle]) - 12


def test_noise_between_words_is_reduced_all_the_same(voice: Block, programme: Block, guarded: Block):
    """In the pauses of the speech around the music, noise is at least 12 dB down, up to a second from it."""
    pauses = np.abs(voice[:, 0]) == 0
    pauses = np.concatenate([pauses[:THIRD], np.zeros(THIRD, bool), pauses[THIRD:]])
    pauses = np.convolve(pauses, np.ones(9_601), "same") > 9_600.5  # well within
    pauses[: 3 * RATE_HZ] = False
    pauses[THIRD - RATE_HZ : 2 * THIRD + RATE_HZ] = False

    assert pauses.sum() > 2 * RATE_HZ
    assert level_db(guarded[pauses]) < level_db(programme[pauses]) - 12


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
def test_music_alone_passes_untouched(rate_hz: int):
    """A recording of music comes out as it went in, bit for bit, from its first frame to its last."""
    song = music(12, rate_hz=rate_hz)

    assert np.array_equal(denoised(song, rate_hz=rate_hz), song)


def test_slow_music_in_stereo_passes_untouched():
    """Long chords, different in both channels, are no hum."""
    song = music(12, note_s=2.0, decay_s=2.0)
    wide = np.concatenate([song, 0.5 * np.roll(song, 4_000)], axis=1).astype(np.float32)

    assert np.array_equal(denoised(wide), wide)


@pytest.mark.parametrize(
    "sound",
    [noise(10 * RATE_HZ, 1, rms=0.02), hum(10), rattle(10), hum(10) + noise(10 * RATE_HZ, 1, rms=0.003)],
    ids=["hiss", "hum", "rattle", "hum and hiss"],
)
def test_noise_alone_is_reduced(sound: Block):
    """Noise that is steady, or comes and goes without tones, is no music."""
    assert level_db(denoised(sound)[2 * RATE_HZ :]) < level_db(sound[2 * RATE_HZ :]) - 15


def test_faint_music_behind_speech_goes(voice: Block):
    """Music 40 dB below the voice, in a long pause, is the neighbour's."""
    spoken = voice[: 10 * RATE_HZ]
    sound = at_level(music(30), -66.0) + np.concatenate([spoken, np.zeros_like(spoken), spoken])

    pause = slice(12 * RATE_HZ, 18 * RATE_HZ)

    assert level_db(denoised(sound)[pause]) < level_db(sound[pause]) - 15


@pytest.mark.parametrize("block_frames", [4_801, 48_000, 10**9])
def test_any_split_gives_the_same_samples(programme: Block, block_frames: int):
    """Blocks are how samples travel, also where one fades into the other."""
    cut_short = programme[THIRD - 8 * RATE_HZ : THIRD + 8 * RATE_HZ]

    assert np.array_equal(denoised(cut_short, block_frames=block_frames), denoised(cut_short, block_frames=30_000))


def test_between_both_there_is_a_fade():
    """From one to the other takes 0.4 s: the guard never jumps."""
    dry = music(10)
    dry[: 5 * RATE_HZ] = noise(5 * RATE_HZ, 1, rms=0.05)
    guard = ProgrammeGuard(RATE_HZ, 1)

    faded = np.concatenate([guard.process(dry, np.zeros_like(dry)), guard.flush()])

    kept = np.divide(faded, dry, out=np.zeros_like(dry), where=np.abs(dry) > 1e-3)[:, 0]
    rising = np.flatnonzero((kept > 0.1) & (kept < 0.9))
    assert 0.2 * RATE_HZ < rising[-1] - rising[0] < 0.5 * RATE_HZ


@pytest.mark.parametrize("frames", [0, 1, 1_000, 9_000])
def test_too_short_to_tell_is_processed(frames: int):
    """Less than a window gives no verdict: what noise reduction made of it is taken."""
    dry, wet = music(1)[:frames], noise(frames, 1)
    guard = ProgrammeGuard(RATE_HZ, 1)

    assert np.array_equal(np.concatenate([guard.process(dry, wet), guard.flush()]), wet)


def test_six_seconds_are_held_back():
    """However long the stream, the memory it takes is that of a few seconds."""
    guard = ProgrammeGuard(8_000, 1)
    block = noise(8_000, 1)

    held_back = np.cumsum([len(block) - len(guard.process(block, block)) for _ in range(60)])

    assert held_back.max() < 6 * 8_000
