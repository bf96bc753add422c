"""How words are said: a lexicon as CSV, YAML or W3C PLS 1.0, and its use on a text."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from xml.etree.ElementTree import Element, ParseError

import yaml
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from mixdown.errors import InvalidScript
from mixdown.speech.text import decoded

_MOST_WORDS, _LONGEST, _LARGEST_BYTES = 20_000, 200, 4 << 20
_SEPARATORS = ",;\t"
#: What an entry begins with, and the places of a text where one may begin.
_TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Entry:
    """A word, or several, and how it is said."""

    word: str  #: in small letters it means every spelling; with a capital, only itself
    say: str = ""  #: "": as it is written
    ipa: str = ""  #: sounds of what is said, for engines that take them


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text."""

    text: str
    say: str
    ipa: str = ""
    known: bool = False  #: It stands in the lexicon.


@dataclass(frozen=True)
class Lexicon:
    """How words are said."""

    entries: tuple[Entry, ...] = ()
    warnings: tuple[str, ...] = ()  #: what was passed over, as sentences

    @cached_property
    def _by_beginning(self) -> dict[str, list[Entry]]:
        """Entries by the first token of their word, the longest first."""
        found: dict[str, list[Entry]] = {}
        for entry in sorted(self.entries, key=lambda entry: -len(entry.word)):
            beginning = _TOKEN.match(entry.word)
            found.setdefault(beginning[0].casefold() if beginning else "", []).append(entry)
        return found

    def pieces(self, text: str) -> Iterator[Piece]:
        """A text, with the words that stand here apart from the others."""
        done = 0
        if self.entries:
            for token in _TOKEN.finditer(text):
                if token.start() < done:
                    continue
                for entry in self._by_beginning.get(token[0].casefold(), ()):
                    end = token.start() + len(entry.word)
                    if _is(entry.word, text[token.start() : end]) and not _goes_on(text, end):
                        if done < token.start():
                            yield Piece(text[done : token.start()], text[done : token.start()])
                        written = text[token.start() : end]
                        yield Piece(written, entry.say or written, entry.ipa, known=True)
                        done = end
                        break
        if done < len(text):
            yield Piece(text[done:], text[done:])


def read_lexicon(body: bytes, *, name: str) -> Lexicon:
    """A lexicon from its file: CSV `word,say[,ipa]`, a YAML map, or W3C PLS.

    Parameters
    ----------
    body : bytes
        The file, UTF-8 or UTF-16 with its mark.
    name : str
        What it is called; the suffix tells the kind where the text does not.

    Raises
    ------
    InvalidScript
        It is none of these, or says nothing of how a word is said.
    """
    if len(body) > _LARGEST_BYTES:
        raise InvalidScript(f"The lexicon has more than {_LARGEST_BYTES >> 20} MiB.")
    text, suffix = decoded(body, "The lexicon"), name.lower().rpartition(".")[2]
    if text.lstrip().startswith("<"):
        entries, warnings = _pls(text)
    elif suffix in ("yaml", "yml", "json"):
        entries, warnings = list(_yaml(text)), ()
    else:
        entries, warnings = list(_csv(text)), ()
    if len(entries) > _MOST_WORDS:
        raise InvalidScript(f"The lexicon has more than {_MOST_WORDS:,} words.")
    last = {entry.word: entry for entry in entries}  # what is said last of a word holds
    return Lexicon(tuple(last.values()), warnings)


def _is(word: str, written: str) -> bool:
    return written == word or (word == word.lower() and written.lower() == word)


def _goes_on(text: str, end: int) -> bool:
    """Whether a word goes on at a place of a text."""
    return end < len(text) and (text[end - 1].isalnum() and (text[end].isalnum() or text[end] == "_"))


def _entry(place: str, word: str, say: str, ipa: str = "") -> Entry:
    word, say, ipa = (" ".join(each.split()) for each in (word, say, ipa))
    if not ipa and len(say) > 2 and say[0] == say[-1] == "/":
        say, ipa = "", say
    ipa = ipa.strip("/[] ")
    if not word or not (say or ipa):
        raise InvalidScript(f"{place} of the lexicon says no word, or not how it is said.")
    if max(map(len, (word, say, ipa))) > _LONGEST:
        raise InvalidScript(f"{place} of the lexicon has more than {_LONGEST} characters in one place.")
    return Entry(word, say, ipa)


def _csv(text: str) -> Iterator[Entry]:
    header = text.lstrip().partition("\n")[0]
    separator = max(_SEPARATORS, key=header.count)
    reader = csv.reader(StringIO(text), delimiter=separator, strict=True)
    columns = ["word", "say", "ipa"]
    try:
        for index, cells in enumerate(filter(any, reader)):
            if index == 0 and "word" in (found := [cell.strip().lower() for cell in cells]):
                columns = found
                if len({*columns} & {"say", "ipa"}) + 1 < len(columns):
                    raise InvalidScript("The columns of a lexicon are word, say and ipa.")
                continue
            if len(cells) > len(columns) or len(cells) < 2:
                raise InvalidScript(f"Line {reader.line_num} of the lexicon is no `word,say` or `word,say,ipa`.")
            row = dict(zip(columns, cells, strict=False))
            yield _entry(f"Line {reader.line_num}", row.get("word", ""), row.get("say", ""), row.get("ipa", ""))
    except csv.Error as error:
        raise InvalidScript(f"Line {reader.line_num} of the lexicon is no CSV ({error}).") from error


def _yaml(text: str) -> Iterator[Entry]:
    try:
        found = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - makes text, lists and maps of it, no more
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InvalidScript("The lexicon is no YAML that can be read.") from error
    if not isinstance(found, dict):
        raise InvalidScript("The lexicon is no map of words to how they are said.")
    for word, said in found.items():
        place = f"“{str(word)[:40]}”" if isinstance(word, str) else "A word"
        how = said if isinstance(said, dict) else {"say": said}
        values = [word, how.get("say", ""), how.get("ipa", "")]
        if not {*how} <= {"say", "ipa"} or not all(isinstance(value, str) for value in values):
            raise InvalidScript(f"{place} of the lexicon takes a text, or say and ipa.")
        yield _entry(place, *values)


def _pls(text: str) -> tuple[list[Entry], tuple[str, ...]]:
    try:
        root = fromstring(_WITHOUT_DECLARATION.sub("", text).encode(), forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, RecursionError) as error:
        raise InvalidScript("The lexicon is no XML that can be read; it may not define entities.") from error
    if _tag(root) != "lexicon":
        raise InvalidScript("The lexicon is XML, but no W3C PLS: it does not begin with <lexicon>.")
    alphabet = root.get("alphabet", "ipa")
    entries, others = [], 0
    for lexeme in root:
        if _tag(lexeme) != "lexeme":
            continue
        words = [_content(each) for each in lexeme if _tag(each) == "grapheme"]
        says = [each for each in lexeme if _tag(each) == "alias"]
        sounds = [each for each in lexeme if _tag(each) == "phoneme" and _ipa(each, alphabet)]
        others += any(_tag(each) == "phoneme" for each in lexeme) and not sounds
        say, ipa = _preferred(says), _preferred(sounds)
        entries += [_entry(f"“{word[:40]}”", word, say, ipa) for word in words if say or ipa]
    warning = (
        f"{others:,} words of the lexicon are in another alphabet than IPA: they are said as they are written."
    )
    return entries, (warning,) if others else ()


_WITHOUT_DECLARATION = re.compile(r"\s*<\?xml[^>]*\?>")


def _tag(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _content(element: Element) -> str:
    return "".join(element.itertext())


def _ipa(phoneme: Element, alphabet: str) -> bool:
    return phoneme.get("alphabet", alphabet).lower() == "ipa"


def _preferred(elements: list[Element]) -> str:
    """The one that is preferred, else the first."""
    preferred = [each for each in elements if each.get("prefer") == "true"]
    return _content([*preferred, *elements][0]) if elements else ""
