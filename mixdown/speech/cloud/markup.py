"""SSML for cloud engines: the text escaped, words with their sounds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.sax.saxutils import escape, quoteattr

#: Characters that XML 1.0 cannot hold, escaped or not.
_IMPOSSIBLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def plain(text: str) -> str:
    """Text as it may stand in XML."""
    return escape(_IMPOSSIBLE.sub(" ", text))


def attribute(text: str) -> str:
    """A value in its quotes."""
    return quoteattr(_IMPOSSIBLE.sub(" ", text))


def marked_up(text: str, ipa: Mapping[str, str]) -> str:
    """Text with `phoneme` around the words of which it is known how they sound."""
    if not ipa:
        return plain(text)
    words = "|".join(re.escape(word) for word in sorted(ipa, key=len, reverse=True))
    parts = re.split(rf"(?<!\w)({words})(?!\w)", text)
    return "".join(
        f'<phoneme alphabet="ipa" ph={attribute(ipa[part])}>{plain(part)}</phoneme>' if index % 2 else plain(part)
        for index, part in enumerate(parts)
    )
