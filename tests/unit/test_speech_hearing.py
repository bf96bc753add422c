"""What was heard, held against the script."""

from __future__ import annotations

import pytest

from mixdown.speech.hearing import Fault, Judged, judged, tokens
from mixdown.speech.recogniser import Word

SENTENCES = (
    "The quick brown fox jumps over the lazy dog.",
    "Our jacket costs forty-nine dollars and ships on Friday.",
    "Nobody knows where the old keys have gone.",
)


def heard(text: str) -> list[Word]:
    return [Word(word, float(at), at + 0.5) for at, word in enumerate(text.split())]


def test_what_was_said_word_for_word_is_right() -> None:
    """No fault where there is none."""
    assert judged(SENTENCES, heard(" ".join(SENTENCES))) == []


@pytest.mark.parametrize("left_out", range(3))
def test_a_sentence_that_is_missing_is_named(left_out: int) -> None:
    """And no neighbor of it."""
    said = " ".join(each for index, each in enumerate(SENTENCES) if index != left_out)

    assert judged(SENTENCES, heard(said)) == [Judged(left_out, Fault.missing)]


@pytest.mark.parametrize("twice", range(3))
def test_a_sentence_that_was_said_twice_is_named(twice: int) -> None:
    """Whatever else was said is right."""
    said = " ".join(each for index, each in enumerate(SENTENCES) for _ in range(2 if index == twice else 1))

    assert judged(SENTENCES, heard(said)) == [Judged(twice, Fault.doubled)]


def test_figures_and_misheard_words_are_no_fault() -> None:
    """A recogniser writes figures, and mishears a name."""
    said = (
        "The quick brown socks jump over the lazy dog. Our jacket costs $49 and ships on friday."
        " Nobody nose where the old keys have gone"
    )

    assert judged(SENTENCES, heard(said)) == []


def test_a_sentence_that_stands_there_twice_may_be_heard_twice() -> None:
    """Repetition is sometimes meant."""
    sentences = (SENTENCES[0], SENTENCES[1], SENTENCES[0])

    assert judged(sentences, heard(" ".join(sentences))) == []


def test_short_sentences_are_not_judged_by_a_misheard_name() -> None:
    """“Hello, Wojciech.” may be heard as anything."""
    assert judged(("Hello, Wojciech.", SENTENCES[0]), heard(f"Hell oh voice tech {SENTENCES[0]}")) == []


@pytest.mark.parametrize(
    "sentence",
    ["This is sentence number {} of them.", "{} of the chairs were sold on Tuesday.", "We sold chairs in {}."],
)
@pytest.mark.parametrize("left_out", range(4))
def test_sentences_that_are_much_alike_are_told_apart(left_out: int, sentence: str) -> None:
    """The one that is missing is named, though its neighbors have nearly all of its words."""
    sentences = [sentence.format(word) for word in ("one", "two", "three", "four")]
    said = " ".join(each for index, each in enumerate(sentences) if index != left_out)

    assert judged(sentences, heard(said)) == [Judged(left_out, Fault.missing)]


def test_nothing_heard_is_everything_missing() -> None:
    """Silence is told."""
    assert judged(SENTENCES, []) == [Judged(index, Fault.missing) for index in range(3)]


def test_words_are_compared_as_they_sound() -> None:
    """Without case, accents, signs and figures."""
    assert tokens("L’été, 49 Élans -- don't!") == ["l'ete", "elans", "don't"]
