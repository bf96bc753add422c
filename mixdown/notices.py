"""The last stage: whoever asked to be told of the end of a job is told."""

from __future__ import annotations

import logging
import random
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import NAMESPACE_URL, UUID, uuid5

from mixdown.jobs import Attempt
from mixdown.model import Delivery, JobRecord, Outage
from mixdown.studio import Studio
from mixdown.webhooks import payload_for, receiver_of, retry_at

logger = logging.getLogger(__name__)

#: Receivers are waited for, side by side.
_AT_ONCE = 8

#: Notifications taken from the outbox at once.
_CHUNK = 100

#: How far those for a receiver that is down are spread, so that they do not come back to it in one moment.
_SPREAD_S = 30.0


def deliveries_for(record: JobRecord, now: datetime) -> list[Delivery]:
    """The outbox rows of a job that has ended. The same end of the same claim gives the same ids."""
    return [
        Delivery(
            id=uuid5(NAMESPACE_URL, f"{record.id}/{record.fence}/{target.address}"),
            job_id=record.id,
            target=target,
            payload=payload_for(record),
            next_attempt_at=now,
        )
        for target in record.spec.notify
    ]


def notify(studio: Studio, job_ids: Collection[UUID]) -> int:
    """Tell whoever asked to be told of these jobs; a receiver that does not answer stays in the outbox."""
    return deliver(studio, studio.jobs.take_deliveries(job_ids, datetime.now(UTC)))


def tell_of_batch(studio: Studio, batch_id: UUID) -> int:
    """Tell whoever wants to know of a whole batch, where it has ended."""
    return deliver(studio, studio.jobs.take_digests(batch_id, datetime.now(UTC)))


def deliver_waiting(studio: Studio) -> int:
    """Try every notification that is due once; returns how many were delivered."""
    delivered = 0
    while not studio.stopping.is_set() and (due := studio.jobs.due_deliveries(datetime.now(UTC), _CHUNK)):
        delivered += deliver(studio, due)
    return delivered


def deliver(studio: Studio, deliveries: Sequence[Delivery]) -> int:
    """Try notifications that were taken, and write down what came of it; how many arrived.

    A receiver that is known to be down is asked by one of them when it is time to: the others wait.
    """
    if not deliveries:
        return 0
    noted = {outage.dependency: outage for outage in studio.jobs.outages()}
    with ThreadPoolExecutor(min(_AT_ONCE, len(deliveries)), thread_name_prefix="notify") as pool:
        attempts = list(pool.map(partial(_attempt, studio, noted), deliveries))
    studio.jobs.record_attempts(attempts)
    return sum(attempt.delivered for attempt in attempts)


def _attempt(studio: Studio, noted: dict[str, Outage], delivery: Delivery) -> Attempt:
    receiver, now = receiver_of(delivery), datetime.now(UTC)
    outage = noted.get(receiver)
    if outage is not None and outage.next_probe_at is not None:
        if outage.next_probe_at > now or outage.is_probed(now):
            at = max(now, outage.next_probe_at) + timedelta(seconds=_SPREAD_S * random.random())  # noqa: S311
            return Attempt(delivery.id, False, f"Not sent yet: {outage.detail}", at, made=False)
        noted[receiver] = studio.jobs.probing(receiver) or outage
    answer = studio.notifier.deliver(delivery)
    if answer.ok:
        if noted.pop(receiver, None) is not None:
            studio.jobs.served([receiver])
        return Attempt(delivery.id, True, answer.summary)
    if not answer.final:
        said = f"{receiver.partition(':')[2]}: {answer.summary}"
        noted[receiver] = studio.jobs.not_served(
            receiver, delivery.job_id or delivery.id, code="delivery_failed", detail=said
        )
    what = f"job {delivery.job_id}" if delivery.job_id else f"batch {delivery.batch_id}"
    logger.info("%s: its notification has not arrived: %s", what, answer.summary)
    return Attempt(delivery.id, False, answer.summary, retry_at(delivery.attempts + 1, datetime.now(UTC), answer))
