"""Every request: a name of its own, a line in the log without body and query, and a place in the metrics."""

from __future__ import annotations

import logging
import re
import time
from uuid import uuid4

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mixdown.telemetry import Telemetry

_log = logging.getLogger("mixdown.api")

#: What a client may call its request.
_NAME = re.compile(r"[A-Za-z0-9._:-]{1,64}")

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

#: Asked every few seconds by machines: no line in the log unless something is wrong.
_QUIET = {"/health", "/health/live", "/health/ready", "/metrics"}

_TOOK_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class RequestMetrics:
    """Counts and times of requests, by route: not by address, of which there are as many as jobs."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.answered = Counter(
            "mixdown_http_requests", "Requests answered.", ["method", "route", "status"], registry=registry
        )
        self.seconds = Histogram(
            "mixdown_http_request_seconds",
            "From the head of a request to the end of its answer; streams of events are left out.",
            ["method", "route"],
            buckets=_TOOK_S,
            registry=registry,
        )
        self.open = Gauge("mixdown_http_requests_open", "Requests being answered.", registry=registry)


class Watching:
    """An ASGI app around another, the outermost: `x-request-id` of a request is a good name from here on."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics, telemetry: Telemetry) -> None:
        self._app = app
        self._metrics = metrics
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and note how it went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _named(scope)
        started_s = time.perf_counter()
        status, streams = 0, False

        async def tell(message: Message) -> None:
            nonlocal status, streams
            if message["type"] == "http.response.start":
                status = message["status"]
                streams = Headers(raw=message["headers"]).get("content-type", "").startswith("text/event-stream")
            await send(message)

        with (
            self._metrics.open.track_inprogress(),
            structlog.contextvars.bound_contextvars(request=request_id),
            self._telemetry.request(scope["method"], Headers(scope=scope)) as told,
        ):
            without_answer = 500  # a bug, which is answered farther out
            try:
                await self._app(scope, receive, tell)
                without_answer = 499  # as proxies say: the client was gone before there was one
            finally:
                status = status or without_answer
                told |= {"http.route": _route(scope), "http.response.status_code": status}
                self._note(scope, status, None if streams else time.perf_counter() - started_s)

    def _note(self, scope: Scope, status: int, took_s: float | None) -> None:
        route, method = _route(scope), scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.answered.labels(method, route, str(status)).inc()
        if took_s is not None:
            self._metrics.seconds.labels(method, route).observe(took_s)
        if route in _QUIET and status < 400:
            return
        client = scope.get("client")
        about = {
            "method": method,
            "path": scope["path"][:256],
            "status": status,
            "took_s": None if took_s is None else round(took_s, 4),
            "address": client[0] if client else "",
        }
        _log.info("%s %s answered with %d", method, about["path"], status, extra=about)


def _named(scope: Scope) -> str:
    """The name of a request; routes find it among its headers."""
    given = Headers(scope=scope).get("x-request-id", "")
    request_id = given if _NAME.fullmatch(given) else uuid4().hex
    others = [(name, value) for name, value in scope["headers"] if name != b"x-request-id"]
    scope["headers"] = [*others, (b"x-request-id", request_id.encode("ascii"))]
    return request_id


def _route(scope: Scope) -> str:
    return str(getattr(scope.get("route"), "path", "") or "unknown")
