"""An address becomes an inbox, unless that would take in what Mixdown itself makes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mixdown.errors import InvalidRequest
from mixdown.inbox.folder import FolderInbox
from mixdown.inbox.names import OWN
from mixdown.inbox.port import Inbox
from mixdown.storage import path_of
from mixdown.studio import Studio

#: Silence of a file after which it counts as complete.
SETTLE_S = 10.0


def open_inbox(where: str, studio: Studio, *, deliver_to: str | None = None, settle_s: float = SETTLE_S) -> Inbox:
    """The inbox at a folder or an `s3://` prefix; masters delivered below it are not taken in again.

    Raises
    ------
    InvalidRequest
        There is no such folder, it can be no inbox, or it would swallow results or masters.
    """
    results = studio.objects.root
    if where[:5].lower() == "s3://":
        from mixdown.inbox.bucket import BucketInbox  # here: it takes a second, and not everyone uses S3

        address = f"s3://{where[5:].strip('/')}"
        masters = [deliver_to.rstrip("/")] if deliver_to and deliver_to.startswith("s3://") else []
        _refuse(f"{address}/", [f"{results.rstrip('/')}/"], [f"{place}/" for place in masters])
        return BucketInbox(address, studio.s3, left_out=masters)
    path = _folder(where)
    home = studio.settings.home.resolve()
    own = [home, studio.settings.effective_scratch.resolve(), *_local([results])]
    local = _local([deliver_to] if deliver_to else [])
    _refuse(f"{path}/", [f"{place}/" for place in own], [f"{place}/" for place in local])
    return FolderInbox(path, settle_s=settle_s, left_out=local)


def _folder(where: str) -> Path:
    path = path_of(str(Path(where).expanduser()) if where.startswith("~") else where) if where else None
    if path is None or "\0" in where:
        raise InvalidRequest("An inbox is a folder of this machine, or an s3:// prefix.")
    if not path.is_dir():
        raise InvalidRequest(f"There is no folder “{path.name}” to take recordings from.")
    return path.resolve()


def _local(places: Iterable[str]) -> list[Path]:
    paths = [path_of(str(Path(place).expanduser()) if place.startswith("~/") else place) for place in places]
    return [path.resolve() for path in paths if path is not None]


def _refuse(inbox: str, own: Iterable[str], masters: Iterable[str]) -> None:
    """InvalidRequest where what Mixdown makes would come in again; all with a slash at their end."""
    if any(place.startswith(inbox) for place in own):
        raise InvalidRequest("Mixdown's own results lie in this inbox: they would be taken for recordings.")
    taken = [inbox, *(f"{inbox}{name}/" for name in OWN)]
    if any(place in taken for place in masters):
        raise InvalidRequest("Masters need a folder of their own: in the inbox they would be taken for recordings.")
