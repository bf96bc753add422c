"""Watching a job or a batch by Server-Sent Events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, format_sse_event
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mixdown.api.bundle import offered
from mixdown.api.desk import Reader, TheDesk
from mixdown.api.events import EventHub, Listener, line_message
from mixdown.api.problems import Problem
from mixdown.errors import BatchNotFound, DatabaseUnavailable, JobNotFound
from mixdown.jobs.event_log import EventLog, Subject

router = APIRouter(tags=["events"])

#: When a client comes again after its stream was cut, in milliseconds.
_AGAIN_MS = 2000

#: The largest id of a database.
_MOST = 2**63 - 1

_PAGE = 500

_STREAM = """id: 4711
event: job
data: {"job_id": "b3a1c2d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d", "batch_id": null, "kind": "validated", …}

event: progress
data: {"job_id": "b3a1c2d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d", "status": "running", "progress": 0.42, …}

"""

_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "`job`: a line of history. `progress`: how things stand. `end`: nothing more will come.",
        "content": {"text/event-stream": {"example": _STREAM}},
    },
    404: {"model": Problem, "description": "There is no such job or batch."},
    422: {"model": Problem, "description": "The request makes no sense."},
}

After = Annotated[
    int | None,
    Query(ge=0, le=_MOST, description="As `Last-Event-ID`, for clients that cannot set it at first."),
]
LastEventId = Annotated[
    int | None, Header(ge=0, le=_MOST, description="The last `id` seen: the stream goes on behind it.")
]
History = Annotated[bool, Query(description="False: begin now, and not with what has happened so far.")]


class EventStream(EventSourceResponse):
    """A stream of events whose listener leaves with it."""

    def __init__(self, content: AsyncIterator[bytes], listener: Listener) -> None:
        # A proxy that gathers answers would keep the events.
        super().__init__(content, headers={"cache-control": "no-cache", "x-accel-buffering": "no"})
        self._listener = listener

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until one side has had enough."""
        self._listener.write = offered(scope)
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._listener.leave()


async def hub_of(request: Request) -> EventHub:
    """The hub of this app."""
    hub: EventHub = request.app.state.events
    return hub


def _job(job_id: UUID, desk: TheDesk, caller: Reader) -> Subject:
    subject = Subject("job", job_id)
    if not caller.may_see(EventLog(desk.studio.jobs.engine).owner(subject)):
        raise JobNotFound(f"There is no job {job_id}.")
    return subject


def _batch(batch_id: UUID, desk: TheDesk, caller: Reader) -> Subject:
    subject = Subject("batch", batch_id)
    if not caller.may_see(EventLog(desk.studio.jobs.engine).owner(subject)):
        raise BatchNotFound(f"There is no batch {batch_id}.")
    return subject


TheHub = Annotated[EventHub, Depends(hub_of)]


@router.get(
    "/v1/jobs/{job_id}/events",
    summary="Watch a job",
    response_class=Response,  # FastAPI would encode each event for each listener
    responses=_ANSWERS,
)
async def watch_job(
    subject: Annotated[Subject, Depends(_job)],
    hub: TheHub,
    after: After = None,
    history: History = True,
    last_event_id: LastEventId = None,
) -> EventStream:
    """Server-Sent Events: its history so far, then everything as it happens, until it has ended."""
    return _stream(hub, subject, after, history, last_event_id)


@router.get(
    "/v1/batches/{batch_id}/events",
    summary="Watch a batch",
    response_class=Response,  # FastAPI would encode each event for each listener
    responses=_ANSWERS,
)
async def watch_batch(
    subject: Annotated[Subject, Depends(_batch)],
    hub: TheHub,
    after: After = None,
    history: History = True,
    last_event_id: LastEventId = None,
) -> EventStream:
    """Server-Sent Events about every job of a batch, and how many are in each status, until all have ended."""
    return _stream(hub, subject, after, history, last_event_id)


def _stream(
    hub: EventHub, subject: Subject, after: int | None, history: bool, last_event_id: int | None
) -> EventStream:
    seen = last_event_id if last_event_id is not None else after
    begin = seen if seen is not None else 0 if history else None
    listener = hub.join(subject)
    return EventStream(_messages(hub, listener, begin), listener)


async def _messages(hub: EventHub, listener: Listener, begin: int | None) -> AsyncIterator[bytes]:
    """What has happened behind `begin`, and what happens."""
    yield format_sse_event(retry=_AGAIN_MS)
    async for heartbeat in listener.joined():
        yield heartbeat
    head = listener.head.result()
    position = head if begin is None else begin
    while position < head:
        try:
            lines = await run_in_threadpool(
                hub.log.history, listener.subject, after=position, until=head, limit=_PAGE
            )
        except DatabaseUnavailable:
            return  # the client comes again, with the last id that it has seen
        if not lines:
            break
        position = lines[-1].id
        yield b"".join(map(line_message, lines))
    async for messages in listener.messages():
        yield messages
