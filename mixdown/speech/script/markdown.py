"""Markdown: headings are chapters; lists, tables, links and code are read as somebody would read them aloud."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from itertools import groupby
from operator import itemgetter

from markdown_it import MarkdownIt
from markdown_it.token import Token

from mixdown.errors import InvalidScript
from mixdown.speech.script import inline, plain
from mixdown.speech.script.dialogue import Speakers
from mixdown.speech.script.sheet import Sheet

#: Without joining the texts: a bracket that was written `\[` has to be known from one that begins a directive.
_MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"]).disable("text_join")
_FOOTNOTE = re.compile(r"\s*\\\[\^[^\]]+\]:")
_FOOTNOTE_MARK = re.compile(r"\[\^[^\]\s]{1,40}\](?!:)")
_FOOTNOTE_BEGINS = re.compile(r"^(?= {0,3}\[\^[^\]\s]{1,40}\]:)( *)", re.MULTILINE)
_TASK = re.compile(r"\s*\[[ xX]\]\s+")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
#: A longer one takes the parser time that grows with the square of its length.
_LONGEST_BLOCK = 200_000
_UNSEEN = ("script", "style", "template", "head", "title")

#: A stretch of text: how it is written, its line, and whether directives in it are followed.
_Piece = tuple[str, int, bool]


def read(text: str, first_line: int, sheet: Sheet, speakers: Speakers) -> None:
    """Take Markdown down.

    Raises
    ------
    InvalidScript
        It has a paragraph without end.
    """
    if max(map(len, re.split(r"\n[ \t]*\n", text))) > _LONGEST_BLOCK:
        raise InvalidScript(
            f"A paragraph of the Markdown has more than {_LONGEST_BLOCK:,} characters. Put empty lines in it."
        )
    text = _FOOTNOTE_BEGINS.sub(r"\1\\", _FOOTNOTE_MARK.sub("", text))  # else they were links
    _Reader(sheet, speakers, first_line).read(_MARKDOWN.parse(text))


class _Reader:
    """Goes through the tokens of a Markdown text."""

    def __init__(self, sheet: Sheet, speakers: Speakers, first_line: int) -> None:
        self._sheet, self._speakers, self._first_line = sheet, speakers, first_line
        self._counts: list[int | None] = []  # of the lists that we are in: the number of the next item, or none
        self._item_begins = self._in_heading = self._in_row = False
        self._cells = 0  # of this row, that say something

    def read(self, tokens: Sequence[Token]) -> None:
        for token in tokens:
            number = self._first_line + token.map[0] if token.map else 0
            if token.type == "inline":
                self._inline(token, number)
            elif token.type in ("fence", "code_block"):
                self._sheet.paragraph()
                self._sheet.notes.add(number, "a block of code was left out.")
            elif token.type == "html_block":
                self._html(token.content, number)
            else:
                self._structure(token)
        self._sheet.paragraph()

    def _structure(self, token: Token) -> None:
        sheet = self._sheet
        match token.type:
            case "heading_open":
                sheet.paragraph()
                self._in_heading = True
                sheet.style = replace(sheet.style, speaker="")
            case "heading_close":
                self._in_heading = False
                sheet.heading()
            case "paragraph_close" if token.hidden:  # in a list without empty lines
                sheet.sentence()
            case "paragraph_close" | "bullet_list_close" | "ordered_list_close" | "table_close":
                sheet.paragraph()
                if token.type.endswith("list_close"):
                    self._counts.pop()
            case "bullet_list_open":
                self._counts.append(None)
            case "ordered_list_open":
                start = token.attrGet("start")
                self._counts.append(1 if start is None else int(start))
            case "list_item_open":
                sheet.sentence()
                self._item_begins = True
            case "tr_open" | "tr_close":
                sheet.sentence(whole=True)
                self._cells, self._in_row = 0, token.type == "tr_open"
            case "hr":
                plain.rule(sheet)

    def _inline(self, token: Token, number: int) -> None:
        sheet = self._sheet
        if _FOOTNOTE.match(token.content):
            sheet.notes.add(number, "a footnote was left out.")
            return
        lines = _lines(token.children or (), number, sheet)
        if self._item_begins:
            self._item_begins = False
            self._count(number)
            if lines[0] and _TASK.match(lines[0][0][0]):
                lines[0][0] = (_TASK.sub("", lines[0][0][0], count=1), *lines[0][0][1:])
        if self._in_row and any(text.strip() for text, _, _ in lines[0]):
            self._cells += 1
            if self._cells > 1:
                sheet.say(", ", number)
        for index, pieces in enumerate(lines):
            if index:
                sheet.sentence()
            for at, (text, line, follows) in enumerate(pieces):
                begins = at == 0 or pieces[at - 1][0] == " "
                if begins and not self._in_row and not self._in_heading:
                    text = self._speakers.turn(text, line, sheet)
                if follows:
                    inline.say(sheet, text, line)
                else:
                    sheet.say(text, line)

    def _count(self, number: int) -> None:
        """The number of an item is said; a bullet is not."""
        count = self._counts[-1] if self._counts else None
        if count is not None:
            self._sheet.say(f"{count}.", number, said=f"{count}.")
            self._sheet.say(" ", number)
            self._counts[-1] = count + 1

    def _html(self, content: str, number: int) -> None:
        self._sheet.paragraph()
        for line, text in _Html(_BREAK.sub("\n", content)).texts:
            inline.say(self._sheet, text + " ", number + line - 1)
        self._sheet.paragraph()


def _lines(tokens: Sequence[Token], number: int, sheet: Sheet) -> list[list[_Piece]]:
    """What a paragraph says: up to each hard break, as pieces."""
    lines: list[list[_Piece]] = [[]]
    gone = 0
    for token in tokens:
        if token.type in ("s_open", "s_close"):
            gone += 1 if token.type == "s_open" else -1
            sheet.notes.add(number, "what is struck through was left out.")
        elif token.type in ("softbreak", "hardbreak"):
            number += 1
            if token.type == "hardbreak":
                lines.append([])
            else:
                lines[-1].append((" ", number, False))
        elif token.type == "html_inline" and _BREAK.fullmatch(token.content):
            lines.append([])
        elif not gone and token.type in ("text", "text_special", "code_inline", "image"):
            lines[-1].append((_alternative(token), number, token.type == "text"))
    return [_joined(pieces) for pieces in lines]


def _joined(pieces: Sequence[_Piece]) -> list[_Piece]:
    """Pieces that belong together as one: a directive, or who speaks, may have emphasis within."""
    groups = [(key, [piece[0] for piece in group]) for key, group in groupby(pieces, key=itemgetter(1, 2))]
    return [("".join(texts), *key) for key, texts in groups if any(texts)]


def _alternative(token: Token) -> str:
    """The text of a token; of a picture, that which stands for it."""
    if token.type != "image":
        return token.content
    return "".join(" " if each.type == "softbreak" else each.content for each in token.children or ())


class _Html(HTMLParser):
    """What a browser would show of HTML."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.texts: list[tuple[int, str]] = []
        self._unseen = 0
        self.feed(content)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unseen += tag in _UNSEEN

    def handle_endtag(self, tag: str) -> None:
        self._unseen = max(0, self._unseen - (tag in _UNSEEN))

    def handle_data(self, data: str) -> None:
        if data.strip() and not self._unseen:
            first = self.getpos()[0]
            self.texts += [(first + at, line) for at, line in enumerate(data.split("\n")) if line.strip()]
