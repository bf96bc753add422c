"""The task of the store stage."""

from __future__ import annotations

from prefect import task

from mixdown.crew import Shard
from mixdown.model import Stage
from tasks.perform import perform
from tasks.policy import policy


@task(**policy(Stage.store))
def store(shard: Shard) -> Shard:
    """Promote what was staged to its final key, verified, and end the jobs."""
    return perform(Stage.store, shard)
