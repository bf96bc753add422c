"""Whether the API is up, and what it needs."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from mixdown import __version__
from mixdown.api.checkup import Checkup

router = APIRouter(tags=["health"])

_EXAMPLE_DOWN = {"database": "database_unavailable", "results": "up"}


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Readiness(BaseModel):
    """Whether jobs can be taken in."""

    status: Literal["ready", "not_ready"] = Field(examples=["not_ready"])
    down: list[str] = Field(description="What does not answer.", examples=[["database"]])
    checks: dict[str, str] = Field(
        description="Of each thing that is needed: `up`, `no_answer`, or the code of what is wrong.",
        examples=[_EXAMPLE_DOWN],
    )


class Health(BaseModel):
    """The same in the words that monitors look for."""

    status: Literal["healthy", "unhealthy"] = Field(examples=["healthy"])
    version: str = Field(examples=["1.0.0"])
    checks: dict[str, str] = Field(examples=[{"database": "up", "results": "up"}])


async def checkup(request: Request) -> Checkup:
    """What this app asks."""
    found: Checkup = request.app.state.checkup
    return found


TheCheckup = Annotated[Checkup, Depends(checkup)]


@router.get("/health", summary="Is everything well?", responses={503: {"model": Health, "description": "No."}})
async def health(response: Response, checks: TheCheckup) -> Health:
    """503 where something is down that jobs need."""
    found = await checks.look()
    if any(found.values()):
        response.status_code = 503
    return Health(
        status="unhealthy" if any(found.values()) else "healthy", version=__version__, checks=_in_words(found)
    )


@router.get("/health/live", summary="Does the process answer?")
async def live() -> Alive:
    """Touches nothing else: who restarts what does not answer asks here."""
    return Alive()


@router.get(
    "/health/ready",
    summary="Can jobs be taken in?",
    responses={503: {"model": Readiness, "description": "No: what is down is named."}},
)
async def ready(response: Response, checks: TheCheckup) -> Readiness:
    """503 with the names of what is down, within 5 s; load balancers ask here."""
    found = await checks.look()
    down = [name for name, wrong in found.items() if wrong]
    if down:
        response.status_code = 503
    return Readiness(status="not_ready" if down else "ready", down=down, checks=_in_words(found))


def _in_words(found: dict[str, str]) -> dict[str, str]:
    return {name: wrong or "up" for name, wrong in found.items()}
