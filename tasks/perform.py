"""A stage over a shard, inside a task run."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

from prefect.concurrency.sync import concurrency

from mixdown.crew import BENCH, Shard
from mixdown.model import Claim, Stage
from tasks.policy import LIMITS

#: How long the slot of a killed process stays taken; 60 s is the least that Prefect allows.
SLOT_S = 60


def perform(stage: Stage, shard: Shard, limit: str = "") -> Shard:
    """Run a stage for the shard's claims, within its limit or this one; those that live on come back."""
    if not shard.claims:
        return replace(shard)
    limit = limit or LIMITS.get(stage, "")
    with concurrency(limit, occupy=1, lease_duration=SLOT_S) if limit in shard.limits else nullcontext():
        return replace(shard, claims=tuple(BENCH.get().run(stage, shard.claims)))


def all_of(shard: Shard) -> Shard:
    """The shard with every job again, the failed ones too, but without the right to change them."""
    return replace(shard, claims=tuple(Claim(job_id=job_id, fence=0) for job_id in shard.jobs))
