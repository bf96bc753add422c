"""What surrounds every route: limits of bodies, strange pages kept out, headers, the audit. Plain ASGI."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
import time
from asyncio import wrap_future
from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from fastapi import (  # not Starlette's: FastAPI takes that one for a bug while it reads a body
    FastAPI,
    HTTPException,
)
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mixdown.api.door import Door
from mixdown.api.problems import of_a_bug, problem
from mixdown.audit import AuditLog, Deed
from mixdown.errors import DatabaseUnavailable
from mixdown.settings import Settings

_log = logging.getLogger(__name__)

#: Routes that take uploads; they count the bytes of each file themselves.
UPLOADS = frozenset({"/v1/jobs", "/v1/batches", "/api/audio/process", "/api/audio/batch"})

#: A body may rest this long, in seconds; in all, it must not be slower than this, after a grace.
_REST_S, _GRACE_S, _SLOWEST_BYTES_PER_S = 20.0, 30.0, 1024.0

_CLOSE = {"connection": "close"}

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")

#: Said with every answer. Pages of ours load nothing and are framed by nobody.
_SECURITY = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}

#: The page about the API has its style in itself.
_DOCS = "/docs"
_DOCS_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

#: What the methods of HTTP do, where the address says nothing nearer.
_DEEDS = {"GET": "read", "HEAD": "read", "POST": "create", "PUT": "change", "PATCH": "change", "DELETE": "delete"}


class Surround:
    """The outermost: an id for each request, and headers for each answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        state = scope.setdefault("state", {})
        state["request_id"] = given if _REQUEST_ID.fullmatch(given) else uuid4().hex

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _SECURITY.items():
                    headers.setdefault(name, value)
                if scope["path"] == _DOCS:
                    headers["content-security-policy"] = _DOCS_POLICY
                if scope.get("scheme") == "https":
                    headers.setdefault("strict-transport-security", "max-age=31536000")
                headers["x-request-id"] = state["request_id"]
                if allowance := state.get("allowance"):
                    headers.update(allowance.headers)
            await send(message)

        await self.app(scope, receive, with_headers)


class OwnPagesOnly:
    """Where no keys are asked for, a browser on this machine must not be made to ask for a stranger's page."""

    def __init__(self, app: ASGIApp, door: Door, origins: Collection[str]) -> None:
        self.app = app
        self.door = door
        self.origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, unless a page of somebody else's is behind it."""
        if scope["type"] == "http" and await self.door.is_open():
            headers = Headers(scope=scope)
            host, origin = headers.get("host", ""), headers.get("origin")
            ours = origin is None or origin in self.origins or origin.partition("//")[2] == host
            if not (ours and _is_no_domain(host)):
                answer = problem(403, "forbidden", "Without keys, this is for programs of this machine only.")
                await answer(scope, receive, send)
                return
        await self.app(scope, receive, send)


class BoundedBody:
    """Bodies that are too long or too slow are refused: what is read is counted, whatever was announced."""

    def __init__(
        self, app: ASGIApp, most_bytes: int, *, rest_s: float = _REST_S, grace_s: float = _GRACE_S
    ) -> None:
        self.app = app
        self.most_bytes = most_bytes
        self.rest_s = rest_s
        self.grace_s = grace_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, whose body is bounded."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        is_upload = scope["path"] in UPLOADS and headers.get("content-type", "").lower().startswith("multipart/")
        most_bytes = None if is_upload else self.most_bytes
        announced = headers.get("content-length", "")
        if most_bytes is not None and announced.isdecimal() and int(announced[:19]) > most_bytes:
            answer = problem(413, "too_large", _too_large(most_bytes), headers=_CLOSE)
            await answer(scope, receive, send)
            return
        await self.app(scope, _Counted(receive, most_bytes, self.rest_s, self.grace_s), send)


class _Counted:
    """`receive`, with a count of bytes and of the time that was waited for them."""

    def __init__(self, receive: Receive, most_bytes: int | None, rest_s: float, grace_s: float) -> None:
        self._receive = receive
        self._most_bytes = most_bytes
        self._rest_s = rest_s
        self._grace_s = grace_s
        self._got_bytes = 0
        self._waited_s = 0.0
        self._complete = False

    async def __call__(self) -> Message:
        if self._complete:  # waits for the client to leave, which may take as long as it likes
            return await self._receive()
        began_s = time.monotonic()
        left_s = self._grace_s + self._got_bytes / _SLOWEST_BYTES_PER_S - self._waited_s
        try:
            async with asyncio.timeout(max(0.0, min(self._rest_s, left_s))):
                message = await self._receive()
        except TimeoutError as error:
            raise HTTPException(408, "The body of the request came too slowly.", _CLOSE) from error
        self._waited_s += time.monotonic() - began_s
        self._got_bytes += len(message.get("body", b""))
        self._complete = message["type"] != "http.request" or not message.get("more_body", False)
        if self._most_bytes is not None and self._got_bytes > self._most_bytes:
            raise HTTPException(413, _too_large(self._most_bytes), _CLOSE)
        return message


class Audited:
    """What callers did is written down, by what is known of the route."""

    def __init__(self, app: ASGIApp, log: AuditLog) -> None:
        self.app = app
        self.log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; what it changed is written down before the answer goes out."""

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                await self._note(scope, message)
            await send(message)

        await self.app(scope, receive, noted if scope["type"] == "http" else send)

    async def _note(self, scope: Scope, message: Message) -> None:
        caller = scope.get("state", {}).get("caller")
        if caller is None:
            return
        action, subject = _deed(scope, Headers(raw=message["headers"]))
        deed = Deed(
            key_id=caller.key_id,
            action=action,
            subject=subject,
            address=caller.address,
            request_id=caller.request_id,
            detail={"status": message["status"]},
        )
        if action == "read":
            self.log.note_read(deed)
            return
        try:
            await asyncio.shield(wrap_future(self.log.note(deed)))
        except DatabaseUnavailable:
            # It is done and must be answered; the log keeps the row for when the database is back.
            _log.warning("The audit log waits for the database.")


def _deed(scope: Scope, answered: Headers) -> tuple[str, str]:
    """What a request did, and to what: `POST /v1/jobs/1a2b/cancel` is a `cancel` of `/v1/jobs/1a2b`."""
    path: str = scope["path"].rstrip("/")
    action = _DEEDS.get(scope["method"], scope["method"].lower())
    if action != "create":
        return action, path
    parent, _, last = path.rpartition("/")
    values = {str(value) for value in scope.get("path_params", {}).values()}
    if parent.rpartition("/")[2] in values and last not in values:
        return last[:64], parent
    return action, urlsplit(answered.get("location", path)).path


def _is_no_domain(host: str) -> bool:
    """Whether a host is an address, or a name without a dot: no DNS of a stranger can point it here."""
    name = re.sub(r":\d*$", "", host).removeprefix("[").removesuffix("]")
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "." not in name
    return True


def _too_large(most_bytes: int) -> str:
    return f"The body of a request is at most {most_bytes} bytes long."


def surround(app: FastAPI, settings: Settings, audit: AuditLog, door: Door | None) -> None:
    """Put all of this around an app, the outermost last."""
    origins = [each.strip().rstrip("/") for each in settings.cors_origins.split(",") if each.strip()]
    app.add_middleware(Audited, log=audit)
    app.add_middleware(BoundedBody, most_bytes=settings.max_request_bytes)
    # Here besides at Starlette's place, which is outside of all this: what a bug is answered with has headers too.
    app.add_middleware(ServerErrorMiddleware, handler=of_a_bug)
    if origins:
        app.add_middleware(CORSMiddleware, **_cors(origins))
    if door is not None:
        app.add_middleware(OwnPagesOnly, door=door, origins=origins)
    app.add_middleware(Surround)


def _cors(origins: list[str]) -> dict[str, Any]:
    """What Starlette's CORS is told. Cookies are never used, so no origin is trusted with credentials."""
    return {
        "allow_origins": origins,
        "allow_methods": ["GET", "POST", "PUT", "PATCH", "DELETE"],
        "allow_headers": ["Authorization", "Idempotency-Key", "Last-Event-ID", "X-API-Key", "X-Request-Id"],
        "allow_credentials": False,
        "expose_headers": [
            "Location",
            "RateLimit-Limit",
            "RateLimit-Policy",
            "RateLimit-Remaining",
            "RateLimit-Reset",
            "Retry-After",
            "X-Request-Id",
        ],
    }
