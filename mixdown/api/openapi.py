"""The OpenAPI document, true in what FastAPI leaves vague: problems have their own media type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from mixdown.api.bodies import with_bodies

_PROBLEM = {"$ref": "#/components/schemas/Problem"}
_MEDIA_TYPE = "application/problem+json"
_FASTAPIS_OWN = ("HTTPValidationError", "ValidationError")


def describe(app: FastAPI, bodies: Sequence[type[BaseModel]] = ()) -> None:
    """Have this app hand out the document of its routes and of bodies they read themselves, made when asked for."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes, tags=_TAGS
            )
            app.openapi_schema = _true(with_bodies(made, bodies))
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


_TAGS = [
    {"name": "jobs", "description": "One recording each: asked for, watched, called off, tried again."},
    {"name": "batches", "description": "Jobs that were asked for together."},
    {"name": "catalog", "description": "What can be done, and what it will take."},
]


def _true(document: dict[str, Any]) -> dict[str, Any]:
    """The document with each problem as it is answered."""
    for path in document["paths"].values():
        for operation in path.values():
            for response in operation["responses"].values():
                _name_problem(response)
    schemas = document.get("components", {}).get("schemas", {})
    for name in _FASTAPIS_OWN:  # how it words a 422 when it is left alone
        schemas.pop(name, None)
    return document


def _name_problem(response: dict[str, Any]) -> None:
    content = response.get("content", {})
    schema = content.get("application/json", {}).get("schema")
    if schema == _PROBLEM or (schema or {}).get("$ref", "").rpartition("/")[2] in _FASTAPIS_OWN:
        del content["application/json"]
        content[_MEDIA_TYPE] = {"schema": _PROBLEM}
