"""The task of a part of the speech of a job."""

from __future__ import annotations

from prefect import task

from mixdown.crew import Shard
from mixdown.model import Stage
from mixdown.speech.cloud import limit_of
from tasks.perform import perform
from tasks.policy import policy


@task(**{**policy(Stage.process), "task_run_name": "speak {part.label}"})
def speak(part: Shard) -> Shard:
    """Say about a minute of a script, as far as it was not said before."""
    [claim] = part.claims
    return perform(Stage.process, part, limit_of(claim.engine) if claim.engine else "")
