"""The task of the validate stage."""

from __future__ import annotations

from prefect import task

from mixdown.model import Stage
from tasks.perform import perform, take
from tasks.policy import policy
from tasks.shard import Shard


@task(**policy(Stage.validate))
def validate(shard: Shard) -> Shard:
    """Claim the jobs, fetch, hash and probe their sources, refuse what is not accepted."""
    return perform(Stage.validate, take(shard))
