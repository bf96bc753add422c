"""A subset of W3C SSML 1.1."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from xml.sax import SAXException, SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl, Locator

from defusedxml import DefusedXmlException
from defusedxml.sax import parseString

from mixdown.errors import InvalidScript
from mixdown.model import EffectCue, Pause
from mixdown.speech.script.inline import LONGEST_PAUSE_S, seconds
from mixdown.speech.script.numbers import said_as
from mixdown.speech.script.sheet import Sheet, Style

_DECLARATION = re.compile(r"\s*<\?xml[^>]*\?>")
_STRENGTHS_S = {"none": 0.0, "x-weak": 0.1, "weak": 0.2, "medium": 0.35, "strong": 0.7, "x-strong": 1.0}
_RATES = {"x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.5}
#: Their text is said, and what they wish for besides is not done here; nor is it missed.
_TRANSPARENT = {"speak", "p", "paragraph", "s", "sentence", "w", "token", "lang", "voice", "prosody", "emphasis"}
_UNSAID = {"meta", "metadata", "desc", "lexicon", "lookup", "title"}
_DEEPEST = 200
_LANGUAGE = "xml:lang"


def read(text: str, sheet: Sheet, first_line: int = 1) -> None:
    """Take SSML down.

    Raises
    ------
    InvalidScript
        It is no XML, defines entities, or is no SSML.
    """
    declaration = _DECLARATION.match(text)
    if declaration:  # what it says of the encoding is no longer so
        text = "\n" * declaration[0].count("\n") + text[declaration.end() :]
    elif not text.strip():
        return
    text, behind = text.lstrip("\n"), len(text) - len(text.lstrip("\n"))
    try:
        parseString(text.encode(), _Handler(sheet, first_line - 1 + behind), forbid_dtd=True)
    except SAXParseException as error:
        line = first_line - 1 + behind + (error.getLineNumber() or 1)
        raise InvalidScript(f"Line {line:,} of the SSML is no XML: {error.getMessage()}.") from error
    except DefusedXmlException as error:
        raise InvalidScript("SSML may not define a document type or entities.") from error
    except SAXException as error:
        raise InvalidScript("The SSML is no XML.") from error
    sheet.paragraph()


class _Handler(ContentHandler):
    """Hears the elements as they come."""

    def __init__(self, sheet: Sheet, lines_before: int) -> None:
        super().__init__()
        self._sheet, self._before = sheet, lines_before
        self._locator: Locator | None = None
        self._styles: list[Style] = []
        self._names: list[str] = []
        self._unsaid = 0  # elements around us whose text is not said
        self._as_one: tuple[str, Mapping[str, str]] | None = None  # sub, say-as or phoneme that we are in
        self._text = ""  # within it
        self._depth_as_one = 0

    def setDocumentLocator(self, locator: Locator) -> None:  # noqa: N802 - SAX calls it so
        self._locator = locator

    @property
    def _line(self) -> int:
        return self._before + ((self._locator.getLineNumber() if self._locator else 0) or 1)

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802 - SAX calls it so
        sheet, tag = self._sheet, name.rpartition(":")[2].lower()
        given = {str(key).lower(): str(value) for key, value in attrs.items()}
        if not self._names and tag != "speak":
            raise InvalidScript("The SSML does not begin with <speak>.")
        if len(self._names) > _DEEPEST:
            raise InvalidScript(f"Line {self._line:,} of the SSML is nested too deeply.")
        self._names.append(tag)
        self._styles.append(sheet.style)
        if self._unsaid or tag in _UNSAID:
            self._unsaid += 1
            return
        if self._as_one:
            self._depth_as_one += 1
            return
        self._start(tag, given)

    def endElement(self, name: str) -> None:  # noqa: N802 - SAX calls it so
        sheet, tag = self._sheet, self._names.pop()
        style = self._styles.pop()
        if self._unsaid:
            self._unsaid -= 1
            return
        if self._as_one:
            if self._depth_as_one:
                self._depth_as_one -= 1
                return
            kind, given = self._as_one
            self._as_one = None
            self._say_as_one(kind, given)
        elif tag in ("s", "sentence"):
            sheet.sentence(whole=True)
        elif tag in ("p", "paragraph"):
            sheet.paragraph()
        sheet.style = style

    def characters(self, content: str) -> None:
        if self._unsaid:
            return
        if self._as_one:
            self._text += content
        else:
            self._sheet.say(content, self._line)

    def _start(self, tag: str, given: Mapping[str, str]) -> None:
        sheet = self._sheet
        if tag in ("p", "paragraph"):
            sheet.paragraph()
        elif tag in ("s", "sentence"):
            sheet.sentence()
        if given.get(_LANGUAGE) and len(self._names) > 1:
            sheet.style = replace(sheet.style, language=given[_LANGUAGE].replace("_", "-"))
        match tag:
            case "sub" | "say-as" | "phoneme":
                self._as_one, self._text = (tag, given), ""
            case "break":
                self._break(given)
            case "prosody":
                self._prosody(given)
            case "voice":
                sheet.style = replace(sheet.style, voice=given.get("name", "").strip()[:200])
                if not given.get("name"):
                    self._note("a <voice> without a name is the one that spoke before")
                    sheet.style = replace(sheet.style, voice=self._styles[-1].voice)
            case "mark":
                if given.get("name", "").strip():
                    sheet.chapter(given["name"])
            case "audio":
                self._audio(given)
            case "emphasis":
                self._note("<emphasis> is not heard: its text is said as any other")
            case _ if tag not in _TRANSPARENT:
                self._note(f"<{tag[:40]}> is not known: its text is said as any other", once=True)

    def _break(self, given: Mapping[str, str]) -> None:
        try:
            length_s = seconds(given["time"]) if "time" in given else _STRENGTHS_S[given.get("strength", "medium")]
        except (ValueError, KeyError):
            self._note(f"a <break> has a strength, or a time up to {LONGEST_PAUSE_S:.0f} s: it was left out")
            return
        if length_s or "time" in given:
            self._sheet.add(Pause(length_s))

    def _prosody(self, given: Mapping[str, str]) -> None:
        others = sorted({*given} - {"rate", _LANGUAGE})
        if others:
            self._note(f"<prosody> has a rate here, and no {', '.join(others)[:60]}")
        if "rate" in given:
            rate = _rate(given["rate"].strip().lower())
            if rate is None:
                self._note(f"“{given['rate'][:40]}” is no rate such as slow, 90% or 1.1")
            else:
                style = self._sheet.style
                self._sheet.style = replace(style, rate=min(2.0, max(0.5, round(style.rate * rate, 3))))

    def _audio(self, given: Mapping[str, str]) -> None:
        if given.get("src", "").strip():
            self._sheet.add(EffectCue(uri=given["src"].strip()))
            self._unsaid += 1  # the text is for those who cannot play it
        else:
            self._note("an <audio> without src plays nothing: its text is said")

    def _say_as_one(self, kind: str, given: Mapping[str, str]) -> None:
        sheet, text = self._sheet, self._text
        written = text.strip()
        if kind == "sub" and given.get("alias", "").strip():
            sheet.say(written, self._line, said=given["alias"].strip())
        elif kind == "phoneme" and given.get("ph", "").strip() and given.get("alphabet", "ipa").lower() == "ipa":
            sheet.say(written, self._line, ipa=given["ph"].strip(" /"))
        elif kind == "say-as":
            wanted, form = given.get("interpret-as", ""), given.get("format", "")
            said = said_as(wanted, form, written, sheet.language)
            if said is None and wanted.lower() not in _SAID_AS:
                self._note(f"say-as “{wanted[:40]}” is not known: its text is said as it is written")
            sheet.say(written, self._line, said=said or written)
        else:
            self._note(f"this <{kind}> does not say how: its text is said as it is written")
            sheet.say(text, self._line)

    def _note(self, what: str, *, once: bool = False) -> None:
        self._sheet.notes.add(self._line, f"{what}.", once=once)


_SAID_AS = {
    *(
        "characters",
        "spell-out",
        "verbatim",
        "digits",
        "telephone",
        "cardinal",
        "number",
        "ordinal",
        "date",
        "time",
    ),
}


def _rate(text: str) -> float | None:
    if text in _RATES:
        return _RATES[text]
    found = re.fullmatch(r"([+-]?)([0-9]{1,4}(?:\.[0-9]{1,6})?)(%?)", text)
    if not found:
        return None
    number = float(found[2]) / (100 if found[3] else 1)
    if found[1]:
        number = 1 + number if found[1] == "+" else 1 - number
    return number if number > 0 else None
