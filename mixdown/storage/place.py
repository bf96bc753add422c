"""What holds objects, as the store sees it: a folder, a bucket."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What lies under a name."""

    size_bytes: int  #: -1: it is no object, but a folder, a link or the like
    sha256: str | None = None  #: of its bytes, where the place vouches for that; None: they have to be read
    media_type: str | None = None  #: where one is kept


class Place(Protocol):
    """Holds objects by name. It raises foreign errors, which `ObjectStore` translates."""

    @property
    def label(self) -> str:
        """What a message calls it; no secret in it."""

    @property
    def origin(self) -> str:
        """What has to serve for it to be there: `s3://bucket`; "" where that cannot be said."""

    @property
    def foreign_errors(self) -> tuple[type[Exception], ...]:
        """What it raises when it cannot."""

    @property
    def refusals(self) -> tuple[type[Exception], ...]:
        """Those of them that say "you may not"."""

    def uri(self, name: str) -> str:
        """The address of an object."""

    def name_of(self, uri: str) -> str | None:
        """The name of the object at an address; None: not here."""

    def look(self, name: str) -> Found | None:
        """What lies under a name; None: the name is free."""

    def glance(self, names: Collection[str]) -> dict[str, str]:
        """Those of these names that are taken, each with a mark that is another one when the object is."""

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of an object, in order."""

    def put(
        self, body: Iterable[bytes], name: str, *, sha256: str, media_type: str, replace: bool, durable: bool = True
    ) -> bool:
        """Store `body`, whole or not at all; FileExistsError where the name is taken, unless it may `replace`.

        The answer is whether it is sure to hold those very bytes now; False: reading them back would tell.
        What is not `durable` may be gone after a power cut.
        """

    def put_file(
        self, path: Path, name: str, *, sha256: str, media_type: str, replace: bool, durable: bool = True
    ) -> bool:
        """`put` for a finished file; one that need not be `durable` may be taken over instead of copied."""

    def copy(self, name: str, to: str, *, sha256: str, mark: str | None) -> bool:
        """Copy an object within this place, if it holds bytes of this SHA-256, to a free name.

        The answer is whether that name is sure to hold them now; False: it could not be done like this.
        `mark` is what `glance` said of the object. FileExistsError where the name was taken meanwhile.
        """

    def sync(self, names: Collection[str]) -> None:
        """Make these objects survive a power cut."""

    def signed_url(self, name: str, *, filename: str, expires_s: int) -> str | None:
        """An address at which anybody may fetch an object for so long, under this name; None: not here."""

    def delete(self, name: str) -> None:
        """Remove an object, if it is there."""

    def delete_below(self, prefixes: Collection[str]) -> None:
        """Remove everything under these prefixes."""

    def list_below(self, prefix: str) -> Iterator[tuple[str, int, datetime]]:
        """Name, size and time of every object under a prefix."""

    def sweep(self, *, older_than: timedelta) -> int:
        """Remove what killed processes left unfinished; how many it were."""

    def ping(self) -> None:
        """Raise unless it is there and lets us in."""
