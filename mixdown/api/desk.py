"""What routes work with, and who is asking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Security
from fastapi.security import SecurityScopes

from mixdown.studio import Studio

#: What a key may be for.
SCOPES = {
    "read": "See one's own jobs, batches and results.",
    "write": "Ask for jobs, call them off, try them again.",
    "admin": "See and do the same with everybody's.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The ports of the API, opened once."""

    studio: Studio


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


def desk(request: Request) -> Desk:
    """The ports of this app."""
    found: Desk = request.app.state.desk
    return found


def caller(request: Request, wanted: SecurityScopes) -> Caller:
    """Who is asking, if they may ask for this at all."""
    return Caller(
        key_id=None,
        scopes=frozenset(SCOPES),
        address=request.client.host if request.client else "",
        request_id=request.headers.get("x-request-id", ""),
    )


TheDesk = Annotated[Desk, Depends(desk)]
Reader = Annotated[Caller, Security(caller, scopes=["read"])]
Writer = Annotated[Caller, Security(caller, scopes=["write"])]
Admin = Annotated[Caller, Security(caller, scopes=["admin"])]
