"""Whether everything was said, once: what a recogniser heard, held against the script."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from itertools import accumulate

from mixdown.speech.recogniser import Word

#: Of a sentence's words, so many at least are heard where it was said: a recogniser mishears names and numbers.
_LEAST_HEARD = 0.4

#: A sentence of fewer words is not judged: one misheard name would be half of it.
_FEWEST_WORDS = 4

#: So many words in a row that are heard more often than they stand there were said again.
_REPEATED_WORDS = 5

_TOKEN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")


class Fault(StrEnum):
    """What is wrong with a sentence."""

    missing = "missing"  #: It was not heard.
    doubled = "doubled"  #: It was heard more than once.


@dataclass(frozen=True, slots=True)
class Judged:
    """A sentence that sounds otherwise than it is written."""

    index: int  #: of the sentence, among those that were given
    fault: Fault


def judged(sentences: Sequence[str], heard: Sequence[Word]) -> list[Judged]:
    """The sentences that are missing from what was heard, or are in it twice.

    Parameters
    ----------
    sentences : sequence of str
        As they were to be said, in order, all of one stretch of audio.
    heard : sequence of Word
        Of that stretch.

    Notes
    -----
    Words are compared without case, accents, signs and figures. They are aligned over the whole stretch (Ratcliff
    and Obershelp), so that a sentence that is missing takes no word of its neighbor's; words that are nearly alike
    count as heard.
    """
    wanted = [tokens(sentence) for sentence in sentences]
    there = [token for word in heard for token in tokens(word.text)]
    flat = [token for sentence in wanted for token in sentence]
    starts = {0, *accumulate(map(len, wanted))}
    found = _heard(flat, there, starts)
    faults: list[Judged] = []
    at = 0
    for index, sentence in enumerate(wanted):
        share = sum(found[at : at + len(sentence)]) / max(1, len(sentence))
        at += len(sentence)
        if len(sentence) >= _FEWEST_WORDS and share < _LEAST_HEARD:
            faults.append(Judged(index, Fault.missing))
    often, written = Counter(_runs(there)), Counter(_runs(flat))
    for index, sentence in enumerate(wanted):
        if any(often[run] > written[run] for run in _runs(sentence)):
            faults.append(Judged(index, Fault.doubled))
    return sorted(faults, key=lambda each: each.index)


def tokens(text: str) -> list[str]:
    """The words of a text as they are compared."""
    plain = unicodedata.normalize("NFKD", text.replace("’", "'")).casefold()
    letters = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return _TOKEN.findall(letters)


def _heard(wanted: Sequence[str], there: Sequence[str], starts: Container[int]) -> list[bool]:
    """Of each word whether it was heard, where it stands; `starts` is where sentences begin."""
    found = [False] * len(wanted)
    missing: list[tuple[int, int]] = []
    for what, start, end, first, last in SequenceMatcher(None, wanted, there, autojunk=False).get_opcodes():
        if what == "equal":
            found[start:end] = [True] * (end - start)
        elif what == "delete":
            missing.append((start, end))
        elif what == "replace":
            rest = list(there[first:last])
            for place in range(start, end):
                near = next((word for word in rest if _alike(wanted[place], word)), None)
                if near is not None:
                    found[place] = True
                    del rest[: rest.index(near) + 1]
    for start, end in missing:
        moved = _moved(wanted, start, end, starts)
        found[start:end] = [True] * (end - start)
        found[moved : moved + end - start] = [False] * (end - start)
    return found


def _moved(wanted: Sequence[str], start: int, end: int, starts: Container[int]) -> int:
    """Where words that are missing begin: sentences that begin alike leave a choice, which goes to whole ones."""
    first, last = start, end
    while first not in starts and first > 0 and wanted[first - 1] == wanted[last - 1]:
        first, last = first - 1, last - 1
    if first in starts:
        return first
    first, last = start, end
    while first not in starts and last < len(wanted) and wanted[first] == wanted[last]:
        first, last = first + 1, last + 1
    return first if first in starts else start


def _alike(one: str, other: str) -> bool:
    return SequenceMatcher(None, one, other, autojunk=False).ratio() >= 0.6


def _runs(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for start in range(len(words) - _REPEATED_WORDS + 1):
        yield tuple(words[start : start + _REPEATED_WORDS])
