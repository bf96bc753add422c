"""Messages: what was sent to whom, with which answer; and sent again."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from mixdown.api.answers import problems
from mixdown.api.desk import Caller, Desk, Reader, TheDesk, Writer
from mixdown.api.paging import CURSOR, next_url, place_of
from mixdown.api.views import View
from mixdown.errors import DeliveryNotFound
from mixdown.jobs.deliveries import Deliveries, DeliveryStatus, Sent, Tried, WantedDeliveries

router = APIRouter(tags=["deliveries"])

_ID = "0f8fad5b-d9cb-469f-a165-70867728950e"

DeliveryId = Annotated[UUID, Path(description="Its id: the `webhook-id` of the message.")]


class DeliveryView(View):
    """A message, and how it stands."""

    id: UUID = Field(description="The `webhook-id` of the message.", examples=[_ID])
    event: str = Field(examples=["job.succeeded"])
    status: DeliveryStatus = Field(examples=["waiting"])
    to: str = Field(description="An address, or `channel:name`.", examples=["https://example.com/hook"])
    job_id: UUID | None = None
    batch_id: UUID | None = None
    endpoint_id: UUID | None = None
    attempts: int = Field(description="Since it was asked for, or sent again.", examples=[1])
    created_at: datetime
    next_attempt_at: datetime | None = None
    delivered_at: datetime | None = None
    last_answer: str | None = Field(default=None, examples=["503 Service Unavailable"])
    status_url: str = Field(examples=[f"/v1/deliveries/{_ID}"])

    @classmethod
    def of(cls, sent: Sent) -> Self:
        """The view of a message."""
        return cls(**_fields(sent))


class AttemptView(View):
    """One attempt to deliver."""

    at: datetime
    delivered: bool
    answer: str = Field(examples=["200 OK"])


class WholeDeliveryView(DeliveryView):
    """A message with what it says, and each attempt."""

    payload: dict[str, Any] = Field(description="What is sent.", examples=[{"type": "job.succeeded"}])
    history: list[AttemptView] = Field(description="Every attempt, oldest first.")


class DeliveryPage(View):
    """Messages, newest first."""

    items: list[DeliveryView]
    next: str | None = Field(
        description="Where the next page is; null: this is the last.",
        examples=["/v1/deliveries?limit=20&cursor=MTc2…"],
    )


class DeliveryQuery(BaseModel):
    """Which messages are listed, how many, and from where on."""

    model_config = ConfigDict(extra="forbid")

    status: DeliveryStatus | None = Field(default=None, description="How they stand.")
    job_id: UUID | None = Field(default=None, description="About this job.")
    batch_id: UUID | None = Field(default=None, description="About this batch as a whole.")
    endpoint_id: UUID | None = Field(default=None, description="To this endpoint.")
    limit: int = Field(default=20, ge=1, le=100, description="How many at most.")
    cursor: str | None = CURSOR


@router.get("/v1/deliveries", summary="List deliveries", responses=problems())
def list_deliveries(
    request: Request, desk: TheDesk, caller: Reader, asked: Annotated[DeliveryQuery, Query()]
) -> DeliveryPage:
    """Messages about one's jobs, batches and endpoints, newest first."""
    wanted = WantedDeliveries(
        key_id=caller.owner,
        status=asked.status,
        job_id=asked.job_id,
        batch_id=asked.batch_id,
        endpoint_id=asked.endpoint_id,
    )
    found = _deliveries(desk).list(wanted, limit=asked.limit + 1, behind=place_of(asked.cursor))
    items = [DeliveryView.of(sent) for sent in found[: asked.limit]]
    return DeliveryPage(items=items, next=next_url(request, found, asked.limit))


@router.get("/v1/deliveries/{delivery_id}", summary="Look at a delivery", responses=problems(404))
def get_delivery(delivery_id: DeliveryId, desk: TheDesk, caller: Reader) -> WholeDeliveryView:
    """What was sent, when, and with which answer."""
    sent, tried = _seen(desk, caller, delivery_id)
    history = [AttemptView(at=each.at, delivered=each.delivered, answer=each.answer) for each in tried]
    return WholeDeliveryView(**_fields(sent), payload=json.loads(sent.payload), history=history)


@router.post("/v1/deliveries/{delivery_id}/replay", summary="Send again", status_code=202, responses=problems(404))
def replay_delivery(delivery_id: DeliveryId, desk: TheDesk, caller: Writer, response: Response) -> DeliveryView:
    """Send a message again, delivered or not: the same bytes, under the same `webhook-id`."""
    sent, _ = _seen(desk, caller, delivery_id)
    _deliveries(desk).replay(sent.id)
    return delivery_asked_for(desk, sent.id, response)


def delivery_asked_for(desk: Desk, delivery_id: UUID, response: Response) -> DeliveryView:
    """The answer that a message will be sent."""
    view = DeliveryView.of(_deliveries(desk).get(delivery_id)[0])
    response.headers["location"] = view.status_url
    return view


def _deliveries(desk: Desk) -> Deliveries:
    return Deliveries(desk.studio.jobs.engine)


def _seen(desk: Desk, caller: Caller, delivery_id: UUID) -> tuple[Sent, list[Tried]]:
    sent, tried = _deliveries(desk).get(delivery_id)
    if not caller.may_see(sent.key_id):
        raise DeliveryNotFound
    return sent, tried


def _fields(sent: Sent) -> dict[str, Any]:
    same = ("id", "event", "status", "job_id", "batch_id", "endpoint_id", "attempts", "created_at")
    timed = ("next_attempt_at", "delivered_at", "last_answer")
    return {
        **{name: getattr(sent, name) for name in (*same, *timed)},
        "to": sent.target.address,
        "status_url": f"/v1/deliveries/{sent.id}",
    }
