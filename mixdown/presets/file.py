"""The file of a preset: TOML, read with care and written so that a person can go on from there."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mixdown.errors import InvalidPreset
from mixdown.model import Preset

SUFFIX = ".toml"

#: A preset is a page of text; what is far longer is something else.
_LARGEST_BYTES = 256 * 1024

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?")

#: The lists of a preset, and what a person calls one thing in each.
_LISTS = {"steps": "step", "requirements": "requirement", "cases": "case"}


def is_name(text: str) -> bool:
    """Whether a preset may be called this: small letters, digits and hyphens, 64 at most."""
    return _NAME.fullmatch(text) is not None


def read(path: Path) -> str:
    """The text of a preset's file; InvalidPreset where it cannot be had."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        raise InvalidPreset(f"The preset file “{path.name}” cannot be read: {error.strerror}.") from error
    if len(content) > _LARGEST_BYTES:
        raise InvalidPreset(f"The preset file “{path.name}” is far too long to be a preset.")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise InvalidPreset(f"The preset file “{path.name}” is not written in UTF-8.") from error


def parse(text: str, *, name: str) -> Preset:
    """The preset that a text describes.

    Raises
    ------
    InvalidPreset
        In one sentence: the file, the place in it, and what is wrong there.
    """
    try:
        fields = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidPreset(f"The preset file “{name}{SUFFIX}” is not TOML: {_one_line(error)}.") from error
    if "name" in fields:
        raise InvalidPreset(f"The preset file “{name}{SUFFIX}” has a field “name”: its file name is its name.")
    try:
        return Preset.model_validate({**fields, "name": name})
    except ValidationError as error:
        raise InvalidPreset(f"The preset file “{name}{SUFFIX}” {_in_words(error, fields)}") from error


def _in_words(error: ValidationError, fields: Mapping[str, Any]) -> str:
    """The first thing that is wrong, and how many more there are."""
    problems = error.errors(include_url=False, include_context=False)
    place, reason = _place(problems[0], fields), problems[0]["msg"].removeprefix("Value error, ").rstrip(".")
    more = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
    reason = f"{reason[0].lower()}{reason[1:]}".replace("\n", " ")[:300]
    return f"is wrong{f' in {place}' if place else ''}: {reason}{more}."


def _place(problem: ErrorDetails, fields: Mapping[str, Any]) -> str:
    """Where something is wrong, as a person counts: step 3 (high_pass), cutoff_hz."""
    parts = list(problem["loc"])
    words: list[str] = []
    if len(parts) > 1 and parts[0] in _LISTS and isinstance(parts[1], int):
        listed, index = str(parts[0]), parts[1]
        given = fields[listed][index]
        kind = given.get("kind") if isinstance(given, dict) else None
        words = [f"{_LISTS[listed]} {index + 1}" + (f" ({kind})" if isinstance(kind, str) else "")]
        parts = parts[2:]
        if parts and parts[0] == kind:
            parts = parts[1:]
    words += [f"number {part + 1}" if isinstance(part, int) else str(part) for part in parts]
    return "".join(char if char.isprintable() else " " for char in ", ".join(words))[:150]


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())[:200].rstrip(".")
    return f"{text[:1].lower()}{text[1:]}"


# -- writing ----------------------------------------------------------------------------------------


def written(preset: Preset, *, comments: Sequence[str] = ()) -> str:
    """The file of a preset; `parse` gives the same preset back. A comment may have several lines."""
    without = {"name", *(key for key in _LISTS if not getattr(preset, key))}
    fields = preset.model_dump(mode="json", exclude=without, exclude_none=True)
    return "\n".join(_lines(fields, comments)) + "\n"


def _lines(fields: Mapping[str, Any], comments: Sequence[str]) -> Iterator[str]:
    for comment in comments:
        for line in comment.splitlines():
            yield f"# {''.join(char if char.isprintable() else ' ' for char in line)}".rstrip()
    tables: dict[str, Any] = {}
    for key, value in fields.items():
        is_table = isinstance(value, dict) or (key in _LISTS and value)
        if is_table:
            tables[key] = value
        else:
            yield f"{key} = {_value(value)}"
    for key, value in tables.items():
        for table in value if isinstance(value, list) else [value]:
            yield ""
            yield f"[[{key}]]" if isinstance(value, list) else f"[{key}]"
            # The kind of a step comes first, as a person would write it.
            for field in sorted(table, key=lambda field: field != "kind"):
                yield f"{field} = {_value(table[field])}"


def _value(value: Any) -> str:
    """A value as TOML has it; text is written as in JSON, whose escapes TOML shares."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        inside = ", ".join(f"{_key(key)} = {_value(each)}" for key, each in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else ("nan" if math.isnan(value) else f"{value}")
    if isinstance(value, int):
        return str(value)
    text = str(value).encode(errors="replace").decode()  # a lone surrogate cannot be written
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _value(key)
