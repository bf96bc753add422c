"""What has to be done now and then: nothing abandoned, nothing waiting, nothing left lying about."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from mixdown.notices import deliver_waiting
from mixdown.owner import is_alive
from mixdown.sharing import expire_shared
from mixdown.storage import SPEECH, STAGED, staged_key
from mixdown.studio import Studio
from mixdown.triggers.seen import HookMessages

#: Jobs looked up at once.
_CHUNK = 500

#: Copies of local files that were shared are kept so long after the last job that needed them.
_SHARED_DAYS = 7.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Housekeeping:
    """What was found and done."""

    requeued: list[UUID]
    delivered: int
    swept: int  #: scratch folders and unfinished uploads that nobody will finish
    expired: int
    forgotten: int  #: webhooks that came in long ago


def keep_house(studio: Studio) -> Housekeeping:
    """Queue abandoned jobs again, deliver what waits, sweep scratch, delete what has expired."""
    return Housekeeping(
        requeued=studio.jobs.requeue_lost(lease_s=studio.settings.lease_s, is_alive=is_alive),
        delivered=deliver_waiting(studio),
        swept=studio.sweep() + studio.objects.sweep() + sweep_staged(studio),
        expired=expire(studio) + expire_speech(studio) + expire_shared(studio, _SHARED_DAYS),
        forgotten=HookMessages(studio.jobs.engine).sweep(),
    )


def sweep_staged(studio: Studio) -> int:
    """Delete what was staged for jobs that have ended since: their process died in between. How many objects."""
    staged: dict[UUID, int] = {}
    for key, _, _ in studio.objects.list(STAGED):
        with suppress(ValueError):  # not ours
            job_id = UUID(key.split("/")[1])
            staged[job_id] = staged.get(job_id, 0) + 1
    jobs = [*staged]
    over = [
        record.id
        for start in range(0, len(jobs), _CHUNK)
        for record in studio.jobs.read(jobs[start : start + _CHUNK])
        if record.status.ended
    ]
    studio.objects.delete_prefixes([staged_key(job_id, "") for job_id in over])
    return sum(staged[job_id] for job_id in over)


def expire_speech(studio: Studio) -> int:
    """Delete chunks of speech that are older than results are kept; returns how many."""
    days = studio.settings.keep_results_days
    if days is None:
        return 0
    before = datetime.now(UTC) - timedelta(days=days)
    old = [key for key, _, at in studio.objects.list(SPEECH) if at < before]
    for key in old:
        studio.objects.delete(studio.objects.uri(key))
    return len(old)


def expire(studio: Studio) -> int:
    """Delete results older than the setting says; returns how many objects went."""
    days = studio.settings.keep_results_days
    if days is None:
        return 0
    uris = studio.jobs.expire(timedelta(days=days))
    for uri in uris:
        studio.objects.delete(uri)
    return len(uris)
