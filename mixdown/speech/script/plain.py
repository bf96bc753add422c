"""Plain text: paragraphs with empty lines between them."""

from __future__ import annotations

import re

from mixdown.model import Pause
from mixdown.speech.script import inline
from mixdown.speech.script.sheet import Sheet

#: A line such as `* * *` or `---`: somebody who reads aloud stops for a while.
RULE = re.compile(r"\s*([-*_~#=–—·•])(?:\s*\1){2,}\s*")
RULE_S = 1.5
#: What stands before something in a list: a sign is not said, a number is.
_BULLET = re.compile(r"\s*[-*+•‣▪◦]\s+(?=\S)")
#: These begin lines in the middle of a sentence, too: they are taken for a list where one begins.
_DASH, _NUMBER = re.compile(r"\s*[–—]\s+(?=\S)"), re.compile(r"\s*\(?(?:[0-9]{1,3}|[a-z])[.)]\s+(?=\S)")


def read(text: str, first_line: int, sheet: Sheet) -> None:
    """Take a plain text down."""
    in_list, before = False, ""
    for number, line in enumerate(text.split("\n"), first_line):
        if not line.strip():
            sheet.paragraph()
        elif RULE.fullmatch(line):
            rule(sheet)
        else:
            may_begin = in_list or not before or before.endswith(":")
            bullet = _BULLET.match(line) or (_DASH.match(line) if may_begin else None)
            in_list = bool(bullet) or (may_begin and _NUMBER.match(line) is not None) or (in_list and bool(before))
            if bullet or (in_list and _NUMBER.match(line)):
                sheet.sentence()
            inline.say(sheet, line[bullet.end() if bullet else 0 :] + " ", number)
        before = line.strip()
    sheet.paragraph()


def rule(sheet: Sheet) -> None:
    """What was said so far stands for a while."""
    sheet.paragraph()
    sheet.add(Pause(RULE_S))
