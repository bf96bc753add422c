"""Bytes as text: UTF-8, or UTF-16 with its mark; without what no voice says."""

from __future__ import annotations

import codecs
import re
import unicodedata

from mixdown.errors import InvalidScript

_LINE_ENDS = re.compile("\r\n?|\u2028|\u2029|\x0b|\x0c|\x85")
#: Signs without a sound or a width: controls, soft hyphens, marks of order; not the joiners that some scripts need.
_SILENT = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\ufffe\uffff]"
)


def decoded(body: bytes, what: str = "The script") -> str:
    """A text with `\\n` at the end of lines, its letters composed.

    Raises
    ------
    InvalidScript
        It is no text.
    """
    encoding = "utf-16" if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8"
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise InvalidScript(f"{what} is not UTF-8 text: line {line:,} is not. Save it as UTF-8.") from error
    text = _SILENT.sub("", _LINE_ENDS.sub("\n", text))
    return unicodedata.normalize("NFC", text)
