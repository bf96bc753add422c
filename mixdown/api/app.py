"""The app: its routes, and what surrounds them."""

from __future__ import annotations

from functools import cache

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse

from mixdown import __version__
from mixdown.api.checkup import checkup_of
from mixdown.api.desk import Desk
from mixdown.api.door import Door
from mixdown.api.events import EventHub
from mixdown.api.glance import Glances
from mixdown.api.hooked import check_triggers
from mixdown.api.limits import Limiter
from mixdown.api.openapi import describe
from mixdown.api.problems import Problem, answer_problems
from mixdown.api.reference import page
from mixdown.api.routes import (
    asking,
    audio,
    batches,
    catalog,
    deliveries,
    endpoints,
    events,
    health,
    hooks,
    jobs,
    metrics,
    speech,
)
from mixdown.api.shield import surround
from mixdown.api.watching import RequestMetrics, Watching
from mixdown.audit import AuditLog
from mixdown.jobs.event_log import EventLog
from mixdown.keys import KeyRing, KeyStore
from mixdown.studio import Studio
from mixdown.telemetry import Telemetry
from mixdown.triggers import read_triggers

#: Of the modules of `mixdown.api.routes`.
ROUTERS: tuple[APIRouter, ...] = (
    asking.router,
    audio.router,
    batches.router,
    catalog.router,
    deliveries.router,
    endpoints.router,
    events.router,
    health.router,
    hooks.router,
    jobs.router,
    metrics.router,
    speech.router,
)


def create_app(studio: Studio, *, open_to_all: bool = False, telemetry: Telemetry | None = None) -> FastAPI:
    """The API over these ports. It opens nothing itself. `open_to_all`: no key is asked for until there is one."""
    app = FastAPI(
        title="Mixdown",
        version=__version__,
        description="Recordings in, broadcast-ready masters out, with proof.",
        responses={"default": {"model": Problem, "description": "What went wrong (RFC 9457)."}},
        docs_url=None,  # FastAPI's pages bring their scripts from elsewhere
        redoc_url=None,
    )
    audit, keys = AuditLog(studio.jobs.engine), KeyStore(studio.jobs.engine)
    door = Door(keys, open_to_all=open_to_all)
    app.state.desk = Desk(
        studio=studio,
        glances=Glances(studio.jobs.glances),
        keys=KeyRing(keys),
        limiter=Limiter(studio.settings),
        audit=audit,
        door=door,
    )
    surround(app, studio.settings, audit, door if open_to_all else None)
    app.state.registry = metrics.registry_of(studio.jobs.engine)
    app.add_middleware(Watching, metrics=RequestMetrics(app.state.registry), telemetry=telemetry or Telemetry())
    app.state.events = EventHub(EventLog(studio.jobs.engine))
    app.state.checkup = checkup_of(studio)
    app.state.triggers = read_triggers(studio.settings)
    check_triggers(app.state.desk, app.state.triggers)
    answer_problems(app)
    for router in ROUTERS:
        app.include_router(router)
    describe(app, (*asking.BODIES, *audio.BODIES))
    text = cache(lambda: page(app.openapi()))
    app.add_api_route("/docs", lambda: HTMLResponse(text()), include_in_schema=False)
    return app
