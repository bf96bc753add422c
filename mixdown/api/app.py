"""The app: its routes, and what surrounds them."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from mixdown import __version__
from mixdown.api.checkup import checkup_of
from mixdown.api.desk import Desk
from mixdown.api.events import EventHub
from mixdown.api.problems import Problem, answer_problems
from mixdown.api.routes import events, health
from mixdown.jobs.event_log import EventLog
from mixdown.studio import Studio

#: Of the modules of `mixdown.api.routes`.
ROUTERS: tuple[APIRouter, ...] = (events.router, health.router)


def create_app(studio: Studio, *, open_to_all: bool = False) -> FastAPI:
    """The API over these ports. It opens nothing itself; nobody is asked for a key where it is `open_to_all`."""
    app = FastAPI(
        title="Mixdown",
        version=__version__,
        description="Recordings in, broadcast-ready masters out, with proof.",
        responses={"default": {"model": Problem, "description": "What went wrong (RFC 9457)."}},
    )
    app.state.desk = Desk(studio=studio)
    app.state.events = EventHub(EventLog(studio.jobs.engine))
    app.state.checkup = checkup_of(studio)
    answer_problems(app)
    for router in ROUTERS:
        app.include_router(router)
    return app
