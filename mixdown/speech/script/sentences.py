"""Where sentences end."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator

from sentencex import segment

#: The number of something in a list is no sentence.
_COUNT = re.compile(r"\s*\(?(?:[0-9]{1,3}|[a-z])[.)]\s*")
#: Titles that the library takes for ends of sentences, or some of whose names: a name follows them.
_TITLES = {
    "en": "Dr|Mr|Mrs|Ms|Prof|Approx|approx",
    "de": "Dr|Hr|Hrn|Fr|Frl|Prof|Fa",
    "fr": "M|MM|Mme|Mlle|Dr|Pr|Me",
    "es": "Dr|Dra|Sr|Sra|Srta|D|Dña",
    "it": "dott|Dott|sig|Sig|prof|Prof|Dr",
}
_TITLED = {
    spoken: re.compile(rf"(?:.*[\s(\"'“„«])?(?:{titles})\.\s*", re.DOTALL) for spoken, titles in _TITLES.items()
}
_AT_ONCE_CHARS = 10_000
_ENDED = re.compile(r"[.!?…:;。！？؟।۔։።]['\"”’»)\]*_\s]*$")


def sentences(text: str, language: str, whole: Iterable[tuple[int, int]] = ()) -> list[tuple[int, int]]:
    """The sentences of a paragraph, as places where they begin and end; nothing lies between them.

    Parameters
    ----------
    text : str
        A paragraph without line breaks.
    language : str
        BCP 47; a language that is not known is read like English.
    whole : iterable of (int, int)
        Stretches within which no sentence ends, in order.
    """
    ends, position = [], 0
    spans = deque(whole)
    spoken = language.partition("-")[0].lower() or "en"
    titled = _TITLED.get(spoken)
    for sentence in _segments(text, spoken):
        position += len(sentence)
        while spans and spans[0][1] <= position:
            spans.popleft()
        within = (spans and spans[0][0] < position) or _goes_on(text, position)
        is_open = titled is not None and titled.fullmatch(sentence[-20:]) is not None
        if not (within or is_open or _COUNT.fullmatch(sentence)):
            ends.append(position)
    if text and (not ends or ends[-1] < len(text)):
        ends.append(len(text))
    return _with_a_voice(text, list(zip([0, *ends], ends, strict=False)))


def _goes_on(text: str, position: int) -> bool:
    """Whether a word goes on there, such as `.NET` or `U.S.A`."""
    return 0 < position < len(text) and text[position - 1] == "." and text[position].isalnum()


def _segments(text: str, spoken: str) -> Iterator[str]:
    """The sentences of a text. Some texts take the library time that grows with the square of their length."""
    position = 0
    while position < len(text):
        window = text[position : position + _AT_ONCE_CHARS]
        found = segment(spoken, window)
        if len(found) > 1 and position + len(window) < len(text):
            found.pop()  # It may go on.
        yield from found
        position += sum(map(len, found))


def is_ended(text: str) -> bool:
    """Whether a text ends where a sentence does."""
    return not text.strip() or _ENDED.search(text) is not None


def has_a_voice(text: str) -> bool:
    """Whether there is anything to say: dots, dashes and pictures alone are not."""
    return any(char.isalnum() for char in text)


def _with_a_voice(text: str, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Signs without a voice belong to the sentence before them, or to the first."""
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and (not has_a_voice(text[start:end]) or not has_a_voice(text[joined[-1][0] : joined[-1][1]])):
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined
