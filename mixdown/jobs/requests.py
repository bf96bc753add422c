"""Requests under a name of the client's: an idempotency key, or its own id of a job."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Engine, select, update

from mixdown.db import engine as database
from mixdown.db.engine import reading, writing
from mixdown.db.front_door import ApiRequest
from mixdown.errors import IdempotencyMismatch
from mixdown.jobs.rows import INSERT

#: Whose requests they are where no keys are asked for.
_NOBODY = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """What a client calls a request of its own."""

    key_id: UUID | None
    scope: str  #: names of one kind of request mean nothing to the others
    name: str

    @property
    def owner(self) -> str:
        """Whose it is, for the ledger."""
        return str(self.key_id or _NOBODY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What became of a request; nothing yet where it is just being written down."""

    job_id: UUID | None = None
    batch_id: UUID | None = None


class RequestStore:
    """Each method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(self, name: Name, request_digest: str) -> Known:
        """Note a request under its name, and tell what became of it before.

        Raises
        ------
        IdempotencyMismatch
            Another request has this name.
        """
        row = {"owner": name.owner, "scope": name.scope, "name": name.name, "request_digest": request_digest}
        with writing(self._engine) as connection:
            connection.execute(
                INSERT[connection.dialect.name](ApiRequest).on_conflict_do_nothing(),
                {**row, "created_at": database.now(connection)},
            )
            found = connection.execute(
                select(ApiRequest.request_digest, ApiRequest.job_id, ApiRequest.batch_id).where(*_is(name))
            ).one()
        if found.request_digest != request_digest:
            raise IdempotencyMismatch
        return Known(job_id=found.job_id, batch_id=found.batch_id)

    def settle(self, name: Name, known: Known) -> None:
        """Note what became of a request."""
        with writing(self._engine) as connection:
            connection.execute(
                update(ApiRequest).where(*_is(name)).values(job_id=known.job_id, batch_id=known.batch_id)
            )

    def find(self, name: Name) -> Known | None:
        """What became of a request; None: there is none of this name."""
        with reading(self._engine) as connection:
            return _find(connection, name)


def _find(connection: Connection, name: Name) -> Known | None:
    row = connection.execute(select(ApiRequest.job_id, ApiRequest.batch_id).where(*_is(name))).one_or_none()
    return None if row is None else Known(job_id=row.job_id, batch_id=row.batch_id)


def _is(name: Name) -> tuple[ColumnElement[bool], ...]:
    return (ApiRequest.owner == name.owner, ApiRequest.scope == name.scope, ApiRequest.name == name.name)
