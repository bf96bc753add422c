"""The task of the process stage."""

from __future__ import annotations

from prefect import task

from mixdown.crew import Shard
from mixdown.model import Stage
from tasks.perform import perform
from tasks.policy import policy


@task(**policy(Stage.process))
def process(shard: Shard) -> Shard:
    """Render the masters and stage them, with reports and pictures."""
    return perform(Stage.process, shard)
