"""When something is tried again: decisions over plain values, for the queue and for Prefect's tasks.

A job that fails in a way that trying again may mend goes back into the queue until its time comes: its place
is free at once, and a killed process forgets nothing. What hits a whole shard, as a database that is away,
is tried again where it happened.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from mixdown.errors import CorruptObject, RetryableError
from mixdown.model import Outage, Stage

#: A server may ask for patience, but not for more than this, in seconds.
MOST_RETRY_AFTER_S = 3600.0

#: How soon a job is looked at again that waits for a server: it is passed over until that is back.
_LOOK_AGAIN_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePolicy:
    """How a stage is retried after a retryable error, and how long it may work on one job."""

    retries: int  #: tries after the first one
    first_delay_s: float
    jitter: float = 0.5  #: share of the delay that chance may add, so that a crowd does not return at once
    most_delay_s: float = 120.0
    timeout_s: float | None = None  #: of one job's work; None where every request has a timeout of its own

    @property
    def delays_s(self) -> list[float]:
        """The wait before each retry, doubling, before jitter."""
        return [min(self.first_delay_s * 2**attempt, self.most_delay_s) for attempt in range(self.retries)]


POLICIES: dict[Stage, StagePolicy] = {
    Stage.validate: StagePolicy(retries=4, first_delay_s=1.0),
    Stage.process: StagePolicy(retries=4, first_delay_s=2.0, timeout_s=4 * 3600.0),
    Stage.store: StagePolicy(retries=4, first_delay_s=1.0),
    # An undelivered notification stays in the outbox, which has a schedule of its own.
    Stage.notify: StagePolicy(retries=2, first_delay_s=2.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """A job is to be tried again."""

    at: datetime
    counts: bool  #: whether this failure was one of its tries
    from_start: bool  #: whether what it has found and made so far is to be made anew


def decide(
    policy: StagePolicy,
    error: RetryableError,
    *,
    tries: int,
    outage: Outage | None,
    held: bool,
    patience_s: float,
    now: datetime,
    chance: float,
) -> Again | None:
    """When a job is to be tried again; None: it has failed.

    While a server or store is known to be down, jobs wait for it and use up no tries, for as long as the
    patience lasts; after that they fail at once. `held` tells whether the queue knows that the job needs it, and
    lets it through when it is back: any other returns when it is time to look. `tries` counts the failures before
    this one; `chance`, from 0 to 1, is the jitter.
    """
    if outage is not None and outage.next_probe_at is not None:
        if (now - outage.since).total_seconds() > patience_s:
            return None
        soon = now + timedelta(seconds=_LOOK_AGAIN_S)
        return Again(at=soon if held else max(soon, outage.next_probe_at), counts=False, from_start=False)
    if tries >= policy.retries:
        return None
    wait_s = policy.delays_s[tries] * (1 + policy.jitter * chance)
    asked_s = min(error.retry_after_s or 0.0, MOST_RETRY_AFTER_S)
    # What was staged is gone or damaged: to read it again mends nothing.
    from_start = isinstance(error, CorruptObject)
    return Again(at=now + timedelta(seconds=max(wait_s, asked_s)), counts=True, from_start=from_start)
