"""Edits against numbers known beforehand: times to the sample, levels to a tenth of a dB, marks in their places."""

from pathlib import Path

import numpy as np
import pytest

from mixdown.dsp.loudness import LoudnessMeter
from mixdown.dsp.processor import Block
from mixdown.editing import edit
from mixdown.editing.timeline import Clip, mixed
from mixdown.model import (
    ChannelChoice,
    Channels,
    Concatenate,
    Fade,
    FadeCurve,
    Gain,
    Insert,
    Intro,
    Mark,
    Outro,
    Pitch,
    Reverse,
    Speed,
    Split,
    Stretch,
    Trim,
)
from tests.edits import Workplace, level_db, samples_of

RATE_HZ = 48_000


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


def tone(frequency_hz: float, seconds: float, *, peak: float = 0.3, channels: int = 1) -> Block:
    phase = 2.0 * np.pi * frequency_hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return np.repeat((peak * np.sin(phase)).astype(np.float32)[:, None], channels, axis=1)


def hiss(seconds: float, *, rms: float = 0.1, channels: int = 1, seed: int = 0) -> Block:
    random = np.random.default_rng(seed)
    return (rms * random.standard_normal((round(seconds * RATE_HZ), channels))).astype(np.float32)


def frequency_hz(block: Block) -> float:
    """Of the strongest partial, by the peak of a parabola through the spectrum around it."""
    spectrum = np.log(np.abs(np.fft.rfft(block[:, 0] * np.hanning(len(block)))) + 1e-12)
    peak = int(spectrum.argmax())
    left, middle, right = spectrum[peak - 1 : peak + 2]
    return (peak + 0.5 * (left - right) / (left - 2 * middle + right)) * RATE_HZ / len(block)


def loudness_lufs(block: Block) -> float:
    meter = LoudnessMeter(RATE_HZ, block.shape[1])
    meter.push(block)
    return meter.report().integrated_lufs


def test_a_cut_is_where_it_was_asked_for(place: Workplace):
    """1.25 s to 3.5 s of a recording are those very samples, and chapters move 1.25 s forward."""
    sound = hiss(5.0, channels=2)
    marks = [Mark(0.0, "One"), Mark(2.0, "Two"), Mark(4.0, "Three")]

    (result,) = edit(Trim(start_s=1.25, end_s=3.5), place.recording(sound, marks=marks), place.desk)

    assert np.array_equal(samples_of(result), sound[60_000:168_000])
    assert result.labels.marks == (Mark(0.0, "One"), Mark(0.75, "Two"))


def test_parts_put_together_are_the_whole(place: Workplace):
    """Cut at 1, 2.5 and 4 s, no sample is lost or faded."""
    sound = hiss(5.0)

    parts = edit(Split(at_s=(2.5, 1.0, 4.0)), place.recording(sound), place.desk)

    assert [part.audio.frames for part in parts] == [48_000, 72_000, 72_000, 48_000]
    assert np.array_equal(np.concatenate([samples_of(part) for part in parts]), sound)


def test_a_crossfade_keeps_the_power_of_unlike_sounds(place: Workplace):
    """Two hisses that have nothing to do with each other: every second of ten is as loud within 0.1 dB."""
    first, second = hiss(30.0, seed=1), hiss(30.0, seed=2)
    step = Concatenate(sources=(place.material(second),), crossfade_s=10.0, match_loudness=False)

    (result,) = edit(step, place.recording(first), place.desk)

    sound = samples_of(result)
    assert len(sound) == 50 * RATE_HZ
    across = [level_db(sound[second * RATE_HZ :][:RATE_HZ]) for second in range(20, 30)]
    assert across == pytest.approx([-20.0] * 10, abs=0.1)


def test_a_linear_crossfade_keeps_the_samples_of_one_sound(place: Workplace):
    """Two takes of the same sound want equal gain: their sum is that sound. Equal power would swell by 3 dB."""
    sound = hiss(4.0)
    audio = place.recording(sound).audio
    frames = {}
    for curve in (FadeCurve.linear, FadeCurve.sine):
        first = Clip(audio=audio, frames=3 * RATE_HZ, fade_out_frames=2 * RATE_HZ, curve=curve)
        second = Clip(
            audio=audio,
            start_frame=RATE_HZ,
            frames=3 * RATE_HZ,
            at_frame=RATE_HZ,
            fade_in_frames=2 * RATE_HZ,
            curve=curve,
        )
        frames[curve] = np.concatenate(list(mixed([first, second], frames=4 * RATE_HZ, channels=1)))

    assert np.allclose(frames[FadeCurve.linear], sound, atol=1e-6)
    middle = slice(2 * RATE_HZ - 2_400, 2 * RATE_HZ + 2_400)
    assert level_db(frames[FadeCurve.sine][middle]) - level_db(sound[middle]) == pytest.approx(3.0, abs=0.05)


@pytest.mark.parametrize("gain_db", [-15.0, 9.0])
def test_what_is_added_is_brought_to_the_loudness_of_the_first(place: Workplace, gain_db: float):
    """Within 0.3 LU, whether it came in too loud or too soft."""
    first = hiss(8.0, rms=0.05, channels=2, seed=1)
    other = hiss(6.0, rms=0.05 * 10 ** (gain_db / 20), channels=2, seed=2)

    (result,) = edit(Concatenate(sources=(place.material(other),)), place.recording(first), place.desk)

    sound = samples_of(result)
    assert np.array_equal(sound[: len(first)], first)
    assert loudness_lufs(sound[len(first) :]) == pytest.approx(loudness_lufs(first), abs=0.3)


def test_loudness_is_moved_by_twenty_db_at_most(place: Workplace):
    """Noise 40 dB down is not made as loud as the speech before it."""
    other = hiss(6.0, rms=0.001, seed=2)

    (result,) = edit(Concatenate(sources=(place.material(other),)), place.recording(hiss(8.0, seed=1)), place.desk)

    assert level_db(samples_of(result)[8 * RATE_HZ :]) == pytest.approx(-40.0, abs=0.1)


def test_an_intro_fades_out_under_the_beginning(place: Workplace):
    """Four seconds of intro, one of them over the recording, which itself is untouched; its marks move by three."""
    voice, intro = tone(1_000.0, 5.0), tone(200.0, 4.0)
    step = Intro(source=place.material(intro), overlap_s=1.0, match_loudness=False)

    (result,) = edit(step, place.recording(voice, marks=[Mark(2.0, "Two")]), place.desk)

    sound = samples_of(result)
    assert len(sound) == 8 * RATE_HZ
    assert np.array_equal(sound[: 3 * RATE_HZ], intro[: 3 * RATE_HZ])
    assert np.array_equal(sound[4 * RATE_HZ :], voice[RATE_HZ:])
    under = sound[3 * RATE_HZ : 4 * RATE_HZ] - voice[:RATE_HZ]
    assert level_db(under[RATE_HZ // 2 - 2_400 : RATE_HZ // 2 + 2_400]) == pytest.approx(
        level_db(intro) - 3.01, abs=0.1
    )
    assert result.labels.marks == (Mark(5.0, "Two"),)


def test_an_outro_fades_in_under_the_end(place: Workplace):
    """The recording's samples stay, the outro's last three seconds follow."""
    voice, outro = tone(1_000.0, 5.0), tone(200.0, 4.0)
    step = Outro(source=place.material(outro), overlap_s=1.0, match_loudness=False)

    (result,) = edit(step, place.recording(voice, marks=[Mark(2.0, "Two")]), place.desk)

    sound = samples_of(result)
    assert len(sound) == 8 * RATE_HZ
    assert np.array_equal(sound[: 4 * RATE_HZ], voice[: 4 * RATE_HZ])
    assert np.array_equal(sound[5 * RATE_HZ :], outro[RATE_HZ:])
    assert result.labels.marks == (Mark(2.0, "Two"),)


def test_what_is_put_in_moves_the_rest(place: Workplace):
    """A two-second jingle at 1 s and at 3 s: what was at 3 s begins at 7 s, and so does its chapter."""
    voice, jingle = tone(1_000.0, 5.0), tone(200.0, 2.0)
    step = Insert(source=place.material(jingle), at_s=(3.0, 1.0), match_loudness=False)

    (result,) = edit(step, place.recording(voice, marks=[Mark(0.0, "A"), Mark(3.0, "B")]), place.desk)

    sound = samples_of(result)
    assert len(sound) == 9 * RATE_HZ
    assert np.array_equal(sound[RATE_HZ : 3 * RATE_HZ], jingle)
    assert np.array_equal(sound[5 * RATE_HZ : 7 * RATE_HZ], jingle)
    faded = 240
    assert np.array_equal(
        sound[3 * RATE_HZ + faded : 5 * RATE_HZ - faded], voice[RATE_HZ + faded : 3 * RATE_HZ - faded]
    )
    assert np.array_equal(sound[7 * RATE_HZ + faded :], voice[3 * RATE_HZ + faded :])
    assert result.labels.marks == (Mark(0.0, "A"), Mark(7.0, "B"))


@pytest.mark.parametrize(
    ("curve", "quarter", "half"), [("linear", 0.25, 0.5), ("sine", 0.3827, 0.7071), ("exponential", 0.0046, 0.0307)]
)
def test_fades_have_the_shape_they_are_called_by(place: Workplace, curve: str, quarter: float, half: float):
    """A fade of two seconds in and out over a constant."""
    constant = np.ones((6 * RATE_HZ, 1), np.float32)

    (result,) = edit(Fade(in_s=2.0, out_s=2.0, curve=FadeCurve(curve)), place.recording(constant), place.desk)

    sound = samples_of(result)[:, 0]
    assert sound[RATE_HZ // 2] == pytest.approx(quarter, abs=1e-4)
    assert sound[RATE_HZ] == pytest.approx(half, abs=1e-4)
    assert (sound[2 * RATE_HZ : 4 * RATE_HZ] == 1.0).all()
    assert np.allclose(sound, sound[::-1])


def test_gain_passes_full_scale(place: Workplace):
    """+12 dB on 0.5 is 1.9905: floating point keeps what the limiter will bring down."""
    (result,) = edit(Gain(gain_db=12.0), place.recording(np.full((100, 1), 0.5, np.float32)), place.desk)

    assert samples_of(result) == pytest.approx(1.9905, abs=1e-4)


@pytest.mark.parametrize("factor", [0.25, 0.9, 1.0, 1.3333, 2.0, 4.0])
def test_speed_moves_pace_and_pitch_alike(place: Workplace, factor: float):
    """Exactly round(frames / factor) frames, every frequency times the factor, every mark divided by it."""
    marks = [Mark(0.0, "A"), Mark(2.0, "B")]

    (result,) = edit(Speed(factor=factor), place.recording(tone(1_000.0, 4.0), marks=marks), place.desk)

    sound = samples_of(result)
    assert len(sound) == int(4 * RATE_HZ / factor + 0.5)
    assert frequency_hz(sound[len(sound) // 8 : -len(sound) // 8]) == pytest.approx(1_000.0 * factor, rel=1e-4)
    assert result.labels.marks[1].start_s == pytest.approx(2.0 / factor, abs=1e-5)


def test_twice_the_speed_is_every_other_sample(place: Workplace):
    """No delay, no gain: a low tone at twice the speed is the tone of twice the frequency, sample by sample."""
    (result,) = edit(Speed(factor=2.0), place.recording(tone(500.0, 4.0)), place.desk)

    expected = tone(1_000.0, 2.0)
    assert samples_of(result)[2_000:-2_000] == pytest.approx(expected[2_000:-2_000], abs=1e-4)


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.25, 2.0])
@pytest.mark.parametrize("seconds", [3.0, 50.0])
def test_stretching_keeps_pitch_and_level(place: Workplace, factor: float, seconds: float):
    """Exactly as long as asked, at the same frequency, as loud throughout; also over the seams of a long one."""
    sound = tone(440.0, seconds, channels=2)

    (result,) = edit(Stretch(factor=factor), place.recording(sound, marks=[Mark(1.0, "B")]), place.desk)

    stretched = samples_of(result)
    assert len(stretched) == round(len(sound) / factor)
    settled = stretched[RATE_HZ // 4 : -RATE_HZ // 4]
    assert frequency_hz(settled) == pytest.approx(440.0, rel=1e-3)
    whole = settled[: len(settled) // 4_800 * 4_800].reshape(-1, 4_800, 2)
    levels_db = np.array([level_db(part) for part in whole])
    assert np.abs(levels_db - level_db(sound)).max() < 0.3
    assert result.labels.marks[0].start_s == pytest.approx(1.0 / factor, abs=1e-5)


def test_stretching_keeps_things_in_their_places(place: Workplace):
    """A click every second comes every 0.8 s, within 15 ms, also behind the seams: no shift adds up."""
    sound = np.zeros((45 * RATE_HZ, 1), np.float32)
    sound[RATE_HZ // 2 :: RATE_HZ] = 0.8

    (result,) = edit(Stretch(factor=1.25), place.recording(sound), place.desk)

    spans = samples_of(result)[:, 0].reshape(45, -1)
    assert np.abs(spans).argmax(axis=1) == pytest.approx(np.full(45, 0.4 * RATE_HZ), abs=0.015 * RATE_HZ)


@pytest.mark.parametrize(("semitones", "ratio"), [(12.0, 2.0), (-12.0, 0.5), (7.0, 2 ** (7 / 12))])
def test_pitch_moves_the_frequency_alone(place: Workplace, semitones: float, ratio: float):
    """An octave up is twice the frequency, over the same time."""
    (result,) = edit(Pitch(semitones=semitones), place.recording(tone(440.0, 4.0)), place.desk)

    sound = samples_of(result)
    assert len(sound) == 4 * RATE_HZ
    assert frequency_hz(sound[RATE_HZ:-RATE_HZ]) == pytest.approx(440.0 * ratio, rel=1e-4)


def test_backwards_is_the_last_sample_first(place: Workplace):
    """Over more than one block, chapters too."""
    sound = hiss(4.0, channels=2)
    marks = [Mark(0.0, "A"), Mark(1.0, "B")]

    (result,) = edit(Reverse(), place.recording(sound, marks=marks), place.desk)

    assert np.array_equal(samples_of(result), sound[::-1])
    assert result.labels.marks == (Mark(0.0, "B"), Mark(3.0, "A"))


@pytest.mark.parametrize(
    ("take", "of_two", "of_one"),
    [
        ("mono", [[0.3]], [[0.8]]),
        ("mid", [[0.3]], [[0.8]]),
        ("side", [[0.5]], [[0.0]]),
        ("left", [[0.8]], [[0.8]]),
        ("right", [[-0.2]], [[0.8]]),
        ("swap", [[-0.2, 0.8]], [[0.8]]),
        ("stereo", [[0.8, -0.2]], [[0.8, 0.8]]),
    ],
)
def test_channels_are_what_they_are_called(place: Workplace, take: str, of_two, of_one):
    """Left 0.8, right −0.2; and what becomes of a recording that has one channel."""
    step = Channels(take=ChannelChoice(take))
    for sound, expected in (([[0.8, -0.2]], of_two), ([[0.8]], of_one)):
        block = np.repeat(np.array(sound, np.float32), 50, axis=0)

        (result,) = edit(step, place.recording(block), place.desk)

        assert result.audio.channels == len(expected[0])
        assert samples_of(result) == pytest.approx(np.repeat(np.array(expected), 50, axis=0))
