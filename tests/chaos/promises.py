"""What must be true in the end, whatever happened; each broken promise is a sentence with its evidence."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from mixdown.housekeeping import keep_house
from mixdown.jobs import JobStore
from mixdown.model import JobEvent, JobRecord, Status
from mixdown.notices import deliver
from mixdown.studio import Studio, objects_of
from tests.chaos.house import House
from tests.chaos.items import Item

_PAGE = 500
#: Evidence of as many jobs as anyone reads.
_MOST_SHOWN = 8
#: Later than the last attempt of any schedule.
_LATER = timedelta(days=1)


@dataclass(slots=True)
class Findings:
    """What was found when all was over."""

    broken: list[str] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    attempts: int = 0
    most_attempts: int = 0  #: at one job; one more than five, and it is given up
    objects: int = 0
    drained: int = 0  #: notifications that were still waiting for their next attempt
    swept: int = 0  #: leftovers that housekeeping took away

    def add(self, sentence: str, evidence: list[str] | None = None) -> None:
        """One more broken promise."""
        shown = "".join(f"\n    {line}" for line in (evidence or [])[:_MOST_SHOWN])
        more = f"\n    … and {len(evidence) - _MOST_SHOWN} more" if evidence and len(evidence) > _MOST_SHOWN else ""
        self.broken.append(sentence + shown + more)


def check(house: House, batch_id: UUID, items: list[Item]) -> Findings:
    """Hold the ledger, the bucket, the receiver and the disk against what was promised."""
    found = Findings()
    jobs = list(_jobs(house.studio.jobs, batch_id))
    events = {job.id: house.studio.jobs.events(job.id) for job in jobs}
    found.attempts = sum(job.attempts for job in jobs)
    found.most_attempts = max((job.attempts for job in jobs), default=0)
    found.states = Counter(job.status.value for job in jobs)
    found.events = Counter(event.kind for history in events.values() for event in history)
    _every_item_ended_as_it_must(found, jobs, events, items)
    _drain(found, house, jobs)
    _webhooks_arrived(found, house, jobs)
    found.swept = keep_house(house.studio).swept
    _one_object_each(found, house, jobs)
    left = [str(path.relative_to(house.scratch)) for path in house.scratch.rglob("*") if path.is_file()]
    if left:
        found.add(f"{len(left)} files were left in the scratch folder.", left)
    return found


def _jobs(jobs: JobStore, batch_id: UUID) -> Iterator[JobRecord]:
    last: UUID | None = None
    while page := jobs.list(batch_id=batch_id, limit=_PAGE, after=last):
        yield from page
        last = page[-1].id


def _every_item_ended_as_it_must(
    found: Findings, jobs: list[JobRecord], events: dict[UUID, list[JobEvent]], items: list[Item]
) -> None:
    expected = {item.uri: item for item in items}
    seen = Counter(job.spec.source.uri for job in jobs)
    wrong_number = [f"{uri}: {seen[uri]} jobs" for uri in {*seen, *expected} if seen[uri] != (uri in expected)]
    if wrong_number:
        found.add(f"{len(wrong_number)} items have not exactly one job.", wrong_number)
    for job in jobs:
        item = expected.get(job.spec.source.uri)
        history = events[job.id]
        kinds = Counter(event.kind for event in history)
        wanted = Status.succeeded if item is None or item.code is None else Status.failed
        code = item.code if item else None
        if job.status is not wanted or job.error_code != code:
            ended = f"{job.status.value} ({job.error_code}: {job.error_detail})"
            found.add(f"{job.spec.filename} should have {wanted.value} ({code}), but has {ended}.", _lines(history))
        elif kinds["succeeded"] + kinds["failed"] != 1:
            found.add(
                f"{job.spec.filename} has ended {kinds['succeeded'] + kinds['failed']} times.", _lines(history)
            )


def _lines(history: list[JobEvent]) -> list[str]:
    """The end of a history, on one line each."""
    texts = [f"{each.at:%H:%M:%S.%f} {each.kind} {each.detail or ''}" for each in history]
    return ["; ".join(texts[-24:])]


def _drain(found: Findings, house: House, jobs: list[JobRecord]) -> None:
    """Send what still waits, as the schedule would in the days to come, to a receiver that takes it now."""
    house.receiver.kind.set()
    later = datetime.now(UTC) + _LATER
    ours = {job.id for job in jobs}
    house.studio.jobs.served([outage.dependency for outage in house.studio.jobs.outages()])
    while due := house.studio.jobs.due_deliveries(later, 100):
        found.drained += sum(delivery.job_id in ours for delivery in due)
        deliver(house.studio, due)


def _webhooks_arrived(found: Findings, house: House, jobs: list[JobRecord]) -> None:
    receiver = house.receiver
    missing, several = [], []
    for job in jobs:
        ids = [str(each.id) for each in house.studio.jobs.deliveries(job.id)]
        if len(ids) != 1:
            several.append(f"{job.spec.filename}: {len(ids)} notifications")
        if not any(receiver.taken[name] for name in ids):
            last = [each.last_answer for each in house.studio.jobs.deliveries(job.id)]
            missing.append(f"{job.spec.filename} ({job.status.value}): {last}")
    if missing:
        found.add(f"The webhooks of {len(missing)} jobs never arrived.", missing)
    if several:
        found.add(f"{len(several)} jobs have not exactly one notification.", several)
    changed = [name for name, digests in receiver.contents.items() if len(digests) > 1]
    if changed:
        found.add(f"{len(changed)} webhook ids came with different contents.", changed)
    known = {str(each.id) for job in jobs for each in house.studio.jobs.deliveries(job.id)}
    foreign = sorted(set(receiver.contents) - known)
    if foreign:
        found.add(f"{len(foreign)} webhook ids came that the ledger does not know.", foreign)
    if receiver.unsigned:
        found.add(f"{receiver.unsigned} webhooks were not signed.")


def _one_object_each(found: Findings, house: House, jobs: list[JobRecord]) -> None:
    """Nothing in the bucket but what results name, each with the bytes that the ledger knows."""
    s3, studio = house.s3, house.studio
    root = f"{studio.objects.root.removeprefix(f's3://{s3.bucket}').strip('/')}/"
    there = {key.removeprefix(root): key for key in s3.object_keys() if key.startswith(root)}
    named: dict[str, str] = {}
    for job in jobs:
        for stored in objects_of(job.result) if job.result else []:
            named[_key(studio, stored.uri)] = stored.sha256
    found.objects = len(named)
    orphans = sorted(set(there) - set(named))
    if orphans:
        whose = {str(job.id): job for job in jobs}
        owners = {key.split("/")[1] for key in orphans} & set(whose)
        histories = [f"{job_id}: {_lines(studio.jobs.events(UUID(job_id)))[0]}" for job_id in sorted(owners)]
        found.add(f"{len(orphans)} objects belong to no result.", orphans)
        if histories:
            found.add(f"They were staged by {len(histories)} jobs, all of which have ended.", histories)
    gone = sorted(set(named) - set(there))
    if gone:
        found.add(f"{len(gone)} objects of results are not there.", gone)
    damaged = [
        name
        for name, sha256 in named.items()
        if name in there and hashlib.sha256(_body(house, there[name])).hexdigest() != sha256
    ]
    if damaged:
        found.add(f"{len(damaged)} objects are not what was stored.", damaged)
    made = [job for job in jobs if job.result and not job.result.reused]
    masters = Counter(master.object.uri for job in made for master in job.result.renditions if job.result)
    shared = [f"{uri}: {count} jobs" for uri, count in masters.items() if count > 1]
    if shared:
        found.add(f"{len(shared)} masters belong to several jobs.", shared)
    delivered = Counter(master.delivered_uri for job in jobs if job.result for master in job.result.renditions)
    copies = {f"s3://{s3.bucket}/{key}" for key in s3.object_keys()}
    copies = {uri for uri in copies if uri.startswith(f"{house.delivered_url}/")}
    unlike = [f"{uri}: {delivered[uri]} jobs" for uri in {*copies, *delivered} if delivered[uri] != (uri in copies)]
    if unlike:
        found.add(f"{len(unlike)} delivered copies are not just what the jobs say.", unlike)
    if uploads := s3.uploads():
        found.add(f"{len(uploads)} uploads in parts were left unfinished.", [key for key, _ in uploads])


def _key(studio: Studio, uri: str) -> str:
    return uri.removeprefix(studio.objects.root).lstrip("/")


def _body(house: House, key: str) -> bytes:
    body: bytes = house.s3.client.get_object(Bucket=house.s3.bucket, Key=key)["Body"].read()
    return body
