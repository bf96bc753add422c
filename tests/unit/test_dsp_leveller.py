"""The adaptive leveller."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixdown.dsp.leveller import GainRide, ride
from mixdown.dsp.speakers import speaker_turns
from mixdown.dsp.voice_map import MUSIC, NOISE, SILENCE, SPEECH, VoiceMap, gated_lufs
from tests.unit.signals import noise, processed, sine

_ROOM_LUFS = -60.0


class Course:
    """A map put together from passages."""

    def __init__(self) -> None:
        self.kinds: list[int] = []
        self.level_lufs: list[float] = []
        self._generator = np.random.default_rng(3)

    def add(self, kind: int, seconds: float, level_lufs: float, spread_db: float = 0.0) -> slice:
        """A passage whose steps vary around a level; where it is."""
        steps = round(seconds * 10)
        self.kinds += [kind] * steps
        self.level_lufs += list(level_lufs + spread_db * self._generator.standard_normal(steps))
        return slice(len(self.kinds) - steps, len(self.kinds))

    def talk(self, seconds: float, level_lufs: float) -> list[slice]:
        """Sentences of 3 s with pauses of 0.8 s; where the sentences are."""
        said = []
        for _ in range(round(seconds / 3.8)):
            said.append(self.add(SPEECH, 3.0, level_lufs, 4.0))
            self.add(NOISE, 0.8, _ROOM_LUFS, 1.0)
        return said

    @property
    def map(self) -> VoiceMap:
        return VoiceMap(
            0.1, np.array(self.kinds, np.uint8), np.array(self.level_lufs, np.float32), noise_floor_dbfs=-60.0
        )


def levelled(course: Course, where: list[slice], gains_db: np.ndarray) -> float:
    """Loudness of some passages after the ride."""
    level_lufs = course.map.level_lufs + gains_db
    return gated_lufs(np.concatenate([level_lufs[passage] for passage in where]))


@pytest.mark.parametrize("apart_lu", [10.0, 12.0, 14.0])
@pytest.mark.parametrize("amount", [0.7, 1.0])
def test_two_speakers_end_at_the_same_loudness(apart_lu: float, amount: float):
    """A guest 10 to 14 dB below the host, taking turns, ends within 2 LU of the host."""
    course, host, guest = Course(), [], []
    for _ in range(4):
        host += course.talk(20.0, -18.0)
        guest += course.talk(12.0, -18.0 - apart_lu)

    gains_db = ride(course.map, amount=amount, largest_gain_db=15.0)

    assert abs(levelled(course, host, gains_db) - levelled(course, guest, gains_db)) < 2.0


@pytest.mark.parametrize("seconds", [6.0, 12.0, 60.0, 300.0])
def test_an_even_speaker_is_left_alone(seconds: float):
    """Somebody whose loudness only varies from syllable to syllable is changed by less than 1 dB."""
    course = Course()
    course.talk(seconds, -23.0)

    assert np.abs(ride(course.map, amount=1.0, largest_gain_db=12.0)).max() < 1.0


def test_pauses_are_never_lifted():
    """While a quiet speaker is lifted, the room between the sentences stays as loud as it was."""
    course = Course()
    course.talk(30.0, -18.0)
    quiet = course.talk(30.0, -30.0)
    after = course.add(NOISE, 4.0, _ROOM_LUFS)

    gains_db = ride(course.map, amount=1.0, largest_gain_db=12.0)

    assert all(gains_db[passage].mean() > 9.0 for passage in quiet)
    for passage in quiet[:-1]:
        assert gains_db[passage.stop + 2 : passage.stop + 6].max() < 1.0
    assert (gains_db[after.start + 2 : after.stop] <= 0.0).all()


def test_a_word_is_lifted_from_its_first_step_to_its_last():
    """The lift is there when the word begins: its onset is not softened."""
    course = Course()
    course.talk(30.0, -18.0)
    quiet = course.talk(30.0, -30.0)

    gains_db = ride(course.map, amount=1.0, largest_gain_db=12.0)

    for passage in quiet[1:-1]:
        assert gains_db[passage.start] > 0.9 * gains_db[passage.start + 10]


def test_gains_move_smoothly():
    """From one step to the next no more than a ramp of about 0.2 s."""
    course = Course()
    course.talk(30.0, -14.0)
    course.talk(30.0, -30.0)

    gains_db = ride(course.map, amount=1.0, largest_gain_db=12.0)

    assert np.abs(np.diff(gains_db)).max() <= 12.0 * 0.6


@pytest.mark.parametrize("kind", [NOISE, SILENCE])
def test_noise_alone_is_left_alone(kind: int):
    """Where nobody speaks and nothing plays there is nothing to level."""
    course = Course()
    course.add(kind, 10.0, -40.0, 3.0)
    course.add(kind, 10.0, -70.0, 3.0)

    assert not ride(course.map, amount=1.0, largest_gain_db=12.0).any()


def test_silence_around_a_quiet_speaker_is_not_lifted():
    """Silence further than a ramp from the words gets no gain, nor does noise as loud as the words."""
    course = Course()
    course.talk(30.0, -18.0)
    silence = course.add(SILENCE, 5.0, -120.0)
    course.add(SPEECH, 10.0, -30.0, 3.0)
    applause = course.add(NOISE, 10.0, -30.0, 3.0)

    gains_db = ride(course.map, amount=1.0, largest_gain_db=12.0)

    assert (gains_db[silence.start + 2 : silence.stop - 2] <= 0.0).all()
    assert (gains_db[applause.start + 2 : applause.stop] <= 0.0).all()


def test_a_pause_follows_the_words_down():
    """Between the sentences of a loud speaker the gain stays where it is: the room does not come and go."""
    course = Course()
    course.talk(100.0, -22.0)
    loud = course.talk(30.0, -10.0)
    course.talk(100.0, -22.0)

    gains_db = ride(course.map, amount=1.0, largest_gain_db=12.0)

    inside = gains_db[loud[1].start : loud[-1].stop - 5]
    assert inside.max() < -3.0
    assert np.ptp(inside) < 0.1


@given(level_lufs=st.lists(st.floats(-45, -8), min_size=1, max_size=6), largest_gain_db=st.floats(0, 12))
@settings(deadline=None)
def test_gains_stay_within_the_largest(level_lufs: list[float], largest_gain_db: float):
    """Whoever speaks after whom: the clamp holds in both directions."""
    course = Course()
    for level in level_lufs:
        course.talk(12.0, level)

    gains_db = ride(course.map, amount=1.0, largest_gain_db=largest_gain_db)

    assert np.abs(gains_db).max() <= largest_gain_db + 1e-4


@pytest.mark.parametrize("music_lufs", [-40.0, -30.0, -20.0, -10.0])
def test_music_moves_a_little_and_keeps_its_dynamics(music_lufs: float):
    """A piece is moved as a whole by −6 to +3 dB: loud and soft passages in it stay as far apart as they were."""
    course = Course()
    course.talk(30.0, -20.0)
    soft = course.add(MUSIC, 20.0, music_lufs - 5.0, 2.0)
    course.add(NOISE, 1.0, _ROOM_LUFS)
    loud = course.add(MUSIC, 20.0, music_lufs + 5.0, 2.0)
    course.talk(30.0, -20.0)

    gains_db = ride(course.map, amount=1.0, largest_gain_db=12.0)

    assert gains_db[soft].min() >= -6.01
    assert gains_db[loud].max() <= 3.01
    assert abs(np.median(gains_db[soft]) - np.median(gains_db[loud])) < 0.1


def test_music_is_moved_half_as_far_as_speech():
    """Music 6 LU louder than the speech comes down by 3."""
    course = Course()
    course.talk(30.0, -20.0)
    music = course.add(MUSIC, 20.0, course.map.speech_lufs + 6.0)

    assert np.median(ride(course.map, amount=1.0, largest_gain_db=12.0)[music]) == pytest.approx(-3.0, abs=0.1)


def test_music_with_a_word_in_it_is_left_alone():
    """A moment of what sounded like speech does not set the level of a piece."""
    course = Course()
    course.add(MUSIC, 30.0, -16.0, 4.0)
    course.add(SPEECH, 1.0, -26.0, 1.0)
    course.add(MUSIC, 30.0, -16.0, 4.0)

    assert np.abs(ride(course.map, amount=1.0, largest_gain_db=12.0)).max() < 1.0


def test_music_alone_is_left_alone():
    """One piece of music is its own programme."""
    course = Course()
    course.add(MUSIC, 30.0, -30.0, 5.0)
    course.add(MUSIC, 30.0, -14.0, 5.0)

    assert np.abs(ride(course.map, amount=1.0, largest_gain_db=12.0)).max() < 0.1


def test_a_gap_over_a_bed_of_music_is_not_lifted():
    """Two seconds in which a talk over music pauses: not taken for somebody who whispers."""
    course = Course()
    course.add(SPEECH, 20.0, -20.0, 3.0)
    gap = course.add(SPEECH, 2.0, -40.0, 1.0)
    course.add(SPEECH, 20.0, -20.0, 3.0)

    assert ride(course.map, amount=1.0, largest_gain_db=12.0)[gap].max() < 1.0


def test_little_speech_is_moved_little():
    """Some seconds of it in a long recording may be clatter that sounded like speech."""
    course = Course()
    for level_lufs in (-20.0, -35.0, -20.0):
        course.add(NOISE, 30.0, -40.0, 3.0)
        course.add(SPEECH, 2.0, level_lufs, 2.0)

    assert ride(course.map, amount=1.0, largest_gain_db=12.0).max() <= 3.01


def test_no_amount_changes_nothing():
    """0 is off; half an amount leaves more of a difference than the whole."""
    course = Course()
    host, guest = course.talk(30.0, -18.0), course.talk(30.0, -30.0)

    def left(amount: float) -> float:
        gains_db = ride(course.map, amount=amount, largest_gain_db=12.0)
        return levelled(course, host, gains_db) - levelled(course, guest, gains_db)

    assert not ride(course.map, amount=0.0, largest_gain_db=12.0).any()
    assert left(0.2) > left(0.5) > left(0.8) > left(1.0) - 0.1


@pytest.mark.parametrize(
    ("amount", "largest_gain_db"), [(-0.1, 6), (1.1, 6), (math.nan, 6), (0.5, -1), (0.5, math.inf)]
)
def test_impossible_settings_are_refused(amount: float, largest_gain_db: float):
    """An amount is a share, a largest gain not negative."""
    with pytest.raises(ValueError, match="leveller needs"):
        ride(Course().map, amount=amount, largest_gain_db=largest_gain_db)


def test_an_empty_map_has_no_gains():
    """A recording shorter than a step."""
    assert ride(Course().map, amount=1.0, largest_gain_db=12.0).shape == (0,)


def test_turns_are_found_where_the_level_changes():
    """A turn without a pause, a long one, and an interjection of two seconds."""
    course = Course()
    passages = [course.add(SPEECH, s, level, 3.0) for s, level in ((20, -20), (8, -32), (30, -20))]
    course.add(NOISE, 0.5, _ROOM_LUFS)
    passages.append(course.add(SPEECH, 2, -32, 3.0))
    course.add(NOISE, 0.5, _ROOM_LUFS)
    passages.append(course.add(SPEECH, 20, -20, 3.0))

    turns = speaker_turns(course.map)

    assert len(turns) == len(passages)
    for turn, passage in zip(turns, passages, strict=True):
        assert abs(turn[0] - passage.start) <= 5
        assert abs(turn[-1] + 1 - passage.stop) <= 5


def test_a_ride_applies_its_gains():
    """In the middle of a step the gain of that step, in between what lies between, and the ends held."""
    gains_db = np.array([0.0, 6.0, -6.0, 0.0], np.float32)
    signal = np.full((24_000, 2), 0.25, np.float32)

    ridden = processed(GainRide(gains_db, 0.1, sample_rate_hz=48_000, channels=2), signal)

    heard_db = 20.0 * np.log10(ridden[:, 0] / 0.25)
    assert heard_db[[2_400, 7_200, 12_000, 16_800]] == pytest.approx(gains_db, abs=0.05)
    assert heard_db[4_800] == pytest.approx(3.0, abs=0.05)
    assert not heard_db[:2_400].any()
    assert not heard_db[16_900:].any()
    assert np.array_equal(ridden[:, 0], ridden[:, 1])


@pytest.mark.parametrize("gains_db", [np.zeros(0), np.zeros(5)])
def test_no_gain_leaves_every_sample(gains_db: np.ndarray):
    """0 dB, and no gains at all: bit for bit the same."""
    signal = noise(30_000)

    assert np.array_equal(processed(GainRide(gains_db, 0.1, sample_rate_hz=48_000, channels=2), signal), signal)


def test_a_ride_has_no_zipper():
    """A sine through a steep ramp gets no steps: what is an octave off stays 100 dB below it."""
    tone = sine(1_000.0, 48_000, 1.0, peak=0.5)
    gains_db = np.array([0.0, 0.0, 0.0, 2.0, 6.0, 10.0, 12.0, 12.0, 12.0, 12.0], np.float32)

    ridden = processed(GainRide(gains_db, 0.1, sample_rate_hz=48_000, channels=1), tone)[:, 0]

    spectrum = np.abs(np.fft.rfft(ridden * np.hanning(len(ridden))))
    assert spectrum[2_000:].max() < spectrum.max() * 10 ** (-100 / 20)


@pytest.mark.parametrize(("gains_db", "step_s"), [([math.nan], 0.1), ([math.inf], 0.1), ([0.0], 0.0)])
def test_a_ride_needs_finite_gains(gains_db: list[float], step_s: float):
    """A gain that is no number would make every sample one."""
    with pytest.raises(ValueError, match="finite gains"):
        GainRide(np.array(gains_db), step_s, sample_rate_hz=48_000, channels=1)
