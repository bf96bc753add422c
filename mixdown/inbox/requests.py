"""Recordings that are held become jobs."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from mixdown.inbox.port import Held
from mixdown.items import Defaults, Item, requests_of
from mixdown.model import JobRecord, Source, digest
from mixdown.storage import safe_name
from mixdown.studio import Studio
from mixdown.submission import accept_keyed


def key_of(held: Held) -> str:
    """The key of a recording's job in the ledger: where it lies is its own, whatever is asked of it."""
    return digest("inbox", held.source.uri)


def ask(studio: Studio, held: Sequence[Held], defaults: Defaults, batch_id: UUID) -> list[JobRecord]:
    """The job of each recording, made or found."""
    items = (_item(each, defaults) for each in held)
    requests = zip(requests_of(items, defaults), map(key_of, held), strict=True)
    return accept_keyed(
        studio,
        ((spec, item, key) for (spec, item), key in requests),
        batch_id=batch_id,
        share=studio.settings.cluster not in ("", "threads"),
    )


def refuse_nonsense(defaults: Defaults) -> None:
    """Raise InvalidRequest for what no recording could be asked, before any is touched."""
    for _ in requests_of([Item(source=Source(uri="/"))], defaults):
        pass


def _item(held: Held, defaults: Defaults) -> Item:
    """A recording in a folder of the inbox has its masters in a folder of that name."""
    *folders, _ = held.name.split("/")
    if not folders or not defaults.deliver_to:
        return Item(source=held.source, size_bytes=held.size_bytes)
    below = "/".join([defaults.deliver_to.rstrip("/"), *map(safe_name, folders)])
    return Item(source=held.source, size_bytes=held.size_bytes, parameters={"deliver_to": below})
