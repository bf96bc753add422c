"""What has to be done now and then: nothing abandoned, nothing waiting, nothing left lying about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from mixdown.notices import deliver_waiting
from mixdown.owner import is_alive
from mixdown.sharing import expire_shared
from mixdown.studio import Studio

#: Copies of local files that were shared are kept so long after the last job that needed them.
_SHARED_DAYS = 7.0


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
        requeued=studio.jobs.requeue_lost(lease_s=studio.settings.lease_s, is_alive=is_alive),
        delivered=deliver_waiting(studio),
        swept=studio.sweep() + studio.objects.sweep(),
        expired=expire(studio) + expire_shared(studio, _SHARED_DAYS),
    )


def expire(studio: Studio) -> int:
    """Delete results older than the setting says; returns how many objects went."""
    days = studio.settings.keep_results_days
    if days is None:
        return 0
    uris = studio.jobs.expire(timedelta(days=days))
    for uri in uris:
        studio.objects.delete(uri)
    return len(uris)
