"""The OpenAPI document as a page to read. It loads nothing from elsewhere, and runs no script."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

_TEMPLATE = Path(__file__).with_name("reference.html.j2")
_METHODS = ("get", "post", "patch", "put", "delete")

#: So many are named where a value may be one of many.
_MOST_KINDS = 4

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A parameter, or a part of a body."""

    name: str
    kind: str  #: its type, in a few words
    where: str  #: path, query, header; the media type of a body
    required: bool
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What can be asked for at an address."""

    method: str
    path: str
    summary: str
    description: str
    rows: tuple[Row, ...]
    example: str  #: JSON that can be sent, or ""
    answers: tuple[tuple[str, str], ...]

    @property
    def anchor(self) -> str:
        """Its place on the page."""
        return f"{self.method}-{self.path}".lower().replace("/", "-").replace("{", "").replace("}", "")


def page(document: Document) -> str:
    """The page of an OpenAPI document."""
    sections: dict[str, list[Operation]] = {}
    for path, operations in document["paths"].items():
        for method in _METHODS:
            if method in operations:
                tag = operations[method].get("tags", ["other"])[0]
                sections.setdefault(tag, []).append(_operation(document, method, path, operations[method]))
    for operations in sections.values():
        operations.sort(key=lambda each: (each.path, _METHODS.index(each.method.lower())))
    return _template().render(info=document["info"], sections=sections)


@cache
def _template() -> Any:
    environment = Environment(
        loader=FunctionLoader(lambda _: _TEMPLATE.read_text(encoding="utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["words"] = _words
    return environment.get_template(_TEMPLATE.name)


def _words(text: str) -> Markup:
    """Text with what stands in backticks set as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped just before


def _operation(document: Document, method: str, path: str, found: Document) -> Operation:
    rows, example = [_parameter(document, each) for each in found.get("parameters", ())], ""
    for media_type, body in found.get("requestBody", {}).get("content", {}).items():
        schema = _resolved(document, body.get("schema", {}))
        rows += _parts(document, schema, media_type)
        example = example or _example(schema, body, media_type)
    return Operation(
        method=method.upper(),
        path=path,
        summary=found.get("summary", ""),
        description=found.get("description", ""),
        rows=tuple(rows),
        example=example,
        answers=tuple(sorted((code, each["description"]) for code, each in found["responses"].items())),
    )


def _parameter(document: Document, found: Document) -> Row:
    return Row(
        name=found["name"],
        kind=_kind(document, found.get("schema", {})),
        where=found["in"],
        required=found.get("required", False),
        description=found.get("description", ""),
    )


def _parts(document: Document, schema: Document, media_type: str, within: str = "") -> Iterator[Row]:
    """The parts of a body, and those of its parts."""
    required = schema.get("required", ())
    for name, part in schema.get("properties", {}).items():
        yield Row(
            name=within + name,
            kind=_kind(document, part),
            where="JSON" if media_type.endswith("json") else "form",
            required=name in required and not within,
            description=part.get("description") or _resolved(document, part).get("description", ""),
        )
        if within:
            continue
        rows: dict[str, Row] = {}
        for each in _choices(document, part):
            for row in _parts(document, each, media_type, f"{name}."):
                rows.setdefault(row.name, row)
        yield from rows.values()


def _choices(document: Document, schema: Document) -> Iterator[Document]:
    """The objects that a value may be."""
    found = _resolved(document, schema)
    for each in found.get("anyOf") or found.get("oneOf") or [found]:
        if "properties" in _resolved(document, each):
            yield _resolved(document, each)


def _example(schema: Document, body: Document, media_type: str) -> str:
    if not media_type.endswith("json"):
        return ""
    given = body.get("example") or schema.get("example") or next(iter(schema.get("examples", ())), None)
    if given is None:
        parts = {name: part.get("examples", [None])[0] for name, part in schema.get("properties", {}).items()}
        given = {name: value for name, value in parts.items() if value is not None}
    return json.dumps(given, indent=2, ensure_ascii=False) if given else ""


def _resolved(document: Document, schema: Document) -> Document:
    """The schema that a reference leads to."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _kind(document: Document, schema: Document) -> str:
    """What a value is, in a few words."""
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        kinds = list(dict.fromkeys(_kind(document, each) for each in choices if each.get("type") != "null"))
        if len(kinds) > _MOST_KINDS:
            kinds = [*kinds[:_MOST_KINDS], f"{len(kinds) - _MOST_KINDS} others"]
        return " or ".join(kinds)
    found = _resolved(document, schema)
    if "enum" in found:
        return " | ".join(map(str, found["enum"]))
    if found.get("anyOf") or found.get("oneOf"):
        return _kind(document, {key: found[key] for key in ("anyOf", "oneOf") if key in found})
    if found.get("type") == "array":
        return f"list of {_kind(document, found.get('items', {}))}"
    if "$ref" in schema:
        return str(found.get("title", "object"))
    return str(found.get("format") or found.get("type", "anything"))
