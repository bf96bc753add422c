"""What a script is written down on while it is read: text goes in, sentences come out."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate, groupby

from mixdown.model import ChapterStart, Gap, Item, Line
from mixdown.speech.lexicon import Lexicon
from mixdown.speech.script.said import spelled_out
from mixdown.speech.script.sentences import has_a_voice, is_ended, sentences

_MOST_WARNINGS = 50
_LONGEST_TITLE = 200
_SPACE = re.compile(r"\s+")


class Notes:
    """What was passed over."""

    def __init__(self) -> None:
        self._sentences: dict[str, None] = {}
        self._told: set[str] = set()

    def add(self, line_number: int, what: str, *, once: bool = False) -> None:
        """Note what was passed over, and where; with `once`, where it was first."""
        if once and what in self._told:
            return
        self._told.add(what)
        self._sentences[f"Line {line_number:,}: {what}" if line_number else what] = None

    @property
    def sentences(self) -> tuple[str, ...]:
        """The first of them; the others are counted."""
        told = tuple(self._sentences)
        if len(told) <= _MOST_WARNINGS:
            return told
        return (*told[:_MOST_WARNINGS], f"And {len(told) - _MOST_WARNINGS:,} more of these.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How something is said."""

    speaker: str = ""
    voice: str = ""
    language: str = ""
    rate: float = 1.0


@dataclass(frozen=True, slots=True)
class _Run:
    text: str
    style: Style
    line_number: int
    said: str | None = None  # None: as it is written
    ipa: str = ""

    @property
    def is_fixed(self) -> bool:
        """Whether no sentence ends within, and nothing of it is said otherwise."""
        return self.said is not None or bool(self.ipa)


@dataclass(slots=True)
class _Written:
    """A sentence while it is put together."""

    text: str = ""
    said: str = ""
    ipa: dict[str, str] = field(default_factory=dict)


class Sheet:
    """Takes a script down, one thing after the other."""

    def __init__(self, *, language: str, lexicon: Lexicon | None, notes: Notes) -> None:
        self.items: list[Item] = []
        self.style = Style()
        self.notes = notes
        self._language, self._lexicon = language, lexicon or Lexicon()
        self._runs: list[_Run] = []
        self._later: list[Item] = []  # at the end of the sentence
        self._gap = Gap.paragraph
        self._last: Line | None = None

    @property
    def language(self) -> str:
        """The language that is spoken just now."""
        return self.style.language or self._language

    def say(self, text: str, line_number: int, *, said: str | None = None, ipa: str = "") -> None:
        """Add text to the paragraph; with `said`, that is what is said, and no sentence ends within."""
        text = _SPACE.sub(" ", text or said or "")
        if text:
            self._runs.append(_Run(text, self.style, line_number, said, ipa))

    def sentence(self, *, whole: bool = False) -> None:
        """End the sentence here; with `whole`, the text since the last one is a single sentence."""
        self._flush(whole=whole)
        if self._gap is Gap.none:
            self._gap = Gap.sentence

    def paragraph(self) -> None:
        """End the paragraph here."""
        self._flush()
        if self._gap is not Gap.heading:
            self._gap = Gap.paragraph

    def heading(self) -> None:
        """What was said since the last paragraph is a heading, and begins a chapter."""
        title = "".join(run.text for run in self._runs).strip()
        if title:
            self.items.append(ChapterStart(title[:_LONGEST_TITLE]))
            self._gap = Gap.heading
            self._flush(whole=True, heading=True)
        self._gap = Gap.heading

    def add(self, item: Item) -> None:
        """Something else than text; a sentence that it stands in goes on behind it."""
        self._flush()
        self.items.append(item)

    def chapter(self, title: str) -> None:
        """A chapter begins here, or with the next sentence."""
        item = ChapterStart(_SPACE.sub(" ", title).strip()[:_LONGEST_TITLE])
        if not self._runs or is_ended(self._runs[-1].text):
            self.add(item)
        else:
            self._later.append(item)

    def _flush(self, *, whole: bool = False, heading: bool = False) -> None:
        for style, group in groupby(self._runs, key=lambda run: run.style):
            self._write([*group], style, whole=whole, heading=heading)
        self._runs.clear()
        self.items += self._later
        self._later.clear()

    def _write(self, runs: list[_Run], style: Style, *, whole: bool, heading: bool) -> None:
        """Text of one style, as sentences."""
        text = "".join(run.text for run in runs)
        starts = [0, *accumulate(len(run.text) for run in runs)]
        places = [*zip(runs, starts, strict=False)]
        fixed = [(start, start + len(run.text)) for run, start in places if run.is_fixed]
        language = style.language or self._language
        for start, end in [(0, len(text))] if whole else sentences(text, language, fixed):
            first, behind = bisect_right(starts, start) - 1, bisect_left(starts, end)
            parts = [replace(run, text=run.text[max(0, start - at) : end - at]) for run, at in places[first:behind]]
            written = self._written(parts, language)
            number = next((part.line_number for part in parts if part.text.strip()), runs[0].line_number)
            self._emit(written, style, number, heading=heading)
            if self._gap is Gap.none and end < len(text):
                self._gap = Gap.sentence

    def _written(self, runs: list[_Run], language: str) -> _Written:
        """A sentence from its runs; the lexicon finds words that go over from one to the next."""
        written = _Written()
        for is_fixed, group in groupby(runs, key=lambda run: run.is_fixed):
            if not is_fixed:
                self._words(written, "".join(run.text for run in group), language)
                continue
            for run in group:
                said = run.text if run.said is None else run.said
                written.text, written.said = written.text + run.text, written.said + said
                if run.ipa:
                    written.ipa[said.strip()] = run.ipa
        return written

    def _words(self, written: _Written, text: str, language: str) -> None:
        """Text without a wish of its own, by the lexicon and the usual abbreviations."""
        for piece in self._lexicon.pieces(text):
            said = piece.say if piece.known else spelled_out(piece.say, language)
            written.text, written.said = written.text + piece.text, written.said + said
            if piece.ipa:
                written.ipa[said] = piece.ipa

    def _emit(self, written: _Written, style: Style, line_number: int, *, heading: bool) -> None:
        text, said = (_SPACE.sub(" ", each).strip() for each in (written.text, written.said))
        if not has_a_voice(said):
            if text and self._last is not None and self.items and self.items[-1] is self._last:
                self._last = self.items[-1] = replace(self._last, text=f"{self._last.text} {text}")
            return
        if is_ended(text) and not is_ended(said):  # with the dot of an abbreviation that is said in full
            said += "."
        line = Line(
            text=text or said,
            said=said,
            speaker=style.speaker,
            voice=style.voice,
            language=style.language if style.language != self._language else "",
            rate=style.rate,
            ipa=_within(written.ipa, said),
            gap=self._gap_before(style),
            heading=heading,
            line_number=line_number,
        )
        self.items.append(line)
        self._last = line
        self._gap = Gap.heading if heading else (Gap.sentence if is_ended(text) else Gap.none)

    def _gap_before(self, style: Style) -> Gap:
        last = self._last
        changed = last is not None and (last.speaker, last.voice) != (style.speaker, style.voice)
        if changed and self._gap in (Gap.sentence, Gap.paragraph):
            return Gap.speaker
        return self._gap


def _within(ipa: Mapping[str, str], said: str) -> dict[str, str]:
    return {word: sounds for word, sounds in ipa.items() if word and word in said}
