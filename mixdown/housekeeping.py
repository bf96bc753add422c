"""What has to be done now and then: nothing abandoned, nothing waiting, nothing left lying about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from mixdown.stages import deliver
from mixdown.studio import Studio

#: Notifications taken from the outbox at once.
_AT_ONCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Housekeeping:
    """What was found and done."""

    requeued: list[UUID]
    delivered: int
    swept: int  #: scratch folders and unfinished uploads that nobody will finish
    expired: int


def keep_house(studio: Studio) -> Housekeeping:
    """Queue abandoned jobs again, deliver what waits, sweep scratch, delete what has expired."""
    return Housekeeping(
        requeued=studio.jobs.reap(lease_s=studio.settings.lease_s),
        delivered=deliver_waiting(studio),
        swept=studio.sweep() + studio.objects.sweep(),
        expired=expire(studio),
    )


def deliver_waiting(studio: Studio) -> int:
    """Try every notification that is due once; returns how many were delivered."""
    delivered = 0
    while due := studio.jobs.due_deliveries(datetime.now(UTC), _AT_ONCE):
        delivered += sum(deliver(studio, delivery) for delivery in due)
    return delivered


def expire(studio: Studio) -> int:
    """Delete results older than the setting says; returns how many objects went."""
    days = studio.settings.keep_results_days
    if days is None:
        return 0
    uris = studio.jobs.expire(timedelta(days=days))
    for uri in uris:
        studio.objects.delete(uri)
    return len(uris)
