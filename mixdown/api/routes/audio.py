"""The routes this project began with, word for word: what is asked for there is a job or batch like any other."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from mixdown.api import asking
from mixdown.api.answers import problems
from mixdown.api.asking import BatchWanted, Wanted
from mixdown.api.bodies import JSON, checked, json_of, refuse_unknown, shown, the_file, wrong
from mixdown.api.desk import Caller, Desk, Reader, TheDesk, Writer
from mixdown.api.requested import MOST_ITEMS, AnyParameters, AnySource, Parameters, Text
from mixdown.api.results import Links, ResultsView
from mixdown.api.routes.asking import BINARY, IdempotencyKey, named, of_known_type
from mixdown.api.sight import batch_of, job_of
from mixdown.api.uploads import Form, media_type_of, received
from mixdown.api.views import BatchView, ErrorView, JobView, View
from mixdown.errors import BatchNotFound, JobNotFound
from mixdown.jobs.requests import Known, Name, RequestStore
from mixdown.model import JobRecord, Status

router = APIRouter(prefix="/api", tags=["audio"])

_OWN_ID = 255
_PAGE = 1000


class ProcessingType(StrEnum):
    """What is done."""

    enhance = "enhance"
    generate = "generate"
    transform = "transform"


class ProcessForm(BaseModel):
    """A recording, and what is to be done with it."""

    model_config = ConfigDict(extra="forbid")
    file: Annotated[str, Field(default="", description="The recording, or the script.", json_schema_extra=BINARY)]
    processing_type: ProcessingType = ProcessingType.enhance
    parameters: str = Field(
        default="{}",
        description="JSON, as for `/v1/jobs`; to generate without a file, with the script as `text`.",
        examples=['{"preset": "podcast"}'],
    )
    job_id: str = Field(
        default="", max_length=_OWN_ID, description="A name of your own: sent again under it, it is done once."
    )


class AudioBatchRequest(BaseModel):
    """Recordings where they lie, and what is to be done with them."""

    model_config = ConfigDict(extra="forbid")
    job_id: str | None = Field(default=None, min_length=1, max_length=_OWN_ID, examples=["spring-2026"])
    files: list[AnySource] = Field(min_length=1, max_length=MOST_ITEMS, examples=[["s3://shows/01.wav"]])
    config: dict[str, Any] = Field(default={}, examples=[{"processing_type": "enhance", "preset": "podcast"}])


class AudioBatchForm(BaseModel):
    """Recordings, and what is to be done with them."""

    model_config = ConfigDict(extra="forbid")
    job_id: str = Field(default="", max_length=_OWN_ID)
    files: list[Annotated[str, Field(json_schema_extra=BINARY)]] = Field(
        min_length=1, description="Recordings: this part comes for each."
    )
    config: str = Field(default="{}", description="JSON: processing_type and parameters.")


class AudioJob(View):
    """A job, or a batch, as this route has it."""

    job_id: str = Field(description="Your own name for it, or ours.", examples=["spring-2026"])
    id: UUID = Field(description="Ours.")
    status: str = Field(examples=["running"])
    progress: float = Field(ge=0, le=1, examples=[0.42])
    total: int = Field(description="Recordings.", examples=[1])
    succeeded: int = Field(examples=[0])
    failed: int = Field(examples=[0])
    error: ErrorView | None = None
    created_at: datetime
    status_url: str
    results_url: str


class AudioResult(View):
    """What became of one recording."""

    filename: str
    status: Status
    error: ErrorView | None = None
    result: ResultsView | None = None


class AudioResults(View):
    """What there is so far."""

    job_id: str
    status: str
    results: list[AudioResult]
    next: str | None = Field(
        default=None, description="Where those behind them are; null: these are the last.", examples=[None]
    )


BODIES: tuple[type[BaseModel], ...] = (ProcessForm, AudioBatchRequest, AudioBatchForm)

OwnId = Annotated[
    str, Path(min_length=1, max_length=_OWN_ID, description="Your own name for it, or ours.", examples=["spring"])
]


@router.post(
    "/audio/process",
    status_code=202,
    summary="Process a recording",
    responses=problems(400, 413, 415),
    openapi_extra=shown(form=ProcessForm),
)
async def process_audio(
    request: Request, response: Response, desk: TheDesk, caller: Writer, idempotency_key: IdempotencyKey = None
) -> AudioJob:
    """Send a recording to be enhanced or transformed, or a script to become audio: as a file, or as `text`."""
    async with received(of_known_type(request), desk.studio) as form:
        view = await run_in_threadpool(_process, desk, caller, form, idempotency_key)
    response.headers["location"] = view.status_url
    return view


@router.post(
    "/audio/batch",
    status_code=202,
    summary="Process recordings",
    responses=problems(400, 413, 415),
    openapi_extra=shown(AudioBatchRequest, AudioBatchForm),
)
async def process_batch(
    request: Request, response: Response, desk: TheDesk, caller: Writer, idempotency_key: IdempotencyKey = None
) -> AudioJob:
    """Send recordings, or say where they lie; `job_id` is your own name for all of them."""
    if media_type_of(request) == JSON:
        asked = await json_of(request, AudioBatchRequest)
        view = await run_in_threadpool(_batch_at_addresses, desk, caller, asked, idempotency_key)
    else:
        async with received(of_known_type(request), desk.studio) as form:
            view = await run_in_threadpool(_batch_of_form, desk, caller, form, idempotency_key)
    response.headers["location"] = view.status_url
    return view


@router.get("/jobs/{job_id}", summary="Look at a job or a batch", responses=problems(404))
def get_audio_job(job_id: OwnId, desk: TheDesk, caller: Reader) -> AudioJob:
    """How it stands: what `job_id` was given to, or what has this id here."""
    return _view(desk, caller, _found(desk, caller, job_id), job_id)


@router.get("/jobs/{job_id}/results", summary="Get results", responses=problems(404))
def get_audio_results(
    job_id: OwnId,
    desk: TheDesk,
    caller: Reader,
    after: Annotated[UUID | None, Query(description="The last job of the page before: `next` has it.")] = None,
) -> AudioResults:
    """What there is so far, a recording each, in the order they were asked for; `next` where there are many."""
    found = _found(desk, caller, job_id)
    records, last = _page(desk, caller, found, after)
    results = []
    for record in records:
        made = Links(desk.studio.objects, record.id).results(record, record.result) if record.result else None
        error = JobView.of(record).error
        results.append(AudioResult(filename=record.spec.filename, status=record.status, error=error, result=made))
    view = _view(desk, caller, found, job_id)
    further = f"{view.results_url}?after={last}" if last else None
    return AudioResults(job_id=job_id, status=view.status, results=results, next=further)


def _process(desk: Desk, caller: Caller, form: Form, key: str | None) -> AudioJob:
    refuse_unknown(form, fields=["processing_type", "parameters", "job_id"], files=["file"])
    own = checked(dict[str, Any], form.fields.get("parameters") or "{}", "body", "parameters")
    text = own.pop("text", None) if form.fields.get("processing_type") == ProcessingType.generate else None
    spec = asking.spec_of(desk, _parameters(own, form.fields.get("processing_type") or "enhance", "parameters"))
    if text is not None and not form.files:
        wanted = asking.at_address(desk, checked(Text, {"text": text}, "body", "parameters"), spec)
    else:
        wanted = Wanted(what=the_file(form, "file"), spec=spec)
    own_id = _own_id(form)
    record = asking.ask_job(desk, caller, wanted, _name(caller, own_id, key))
    return _view(desk, caller, Known(job_id=record.id), own_id or str(record.id))


def _batch_at_addresses(desk: Desk, caller: Caller, asked: AudioBatchRequest, key: str | None) -> AudioJob:
    spec = asking.spec_of(desk, _configured(asked.config))
    wanted = [asking.at_address(desk, source, spec) for source in asked.files]
    return _batch(desk, caller, wanted, asked.job_id, key)


def _batch_of_form(desk: Desk, caller: Caller, form: Form, key: str | None) -> AudioJob:
    refuse_unknown(form, fields=["job_id", "config"], files=["files"])
    config = checked(dict[str, Any], form.fields.get("config") or "{}", "body", "config")
    spec = asking.spec_of(desk, _configured(config))
    wanted = [Wanted(what=file, spec=spec) for file in form.files]
    return _batch(desk, caller, wanted, _own_id(form), key)


def _batch(desk: Desk, caller: Caller, wanted: list[Wanted], own_id: str | None, key: str | None) -> AudioJob:
    batch = BatchWanted(wanted=wanted, title=own_id and own_id[:200])
    batch_id = asking.ask_batch(desk, caller, batch, _name(caller, own_id, key))
    return _view(desk, caller, Known(batch_id=batch_id), own_id or str(batch_id))


def _configured(config: dict[str, Any]) -> AnyParameters:
    """The parameters in a batch's `config`, beside its `processing_type` or under a name of their own."""
    nested = config.get("parameters")
    own = nested if isinstance(nested, dict) else {n: v for n, v in config.items() if n != "processing_type"}
    return _parameters(own, str(config.get("processing_type", "enhance")), "config")


def _parameters(own: dict[str, Any], processing_type: str, place: str) -> AnyParameters:
    if processing_type not in list(ProcessingType):
        raise wrong(("processing_type", "It is one of enhance, generate and transform."))
    parameters: AnyParameters = checked(Parameters, {**own, "kind": processing_type}, "body", place)
    return parameters


def _own_id(form: Form) -> str | None:
    given = form.fields.get("job_id") or None
    if given is not None and len(given) > _OWN_ID:
        raise wrong(("job_id", f"It has {_OWN_ID} characters at most."))
    return given


def _name(caller: Caller, own_id: str | None, key: str | None) -> Name | None:
    """The client's own id goes before a key: it is what it asks about later."""
    return named(caller, "own_id", own_id) or named(caller, "audio", key)


def _found(desk: Desk, caller: Caller, job_id: str) -> Known:
    """What a client means: what it gave this id to, or what has it here."""
    known = RequestStore(desk.studio.jobs.engine).find(Name(key_id=caller.key_id, scope="own_id", name=job_id))
    if known is not None and (known.job_id or known.batch_id):
        return known
    try:
        ours = UUID(job_id)
    except ValueError as error:
        raise JobNotFound("There is no job of this id.") from error
    try:
        return Known(job_id=job_of(desk, caller, ours).id)
    except JobNotFound:
        try:
            return Known(batch_id=batch_of(desk, caller, ours).id)
        except BatchNotFound as error:
            raise JobNotFound("There is no job of this id.") from error


def _view(desk: Desk, caller: Caller, known: Known, job_id: str) -> AudioJob:
    url = f"/api/jobs/{quote(job_id, safe='')}"
    if known.job_id is not None:
        job = JobView.of(job_of(desk, caller, known.job_id))
        common: dict[str, Any] = {
            **{"id": job.id, "status": job.status, "progress": job.progress, "error": job.error, "total": 1},
            **{"succeeded": int(job.status is Status.succeeded), "failed": int(job.status is Status.failed)},
            "created_at": job.created_at,
        }
    elif known.batch_id is not None:
        batch = BatchView.of(desk.studio.jobs.batch_progress(batch_of(desk, caller, known.batch_id).id))
        common = {
            **{"id": batch.id, "status": batch.status, "progress": batch.progress, "total": batch.total},
            **{"succeeded": batch.counts[Status.succeeded], "failed": batch.counts[Status.failed]},
            "created_at": batch.created_at,
        }
    else:
        raise JobNotFound("There is no job of this id.")
    return AudioJob(job_id=job_id, status_url=url, results_url=f"{url}/results", **common)


def _page(desk: Desk, caller: Caller, found: Known, after: UUID | None) -> tuple[list[JobRecord], UUID | None]:
    """The jobs that are meant, in the order they were asked for; the last of them where there are more."""
    if found.job_id is not None:
        return desk.studio.jobs.read([found.job_id]), None
    behind = job_of(desk, caller, after).id if after is not None else None
    page = desk.studio.jobs.list(batch_id=found.batch_id, oldest_first=True, limit=_PAGE + 1, after=behind)
    return page[:_PAGE], page[_PAGE - 1].id if len(page) > _PAGE else None
