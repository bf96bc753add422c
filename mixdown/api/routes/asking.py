"""Asking for jobs and batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from mixdown.api import asking
from mixdown.api.answers import problems
from mixdown.api.asking import BatchWanted, Wanted
from mixdown.api.bodies import JSON, checked, json_of, refuse_unknown, shown, the_file
from mixdown.api.desk import Caller, Desk, TheDesk, Writer
from mixdown.api.requested import (
    BatchOptions,
    BatchRequest,
    JobRequest,
    Parameters,
)
from mixdown.api.uploads import MULTIPART, Form, media_type_of, received
from mixdown.api.views import BatchView, JobView
from mixdown.errors import InvalidRequest
from mixdown.jobs.requests import Name
from mixdown.model import JobRecord

router = APIRouter(prefix="/v1", tags=["asking"])

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        description="A name of your own for this request: sent again under it, it is done once.",
        examples=["talk-2026-11-23"],
    ),
]

BINARY = {"type": "string", "format": "binary"}
_AS_JSON = {"contentMediaType": JSON}


class JobForm(BaseModel):
    """A recording, and what is to be done with it."""

    model_config = ConfigDict(extra="forbid")
    file: Annotated[str, Field(description="The recording.", json_schema_extra=BINARY)]
    parameters: Annotated[
        str,
        Field(
            default="{}",
            description="JSON: as in the JSON request.",
            json_schema_extra=_AS_JSON,
            examples=['{"preset": "podcast"}'],
        ),
    ]


class BatchForm(BaseModel):
    """Recordings, and what is to be done with them."""

    model_config = ConfigDict(extra="forbid")
    files: Annotated[
        list[Annotated[str, Field(json_schema_extra=BINARY)]],
        Field(default=[], description="Recordings: this part may come often."),
    ]
    manifest: Annotated[
        str,
        Field(default="", description="Lists recordings: these files, or addresses.", json_schema_extra=BINARY),
    ]
    options: Annotated[
        str,
        Field(
            default="{}",
            description="JSON: title, priority, parameters and notify, as in the JSON request.",
            json_schema_extra=_AS_JSON,
            examples=['{"title": "interviews", "parameters": {"preset": "podcast"}}'],
        ),
    ]


#: What bodies of requests are made of, for the OpenAPI document.
BODIES: tuple[type[BaseModel], ...] = (JobRequest, JobForm, BatchRequest, BatchForm)


@router.post(
    "/jobs",
    status_code=202,
    summary="Ask for a job",
    responses=problems(400, 413, 415),
    openapi_extra=shown(JobRequest, JobForm),
)
async def create_job(
    request: Request,
    response: Response,
    desk: TheDesk,
    caller: Writer,
    idempotency_key: IdempotencyKey = None,
) -> JobView:
    """Send a recording, or say where one lies. The answer is the job, as it stands."""
    name = named(caller, "job", idempotency_key)
    if media_type_of(request) == JSON:
        asked = await json_of(request, JobRequest)
        record = await run_in_threadpool(_job_at_address, desk, caller, asked, name)
    else:
        async with received(of_known_type(request), desk.studio) as form:
            record = await run_in_threadpool(_job_of_form, desk, caller, form, name)
    view = JobView.of(record)
    response.headers["location"] = view.status_url
    return view


@router.post(
    "/batches",
    status_code=202,
    summary="Ask for a batch",
    responses=problems(400, 413, 415),
    openapi_extra=shown(BatchRequest, BatchForm),
)
async def create_batch(
    request: Request,
    response: Response,
    desk: TheDesk,
    caller: Writer,
    idempotency_key: IdempotencyKey = None,
) -> BatchView:
    """Name recordings, send them, or send a manifest that lists them. The answer is the batch, as it stands."""
    name = named(caller, "batch", idempotency_key)
    if media_type_of(request) == JSON:
        asked = await json_of(request, BatchRequest)
        view = await run_in_threadpool(_batch_at_addresses, desk, caller, asked, name)
    else:
        async with received(of_known_type(request), desk.studio) as form:
            view = await run_in_threadpool(_batch_of_form, desk, caller, form, name)
    response.headers["location"] = view.status_url
    return view


def named(caller: Caller, scope: str, name: str | None) -> Name | None:
    """What a client calls its request."""
    return None if name is None else Name(key_id=caller.key_id, scope=scope, name=name)


def of_known_type(request: Request) -> Request:
    """The request, if its body is a form."""
    if media_type_of(request) != MULTIPART:
        raise HTTPException(415, f"The body is to be {JSON} or {MULTIPART}.")
    return request


def _job_at_address(desk: Desk, caller: Caller, asked: JobRequest, name: Name | None) -> JobRecord:
    spec = asking.spec_of(desk, asked.parameters)
    return asking.ask_job(desk, caller, asking.at_address(desk, asked.source, spec), name)


def _job_of_form(desk: Desk, caller: Caller, form: Form, name: Name | None) -> JobRecord:
    refuse_unknown(form, fields=["parameters"], files=["file"])
    parameters = checked(Parameters, form.fields.get("parameters") or "{}", "body", "parameters")
    wanted = Wanted(what=the_file(form, "file"), spec=asking.spec_of(desk, parameters))
    return asking.ask_job(desk, caller, wanted, name)


def _batch_at_addresses(desk: Desk, caller: Caller, asked: BatchRequest, name: Name | None) -> BatchView:
    wanted = asking.gathered(_at_addresses(desk, asked))
    return _batch(desk, caller, asked, wanted, name)


def _at_addresses(desk: Desk, asked: BatchRequest) -> Iterator[Wanted]:
    """The recordings that are named, those below prefixes, those of the manifest."""
    common = asking.spec_of(desk, asked.parameters)
    general = asked.parameters.model_dump(exclude_unset=True)
    for number, item in enumerate(asked.items):
        spec = common
        if item.parameters:
            as_usual = item.parameters.get("kind", asked.parameters.kind) == asked.parameters.kind
            own = {**(general if as_usual else {}), "kind": asked.parameters.kind, **item.parameters}
            spec = asking.spec_of(desk, checked(Parameters, own, "body", "items", number, "parameters"))
        yield from asking.below(desk, asking.at_address(desk, item.source, spec))
    if asked.manifest is not None:
        yield from asking.of_manifest(desk, asked.manifest, asked.parameters)


def _batch_of_form(desk: Desk, caller: Caller, form: Form, name: Name | None) -> BatchView:
    refuse_unknown(form, fields=["options"], files=["files", "manifest"])
    options = checked(BatchOptions, form.fields.get("options") or "{}", "body", "options")
    files = [file for file in form.files if file.field == "files"]
    if any(file.field == "manifest" for file in form.files):
        manifest = the_file(form, "manifest")
        if len({file.filename for file in files}) != len(files):
            raise InvalidRequest("Two files have one name, so the manifest cannot tell them apart.")
        wanted = asking.gathered(asking.of_manifest(desk, manifest, options.parameters, files))
    else:
        spec = asking.spec_of(desk, options.parameters)
        wanted = [Wanted(what=file, spec=spec) for file in files]
    return _batch(desk, caller, options, wanted, name)


def _batch(
    desk: Desk, caller: Caller, options: BatchOptions, wanted: Sequence[Wanted], name: Name | None
) -> BatchView:
    batch = BatchWanted(wanted=wanted, title=options.title, priority=options.priority, notify=options.notify)
    batch_id = asking.ask_batch(desk, caller, batch, name)
    return BatchView.of(desk.studio.jobs.batch_progress(batch_id))
