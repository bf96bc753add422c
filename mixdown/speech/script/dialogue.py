"""Dialogue: lines that begin with who speaks, as in `HOST: Welcome.`"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from mixdown.speech.script import inline, plain
from mixdown.speech.script.sheet import Sheet

#: Who speaks, with how perhaps: `HOST (laughing): Welcome.`
_LABEL = re.compile(
    r"\s*(?P<name>[^\W\d_][\w.'’&-]*(?: [\w.'’&-]+){0,3})"
    r"(?P<how>\s*\([^()\n]{1,80}\))?\s*[:：](?=\s|$)(?P<rest>.*)",
    re.DOTALL,
)
_HEADING = re.compile(r"\s*#{1,6}\s+(?P<title>.*)", re.DOTALL)
_LONGEST_NAME = 40
#: So many turns make a dialogue where no cast says so, if that share of the paragraphs are turns.
_LEAST_TURNS, _LEAST_SHARE = 4, 0.8


class Speakers:
    """Those who speak in a script."""

    def __init__(self, known: Iterable[str], *, anybody: bool) -> None:
        self._known = {name.strip().casefold(): name.strip() for name in known if name.strip()}
        self._anybody = anybody

    def __bool__(self) -> bool:
        return self._anybody or bool(self._known)

    def turn(self, line: str, number: int, sheet: Sheet) -> str:
        """What a line says; where it begins with who speaks, that is whom the sheet hears from here on."""
        found = _LABEL.match(line) if self else None
        if not found or len(found["name"]) > _LONGEST_NAME:
            return line
        name = found["name"]
        if name.casefold() not in self._known:
            if not self._anybody:
                if name.isupper():
                    sheet.notes.add(number, f"“{name}:” is not in the cast: it is read as text.")
                return line
            self._known[name.casefold()] = name
        if found["how"]:
            sheet.notes.add(number, f"{found['how'].strip()} was left out: how something is said is not read yet.")
        sheet.paragraph()
        sheet.style = replace(sheet.style, speaker=self._known[name.casefold()])
        return found["rest"].lstrip()


def read(text: str, first_line: int, sheet: Sheet, speakers: Speakers) -> None:
    """Take a dialogue down. Who speaks goes on until somebody else does, or a chapter begins."""
    for number, line in enumerate(text.split("\n"), first_line):
        heading = _HEADING.fullmatch(line)
        if heading:
            sheet.paragraph()
            sheet.style = replace(sheet.style, speaker="")
            inline.say(sheet, heading["title"].rstrip(" #"), number)
            sheet.heading()
        elif not line.strip():
            sheet.paragraph()
        elif plain.RULE.fullmatch(line):
            plain.rule(sheet)
        else:
            inline.say(sheet, speakers.turn(line, number, sheet) + " ", number)
    sheet.paragraph()


def is_dialogue(text: str) -> bool:
    """Whether nearly every paragraph begins with who speaks, and they speak more than once."""
    paragraphs = [each for each in re.split(r"\n\s*\n|\n(?=[^\n]{1,60}[:：]\s)", text) if each.strip()]
    paragraphs = [each for each in paragraphs if not _HEADING.match(each) and not each.lstrip().startswith("[")]
    labels = [found["name"] for each in paragraphs if (found := _LABEL.match(each))]
    names = Counter(name.casefold() for name in labels if len(name) <= _LONGEST_NAME)
    turns = names.total()
    return (
        turns >= _LEAST_TURNS
        and turns >= _LEAST_SHARE * len(paragraphs)
        and turns >= 2 * len(names)  # “Ingredients:”, “Preparation:” stand there once
    )
