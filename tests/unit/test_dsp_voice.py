"""The survey that hears where somebody speaks."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

from mixdown.dsp.leveller import GainRide, ride
from mixdown.dsp.loudness import LoudnessMeter
from mixdown.dsp.processor import Block
from mixdown.dsp.voice import MUSIC, NOISE, SILENCE, SPEECH, VoiceMap, VoiceSurvey
from mixdown.examples import sounds
from mixdown.examples.voices import RATE_HZ as VOICE_HZ
from mixdown.examples.voices import Line, speak
from tests.unit.signals import block_lengths, bursts, cut, noise, processed, sine

RATE_HZ = 48_000


def surveyed(*blocks: Block, rate_hz: int = RATE_HZ) -> VoiceMap:
    survey = VoiceSurvey(rate_hz, blocks[0].shape[1])
    for block in blocks:
        survey.push(block)
    return survey.report()


def room(seconds: float, level_dbfs: float = -65.0, seed: int = 1) -> Block:
    tone = sounds.at_level(sounds.room_tone(round(seconds * RATE_HZ), RATE_HZ, seed), level_dbfs)
    return tone.astype(np.float32)[:, None]


@pytest.fixture(scope="module")
def voices() -> list[Block]:
    """Four speakers, 4 to 7 s each, at 48 kHz, the loudest sample at 0.5."""
    clips = speak(
        [
            Line("Good morning, and welcome to the programme. Today we are talking about the sea.", "en-GB"),
            Line("Thank you. I have lived by the sea for years, and I would never leave.", "en-US", pitch=0.8),
            Line("Guten Morgen. Heute sprechen wir über das Wetter und über die Berge im Süden.", "de-DE"),
            Line(
                "Bonjour à tous. Aujourd'hui nous allons parler de la cuisine et de ses secrets.",
                "fr-FR",
                pitch=1.2,
            ),
        ]
    )
    louder = [resample_poly(clip[:, 0], RATE_HZ // VOICE_HZ, 1).astype(np.float32)[:, None] for clip in clips]
    return [clip * np.float32(0.5 / np.abs(clip).max()) for clip in louder]


def spoken(voices: list[Block], gains_db: list[float], pause_s: float = 1.5) -> tuple[Block, list[slice]]:
    """The voices one after the other in a room, each at a gain; and in which steps each is."""
    parts, places, frames = [np.zeros((round(pause_s * RATE_HZ), 1), np.float32)], [], round(pause_s * RATE_HZ)
    for voice, gain_db in zip(voices, gains_db, strict=True):
        places.append(slice(frames * 10 // RATE_HZ, (frames + len(voice)) * 10 // RATE_HZ))
        parts += [voice * np.float32(10 ** (gain_db / 20)), parts[0]]
        frames += len(voice) + len(parts[0])
    return np.concatenate(parts) + room(frames / RATE_HZ)[:frames], places


def loudness(signal: Block) -> float:
    meter = LoudnessMeter(RATE_HZ, signal.shape[1], true_peak=False)
    meter.push(signal)
    return meter.report().integrated_lufs


def test_voices_are_heard_and_the_pauses_between_them(voices: list[Block]):
    """Most of what four voices say, their own pauses aside, is speech; of the pauses between them hardly any is."""
    signal, places = spoken(voices, [0.0, -6.0, 0.0, -12.0])

    kinds = surveyed(signal).kinds

    said = np.zeros(len(kinds), bool)
    for place in places:
        said[place] = True
        assert np.mean(kinds[place] == SPEECH) > 0.7
    near = np.convolve(said, np.ones(5), "same") > 0
    assert np.mean(kinds[~near] == SPEECH) < 0.1
    assert not (kinds == MUSIC).any()


@pytest.mark.parametrize("snr_db", [5.0, 10.0, 20.0])
def test_voices_are_heard_in_noise(voices: list[Block], snr_db: float):
    """Under an extractor fan too; before and after them it is noise."""
    voice = np.concatenate(voices)[:, 0]
    fan = sounds.at_level(sounds.fan(len(voice) + 6 * RATE_HZ, RATE_HZ, 2), 20 * np.log10(np.std(voice)) - snr_db)
    signal = fan.copy()
    signal[3 * RATE_HZ : -3 * RATE_HZ] += voice

    kinds = surveyed(signal.astype(np.float32)[:, None]).kinds

    assert np.mean(kinds[30:-30] == SPEECH) > 0.7
    assert np.mean(np.concatenate([kinds[:27], kinds[-27:]]) == NOISE) > 0.9


def test_music_is_heard(voices: list[Block]):
    """Plucked chords alone are music; speech between two pieces of it is speech."""
    left, right = sounds.sting(RATE_HZ, bars=8)
    music = (0.2 * np.stack([left, right], axis=1))[: 12 * RATE_HZ].astype(np.float32)
    talk = np.repeat(np.concatenate(voices[:2]), 2, axis=1)

    voice_map = surveyed(music, talk, music)

    first, last = 120, len(voice_map.kinds) - 120
    assert np.mean(voice_map.kinds[5 : first - 5] == MUSIC) > 0.9
    assert np.mean(voice_map.kinds[last + 5 : -15] == MUSIC) > 0.8
    assert np.mean(voice_map.kinds[first + 5 : last - 5] == SPEECH) > 0.75


@pytest.mark.parametrize("sound", ["white", "room", "fan", "hum", "clicks"])
def test_noise_is_neither_speech_nor_music(sound: str):
    """Hiss, a room, a fan, mains hum and crackle."""
    frames = 12 * RATE_HZ
    made = {
        "white": lambda: noise(frames, 1)[:, 0],
        "room": lambda: sounds.room_tone(frames, RATE_HZ, 3),
        "fan": lambda: sounds.fan(frames, RATE_HZ, 3),
        "hum": lambda: sounds.hum(frames, RATE_HZ),
        "clicks": lambda: sounds.clicks(frames, RATE_HZ, 3) + 1e-2 * noise(frames, 1)[:, 0],
    }[sound]()

    voice_map = surveyed(sounds.at_level(made, -30.0).astype(np.float32)[:, None])

    assert voice_map.share(NOISE) > 0.9


@pytest.mark.parametrize("gain_db", [-30.0, 6.0])
def test_the_level_of_the_recording_does_not_matter(voices: list[Block], gain_db: float):
    """Softer by 30 dB or louder by 6: the same course, and levels that much lower or higher."""
    signal, _ = spoken(voices, [0.0, 0.0, 0.0, 0.0])

    before, after = surveyed(signal), surveyed(signal * np.float32(10 ** (gain_db / 20)))

    heard = (before.kinds != SILENCE) & (after.kinds != SILENCE)
    assert np.mean(before.kinds[heard] == after.kinds[heard]) > 0.97
    assert after.speech_lufs - before.speech_lufs == pytest.approx(gain_db, abs=0.3)


def test_levels_are_those_of_the_standard():
    """997 Hz at full scale in one channel is −3.01 LUFS, in both 3 dB more, at 44.1 kHz as well."""
    for rate_hz in (44_100, 48_000, 96_000):
        tone = sine(997.0, rate_hz, 2.0)
        assert surveyed(tone, rate_hz=rate_hz).level_lufs[5] == pytest.approx(-3.01, abs=0.1)
        both = np.repeat(tone, 2, axis=1) * np.float32([1.0, -1.0])
        assert surveyed(np.ascontiguousarray(both), rate_hz=rate_hz).level_lufs[5] == pytest.approx(0.0, abs=0.1)


def test_the_loudness_of_speech_is_what_the_meter_says(voices: list[Block]):
    """Speech alone, gated, is near the integrated loudness of the recording, or above it: pauses do not count."""
    signal, _ = spoken(voices, [0.0, 0.0, 0.0, 0.0])

    assert -0.5 < surveyed(signal).speech_lufs - loudness(signal) < 1.5


def test_the_noise_floor_is_the_level_of_the_pauses(voices: list[Block]):
    """A room at −65 dBFS is reported as such, though somebody speaks most of the time."""
    signal, _ = spoken(voices, [0.0, 0.0, 0.0, 0.0])

    assert surveyed(signal).noise_floor_dbfs == pytest.approx(-65.0, abs=3.0)


@pytest.mark.parametrize("rate_hz", [4_000, 8_000, 11_025, 44_100, 48_000, 192_000])
def test_silence_is_silence(rate_hz: int):
    """Zeros have no kind but silence, no floor and the least level."""
    voice_map = surveyed(np.zeros((3 * rate_hz, 2), np.float32), rate_hz=rate_hz)

    assert voice_map.share(SILENCE) == 1.0
    assert len(voice_map.kinds) == 30
    assert voice_map.noise_floor_dbfs == -math.inf
    assert (voice_map.level_lufs <= -119.0).all()


@pytest.mark.parametrize("frames", [0, 1, 4_799])
def test_what_is_shorter_than_a_step_has_no_map(frames: int):
    """Nothing to tell, and nothing fails."""
    voice_map = surveyed(noise(frames, 1))

    assert len(voice_map.kinds) == len(voice_map.level_lufs) == 0
    assert voice_map.share(SPEECH) == 0.0


@given(lengths=block_lengths, channels=st.integers(1, 3), rate_hz=st.sampled_from([8_000, 11_025, 44_100]))
@settings(deadline=None, max_examples=25)
def test_any_split_gives_the_same_map(lengths: list[int], channels: int, rate_hz: int):
    """However the signal is cut: the same kinds, and the same levels bit for bit."""
    signal = np.resize(bursts(rate_hz, 1.3).mean(axis=1), (round(1.3 * rate_hz), channels)).astype(np.float32)

    whole, split = surveyed(signal, rate_hz=rate_hz), surveyed(*cut(signal, lengths), rate_hz=rate_hz)

    assert np.array_equal(whole.kinds, split.kinds)
    assert np.array_equal(whole.level_lufs, split.level_lufs)
    assert whole.noise_floor_dbfs == split.noise_floor_dbfs


@pytest.mark.parametrize("block_frames", [441, 65_536, 300_000])
def test_any_split_of_a_long_signal_gives_the_same_map(voices: list[Block], block_frames: int):
    """The same over half a minute of speech."""
    signal, _ = spoken(voices, [0.0, -10.0, 0.0, 0.0])

    whole = surveyed(signal)
    split = surveyed(*cut(signal, [block_frames] * (len(signal) // block_frames)))

    assert np.array_equal(whole.kinds, split.kinds)
    assert np.array_equal(whole.level_lufs, split.level_lufs)


@pytest.mark.parametrize("apart_db", [10.0, 14.0])
def test_real_voices_end_within_two_units_of_each_other(voices: list[Block], apart_db: float):
    """A guest 10 to 14 dB below the host: heard, levelled, applied, and measured by the meter."""
    even = [voice * np.float32(10 ** ((-23.0 - loudness(voice)) / 20)) for voice in voices]
    signal, places = spoken(even, [0.0, -apart_db, 0.0, -apart_db])

    voice_map = surveyed(signal)
    gains_db = ride(voice_map, amount=1.0, largest_gain_db=14.0)
    result = processed(GainRide(gains_db, voice_map.step_s, sample_rate_hz=RATE_HZ, channels=1), signal)

    def passage(of: Block, place: slice) -> Block:
        return of[place.start * RATE_HZ // 10 : place.stop * RATE_HZ // 10]

    after = [loudness(passage(result, place)) for place in places]
    assert max(after) - min(after) < 2.0
    for place in places[:-1]:
        pause = slice(place.stop + 4, place.stop + 12)
        rise_db = 20 * np.log10(np.std(passage(result, pause)) / np.std(passage(signal, pause)))
        assert rise_db < 1.0
