"""Jobs: listed, looked at, called off, tried again; and what they delivered."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from mixdown.api.answers import problems
from mixdown.api.desk import Reader, TheDesk, Writer
from mixdown.api.files import handed_out
from mixdown.api.paging import CURSOR, LIMIT, Moment, next_url, place_of
from mixdown.api.results import Links, ResultsView, files_of
from mixdown.api.sight import glance_of, job_of
from mixdown.api.views import JobEventView, JobView, View, job_url
from mixdown.errors import FileNotFound, NoResult
from mixdown.jobs.pages import Pages, Wanted
from mixdown.model import JobRecord, JobResult, Status

router = APIRouter(tags=["jobs"])

JobId = Annotated[UUID, Path(description="Its id.")]


class JobPage(View):
    """Jobs, newest first."""

    items: list[JobView]
    next: str | None = Field(
        description="Where the next page is; null: this is the last.", examples=["/v1/jobs?limit=50&cursor=MTc2…"]
    )


class History(View):
    """The history of a job, oldest first."""

    items: list[JobEventView]


class JobQuery(BaseModel):
    """Which jobs are listed."""

    model_config = ConfigDict(extra="forbid")

    status: Status | None = Field(default=None, description="Jobs in this state.")
    kind: Literal["enhance", "transform", "analyze", "generate"] | None = Field(
        default=None, description="What they do."
    )
    code: str | None = Field(
        default=None, pattern="^[a-z][a-z0-9_]{0,63}$", description="Those that met this error."
    )
    created_after: Moment | None = Field(default=None, description="Asked for at this moment or later.")
    created_before: Moment | None = Field(default=None, description="Asked for before this moment.")
    limit: int = LIMIT
    cursor: str | None = CURSOR


class AllJobsQuery(JobQuery):
    """Which of all jobs are listed."""

    batch_id: UUID | None = Field(default=None, description="Jobs of this batch.")


@router.get("/v1/jobs", summary="List jobs", responses=problems())
def list_jobs(request: Request, desk: TheDesk, caller: Reader, asked: Annotated[AllJobsQuery, Query()]) -> JobPage:
    """Jobs, newest first; `next` is the address of the page behind."""
    return job_page(request, Pages(desk.studio.jobs.engine), wanted_of(asked, caller.owner, asked.batch_id), asked)


@router.get("/v1/jobs/{job_id}", summary="Look at a job", responses=problems(404))
async def get_job(job_id: JobId, desk: TheDesk, caller: Reader) -> JobView:
    """How a job stands."""
    return JobView.seen(await glance_of(desk, caller, job_id))


@router.get("/v1/jobs/{job_id}/events-history", summary="Look at a job's history", responses=problems(404))
def get_history(job_id: JobId, desk: TheDesk, caller: Reader) -> History:
    """Everything that happened to a job so far."""
    record = job_of(desk, caller, job_id)
    return History(items=[JobEventView.of(event) for event in desk.studio.jobs.events(record.id)])


@router.get("/v1/jobs/{job_id}/results", summary="Get what a job delivered", responses=problems(404, 409))
def get_results(job_id: JobId, desk: TheDesk, caller: Reader) -> ResultsView:
    """The files of a job with their addresses, checksums and measurements; 409 while there are none."""
    record = job_of(desk, caller, job_id)
    return Links(desk.studio.objects, record.id).results(record, _result_of(record))


@router.get(
    "/v1/jobs/{job_id}/files/{name}",
    summary="Fetch a file",
    response_class=Response,
    responses={
        **problems(400, 404, 409, 416),
        200: {
            "description": "The file.",
            "content": {"*/*": {}},
        },
        206: {
            "description": "The part of it that `Range` asked for.",
            "content": {"*/*": {}},
        },
        307: {"description": "The store itself hands it out, at this address."},
    },
)
def get_file(
    job_id: JobId,
    name: Annotated[str, Path(max_length=255, description="As its results have it.", examples=["talk.mp3"])],
    desk: TheDesk,
    caller: Reader,
) -> Response:
    """One file of a result; parts of it where `Range` asks for them."""
    record = job_of(desk, caller, job_id)
    files = {file.name: file for file in files_of(record, _result_of(record))}
    if name not in files:
        raise FileNotFound
    signed = Links(desk.studio.objects, record.id).signed(files[name])
    if signed is not None:
        return RedirectResponse(signed, headers={"cache-control": "no-store"})
    return handed_out(desk.studio.objects, files[name])


@router.post("/v1/jobs/{job_id}/cancel", summary="Call a job off", responses=problems(404, 409))
def cancel_job(job_id: JobId, desk: TheDesk, caller: Writer) -> JobView:
    """Call a job off; work on one that is running stops within seconds. Again is fine; 409 when it has ended."""
    return JobView.of(desk.studio.jobs.cancel(job_of(desk, caller, job_id).id))


@router.post("/v1/jobs/{job_id}/retry", summary="Try a job again", status_code=202, responses=problems(404, 409))
def retry_job(job_id: JobId, desk: TheDesk, caller: Writer, response: Response) -> JobView:
    """Queue a job again that failed, was rejected or was cancelled; 409 for any other."""
    record = Pages(desk.studio.jobs.engine).retry(job_of(desk, caller, job_id).id)
    response.headers["location"] = job_url(record.id)
    return JobView.of(record)


def wanted_of(asked: JobQuery, key_id: UUID | None, batch_id: UUID | None) -> Wanted:
    """What a query asks for, of what its caller may see."""
    return Wanted(
        key_id=key_id,
        batch_id=batch_id,
        status=asked.status,
        kind=asked.kind,
        code=asked.code,
        created_after=asked.created_after,
        created_before=asked.created_before,
    )


def job_page(request: Request, pages: Pages, wanted: Wanted, asked: JobQuery) -> JobPage:
    """One page of jobs."""
    found = pages.jobs(wanted, limit=asked.limit + 1, behind=place_of(asked.cursor))
    return JobPage(
        items=[JobView.of(record) for record in found[: asked.limit]], next=next_url(request, found, asked.limit)
    )


def _result_of(record: JobRecord) -> JobResult:
    if record.result is None:
        raise NoResult(f"Job {record.id} is {record.status.value}: it has delivered nothing.")
    return record.result
