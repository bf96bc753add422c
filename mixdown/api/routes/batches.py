"""Batches: listed, looked at, paused, resumed, called off, tried again."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from mixdown.api.answers import problems
from mixdown.api.desk import Desk, Reader, TheDesk, Writer
from mixdown.api.paging import CURSOR, next_url, place_of
from mixdown.api.routes.jobs import JobPage, JobQuery, job_page, wanted_of
from mixdown.api.sight import batch_of
from mixdown.api.views import BatchView, View, batch_url
from mixdown.jobs.pages import Pages

router = APIRouter(tags=["batches"])

BatchId = Annotated[UUID, Path(description="Its id.")]


class BatchPage(View):
    """Batches, newest first."""

    items: list[BatchView]
    next: str | None = Field(
        description="Where the next page is; null: this is the last.",
        examples=["/v1/batches?limit=20&cursor=MTc2…"],
    )


class BatchQuery(BaseModel):
    """How many batches are listed, and from where on."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=20, ge=1, le=100, description="How many at most.")
    cursor: str | None = CURSOR


class Again(BaseModel):
    """What of a batch is tried again."""

    model_config = ConfigDict(extra="forbid")

    code: str | None = Field(
        default=None,
        pattern="^[a-z][a-z0-9_]{0,63}$",
        description="Only what failed with this code.",
        examples=["source_unavailable"],
    )


@router.get("/v1/batches", summary="List batches", responses=problems())
def list_batches(
    request: Request, desk: TheDesk, caller: Reader, asked: Annotated[BatchQuery, Query()]
) -> BatchPage:
    """Batches, newest first; `next` is the address of the page behind."""
    pages = Pages(desk.studio.jobs.engine)
    found = pages.batches(caller.owner, limit=asked.limit + 1, behind=place_of(asked.cursor))
    items = [BatchView.of(progress) for progress in found[: asked.limit]]
    return BatchPage(items=items, next=next_url(request, [progress.batch for progress in found], asked.limit))


@router.get("/v1/batches/{batch_id}", summary="Look at a batch", responses=problems(404))
def get_batch(batch_id: BatchId, desk: TheDesk, caller: Reader) -> BatchView:
    """How a batch stands, and why jobs of it failed."""
    return _view(desk, batch_of(desk, caller, batch_id).id)


@router.get("/v1/batches/{batch_id}/jobs", summary="List the jobs of a batch", responses=problems(404))
def list_jobs_of_batch(
    request: Request, batch_id: BatchId, desk: TheDesk, caller: Reader, asked: Annotated[JobQuery, Query()]
) -> JobPage:
    """Jobs of a batch, newest first; those that it found there already are among them."""
    batch = batch_of(desk, caller, batch_id)
    return job_page(request, Pages(desk.studio.jobs.engine), wanted_of(asked, caller.owner, batch.id), asked)


@router.post("/v1/batches/{batch_id}/cancel", summary="Call a batch off", responses=problems(404))
def cancel_batch(batch_id: BatchId, desk: TheDesk, caller: Writer) -> BatchView:
    """Call off what has not ended of a batch; what is done stays."""
    batch = batch_of(desk, caller, batch_id)
    desk.studio.jobs.cancel_batch(batch.id)
    return _view(desk, batch.id)


@router.post("/v1/batches/{batch_id}/pause", summary="Pause a batch", responses=problems(404, 409))
def pause_batch(batch_id: BatchId, desk: TheDesk, caller: Writer) -> BatchView:
    """Take no more jobs of a batch; those that are running are ended."""
    batch = batch_of(desk, caller, batch_id)
    desk.studio.jobs.pause_batch(batch.id)
    return _view(desk, batch.id)


@router.post("/v1/batches/{batch_id}/resume", summary="Go on with a batch", responses=problems(404))
def resume_batch(batch_id: BatchId, desk: TheDesk, caller: Writer) -> BatchView:
    """Go on with a batch that was paused."""
    batch = batch_of(desk, caller, batch_id)
    desk.studio.jobs.resume_batch(batch.id)
    return _view(desk, batch.id)


@router.post(
    "/v1/batches/{batch_id}/retry", summary="Try again what failed", status_code=202, responses=problems(404)
)
def retry_batch(
    batch_id: BatchId, desk: TheDesk, caller: Writer, response: Response, again: Again | None = None
) -> BatchView:
    """Queue again what failed, all or with one code; of a batch that was called off, the rest too."""
    batch = batch_of(desk, caller, batch_id)
    desk.studio.jobs.retry_batch(batch.id, code=again.code if again else None)
    response.headers["location"] = batch_url(batch.id)
    return _view(desk, batch.id)


def _view(desk: Desk, batch_id: UUID) -> BatchView:
    jobs = desk.studio.jobs
    progress = jobs.batch_progress(batch_id)
    return BatchView.of(progress, jobs.failures(batch_id))
