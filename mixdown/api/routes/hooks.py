"""Webhooks in: messages of others become batches."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any
from uuid import NAMESPACE_URL, UUID, uuid5

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from mixdown.api import asking
from mixdown.api.answers import problems
from mixdown.api.bodies import JSON, checked
from mixdown.api.desk import Caller, Desk, TheDesk
from mixdown.api.requested import Parameters
from mixdown.api.uploads import MULTIPART, media_type_of
from mixdown.api.views import View, batch_url
from mixdown.errors import HookRefused, InvalidRequest
from mixdown.items import Item
from mixdown.jobs import Asked
from mixdown.model import Priority, digest
from mixdown.submission import asked_of, size_hint_bytes
from mixdown.triggers import HookMessages, Mention, Trigger, Triggers, heard, verify
from mixdown.triggers.forms import as_json, fields_of
from mixdown.triggers.hearing import parsed
from mixdown.triggers.model import FormTrigger

router = APIRouter(tags=["webhooks in"])

_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 200

#: Jobs written down in one transaction.
_CHUNK = 1000

_ANYTHING: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "What the trigger expects: an event of S3's, JSON of any shape, or a form.",
        "content": {
            JSON: {"schema": {}, "example": {"Event": "s3:TestEvent"}},
            _FORM: {"schema": {"type": "object", "additionalProperties": {"type": "string"}}},
        },
    }
}


class HookView(View):
    """What came of a message."""

    batch_id: UUID | None = Field(description="Null where there was nothing to do.")
    jobs: int = Field(description="Recordings that the message is about.", examples=[1])
    status_url: str | None = Field(description="Null where there was nothing to do.")


@router.post(
    "/v1/hooks/{name}",
    status_code=202,
    summary="Send a message to a trigger",
    responses={
        **problems(400, 404, 413),
        200: {"model": HookView, "description": "Nothing to do, or done before."},
    },
    openapi_extra=_ANYTHING,
)
async def receive_message(
    request: Request,
    response: Response,
    desk: TheDesk,
    name: Annotated[str, Path(max_length=63, description="Of the trigger.", examples=["new-recordings"])],
) -> HookView:
    """Signed as the trigger says; no API key is needed. The same message again gives the same batch, with 200."""
    triggers: Triggers = request.app.state.triggers
    trigger = triggers.get(name)
    try:
        body = await request.body()
    except ClientDisconnect as error:
        raise InvalidRequest("The body breaks off before its end.") from error
    headers = {each.lower(): value for each, value in request.headers.items()}
    address = request.client.host if request.client else ""
    try:
        message_id = verify(trigger.signature, triggers.secrets(trigger), body, headers)
    except HookRefused:
        await _count_guess(request, desk, address)
        raise
    request.state.caller = Caller(
        key_id=trigger.key_id,
        scopes=frozenset({"write"}),
        address=address,
        request_id=getattr(request.state, "request_id", ""),
    )
    message = await _message(request, trigger, body)
    view, is_new = await run_in_threadpool(partial(_heed, desk, name, trigger, message, message_id))
    response.status_code = 202 if is_new else 200
    if view.status_url:
        response.headers["location"] = view.status_url
    return view


async def _count_guess(request: Request, desk: Desk, address: str) -> None:
    """Whoever tries signatures out is told to wait."""
    allowance = await desk.limiter.guess(address)
    if allowance is not None and not allowance.granted:
        request.state.allowance = allowance
        raise HTTPException(429, "Too many messages that are not signed.")


async def _message(request: Request, trigger: Trigger, body: bytes) -> Any:
    """The message as JSON."""
    media_type = media_type_of(request)
    if not isinstance(trigger, FormTrigger) or media_type == JSON:
        return await run_in_threadpool(parsed, body)
    if media_type != MULTIPART:
        return await run_in_threadpool(lambda: as_json(fields_of(body)))
    async with request.form(max_files=0, max_fields=_MOST_FIELDS) as form:  # of the body that was read
        return as_json((name, value) for name, value in form.multi_items() if isinstance(value, str))


def _heed(desk: Desk, name: str, trigger: Trigger, message: Any, message_id: str | None) -> tuple[HookView, bool]:
    """What came of a message, and whether it did so now."""
    mentions = heard(trigger, message, message_id).mentions
    seen, studio = HookMessages(desk.studio.jobs.engine), desk.studio
    known = seen.known(name, [each.message for each in mentions])
    fresh = {each.message: each for each in mentions if each.message not in known}
    if not fresh:
        return _view(next(iter(known.values()), None), len(mentions)), False
    # Jobs first, the note last: cut off in between, the same message goes on with the same batch and jobs.
    batch_id = uuid5(NAMESPACE_URL, "\n".join(("mixdown", "hook", name, *sorted(fresh))))
    asked = [_asked(desk, name, trigger, each) for each in fresh.values()]
    studio.jobs.open_batch(
        trigger.title or name, batch_id=batch_id, priority=Priority(trigger.priority), key_id=trigger.key_id
    )
    for start in range(0, len(asked), _CHUNK):
        studio.jobs.accept(asked[start : start + _CHUNK], batch_id=batch_id)
    is_new = seen.note(name, list(fresh), batch_id)
    return _view(batch_id, len(mentions)), is_new


def _asked(desk: Desk, name: str, trigger: Trigger, mention: Mention) -> Asked:
    wanted = asking.at_address(desk, mention.source, _spec(desk, mention.parameters))
    spec = wanted.spec.model_copy(update={"source": mention.source})
    item = Item(source=mention.source, size_bytes=size_hint_bytes(mention.source))
    return asked_of(desk.studio, spec, item, digest("hook", name, mention.message), trigger.key_id)


def _spec(desk: Desk, parameters: Mapping[str, Any]) -> Any:
    return asking.spec_of(desk, checked(Parameters, parameters, "parameters"))


def _view(batch_id: UUID | None, jobs: int) -> HookView:
    return HookView(batch_id=batch_id, jobs=jobs, status_url=batch_url(batch_id) if batch_id else None)
