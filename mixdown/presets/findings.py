"""What became of each setting of a foreign preset: a ledger in which none can be forgotten."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Fate(StrEnum):
    """What becomes of a setting."""

    taken = "taken over"
    nearly = "nearly"  #: taken over, but not quite the same
    lost = "no counterpart"
    ignored = "default"  #: says nothing: off, empty, or as it would be anyway


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What became of one setting."""

    setting: str
    value: str
    fate: Fate
    here: str  #: what it is here, or why it is not


class Settings:
    """Settings by their names; each that is not spoken of by the end has no counterpart."""

    def __init__(self, given: Mapping[str, Any], prefix: str = "") -> None:
        self.given = given
        self._prefix = prefix
        self._found: dict[str, Finding] = {}

    def get(self, key: str) -> Any:
        """The value of a setting; None where it is not given."""
        return self.given.get(key)

    def number(self, key: str) -> float | None:
        """A setting as a number, also where it is written as text; None where it is none."""
        value = self.given.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return None
        try:
            number = float(value)
        except (ValueError, OverflowError):
            return None
        return number if math.isfinite(number) else None

    def is_on(self, key: str) -> bool:
        """Whether a setting is switched on, however that is written."""
        return str(self.given.get(key)).strip().lower() in ("true", "1", "on", "yes")

    def word(self, key: str) -> str:
        """A setting as a word in small letters; empty where it is none."""
        value = self.given.get(key)
        return value.strip().lower() if isinstance(value, str) else ""

    def note(self, key: str, fate: Fate, here: str) -> None:
        """Say what became of a setting; nothing happens where it is not given."""
        if key in self.given:
            self._found[key] = Finding(
                setting=_printable(self._prefix + key), value=_short(self.given[key]), fate=fate, here=here
            )

    def note_rest(self, here: str) -> None:
        """Say of all that says something and was not spoken of yet that it has no counterpart."""
        for key, value in self.given.items():
            if key not in self._found and not _says_nothing(value):
                self.note(key, Fate.lost, here)

    def findings(self) -> Iterator[Finding]:
        """What became of every setting, in the order they were given."""
        for key, value in self.given.items():
            if key not in self._found:
                silent = _says_nothing(value)
                self.note(
                    key, Fate.ignored if silent else Fate.lost, "off or empty" if silent else "not known here"
                )
            yield self._found[key]


def _says_nothing(value: Any) -> bool:
    return value is False or value in (None, "", [], {})


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = _printable(text)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "\ufffd" for char in text)
