"""The task of the notify stage."""

from __future__ import annotations

from prefect import task

from mixdown.crew import Shard
from mixdown.model import Stage
from tasks.perform import all_of, perform
from tasks.policy import policy


@task(**policy(Stage.notify))
def notify(shard: Shard) -> Shard:
    """Deliver the notifications of jobs that have ended."""
    return perform(Stage.notify, all_of(shard))
