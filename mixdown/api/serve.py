"""The API as a process: a socket, uvicorn around the app, and an end in order."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine, or_, select

from mixdown import logs, telemetry
from mixdown.api.app import create_app
from mixdown.api.patience import PatientProtocol
from mixdown.db import engine as database
from mixdown.db.front_door import ApiKey
from mixdown.errors import InvalidRequest
from mixdown.listening import BACKLOG, is_loopback, listening, url_of
from mixdown.studio import Studio

#: How long answers under way may take when the API is stopped.
_STOP_S = 10

#: How long a connection may rest between two requests: longer than the minute of most proxies in front.
_REST_S = 65


class _Server(uvicorn.Server):
    """Streams of events are ended first, for they do not end by themselves; listeners resume later."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let what is under way come to its end."""
        app = self.config.app
        if isinstance(app, FastAPI):
            await asyncio.to_thread(app.state.events.close)
        await super().shutdown(sockets)


def serve(studio: Studio, *, host: str, port: int, ready: Callable[[str], None] = lambda _: None) -> None:
    """Answer at this address until SIGINT or SIGTERM; `ready` is told the address when it listens.

    On an address of this machine alone nobody is asked for a key until there is one.
    """
    open_to_all = is_loopback(host) and not has_keys(studio.jobs.engine)
    if not is_loopback(host):
        refuse_unprotected(studio.jobs.engine, host)
    logs.configure(studio.settings.log_format)
    with (
        listening(host, port) as listener,
        closing(telemetry.begin(studio.settings, service="mixdown-api")) as told,
    ):
        server = _Server(_config(create_app(studio, open_to_all=open_to_all, telemetry=told)))
        # What is there now stays: looking through it for garbage would hold up all answers for 0.3 s each time.
        gc.collect()
        gc.freeze()
        ready(url_of(host, listener.getsockname()[1]))
        with _ends_well():
            server.run([listener])


def refuse_unprotected(engine: Engine, host: str) -> None:
    """InvalidRequest unless there is a key: others reach this address."""
    if not has_keys(engine):
        raise InvalidRequest(
            f"Others reach {host}, and there is no API key yet. Make one first: mixdown keys create NAME."
        )


def has_keys(engine: Engine) -> bool:
    """Whether there is a key that still opens something."""
    with database.reading(engine) as connection:
        usable = select(ApiKey.id).where(
            ApiKey.revoked_at.is_(None),
            or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > database.now(connection)),
        )
        return connection.execute(usable.limit(1)).first() is not None


def _config(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=PatientProtocol,
        ws="none",
        log_config=None,  # ours: mixdown.logs
        access_log=False,  # it would write down queries
        server_header=False,
        timeout_keep_alive=_REST_S,
        timeout_graceful_shutdown=_STOP_S,
        backlog=BACKLOG,
    )


@contextmanager
def _ends_well() -> Iterator[None]:
    """Once it has stopped, uvicorn sends the signal again, to whom it belonged before: nobody needs it any more."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
