"""Lists come in pages: newest first, each naming the address of the next one."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Protocol
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Request
from pydantic import AfterValidator, AwareDatetime, Field

from mixdown.errors import InvalidRequest
from mixdown.jobs.pages import Place

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Dated(Protocol):
    """What is listed by its time."""

    @property
    def id(self) -> UUID:
        """Its name."""

    @property
    def created_at(self) -> datetime:
        """When it was asked for."""


def _in_utc(moment: datetime) -> datetime:
    """The moment in UTC; ValueError where the calendar ends before that."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("this moment is beyond the calendar") from error


#: A moment that a client names, with its time zone.
Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]

LIMIT: Any = Field(default=50, ge=1, le=500, description="How many at most.")
CURSOR: Any = Field(
    default=None, max_length=200, description="Where to go on: as the `next` of the page before has it."
)


def place_of(cursor: str | None) -> Place | None:
    """The place that a cursor names; InvalidRequest where it is none of ours."""
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True).decode("ascii")
        micros, _, name = text.partition(".")
        return Place(created_at=_EPOCH + timedelta(microseconds=int(micros)), id=UUID(name))
    except (ValueError, OverflowError, binascii.Error) as error:
        raise InvalidRequest("This cursor is none of ours: follow the `next` of a page.") from error


def next_url(request: Request, entries: Sequence[Dated], limit: int) -> str | None:
    """The address of the page behind these entries; None: they are the last."""
    if len(entries) <= limit:
        return None
    last = entries[limit - 1]
    micros = (last.created_at - _EPOCH) // timedelta(microseconds=1)
    cursor = base64.urlsafe_b64encode(f"{micros}.{last.id.hex}".encode()).decode()
    asked: list[tuple[str, Any]] = [each for each in request.query_params.multi_items() if each[0] != "cursor"]
    return f"{request.url.path}?{urlencode([*asked, ('cursor', cursor)])}"
