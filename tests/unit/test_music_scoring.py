"""Speech over music: what plays when, how loud, and what is left on the scratch disk."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from mixdown.editing import Desk
from mixdown.errors import UnknownSound
from mixdown.intermediate import Intermediate
from mixdown.model import Limits, Source
from mixdown.music import bed
from mixdown.speech.scoring import PlacedCue, scored

RATE_HZ = 16_000


@pytest.fixture
def silent_voice(tmp_path):
    """A minute in which nobody speaks, so that only music is heard."""
    voice = Intermediate(tmp_path / "voice.f32", sample_rate_hz=RATE_HZ, channels=1)
    voice.fill([np.zeros((60 * RATE_HZ, 1), np.float32)])
    return voice


def cue(start_s, end_s, *, name="calm", level_lu=-16.0, duck_db=0.0, **more):
    return PlacedCue(bed=name, start_s=start_s, end_s=end_s, level_lu=level_lu, duck_db=duck_db, **more)


def score(voice, cues, tmp_path, spans_s=(), materials=None):
    return scored(voice, -16.0, spans_s, cues, Desk(tmp_path, materials or {}, Limits()))


def heard(audio):
    return audio.read(0, audio.frames)


def rms_db(samples, start_s, end_s):
    part = samples[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)]
    return 20 * np.log10(np.sqrt((part**2).mean()) + 1e-9)


def test_music_plays_from_cue_to_cue(silent_voice, tmp_path):
    """Before a bed begins and after it ends there is silence; between, it loops for as long as it is wanted."""
    samples = heard(score(silent_voice, [cue(5, 55)], tmp_path))

    assert samples.shape == (60 * RATE_HZ, 2)
    assert not samples[: 5 * RATE_HZ].any()
    assert not samples[55 * RATE_HZ :].any()
    assert min(rms_db(samples, at, at + 4) for at in range(8, 48, 4)) > -45


def test_the_loop_goes_on_where_it_began_again(silent_voice, tmp_path):
    """Where the bed begins again, what is heard is the bed, sample for sample."""
    loop = bed("calm", seed=1, sample_rate_hz=RATE_HZ)
    samples = heard(score(silent_voice, [cue(0, 60)], tmp_path))
    around = np.arange(len(loop) - 5000, len(loop) + 5000)

    gain = 10 ** ((-16 - 16 + 20) / 20)
    np.testing.assert_allclose(samples[around], gain * loop[around % len(loop)], atol=1e-5)


def test_music_makes_room_for_words(silent_voice, tmp_path):
    """While somebody speaks the music is down by as much as is asked for, from before the first word on."""
    plain = heard(score(silent_voice, [cue(0, 60)], tmp_path))
    ducked = heard(score(silent_voice, [cue(0, 60, duck_db=10)], tmp_path, spans_s=[(20, 30)]))

    down = rms_db(ducked, 19.9, 30) - rms_db(plain, 19.9, 30)

    assert down == pytest.approx(-10, abs=0.1)
    np.testing.assert_allclose(ducked[5 * RATE_HZ : 19 * RATE_HZ], plain[5 * RATE_HZ : 19 * RATE_HZ], atol=1e-6)
    np.testing.assert_allclose(ducked[33 * RATE_HZ :], plain[33 * RATE_HZ :], atol=1e-6)


def test_the_voice_is_left_alone(tmp_path):
    """The voice comes through in both channels as it was, and its file is kept."""
    spoken = np.random.default_rng(1).uniform(-0.3, 0.3, (10 * RATE_HZ, 1)).astype(np.float32)
    voice = Intermediate(tmp_path / "voice.f32", sample_rate_hz=RATE_HZ, channels=1)
    voice.fill([spoken])
    samples = heard(score(voice, [cue(4, 8)], tmp_path))

    np.testing.assert_array_equal(samples[: 4 * RATE_HZ], np.repeat(spoken[: 4 * RATE_HZ], 2, axis=1))
    assert voice.frames == 10 * RATE_HZ
    assert voice.path.exists()


def test_one_bed_gives_way_to_the_next(silent_voice, tmp_path):
    """Where the bed changes, both are heard for a moment: no gap, no jump."""
    samples = heard(score(silent_voice, [cue(0, 30, name="deep"), cue(30, 60, name="calm")], tmp_path))
    levels = [rms_db(samples, at, at + 0.5) for at in np.arange(25, 38, 0.5)]

    assert min(levels) > -50
    assert np.abs(np.diff(samples[29 * RATE_HZ : 33 * RATE_HZ], n=2, axis=0)).max() < 0.05


def test_a_bed_goes_on_at_another_level(silent_voice, tmp_path):
    """The same bed at another level does not begin again: it only becomes louder."""
    plain = heard(score(silent_voice, [cue(0, 60)], tmp_path))
    raised = heard(score(silent_voice, [cue(0, 30), cue(30, 60, level_lu=-10)], tmp_path))

    np.testing.assert_allclose(raised[2 * RATE_HZ : 29 * RATE_HZ], plain[2 * RATE_HZ : 29 * RATE_HZ], atol=1e-6)
    louder = 10 ** (6 / 20)
    np.testing.assert_allclose(
        raised[33 * RATE_HZ : 56 * RATE_HZ], louder * plain[33 * RATE_HZ : 56 * RATE_HZ], atol=1e-5
    )


def test_a_recording_is_laid_under_as_well(silent_voice, tmp_path):
    """A recording is brought to its level against the voice and begun again where it is too short."""
    path = tmp_path / "jingle.wav"
    noise = np.random.default_rng(2).normal(0, 0.02, (15 * 22_050, 1))
    soundfile.write(path, noise, 22_050)
    source = Source(uri=str(path))
    samples = heard(score(silent_voice, [cue(0, 60, source=source)], tmp_path, materials={str(path): path}))
    levels = [rms_db(samples, at, at + 2) for at in range(4, 54, 2)]

    assert np.ptp(levels) < 1.5
    assert np.mean(levels) == pytest.approx(-35, abs=3)  # -32 LUFS of noise


def test_only_the_voice_and_the_score_are_left(silent_voice, tmp_path):
    """What was made on the way is removed from the scratch disk, also when there is no such bed."""
    audio = score(silent_voice, [cue(0, 20), cue(20, 40, name="warm")], tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([silent_voice.path, audio.path])

    audio.path.unlink()
    with pytest.raises(UnknownSound):
        score(silent_voice, [cue(0, 20), cue(20, 40, name="polka")], tmp_path)
    assert list(tmp_path.iterdir()) == [silent_voice.path]


def test_a_silent_voice_has_music_all_the_same(silent_voice, tmp_path):
    """Where there is no voice to set a level against, the music plays at its level below full scale."""
    audio = scored(silent_voice, -np.inf, (), [cue(0, 60)], Desk(tmp_path, {}, Limits()))

    assert -45 < rms_db(heard(audio), 5, 50) < -20


def test_cues_may_be_out_of_order_empty_or_beyond_the_end(silent_voice, tmp_path):
    """Cues of no length or behind the end are passed over, others cut where the speech ends."""
    cues = [cue(50, 80), cue(10, 10), cue(70, 90), cue(0, 5)]
    samples = heard(score(silent_voice, cues, tmp_path))

    assert len(samples) == 60 * RATE_HZ
    assert rms_db(samples, 1, 4) > -60
    assert rms_db(samples, 53, 57) > -60
    assert not samples[6 * RATE_HZ : 49 * RATE_HZ].any()


def test_the_same_cues_give_the_same_bytes(silent_voice, tmp_path):
    """Scored twice, a programme is the same, byte for byte."""
    first, again = (heard(score(silent_voice, [cue(3, 40)], tmp_path)) for _ in range(2))

    assert first.tobytes() == again.tobytes()
