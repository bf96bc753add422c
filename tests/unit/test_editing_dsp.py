"""Stretching, varispeed, ducking and room tone: what holds for any signal."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixdown.dsp.ducking import FALL_S, HOLD_S, Ducking
from mixdown.dsp.processor import Block
from mixdown.dsp.resample import VariableSpeed
from mixdown.dsp.room_tone import room_tone
from mixdown.dsp.stretch import PitchShift, TimeStretch, stretched_frames
from tests.edits import level_db
from tests.unit.signals import block_lengths, cut, noise, sine

RATE_HZ = 8_000


def stretch(factor: float, channels: int) -> TimeStretch:
    return TimeStretch(factor=factor, sample_rate_hz=RATE_HZ, channels=channels)


def speed(factor: float, channels: int) -> VariableSpeed:
    return VariableSpeed(factor, sample_rate_hz=RATE_HZ, channels=channels)


def pitch(factor: float, channels: int) -> PitchShift:
    return PitchShift(semitones=12.0 * np.log2(factor), sample_rate_hz=RATE_HZ, channels=channels)


def changed(changer: TimeStretch | VariableSpeed | PitchShift, *blocks: Block) -> Block:
    return np.concatenate([changer.process(block) for block in blocks] + [changer.flush()])


factors = st.one_of(st.sampled_from([0.25, 0.5, 1.0, 1.001, 4.0]), st.floats(0.25, 4.0))
every_change = pytest.mark.parametrize("make", [stretch, speed, pitch])


@every_change
@given(frames=st.integers(0, 9_000), factor=factors, channels=st.integers(1, 2), lengths=block_lengths)
@settings(deadline=None, max_examples=40)
def test_length_is_exact_and_blocks_do_not_matter(
    make: Callable, frames: int, factor: float, channels: int, lengths: list[int]
):
    """frames / factor frames, halves rounded up (a shift of pitch keeps them all), the same ones for any split."""
    signal = noise(frames, channels, seed=frames)

    whole = changed(make(factor, channels), signal)
    split = changed(make(factor, channels), *cut(signal, lengths))

    expected = frames if make is pitch else stretched_frames(frames, factor)
    assert whole.shape == (expected, channels)
    assert whole.dtype == np.float32
    assert np.array_equal(whole, split)


@every_change
@pytest.mark.parametrize("factor", [0.7, 1.6])
def test_long_signals_come_out_the_same_however_they_are_cut(make: Callable, factor: float):
    """Over several segments of a stretch, and twice in a row: nothing random is left."""
    signal = noise(70 * RATE_HZ, 1)

    whole = changed(make(factor, 1), signal)

    assert np.array_equal(whole, changed(make(factor, 1), signal))
    assert np.array_equal(whole, changed(make(factor, 1), *cut(signal, [65_536] * 8)))


@every_change
@pytest.mark.parametrize("factor", [0.3, 0.8, 1.0, 2.5])
def test_silence_stays_silence(make: Callable, factor: float):
    """Nothing comes of nothing; half a second after a sound has ended it is over."""
    silence = np.zeros((30 * RATE_HZ, 1), np.float32)

    assert not changed(make(factor, 1), silence).any()

    after = changed(make(factor, 1), sine(300.0, RATE_HZ, 5.0), silence)
    pace = 1.0 if make is pitch else factor
    assert np.abs(after[round(5.5 * RATE_HZ / pace) :]).max() < 1e-7


@every_change
@pytest.mark.parametrize("factor", [0.25, 1.0, 3.9])
def test_the_loudest_that_is_decoded_stays_finite(make: Callable, factor: float):
    """40 dB above full scale, and denormal."""
    for scale in (100.0, 1e-40):
        signal = np.clip(noise(20_000, 2, rms=scale), -scale, scale)
        assert np.isfinite(changed(make(factor, 2), signal)).all()


def test_a_stretch_holds_no_more_than_a_segment():
    """Sound comes out while it goes in: after a minute no more than half of one is held back."""
    changer = stretch(1.0, 1)
    given_frames = sum(len(changer.process(block)) for block in cut(noise(60 * RATE_HZ, 1), [8_000] * 59))

    assert given_frames >= 30 * RATE_HZ


def test_a_stretch_takes_one_or_two_channels():
    """The library has no more."""
    with pytest.raises(ValueError, match="one or two"):
        stretch(1.0, 3)


# -- ducking ------------------------------------------------------------------------------------------


def gains_db(spans: list[tuple[float, float]], seconds: float, **options: float) -> np.ndarray:
    settings_ = {"depth_db": 12.0, "look_ahead_s": 0.5, "release_s": 1.0, **options}
    ducking = Ducking(spans, sample_rate_hz=RATE_HZ, **settings_)
    return 20.0 * np.log10(ducking.gains(0, round(seconds * RATE_HZ)))


def test_music_is_down_before_the_voice_and_takes_its_time_to_come_back():
    """Down at look-ahead before the first word, all the way; back a release after the hold."""
    curve = gains_db([(4.0, 6.0)], 12.0)

    down = round(3.5 * RATE_HZ), round((6.0 + HOLD_S) * RATE_HZ)
    assert np.allclose(curve[down[0] : down[1]], -12.0, atol=0.02)
    assert np.allclose(curve[: round((3.5 - FALL_S) * RATE_HZ)], 0.0, atol=0.02)
    assert np.allclose(curve[round((7.0 + HOLD_S) * RATE_HZ) + 64 :], 0.0, atol=0.02)
    assert curve[round((6.5 + HOLD_S) * RATE_HZ)] == pytest.approx(-6.0, abs=0.1)


def test_music_stays_down_in_pauses_too_short_to_come_back_in():
    """A second between two sentences is no reason to swell."""
    curve = gains_db([(2.0, 3.0), (4.0, 5.0), (9.0, 10.0)], 12.0)

    assert np.allclose(curve[round(1.5 * RATE_HZ) : 5 * RATE_HZ], -12.0, atol=0.02)
    assert curve[7 * RATE_HZ] == pytest.approx(0.0, abs=0.02)


def test_ducking_never_jumps():
    """From one sample to the next the gain moves by less than 0.05 dB."""
    assert np.abs(np.diff(gains_db([(1.0, 1.2), (5.0, 5.5)], 8.0, depth_db=40.0, release_s=0.3))).max() < 0.05


@given(
    edges=st.lists(st.floats(0, 30), max_size=12),
    frame=st.integers(0, 200_000),
    frames=st.integers(0, 3_000),
    release_s=st.floats(0.05, 10),
    look_ahead_s=st.floats(0, 5),
)
@settings(deadline=None)
def test_any_part_of_the_gain_is_a_part_of_the_whole(
    edges: list[float], frame: int, frames: int, release_s: float, look_ahead_s: float
):
    """Between full depth and none, all the way down under every word, whatever the words."""
    points = sorted(edges)
    spans = list(zip(points[::2], points[1::2], strict=False))
    ducking = Ducking(spans, depth_db=20.0, look_ahead_s=look_ahead_s, release_s=release_s, sample_rate_hz=RATE_HZ)

    part = ducking.gains(frame, frames)
    around = ducking.gains(max(0, frame - 100), frames + 200)

    assert part.shape == (frames,)
    assert np.allclose(part, around[min(frame, 100) :][:frames], atol=1e-6)
    assert part.size == 0 or (part.min() >= 0.0999 and part.max() <= 1.0)
    times_s = np.arange(frame, frame + frames) / RATE_HZ
    for start_s, end_s in spans:
        assert np.allclose(part[(times_s >= start_s) & (times_s < end_s)], 0.1, atol=2e-3)


# -- room tone ----------------------------------------------------------------------------------------


def tone_of(sample: Block, seconds: float) -> Block:
    return np.concatenate(list(room_tone(sample, round(seconds * RATE_HZ), sample_rate_hz=RATE_HZ)))


def test_room_tone_has_the_level_and_the_spectrum_of_the_room():
    """Hum at 100 Hz over hiss: as loud within 0.5 dB, and in every band within 2 dB."""
    room = 0.001 * sine(100.0, RATE_HZ, 3.0) + noise(3 * RATE_HZ, 1, rms=0.0005)

    made = tone_of(room, 30.0)

    assert len(made) == 30 * RATE_HZ
    assert level_db(made) == pytest.approx(level_db(room), abs=0.5)
    for low, high in ((50, 200), (500, 1_000), (1_000, 2_000), (2_000, 3_900)):
        bands = []
        for sound in (room, made):
            power = np.abs(np.fft.rfft(sound[:, 0])) ** 2 / len(sound)
            frequencies_hz = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
            bands.append(10.0 * np.log10(power[(frequencies_hz >= low) & (frequencies_hz < high)].mean()))
        assert bands[1] == pytest.approx(bands[0], abs=2.0)


def test_room_tone_does_not_come_back():
    """From a fifth of a second of room: no period is to be heard in ten seconds of it."""
    made = tone_of(noise(RATE_HZ // 5, 1, rms=0.001), 10.0)[:, 0].astype(float)

    correlation = np.fft.irfft(np.abs(np.fft.rfft(made, 2 * len(made))) ** 2)[: len(made) // 2]

    assert np.abs(correlation[RATE_HZ // 100 :]).max() < 0.15 * correlation[0]


def test_room_tone_is_steady():
    """No tenth of a second is more than 3 dB from the others' mean: neither gaps nor beats."""
    parts = tone_of(noise(2 * RATE_HZ, 2, rms=0.001), 20.0).reshape(-1, RATE_HZ // 10, 2)

    assert np.abs(np.array([level_db(part) for part in parts]) + 60.0).max() < 3.0


def test_room_tone_of_silence_is_silence_and_keeps_the_sides():
    """Nothing is made up; what was in both channels alike stays so."""
    assert not tone_of(np.zeros((4_000, 2), np.float32), 2.0).any()

    one = noise(8_000, 1, rms=0.001)
    made = tone_of(np.repeat(one, 2, axis=1), 2.0)
    assert np.allclose(made[:, 0], made[:, 1])


@pytest.mark.parametrize("frames", [1, 679, 680, 681, 5_000])
def test_room_tone_is_as_long_as_wanted(frames: int):
    """To the frame, finite, the same each time."""
    first, second = (np.concatenate(list(room_tone(noise(900), frames, sample_rate_hz=RATE_HZ))) for _ in range(2))

    assert len(first) == frames
    assert np.array_equal(first, second)
    assert np.isfinite(first).all()
