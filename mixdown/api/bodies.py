"""Bodies of requests that are read as they arrive: JSON, or a form with files; and how the document shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.json_schema import models_json_schema
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from mixdown.api.uploads import Form, Upload
from mixdown.errors import InvalidRequest

T = TypeVar("T")

JSON = "application/json"

#: JSON is held in memory: a batch of 10,000 recordings has room in it.
_MOST_JSON_BYTES = 16 << 20

#: So much JSON is read within a millisecond or two.
_AT_ONCE_BYTES = 1 << 16

_REF = "#/components/schemas/{model}"


async def json_of(request: Request, model: type[T]) -> T:
    """The body of a request, checked."""
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > _MOST_JSON_BYTES:
                raise HTTPException(413, f"JSON of more than {_MOST_JSON_BYTES:,} bytes is not read.")
    except ClientDisconnect as error:
        raise InvalidRequest("The body breaks off before its end.") from error
    if len(body) <= _AT_ONCE_BYTES:
        value: T = checked(model, bytes(body), "body")
    else:  # others are answered meanwhile
        value = await run_in_threadpool(checked, model, bytes(body), "body")
    return value


def checked(model: Any, given: bytes | str | Mapping[str, Any], *place: str | int) -> Any:
    """A value of the model, from JSON or what was read already; RequestValidationError says where it is none."""
    adapter = _adapter(model)
    try:
        if isinstance(given, bytes | str):
            return adapter.validate_json(given)
        return adapter.validate_python(given)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([{**each, "loc": (*place, *each["loc"])} for each in found]) from error


@cache
def _adapter(model: Any) -> TypeAdapter[Any]:
    return TypeAdapter(model)


def refuse_unknown(form: Form, *, fields: Sequence[str], files: Sequence[str]) -> None:
    """RequestValidationError that names the parts of a form that mean nothing here."""
    unknown = [name for name in form.fields if name not in fields]
    unknown += [file.field for file in form.files if file.field not in files]
    if unknown:
        raise wrong(*((name, "There is no such part of the form here.") for name in dict.fromkeys(unknown)))


def the_file(form: Form, name: str) -> Upload:
    """The one file of a form."""
    found = [file for file in form.files if file.field == name]
    if len(found) != 1:
        raise wrong((name, "One file is wanted here." if found else "A file is missing here."))
    return found[0]


def wrong(*places: tuple[str, str]) -> RequestValidationError:
    """The error for parts of a body that are wrong: each with a sentence."""
    return RequestValidationError([{"loc": ("body", name), "msg": sentence} for name, sentence in places])


def shown(json: type[BaseModel] | None = None, form: type[BaseModel] | None = None) -> dict[str, Any]:
    """A body as the OpenAPI document has it."""
    kinds = {JSON: json, "multipart/form-data": form}
    content = {kind: {"schema": {"$ref": _REF.format(model=m.__name__)}} for kind, m in kinds.items() if m}
    return {"requestBody": {"required": True, "content": content}}


def with_bodies(document: dict[str, Any], models: Sequence[type[BaseModel]]) -> dict[str, Any]:
    """An OpenAPI document that has these models among its components."""
    _, definitions = models_json_schema([(model, "validation") for model in models], ref_template=_REF)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name, schema in definitions["$defs"].items():
        schemas.setdefault(name, schema)
    return document
