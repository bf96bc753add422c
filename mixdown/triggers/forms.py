"""Forms as JSON: what comes once is a text, what comes several times a list."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qsl

from mixdown.errors import InvalidRequest

_MOST_FIELDS = 200


def as_json(fields: Iterable[tuple[str, str]]) -> dict[str, str | list[str]]:
    """The fields of a form, as a JSON object."""
    found: dict[str, list[str]] = {}
    for name, value in fields:
        found.setdefault(name.removesuffix("[]"), []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def fields_of(body: bytes) -> list[tuple[str, str]]:
    """The fields of a form in the usual encoding; InvalidRequest where it is none."""
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise InvalidRequest("The body is no form that can be read.") from error
