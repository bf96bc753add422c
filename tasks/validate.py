"""The task of the validate stage."""

from __future__ import annotations

from prefect import task

from mixdown.crew import Shard
from mixdown.model import Stage
from tasks.perform import perform
from tasks.policy import policy


@task(**policy(Stage.validate))
def validate(shard: Shard) -> Shard:
    """Fetch, hash and probe their sources, refuse what is not accepted."""
    return perform(Stage.validate, shard)
