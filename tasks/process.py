"""The task of the process stage."""

from __future__ import annotations

from prefect import task

from mixdown.model import Stage
from tasks.perform import perform
from tasks.policy import policy
from tasks.shard import Shard


@task(**policy(Stage.process))
def process(shard: Shard) -> Shard:
    """Render the masters and stage them, with reports and pictures."""
    return perform(Stage.process, shard)
