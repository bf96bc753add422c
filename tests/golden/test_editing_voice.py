"""Edits that listen: silence, room tone, music beds, parts at pauses; over spoken lines in a quiet room."""

from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter

from mixdown.dsp.ducking import FALL_S, HOLD_S
from mixdown.dsp.loudness import LoudnessMeter
from mixdown.dsp.processor import Block
from mixdown.dsp.resample import Resampler
from mixdown.editing import edit
from mixdown.examples.voices import RATE_HZ as SPOKEN_HZ
from mixdown.examples.voices import Line, speak
from mixdown.model import Bed, Mark, RoomTone, Silence, Split
from tests.edits import Workplace, level_db, samples_of

RATE_HZ = 48_000
ROOM_DBFS = -68.0

LINES = (
    "Good morning, and welcome to a programme about bridges and the people who build them.",
    "Our first guest has spent thirty years under water, and she has brought a hammer with her.",
    "We will talk about rivers, about rust, and about what it costs to wait too long.",
)


@pytest.fixture(scope="module")
def lines() -> list[Block]:
    """Three spoken lines at 48 kHz, without the silence around them."""
    spoken = []
    for clip in speak([Line(text) for text in LINES]):
        resampler = Resampler(SPOKEN_HZ, RATE_HZ, 1)
        clip = np.concatenate([resampler.process(clip), resampler.flush()])
        loud = np.flatnonzero(np.abs(clip[:, 0]) > 0.01)
        line = clip[loud[0] : loud[-1] + 1]
        line[:480] *= np.linspace(0.0, 1.0, 480, dtype=np.float32)[:, None]
        line[-480:] *= np.linspace(1.0, 0.0, 480, dtype=np.float32)[:, None]
        spoken.append(line)
    return spoken


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


def room(frames: int, *, seed: int = 9) -> Block:
    """The tone of a room: soft noise, more of it below."""
    white = np.random.default_rng(seed).standard_normal(frames)
    tone = lfilter([1.0], [1.0, -0.9], white)
    return (tone * 10 ** (ROOM_DBFS / 20) / np.std(tone)).astype(np.float32)[:, None]


def said(lines: list[Block], *pauses_s: float) -> tuple[Block, list[tuple[float, float]]]:
    """Lines with pauses before, between and after them, in a room; and when each is spoken."""
    parts, spans, at = [], [], 0
    for line, pause_s in zip(lines, pauses_s, strict=False):
        at += round(pause_s * RATE_HZ)
        parts += [np.zeros((round(pause_s * RATE_HZ), 1), np.float32), line]
        spans.append((at / RATE_HZ, (at + len(line)) / RATE_HZ))
        at += len(line)
    sound = np.concatenate([*parts, np.zeros((round(pauses_s[len(lines)] * RATE_HZ), 1), np.float32)])
    return sound + room(len(sound)), spans


def music(seconds: float) -> Block:
    """A steady chord."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (0.1 * sum(np.sin(2 * np.pi * f * time_s) for f in (220.0, 277.2, 329.6))).astype(np.float32)[:, None]


def loudness_lufs(block: Block) -> float:
    meter = LoudnessMeter(RATE_HZ, block.shape[1])
    meter.push(block)
    return meter.report().integrated_lufs


def at_s(sound: Block, start_s: float, end_s: float) -> Block:
    return sound[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)]


def test_silence_is_trimmed_and_pauses_are_shortened(place: Workplace, lines: list[Block]):
    """Three seconds before, four between and five after become a fraction; every word stays; marks come along."""
    sound, spans = said(lines[:2], 3.0, 4.0, 5.0)
    recording = place.recording(sound, marks=[Mark(0.0, "A"), Mark(spans[1][0], "B")])

    (result,) = edit(Silence(keep_s=0.5, shorten_to_s=1.0), recording, place.desk)

    shorter = samples_of(result)
    spoken_s = sum(end - start for start, end in spans)
    assert len(shorter) / RATE_HZ == pytest.approx(spoken_s + 0.5 + 1.0 + 0.5, abs=0.5)
    for line in lines[:2]:
        # The line's own samples are in it somewhere, over the room.
        probe = line[RATE_HZ // 2 : RATE_HZ]
        found = np.correlate(shorter[:, 0], probe[:, 0], "valid")
        assert found.max() == pytest.approx(float(np.square(probe).sum()), rel=0.02)
    assert result.labels.marks[0] == Mark(0.0, "A")
    assert result.labels.marks[1].start_s == pytest.approx(0.5 + (spans[0][1] - spans[0][0]) + 1.0, abs=0.4)


def test_shortened_pauses_keep_the_level_of_the_room(place: Workplace, lines: list[Block]):
    """Where pauses were cut the room goes on: no hole, no click."""
    sound, _ = said(lines, 0.5, 4.0, 4.0, 0.5)

    (result,) = edit(Silence(trim=False, shorten_to_s=1.5), place.recording(sound), place.desk)

    shorter = samples_of(result)
    assert len(shorter) < len(sound) - 4 * RATE_HZ
    steps = shorter[: len(shorter) // 480 * 480].reshape(-1, 480)
    levels_db = 10 * np.log10(np.mean(np.square(steps, dtype=np.float64), axis=1))
    assert levels_db.min() > ROOM_DBFS - 6.0
    paused = np.repeat(levels_db < ROOM_DBFS + 6.0, 480)
    assert np.abs(np.diff(shorter[: len(paused), 0], prepend=0.0))[paused].max() < 0.003


def test_parts_at_silences_end_in_the_middle_of_pauses(place: Workplace, lines: list[Block]):
    """Two pauses of three seconds make three parts; one of half a second does not count."""
    sound, spans = said([*lines, lines[0]], 0.3, 3.0, 3.0, 0.6, 0.3)

    parts = edit(Split(at_silences=True), place.recording(sound), place.desk)

    assert [part.title for part in parts] == ["Part 1", "Part 2", "Part 3"]
    assert np.array_equal(np.concatenate([samples_of(part) for part in parts]), sound)
    cuts_s = np.cumsum([part.audio.duration_s for part in parts])[:2]
    middles_s = [(spans[0][1] + spans[1][0]) / 2, (spans[1][1] + spans[2][0]) / 2]
    assert cuts_s == pytest.approx(middles_s, abs=0.5)


@pytest.mark.parametrize("own_s", [0.05, 0.3, 4.0])
def test_room_tone_surrounds_the_words(place: Workplace, lines: list[Block], own_s: float):
    """0.75 s before the first word and 2.5 s after the last, whatever was there: as loud as the room throughout."""
    sound, spans = said(lines, own_s, 2.0, 2.0, own_s)
    recording = place.recording(sound, marks=[Mark(spans[1][0], "B")])

    (result,) = edit(RoomTone(head_s=0.75, tail_s=2.5), recording, place.desk)

    longer = samples_of(result)
    spoken_s = spans[-1][1] - spans[0][0]
    assert len(longer) / RATE_HZ == pytest.approx(0.75 + spoken_s + 2.5, abs=0.35)
    for part in (at_s(longer, 0.0, 0.4), longer[-2 * RATE_HZ :]):
        levels_db = [level_db(step) for step in part[: len(part) // 4_800 * 4_800].reshape(-1, 4_800)]
        assert levels_db == pytest.approx([ROOM_DBFS] * len(levels_db), abs=3.0)
    moved_by_s = result.labels.marks[0].start_s - spans[1][0]
    assert moved_by_s == pytest.approx(0.75 - spans[0][0], abs=0.2)


def test_gated_ends_are_filled_with_room(place: Workplace, lines: list[Block]):
    """Where an editor left digital silence before the first word there is room afterwards."""
    sound, spans = said(lines, 2.0, 2.0, 2.0, 2.0)
    sound[: round((spans[0][0] - 0.3) * RATE_HZ)] = 0.0
    sound[round((spans[-1][1] + 0.3) * RATE_HZ) :] = 0.0

    (result,) = edit(RoomTone(head_s=1.0, tail_s=2.0), place.recording(sound), place.desk)

    longer = samples_of(result)
    for part in (at_s(longer, 0.0, 0.5), longer[-RATE_HZ:]):
        assert level_db(part) == pytest.approx(ROOM_DBFS, abs=3.0)


def test_music_makes_room_for_the_voice(place: Workplace, lines: list[Block]):
    """The music alone is 6 LU below the voice, and 14 dB less under it, from before the first word to the last."""
    sound, spans = said(lines[:2], 0.2, 6.0, 0.2)
    step = Bed(
        source=place.material(music(20.0)),
        lead_in_s=5.0,
        lead_out_s=6.0,
        look_ahead_s=0.5,
        release_s=1.0,
        fade_in_s=0.5,
    )

    (result,) = edit(step, place.recording(sound, marks=[Mark(0.0, "A")]), place.desk)

    mixed = samples_of(result)
    assert len(mixed) == len(sound) + 11 * RATE_HZ
    bed = mixed.copy()
    bed[5 * RATE_HZ : 5 * RATE_HZ + len(sound)] -= sound
    voice_lufs = loudness_lufs(np.concatenate(lines[:2]))
    alone = at_s(bed, 1.0, 4.0)
    assert loudness_lufs(alone) == pytest.approx(voice_lufs - 6.0, abs=0.3)
    (first, last), (second, end) = [(start + 5.0, stop + 5.0) for start, stop in spans]
    for start_s, end_s in ((first - 0.3, last), (second - 0.3, end)):
        assert level_db(at_s(bed, start_s, end_s)) == pytest.approx(level_db(alone) - 14.0, abs=0.5)
    back_s = last + HOLD_S + 1.0 + 0.5
    assert level_db(at_s(bed, back_s, second - 0.5 - FALL_S - 0.5)) == pytest.approx(level_db(alone), abs=0.2)
    assert result.labels.marks == (Mark(5.0, "A"),)
    assert level_db(bed[-480:]) < level_db(alone) - 40.0


def test_music_begins_again_without_a_seam(place: Workplace, lines: list[Block]):
    """Eight seconds of noise under a minute: no hole and no bump at the loops. Not begun again, it ends."""
    bed = 0.05 * np.random.default_rng(3).standard_normal((8 * RATE_HZ, 1)).astype(np.float32)
    sound, _ = said(lines[:1], 0.2, 0.2)
    for loop in (True, False):
        step = Bed(
            source=place.material(bed), lead_in_s=40.0, duck_db=0.0, fade_in_s=0.0, fade_out_s=0.0, loop=loop
        )

        (result,) = edit(step, place.recording(sound), place.desk)

        alone = samples_of(result)[: 40 * RATE_HZ]
        levels_db = np.array([level_db(part) for part in alone.reshape(-1, RATE_HZ // 4)])
        if loop:
            assert np.abs(levels_db - levels_db[0]).max() < 0.5
        else:
            assert levels_db[33:].max() < -200.0


def test_a_bed_under_silence_is_the_bed(place: Workplace):
    """Nobody speaks, so nothing is turned down; nothing is divided by the silence."""
    step = Bed(source=place.material(music(3.0)), fade_in_s=0.0, fade_out_s=0.0)

    (result,) = edit(step, place.recording(np.zeros((6 * RATE_HZ, 1), np.float32)), place.desk)

    mixed = samples_of(result)
    assert np.isfinite(mixed).all()
    assert level_db(at_s(mixed, 0.5, 2.0)) == pytest.approx(level_db(music(3.0)) - 6.0, abs=0.1)
