"""A stage over a shard, inside a task run."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

from prefect.concurrency.sync import concurrency
from prefect.runtime import task_run

from mixdown.model import Claim, Stage
from mixdown.retry import POLICIES
from mixdown.stages import run_stage
from tasks.policy import LIMITS
from tasks.shard import Shard
from tasks.studio import studio


def perform(stage: Stage, shard: Shard) -> Shard:
    """Run a stage for the shard's claims, within its limit; the shard comes back with those that live on."""
    if not shard.claims:
        return replace(shard)
    last_try = task_run.run_count > POLICIES[stage].retries
    limit = LIMITS.get(stage)
    with concurrency(limit, occupy=1) if limit in shard.limits else nullcontext():
        return replace(shard, claims=tuple(run_stage(stage, studio(), shard.claims, last_try=last_try)))


def take(shard: Shard) -> Shard:
    """Claim the shard's jobs; those that have ended or that another process works on stay out."""
    taken = [studio().claim(job_id, shard.owner) for job_id in shard.jobs]
    return replace(shard, claims=tuple(claim for claim in taken if claim is not None))


def all_of(shard: Shard) -> Shard:
    """The shard with every job again, the failed ones too, but without the right to change them."""
    return replace(shard, claims=tuple(Claim(job_id=job_id, fence=0) for job_id in shard.jobs))
