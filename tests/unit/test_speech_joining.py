"""Chunks joined: what lies where, how loud it is, and that nothing clicks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mixdown.dsp.loudness import LoudnessMeter
from mixdown.dsp.processor import Block
from mixdown.errors import TooLong
from mixdown.model import (
    ChapterStart,
    EffectCue,
    Gap,
    Item,
    Limits,
    Line,
    Mark,
    MusicCue,
    Pause,
    Script,
)
from mixdown.speech.joining import PAUSES_S, Performance, performed
from mixdown.speech.levelling import VOICE_LUFS
from mixdown.speech.plan import Chunk
from mixdown.speech.port import Spoken, Utterance

RATE_HZ = 24_000
LENGTH_S = 0.8


def tone(
    hz: float = 1_000.0, dbfs: float = -20.0, s: float = LENGTH_S, rate_hz: int = RATE_HZ, around_s: float = 0.0
) -> Spoken:
    """A sine that begins and ends at its height, in silence."""
    wave = 10.0 ** (dbfs / 20.0) * np.cos(2.0 * np.pi * hz * np.arange(round(s * rate_hz)) / rate_hz)
    silence = np.zeros(round(around_s * rate_hz))
    return Spoken(
        samples=np.concatenate([silence, wave, silence]).astype(np.float32)[:, None], sample_rate_hz=rate_hz
    )


def said(text: str, gap: Gap = Gap.sentence, **more: Any) -> Line:
    return Line(text=text, said=text, gap=gap, **more)


def perform(
    folder: Path,
    items: tuple[Item, ...],
    sounds: Mapping[str, Spoken] | None = None,
    *,
    effect: tuple[Block, ...] = (),
    limits: Limits | None = None,
    tick: Any = lambda frames: None,
) -> Performance:
    """A script whose every sentence is a chunk of the tone of its name."""
    chunks = [
        Chunk(lines=(item,), utterance=Utterance(text=item.said, voice="v"), key=item.said, item=index)
        for index, item in enumerate(items)
        if isinstance(item, Line)
    ]
    spoken = sounds or {}

    def effects(cue: EffectCue, rate_hz: int) -> Iterator[Block]:
        yield from effect

    return performed(
        Script(items=items, language="en"),
        chunks,
        lambda key: spoken[key] if key in spoken else tone(),
        folder,
        sample_rate_hz=RATE_HZ,
        effects=effects,
        limits=limits or Limits(),
        tick=tick,
    )


def samples_of(performance: Performance) -> Block:
    return performance.audio.read(0, performance.audio.frames)


def lufs(samples: Block) -> float:
    meter = LoudnessMeter(RATE_HZ, samples.shape[1], true_peak=False)
    meter.push(np.ascontiguousarray(samples))
    return meter.report().integrated_lufs


@pytest.mark.parametrize("gap", list(Gap))
def test_the_pause_is_that_of_what_lies_between(tmp_path: Path, gap: Gap) -> None:
    """Sentences, paragraphs, speakers and headings have pauses of their own; there is none before the first."""
    performance = perform(tmp_path, (said("a", Gap.heading), said("b", gap)))

    first, second = performance.lines
    assert (first.start_s, first.end_s) == (0.0, LENGTH_S)
    assert second.start_s - first.end_s == pytest.approx(PAUSES_S[gap], abs=1e-3)
    assert performance.audio.duration_s == pytest.approx(second.end_s, abs=1e-3)
    between = samples_of(performance)[round(first.end_s * RATE_HZ) : round(second.start_s * RATE_HZ)]
    assert not between.any()


def test_the_pauses_are_those_that_were_promised() -> None:
    """350 ms between sentences, 700 between paragraphs, 250 where the speaker changes, 1,000 at a heading."""
    assert [PAUSES_S[gap] for gap in (Gap.sentence, Gap.paragraph, Gap.speaker, Gap.heading)] == [
        0.35,
        0.7,
        0.25,
        1.0,
    ]


def test_behind_a_heading_there_is_a_paragraphs_pause_at_least(tmp_path: Path) -> None:
    """Whatever comes then."""
    performance = perform(tmp_path, (said("a", Gap.heading, heading=True), said("b", Gap.speaker)))

    assert performance.lines[1].start_s == pytest.approx(LENGTH_S + 0.7, abs=1e-3)


def test_a_pause_that_was_asked_for_is_instead_of_the_usual_one(tmp_path: Path) -> None:
    """Also before the first sentence and behind the last; two of them add up, and none at all is none."""
    items = (Pause(0.5), said("a"), Pause(1.0), Pause(0.25), said("b"), Pause(0.0), said("c"), Pause(2.0))

    performance = perform(tmp_path, items)

    assert [line.start_s for line in performance.lines] == pytest.approx([0.5, 2.55, 3.35], abs=1e-3)
    assert performance.audio.duration_s == pytest.approx(3.35 + LENGTH_S + 2.0, abs=1e-3)


def test_silence_around_a_chunk_is_not_kept(tmp_path: Path) -> None:
    """What is below −50 dBFS goes, but for a little on both sides."""
    performance = perform(tmp_path, (said("a"), said("b")), {"a": tone(around_s=1.5)})

    assert performance.lines[0].end_s == pytest.approx(LENGTH_S + 0.02 + 0.06, abs=1e-3)


def test_what_is_audible_once_it_is_at_its_loudness_is_kept(tmp_path: Path) -> None:
    """The threshold is that of the performance, not of the chunk: a soft end of a soft voice is no silence."""
    loud, soft = tone(dbfs=-40.0), tone(dbfs=-66.0, s=0.5)
    both = Spoken(samples=np.concatenate([loud.samples, soft.samples]), sample_rate_hz=RATE_HZ)

    performance = perform(tmp_path, (said("a"),), {"a": both})

    assert performance.lines[0].end_s == pytest.approx(LENGTH_S + 0.5, abs=0.01)


def test_every_speaker_is_as_loud_as_every_other(tmp_path: Path) -> None:
    """Within 0.5 LU, however loud their voices are, and however short what one of them says."""
    items = (
        said("a", speaker="Ann"),
        said("b", speaker="Ben"),
        said("c", speaker="ann"),
        said("d", speaker="Cid"),
    )
    sounds = {
        "a": tone(dbfs=-34.0),
        "b": tone(dbfs=-9.0),
        "c": tone(dbfs=-34.0),
        "d": tone(dbfs=-26.0, s=0.3),
    }

    performance = perform(tmp_path, items, sounds)

    samples = samples_of(performance)
    for line in performance.lines:
        part = samples[round(line.start_s * RATE_HZ) : round(line.end_s * RATE_HZ)]
        assert lufs(part) == pytest.approx(VOICE_LUFS, abs=0.5)


def test_what_a_speaker_says_louder_stays_louder(tmp_path: Path) -> None:
    """A speaker has one gain: emphasis is not levelled away."""
    performance = perform(tmp_path, (said("a"), said("b")), {"a": tone(dbfs=-20.0), "b": tone(dbfs=-26.0)})

    samples = samples_of(performance)
    first, second = (
        lufs(samples[round(line.start_s * RATE_HZ) : round(line.end_s * RATE_HZ)]) for line in performance.lines
    )
    assert first - second == pytest.approx(6.0, abs=0.2)


def test_nothing_clicks_where_chunks_meet(tmp_path: Path) -> None:
    """A wave that is cut at its height fades in and out: its second difference is bounded everywhere."""
    hz = 200.0
    sounds = {name: tone(hz=hz) for name in "ab"}

    samples = samples_of(perform(tmp_path, (said("a"), said("b", Gap.none)), sounds))[:, 0].astype(np.float64)

    peak = np.abs(samples).max()
    whole = np.concatenate([np.zeros(2), samples, np.zeros(2)])
    bend = np.abs(np.diff(whole, 2)).max()
    cut = peak  # what a wave cut at its height has
    assert bend < 0.03 * cut
    assert np.abs(samples[[0, -1]]).max() < 0.02 * peak


def test_an_offset_is_taken_out(tmp_path: Path) -> None:
    """It would hide where a chunk ends, and thump at each of its ends."""
    plain = tone(around_s=1.0)
    shifted = Spoken(samples=plain.samples + np.float32(0.05), sample_rate_hz=RATE_HZ)

    performance = perform(tmp_path, (said("a"),), {"a": shifted})

    assert abs(float(samples_of(performance).mean())) < 1e-4
    assert performance.lines[0].end_s == pytest.approx(LENGTH_S + 0.08, abs=1e-3)


def test_chunks_of_other_rates_are_brought_to_that_of_the_performance(tmp_path: Path) -> None:
    """A voice of 16 kHz sounds as high and as long as before."""
    performance = perform(tmp_path, (said("a"),), {"a": tone(hz=500.0, rate_hz=16_000)})

    samples = samples_of(performance)[:, 0]
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    assert float(np.argmax(spectrum)) * RATE_HZ / len(samples) == pytest.approx(500.0, abs=2.0)
    assert performance.audio.duration_s == pytest.approx(LENGTH_S, abs=0.01)


@pytest.mark.parametrize("rate_hz", [RATE_HZ, 16_000, 22_050])
@pytest.mark.parametrize("frames", [0, 1, 2, 50])
def test_hardly_anything_can_be_joined(tmp_path: Path, frames: int, rate_hz: int) -> None:
    """A chunk of a few samples, or of none, does no harm to its neighbors."""
    tiny = Spoken(samples=np.full((frames, 1), 0.1, np.float32), sample_rate_hz=rate_hz)

    performance = perform(tmp_path, (said("a"), said("b", speaker="B"), said("c")), {"b": tiny})

    assert np.isfinite(samples_of(performance)).all()
    assert [line.line.said for line in performance.lines] == ["a", "b", "c"]
    assert performance.lines[2].start_s == pytest.approx(LENGTH_S + 0.7, abs=0.01)


def test_a_silent_chunk_stays_silent(tmp_path: Path) -> None:
    """It is as long as it was."""
    silent = Spoken(samples=np.zeros((RATE_HZ, 1), np.float32), sample_rate_hz=RATE_HZ)

    performance = perform(tmp_path, (said("a", speaker="A"),), {"a": silent})

    assert performance.audio.duration_s == pytest.approx(1.0)
    assert not samples_of(performance).any()


def test_chapters_begin_with_the_sound_that_follows(tmp_path: Path) -> None:
    """Behind the pause before it."""
    items = (ChapterStart("One"), said("a"), ChapterStart("Two"), said("b", Gap.heading), ChapterStart("Empty"))

    performance = perform(tmp_path, items)

    assert performance.marks == (Mark(0.0, "One"), Mark(LENGTH_S + 1.0, "Two"))


def test_music_begins_where_it_stands(tmp_path: Path) -> None:
    """Behind what was said and the pauses before it; the pauses behind it follow."""
    items = (MusicCue("warm"), said("a"), Pause(1.0), MusicCue("calm"), Pause(0.5), said("b"), MusicCue(""))

    performance = perform(tmp_path, items)

    assert [at_s for at_s, _ in performance.cues] == pytest.approx([0.0, 1.8, 3.1], abs=1e-3)
    assert performance.lines[1].start_s == pytest.approx(2.3, abs=1e-3)


def test_a_sound_waits_its_turn(tmp_path: Path) -> None:
    """A quarter of a second lies on both sides of it; of two channels there is the mean, as loud as it was made."""
    blocks = (
        np.tile(np.array([0.5, 0.25], np.float32), (RATE_HZ, 1)),
        np.tile(np.array([0.5, 0.25], np.float32), (RATE_HZ, 1)),
    )

    performance = perform(tmp_path, (said("a"), EffectCue("logo"), said("b")), effect=blocks)

    start_s = LENGTH_S + 0.25
    assert performance.lines[1].start_s == pytest.approx(start_s + 2.25, abs=1e-3)
    heard = samples_of(performance)[round(start_s * RATE_HZ) : round((start_s + 2.0) * RATE_HZ)]
    np.testing.assert_allclose(heard, 0.375, atol=1e-6)


def test_only_the_performance_stays_in_the_folder(tmp_path: Path) -> None:
    """Scratch files are gone, and that of the performance goes with it."""
    cues = [EffectCue("logo"), Pause(60.0), EffectCue("logo"), Pause(60.0)]  # more than is held in memory
    performance = perform(tmp_path, (said("a"), *cues), effect=(np.ones((10, 1), np.float32),))

    assert list(tmp_path.iterdir()) == [performance.audio.path]
    performance.audio.discard()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("allowed", [0, 1, 3, 5])
def test_work_that_is_stopped_leaves_nothing(tmp_path: Path, allowed: int) -> None:
    """Wherever in its course somebody calls it off."""

    class CalledOff(Exception):
        pass

    calls = 0

    def tick(frames: int) -> None:
        nonlocal calls
        calls += 1
        if calls > allowed:
            raise CalledOff

    items = (said("a"), EffectCue("logo"), said("b"), Pause(30.0))
    with pytest.raises(CalledOff):
        perform(tmp_path, items, effect=(np.ones((10, 1), np.float32),), tick=tick)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("items", [(said("a"), said("b")), (said("a"), Pause(10.0))])
def test_a_performance_is_no_longer_than_allowed(tmp_path: Path, items: tuple[Item, ...]) -> None:
    """By what is said or by its silence; nothing stays on the disk."""
    with pytest.raises(TooLong):
        perform(tmp_path, items, limits=Limits(duration_s=1.5))
    assert list(tmp_path.iterdir()) == []


def test_sentences_said_at_once_are_told_apart_by_their_pauses(tmp_path: Path) -> None:
    """The time of each is where the silence between them lies."""
    silence = np.zeros((round(0.3 * RATE_HZ), 1), np.float32)
    parts = [tone(s=1.0).samples, silence, tone(s=1.6).samples, silence, tone(s=0.7).samples]
    spoken = Spoken(samples=np.concatenate(parts), sample_rate_hz=RATE_HZ)
    lines = (said("x" * 12), said("y" * 13), said("z" * 9))
    chunk = Chunk(lines=lines, utterance=Utterance(text="…", voice="v"), key="k", item=0)

    performance = performed(
        Script(items=lines, language="en"),
        [chunk],
        lambda key: spoken,
        tmp_path,
        sample_rate_hz=RATE_HZ,
        effects=lambda cue, rate_hz: (),
        limits=Limits(),
    )

    ends_s = [line.end_s for line in performance.lines]
    assert 1.0 <= ends_s[0] <= 1.3
    assert 2.9 <= ends_s[1] <= 3.2
    assert ends_s[2] == pytest.approx(3.9, abs=1e-3)
    assert [line.start_s for line in performance.lines[1:]] == ends_s[:-1]
