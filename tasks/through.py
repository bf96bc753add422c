"""The chain, written once: validate → process → store → notify over a shard."""

from __future__ import annotations

from mixdown.crew import Shard
from mixdown.parts import spoken
from tasks.artifacts import publish_jobs
from tasks.notify import notify
from tasks.process import process
from tasks.speak import speak
from tasks.store import store
from tasks.studio import studio
from tasks.validate import validate


def through(shard: Shard) -> None:
    """Take one shard through the four stages, long scripts said in parts, then show in Prefect what came of it."""
    done = notify(store(process(spoken(validate(shard), speak))))
    publish_jobs(studio(), done)
