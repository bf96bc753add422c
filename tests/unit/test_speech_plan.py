"""Sentences packed into chunks, chunks into groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mixdown.errors import UnknownVoice
from mixdown.model import Gap, Item, Line, Pause, Script
from mixdown.speech.plan import GROUP_S, Chunk, chunks_of, groups_of
from mixdown.speech.port import Engine, Spoken, Utterance, Voice


@dataclass
class Reader:
    """An engine that says nothing."""

    name: str = "reader"
    identity: str = "1"
    origin: str = ""
    longest_chars: int = 200
    packs_chars: int = 0
    at_once: int = 1
    price: float = 0.0
    voices: Sequence[Voice] = field(
        default=(
            Voice(name="ann", language="en-GB"),
            Voice(name="bob", language="en-US"),
            Voice(name="cleo", language="en-GB"),
            Voice(name="dora", language="de-DE"),
        )
    )

    def voice_for(self, asked: str, language: str) -> str:
        if not asked:
            return next(each.name for each in self.voices if each.language.startswith(language[:2]))
        if asked not in [each.name for each in self.voices]:
            raise UnknownVoice
        return asked

    def speak(self, utterance: Utterance, check: Callable[[], None] = lambda: None) -> Spoken:
        return Spoken(samples=np.zeros((1, 1), np.float32), sample_rate_hz=16_000)


def line(text: str, **more: object) -> Line:
    return Line(text=text, said=text, **more)  # type: ignore[arg-type]


def script(*items: Item, **more: object) -> Script:
    return Script(items=items, language="en", **more)  # type: ignore[arg-type]


def planned(given: Script, engine: Engine, **asked: object) -> list[Chunk]:
    return chunks_of(given, engine, **{"cast": {}, "rate": 1.0, **asked})  # type: ignore[arg-type]


SENTENCES = [f"This is sentence number {number} of a long story." for number in range(60)]


def test_an_engine_that_speaks_here_is_asked_for_each_sentence() -> None:
    """So that an edit costs one sentence."""
    chunks = planned(script(*map(line, SENTENCES)), Reader())

    assert [chunk.utterance.text for chunk in chunks] == SENTENCES


def test_one_sentence_changed_is_one_chunk_changed() -> None:
    """All others are found again by their keys."""
    before = planned(script(*map(line, SENTENCES)), Reader())
    changed = [*SENTENCES[:30], "Something else happens here.", *SENTENCES[31:]]
    after = planned(script(*map(line, changed)), Reader())

    assert len({chunk.key for chunk in after} - {chunk.key for chunk in before}) == 1


def test_an_engine_that_packs_loses_few_chunks_to_an_edit() -> None:
    """Where chunks end is told by sentences, not by counting from the start."""
    engine = Reader(longest_chars=4000, packs_chars=1500)
    before = planned(script(*map(line, SENTENCES)), engine)
    changed = ["A new sentence at the very beginning.", *SENTENCES]
    after = planned(script(*map(line, changed)), engine)

    assert len(before) < len(SENTENCES) / 2
    assert len({chunk.key for chunk in after} - {chunk.key for chunk in before}) <= 2


@given(
    texts=st.lists(
        st.text("abc ,.", min_size=1, max_size=300).map(lambda text: f"x{text}"), min_size=1, max_size=30
    ),
    packs=st.sampled_from([0, 120, 500]),
)
def test_everything_is_said_once_in_order(texts: list[str], packs: int) -> None:
    """Whatever is divided or packed, no letter is lost, and nothing is longer than the engine takes."""
    engine = Reader(longest_chars=400, packs_chars=packs)

    chunks = planned(script(*map(line, texts)), engine)

    said = "".join(chunk.utterance.text for chunk in chunks).replace(" ", "")
    assert said == "".join(texts).replace(" ", "")
    assert all(len(chunk.utterance.text) <= engine.longest_chars for chunk in chunks)


def test_packing_stops_at_paragraphs_pauses_and_other_voices() -> None:
    """What is asked for at once is of one breath."""
    engine = Reader(longest_chars=4000, packs_chars=4000)
    given = script(
        line("One."), line("Two.", gap=Gap.paragraph), Pause(1.0), line("Three."), line("Four.", voice="bob")
    )

    assert [chunk.utterance.text for chunk in planned(given, engine)] == ["One.", "Two.", "Three.", "Four."]


def test_voices_go_from_the_sentence_to_the_engine() -> None:
    """The nearest one counts: sentence, script's cast, job's cast, job, engine."""
    given = script(
        line("a", voice="bob", speaker="Host"),
        line("b", speaker="Host"),
        line("c", speaker="Guest"),
        line("d"),
        line("e", language="de"),
        cast={"HOST": "cleo"},
    )

    chunks = planned(given, Reader(), cast={"Guest": "bob", "Host": "bob"}, voice="ann")

    assert [chunk.utterance.voice for chunk in chunks] == ["bob", "cleo", "bob", "ann", "ann"]
    assert [chunk.utterance.voice for chunk in planned(given, Reader())][3:] == ["ann", "dora"]


def test_speakers_without_a_voice_each_get_another_one() -> None:
    """As far as the engine has them for the language."""
    given = script(*(line("x", speaker=name) for name in ("A", "B", "A", "C")))

    assert [chunk.utterance.voice for chunk in planned(given, Reader())] == ["ann", "bob", "ann", "cleo"]


def test_the_key_knows_all_that_decides_the_sound() -> None:
    """And nothing else: where a sentence stands does not matter."""
    [usual] = planned(script(line("Hello.")), Reader())
    others = [
        planned(script(line("Hallo.")), Reader()),
        planned(script(line("Hello.", rate=1.1)), Reader()),
        planned(script(line("Hello.", ipa={"Hello": "hə"})), Reader()),
        planned(script(line("Hello.")), Reader(), voice="bob"),
        planned(script(line("Hello.")), Reader(identity="2")),
        planned(script(line("Hello.")), Reader(name="other")),
    ]

    assert len({usual.key, *(chunk.key for [chunk] in others)}) == 7
    assert planned(script(line("First."), line("Hello.")), Reader())[1].key == usual.key


@given(st.lists(st.integers(1, 190), min_size=1, max_size=120))
def test_groups_are_about_a_minute_and_hold_each_key_once(lengths: list[int]) -> None:
    """Nothing is said twice because two groups want it."""
    chunks = planned(script(*(line("x" * length) for length in lengths)), Reader())

    groups = groups_of(chunks)

    keys = [chunk.key for group in groups for chunk in group]
    assert len(keys) == len(set(keys))
    assert set(keys) == {chunk.key for chunk in chunks}
    longest_s = max(chunk.expected_s for chunk in chunks)
    assert all(sum(chunk.expected_s for chunk in group) <= GROUP_S + longest_s for group in groups)


def test_a_script_of_some_minutes_makes_groups_of_the_same_length() -> None:
    """Nobody waits at the end for whoever has a group more: three groups on two cores take two turns."""
    chunks = planned(script(*(line(f"{number:03} " + "x" * 71) for number in range(36))), Reader())

    lengths_s = [sum(chunk.expected_s for chunk in group) for group in groups_of(chunks)]

    assert len(lengths_s) == 8
    assert max(lengths_s) - min(lengths_s) <= chunks[0].expected_s


def test_a_script_of_less_than_a_minute_is_one_group() -> None:
    """A batch of short ones keeps every core busy as it is."""
    chunks = planned(script(*(line(f"{number} " + "x" * 100) for number in range(8))), Reader())

    assert groups_of(chunks) == [tuple(chunks)]
