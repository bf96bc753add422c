"""JSON and text that any database takes, and gives back unchanged.

PostgreSQL refuses NUL characters in text and lone surrogates in JSON; JSON has no infinities. Tags of
strangers hold the former, the loudness of silence is the latter. In the database they read

* ``"-Infinity"``, ``"Infinity"`` and ``"NaN"`` for the floats (which SQL can cast to a number), and
* U+001A and four hexadecimal digits for each character that cannot be stored.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

_FLOATS = {"Infinity": math.inf, "-Infinity": -math.inf, "NaN": math.nan}
_UNSTORABLE = re.compile("[\\x00\\x1a\\ud800-\\udfff]")
_ESCAPED = re.compile("\x1a([0-9a-f]{4})")
_MAY_NEED_ESCAPING = re.compile(r"Infinity|NaN|\\u0000|\\u001a|[\ud800-\udfff]")
_MAY_BE_ESCAPED = re.compile(r'"-?Infinity"|"NaN"|\\u001a')


def escape(text: str) -> str:
    """The text with every character that a database refuses written out."""
    return _UNSTORABLE.sub(lambda found: f"\x1a{ord(found[0]):04x}", text)


def unescape(text: str) -> str:
    """What `escape` was given."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def encode(value: Any) -> str:
    """JSON of plain values, dataclasses, models and what they hold."""
    text = json.dumps(value, default=_plain, separators=(",", ":"), ensure_ascii=False)
    if _MAY_NEED_ESCAPING.search(text):
        storable = _mapped(json.loads(text), _escaped)
        text = json.dumps(storable, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text


def decode(text: str) -> Any:
    """The plain value that `encode` was given."""
    value = json.loads(text)
    return _mapped(value, _unescaped) if _MAY_BE_ESCAPED.search(text) else value


def _plain(value: Any) -> Any:
    """One level of what `json` does not know; pydantic's own way down refuses lone surrogates."""
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, BaseModel | Mapping):
        return dict(value)
    return to_jsonable_python(value)


def _escaped(leaf: str | float) -> str | float:
    if isinstance(leaf, str):
        # A title may well be "Infinity": it must not come back as a number.
        return f"\x1a{ord(leaf[0]):04x}{leaf[1:]}" if leaf in _FLOATS else escape(leaf)
    if isinstance(leaf, float) and not math.isfinite(leaf):
        return "NaN" if math.isnan(leaf) else "Infinity" if leaf > 0 else "-Infinity"
    return leaf


def _unescaped(leaf: str | float) -> str | float:
    if isinstance(leaf, str):
        return _FLOATS[leaf] if leaf in _FLOATS else unescape(leaf)
    return leaf


def _mapped(value: Any, change: Callable[[str | float], str | float]) -> Any:
    """The same tree with every leaf and every key changed."""
    if isinstance(value, dict):
        return {change(key): _mapped(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_mapped(item, change) for item in value]
    return change(value)
