"""What holds objects, as the store sees it: a folder, a bucket."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol


class Place(Protocol):
    """Holds objects by name. It raises foreign errors, which `ObjectStore` translates."""

    @property
    def label(self) -> str:
        """What a message calls it; no secret in it."""

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

    def size_bytes(self, name: str) -> int | None:
        """Size of an object; None: the name is free."""

    def fingerprint(self, name: str) -> str | None:
        """Equal fingerprints, equal bytes; None: cannot say without reading."""

    def media_type(self, name: str) -> str | None:
        """The media type kept with an object, if one is."""

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of an object, in order."""

    def put(self, body: Iterable[bytes], name: str, *, media_type: str, replace: bool) -> None:
        """Store `body`, whole or not at all; FileExistsError where the name is taken, unless it may `replace`."""

    def put_file(self, path: Path, name: str, *, media_type: str, replace: bool) -> None:
        """`put` for a finished file."""

    def copy(self, source: Place, name: str, to: str) -> bool:
        """Copy an object within this place without its bytes passing through here; False: that cannot be done.

        Where the name is taken, it may raise FileExistsError or replace what is there.
        """

    def delete(self, name: str) -> None:
        """Remove an object, if it is there."""

    def delete_below(self, prefix: str) -> None:
        """Remove everything under a prefix."""

    def list_below(self, prefix: str) -> Iterator[tuple[str, int, datetime]]:
        """Name, size and time of every object under a prefix."""

    def sweep(self, *, older_than: timedelta) -> int:
        """Remove what killed processes left unfinished; how many it were."""

    def ping(self) -> None:
        """Raise unless it is there and lets us in."""
