"""What routes work with, and who is asking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from anyio import to_thread
from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from starlette.exceptions import HTTPException

from mixdown.api.door import Door
from mixdown.api.glance import Glances
from mixdown.api.limits import Allowance, Limiter
from mixdown.audit import AuditLog
from mixdown.keys import SCOPES, Key, KeyRing
from mixdown.studio import Studio

_BEARER = HTTPBearer(auto_error=False, description="`mixdown keys create` makes one.", bearerFormat="mxd_…")
_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, description="The same key, in a header of its own.")

#: How a key is to be shown.
_CHALLENGE = 'Bearer realm="mixdown"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The ports of the API, opened once."""

    studio: Studio
    glances: Glances
    keys: KeyRing
    limiter: Limiter
    audit: AuditLog
    door: Door  #: stands open where nobody but this machine can ask, and there is no key


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who is asking."""

    key_id: UUID | None  #: None: keys are not asked for here
    scopes: frozenset[str]
    address: str  #: of the client
    request_id: str

    def may_see(self, key_id: UUID | None) -> bool:
        """Whether what was asked for with this key is any of its business; elsewhere it is not there."""
        return self.key_id is None or "admin" in self.scopes or self.key_id == key_id

    @property
    def owner(self) -> UUID | None:
        """Whose jobs are listed; None: everybody's."""
        return None if "admin" in self.scopes else self.key_id


async def desk(request: Request) -> Desk:  # not async, it would be called in a thread
    """The ports of this app."""
    found: Desk = request.app.state.desk
    return found


async def caller(
    request: Request,
    wanted: SecurityScopes,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    header: Annotated[str | None, Depends(_HEADER)],
) -> Caller:
    """Who is asking, if they may ask for this at all, and now."""
    at = await desk(request)
    address = request.client.host if request.client else ""
    key = None
    if not await at.door.is_open():
        key = await _identified(request, at, bearer.credentials if bearer else header, address)
        missing = set() if "admin" in key.scopes else set(wanted.scopes) - key.scopes
        if missing:
            scope = " ".join(sorted(missing))
            challenge = f'{_CHALLENGE}, error="insufficient_scope", scope="{scope}"'
            raise HTTPException(
                403, f"This key is not for that: it is no {scope} key.", {"www-authenticate": challenge}
            )
    found = Caller(
        key_id=key.id if key else None,
        scopes=key.scopes if key else frozenset(SCOPES),
        address=address,
        request_id=getattr(request.state, "request_id", ""),
    )
    request.state.caller = found
    return found


async def _identified(request: Request, at: Desk, secret: str | None, address: str) -> Key:
    """The key that is shown, which may ask this often."""
    if not secret:
        raise HTTPException(401, "A key is needed: Authorization: Bearer mxd_…", {"www-authenticate": _CHALLENGE})
    key = at.keys.remembered(secret) or await to_thread.run_sync(at.keys.find, secret)
    if key is None:
        _grant(request, await at.limiter.guess(address), "Too many keys that are none.")
        challenge = f'{_CHALLENGE}, error="invalid_token"'
        raise HTTPException(401, "This is not a key that opens anything here.", {"www-authenticate": challenge})
    _grant(request, await at.limiter.ask(str(key.id)), "Too many requests with this key.")
    return key


def _grant(request: Request, allowance: Allowance | None, refusal: str) -> None:
    """Have the answer tell what is left; nothing left is a 429."""
    if allowance is None:
        return
    request.state.allowance = allowance
    if not allowance.granted:
        raise HTTPException(429, refusal)


TheDesk = Annotated[Desk, Depends(desk)]
Reader = Annotated[Caller, Security(caller, scopes=["read"])]
Writer = Annotated[Caller, Security(caller, scopes=["write"])]
Admin = Annotated[Caller, Security(caller, scopes=["admin"])]
