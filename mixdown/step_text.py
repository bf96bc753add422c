"""Steps as people write them: `trim start_s=3 end_s=90`, `bed source=music.mp3 duck_db=12`, or a file of them."""

from __future__ import annotations

import json
import shlex
import tomllib
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic import TypeAdapter, ValidationError

from mixdown.errors import InvalidRequest
from mixdown.model import Source, Step
from mixdown.model.steps import Request

_STEP: TypeAdapter[Step] = TypeAdapter(Step)
_STEPS: TypeAdapter[tuple[Step, ...]] = TypeAdapter(tuple[Step, ...])


def step_kinds() -> dict[str, type[Request]]:
    """Every kind of step by its name, in the order of the union."""
    union = get_args(Step)[0]
    return {kind.model_fields["kind"].default: kind for kind in get_args(union)}


def parse_step(text: str) -> Step:
    """The step that a line describes: its kind, then `name=value` for what is not to be as usual; or JSON.

    Values are numbers, words, `yes` or `no`; several are parted by commas; `tags.title=…` reaches inside.

    Raises
    ------
    InvalidRequest
        There is no such step, or it has no such parameter or value.
    """
    if text.lstrip().startswith("{"):
        try:
            return _STEP.validate_json(text)
        except ValidationError as error:
            raise InvalidRequest(_sentence("step", error)) from error
    try:
        kind, *given = shlex.split(text)
    except ValueError as error:
        raise InvalidRequest(f"“{text}” is no step: write its kind, then name=value.") from error
    known = step_kinds()
    if kind not in known:
        raise InvalidRequest(f"There is no step “{kind}”. There are: {', '.join(known)}.")
    values: dict[str, Any] = {"kind": kind}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals:
            raise InvalidRequest(f"“{each}” in the step “{kind}” is no name=value.")
        outer, _, inner = name.partition(".")
        if inner:
            values.setdefault(outer, {})[inner] = value
        else:
            field = known[kind].model_fields.get(name)
            values[name] = _value(value, field.annotation if field else None)
    try:
        return _STEP.validate_python(values)
    except ValidationError as error:
        raise InvalidRequest(_sentence(kind, error)) from error


def parse_steps(lines: Sequence[str]) -> tuple[Step, ...]:
    """The steps that lines describe, in order."""
    return tuple(map(parse_step, lines))


def read_steps(path: Path) -> tuple[Step, ...]:
    """The steps in a file: TOML with `[[steps]]`, or JSON, a list of them.

    Raises
    ------
    InvalidRequest
        The file cannot be read, or what it holds are no steps.
    """
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text).get("steps", [])
        return _STEPS.validate_python(found["steps"] if isinstance(found, dict) and "steps" in found else found)
    except OSError as error:
        raise InvalidRequest(f"The file of steps “{path.name}” cannot be read.") from error
    except ValidationError as error:
        raise InvalidRequest(_sentence(path.name, error)) from error
    except ValueError as error:  # no UTF-8, no JSON, no TOML
        raise InvalidRequest(f"The file of steps “{path.name}” is neither TOML nor JSON: {error}.") from error


def _value(text: str, annotation: Any) -> Any:
    """A value as its field wants it."""
    inner = _without_none(annotation)
    if inner is Source:
        return {"uri": text}
    if get_origin(inner) is tuple:
        return [_value(part, get_args(inner)[0]) for part in text.split(",") if part]
    return {"yes": True, "no": False}.get(text, text)


def _without_none(annotation: Any) -> Any:
    """What an optional value is when it is there."""
    if get_origin(annotation) in (Union, types.UnionType):
        return next(each for each in get_args(annotation) if each is not type(None))
    return annotation


def _sentence(what: str, error: ValidationError) -> str:
    """The first thing that is wrong."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if not isinstance(part, int) and part != what)
    reason = first["msg"].removeprefix("Value error, ")
    return f"“{what}”{f', {place}' if place else ''}: {reason[0].lower()}{reason[1:]}."
