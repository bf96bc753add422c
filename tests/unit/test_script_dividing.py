"""Sentences that are too long for an engine."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from mixdown.errors import InvalidScript
from mixdown.model import Gap, Line
from mixdown.speech.dividing import divided

_LONG = (
    "When the boat came round the point, which nobody had thought possible that day, the people on the shore "
    "stood up and waved (all of them); and the harbour master, who had 1,000 things to do, did none of them."
)


def _line(said: str, text: str = "", **more: object) -> Line:
    return Line(text=text or said, said=said, **more)  # type: ignore[arg-type]


def test_a_sentence_that_is_short_enough_stays_as_it_is() -> None:
    """Up to the limit nothing is divided."""
    line = _line("Twelve chars", gap=Gap.paragraph)

    assert divided(line, 12) == [line]


def test_a_long_sentence_is_divided_where_somebody_would_breathe() -> None:
    """Clauses end at commas and the like, but no number is torn apart."""
    parts = divided(_line(_LONG, gap=Gap.paragraph, speaker="HOST", rate=1.5, line_number=7), 90)

    assert all(part.said[-1] in ",;)" for part in parts[:-1])
    assert max(len(part.said) for part in parts) <= 90
    assert " ".join(part.said for part in parts) == _LONG
    assert [part.gap for part in parts] == [Gap.paragraph, *[Gap.none] * (len(parts) - 1)]
    assert {(part.speaker, part.rate, part.line_number) for part in parts} == {("HOST", 1.5, 7)}


def test_without_clauses_it_is_divided_between_words() -> None:
    """No word is torn apart, and the parts are about equally long."""
    parts = divided(_line("word " * 39 + "word"), 100)

    assert [len(part.said) for part in parts] == [99, 99]
    assert {word for part in parts for word in part.said.split()} == {"word"}


def test_what_is_written_goes_with_what_is_said() -> None:
    """Captions of each part show its own words, where those that are said are others."""
    parts = divided(
        _line(
            "Doctor Smith paid twenty-five euros at the door, and then he went home to sleep.",
            "Dr. Smith paid €25 at the door, and then he went home to sleep.",
        ),
        60,
    )

    assert [part.text for part in parts] == ["Dr. Smith paid €25 at the door,", "and then he went home to sleep."]


def test_sounds_of_words_go_with_their_words() -> None:
    """The other part does not change when a word of this one sounds otherwise."""
    first, second = divided(_line("A tomato is red, and so is a rose.", ipa={"tomato": "təˈmɑːtəʊ"}), 20)

    assert first.ipa == {"tomato": "təˈmɑːtəʊ"}
    assert second.ipa == {}


def test_where_no_spaces_are_written_letters_are_divided() -> None:
    """Chinese, Japanese and Thai have no spaces between words."""
    text = "今日はとても良い天気ですね、散歩に行きましょうそして夕方には帰りましょう"

    parts = divided(_line(text), 14)

    assert "".join(part.said for part in parts) == text
    assert max(len(part.said) for part in parts) <= 14


def test_a_word_that_is_too_long_is_refused_with_its_sentence() -> None:
    """Whoever wrote it finds it by its line and its beginning."""
    with pytest.raises(InvalidScript, match=r"line 3 .* 50 characters.*“Call Llanfair"):
        divided(_line("Call Llanfair" + "pwll" * 20, line_number=3), 50)


@settings(deadline=None)
@given(
    said=some.lists(some.text(alphabet="abc,;.–’ 0", min_size=1, max_size=9), min_size=1, max_size=60),
    text=some.lists(some.text(alphabet="abcXY,", min_size=1, max_size=9), min_size=1, max_size=40),
    longest=some.integers(10, 80),
)
def test_every_word_is_there_once_and_in_order(said: list[str], text: list[str], longest: int) -> None:
    """Whatever is divided, nothing is lost or doubled, neither of what is said nor of what is written."""
    line = _line(" ".join(said), " ".join(text))

    parts = divided(line, longest)

    assert [word for part in parts for word in part.said.split()] == line.said.split()
    assert [word for part in parts for word in part.text.split()] == line.text.split()
    assert all(len(part.said) <= longest for part in parts)
