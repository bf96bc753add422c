"""Webhook endpoints: addresses that are told of every job of a key."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mixdown.api.answers import problems
from mixdown.api.desk import Caller, Desk, Reader, TheDesk, Writer
from mixdown.api.paging import CURSOR, next_url, place_of
from mixdown.api.routes.deliveries import DeliveryView, delivery_asked_for
from mixdown.api.views import View
from mixdown.endpoints import Endpoint, Endpoints, secrets_of
from mixdown.errors import EndpointNotFound, NoSigningSecret
from mixdown.reach import Reach
from mixdown.web import web_origin

router = APIRouter(tags=["webhook endpoints"])

_ID = "1b4e28ba-2fa1-41d2-883f-0016d3cca427"

EndpointId = Annotated[UUID, Path(description="Its id.")]
Event = Literal["job.succeeded", "job.rejected", "job.failed", "job.cancelled", "batch.ended"]


def _is_address(url: str) -> str:
    if web_origin(url).endswith("://") or not url.isprintable():
        raise ValueError("this is no address of a web server")
    return url


Url = Annotated[str, Field(pattern="^https?://", max_length=2048), AfterValidator(_is_address)]
Events = Annotated[tuple[Event, ...], Field(min_length=1, max_length=5, description="What it is told of.")]
Description = Annotated[str, Field(max_length=200, description="For people.", examples=["our archive"])]

_OF_JOBS: tuple[Event, ...] = ("job.succeeded", "job.rejected", "job.failed", "job.cancelled")


class NewEndpoint(BaseModel):
    """An address to be told."""

    model_config = ConfigDict(extra="forbid")

    url: Url = Field(examples=["https://example.com/hooks/mixdown"])
    description: Description = ""
    events: Events = _OF_JOBS


class EndpointChange(BaseModel):
    """What is to be different; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    url: Url | None = Field(default=None, examples=["https://example.com/hooks/other"])
    description: Description | None = None
    events: Events | None = None
    enabled: bool | None = Field(default=None, description="False: it is told nothing until it is true again.")


class EndpointView(View):
    """An endpoint."""

    id: UUID = Field(examples=[_ID])
    url: str = Field(examples=["https://example.com/hooks/mixdown"])
    description: str
    events: tuple[str, ...] = Field(examples=[["job.succeeded", "job.failed"]])
    enabled: bool
    disabled_why: str | None = Field(default=None, examples=["It answered 410 GONE"])
    rotated_at: datetime | None = Field(default=None, description="For 24 h from then both secrets sign.")
    created_at: datetime

    @classmethod
    def of(cls, endpoint: Endpoint) -> Self:
        """The view of an endpoint."""
        return cls(**_fields(endpoint))


class EndpointWithSecret(EndpointView):
    """An endpoint with its secret, which is shown when it is made or rotated."""

    secret: str = Field(description="Signs its messages (Standard Webhooks).", examples=["whsec_…"])


class EndpointPage(View):
    """Endpoints, newest first."""

    items: list[EndpointView]
    next: str | None = Field(description="Where the next page is; null: this is the last.", examples=[None])


class EndpointQuery(BaseModel):
    """How many endpoints are listed, and from where on."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=20, ge=1, le=100, description="How many at most.")
    cursor: str | None = CURSOR


@router.get("/v1/webhook-endpoints", summary="List webhook endpoints", responses=problems())
def list_endpoints(
    request: Request, desk: TheDesk, caller: Reader, asked: Annotated[EndpointQuery, Query()]
) -> EndpointPage:
    """Endpoints, newest first."""
    found = _endpoints(desk).list(caller.owner, limit=asked.limit + 1, behind=place_of(asked.cursor))
    items = [EndpointView.of(endpoint) for endpoint in found[: asked.limit]]
    return EndpointPage(items=items, next=next_url(request, found, asked.limit))


@router.post(
    "/v1/webhook-endpoints", summary="Add a webhook endpoint", status_code=201, responses=problems(400, 409)
)
def create_endpoint(asked: NewEndpoint, desk: TheDesk, caller: Writer, response: Response) -> EndpointWithSecret:
    """An address that is told of every job asked for with this key from now on. Its secret is in this answer."""
    _signing_secret(desk)
    Reach(desk.studio.settings.allow_internal_webhooks).check(asked.url)
    endpoint = _endpoints(desk).create(
        key_id=caller.key_id, url=asked.url, description=asked.description, events=asked.events
    )
    response.headers["location"] = f"/v1/webhook-endpoints/{endpoint.id}"
    return _with_secret(desk, endpoint)


@router.get("/v1/webhook-endpoints/{endpoint_id}", summary="Look at an endpoint", responses=problems(404))
def get_endpoint(endpoint_id: EndpointId, desk: TheDesk, caller: Reader) -> EndpointView:
    """An endpoint, without its secret."""
    return EndpointView.of(_seen(desk, caller, endpoint_id))


@router.patch("/v1/webhook-endpoints/{endpoint_id}", summary="Change an endpoint", responses=problems(400, 404))
def change_endpoint(endpoint_id: EndpointId, asked: EndpointChange, desk: TheDesk, caller: Writer) -> EndpointView:
    """Change its address, what it is told of, or whether it is told anything."""
    endpoint = _seen(desk, caller, endpoint_id)
    if asked.url is not None:
        Reach(desk.studio.settings.allow_internal_webhooks).check(asked.url)
    values = asked.model_dump(exclude={"enabled"}, exclude_none=True)
    if values:
        endpoint = _endpoints(desk).change(endpoint.id, **values)
    if asked.enabled is True:
        endpoint = _endpoints(desk).enable(endpoint.id)
    elif asked.enabled is False:
        endpoint = _endpoints(desk).disable(endpoint.id, "Its owner asked for that.")
    return EndpointView.of(endpoint)


@router.delete(
    "/v1/webhook-endpoints/{endpoint_id}", summary="Remove an endpoint", status_code=204, responses=problems(404)
)
def delete_endpoint(endpoint_id: EndpointId, desk: TheDesk, caller: Writer) -> None:
    """Tell it nothing more, not even what waits for it."""
    _endpoints(desk).delete(_seen(desk, caller, endpoint_id).id)


@router.post(
    "/v1/webhook-endpoints/{endpoint_id}/rotate", summary="Give it a new secret", responses=problems(404, 409)
)
def rotate_endpoint(endpoint_id: EndpointId, desk: TheDesk, caller: Writer) -> EndpointWithSecret:
    """A new secret, in this answer. For 24 h its messages are signed with the one before as well."""
    _signing_secret(desk)
    return _with_secret(desk, _endpoints(desk).rotate(_seen(desk, caller, endpoint_id).id))


@router.post(
    "/v1/webhook-endpoints/{endpoint_id}/test",
    summary="Send it a test message",
    status_code=202,
    responses=problems(404),
)
def test_endpoint(endpoint_id: EndpointId, desk: TheDesk, caller: Writer, response: Response) -> DeliveryView:
    """Send it `endpoint.test`; the delivery tells what it answered."""
    endpoint = _seen(desk, caller, endpoint_id)
    return delivery_asked_for(desk, _endpoints(desk).test(endpoint), response)


def _endpoints(desk: Desk) -> Endpoints:
    return Endpoints(desk.studio.jobs.engine)


def _seen(desk: Desk, caller: Caller, endpoint_id: UUID) -> Endpoint:
    endpoint = _endpoints(desk).get(endpoint_id)
    if not caller.may_see(endpoint.key_id):
        raise EndpointNotFound
    return endpoint


def _signing_secret(desk: Desk) -> str:
    secret = desk.studio.settings.webhook_secret
    if secret is None:
        raise NoSigningSecret
    return secret.get_secret_value()


def _with_secret(desk: Desk, endpoint: Endpoint) -> EndpointWithSecret:
    newest, *_ = secrets_of(_signing_secret(desk), endpoint, datetime.now(UTC))
    return EndpointWithSecret(**_fields(endpoint), secret=newest)


def _fields(endpoint: Endpoint) -> dict[str, Any]:
    same = ("id", "url", "description", "events", "disabled_why", "rotated_at", "created_at")
    return {**{name: getattr(endpoint, name) for name in same}, "enabled": endpoint.disabled_at is None}
