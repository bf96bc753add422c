"""The ledger: what was asked for, who works on it, how it ended and who has been told."""

from mixdown.db.engine import open_engine
from mixdown.db.migrations import migrate
from mixdown.jobs.outbox import Attempt
from mixdown.jobs.queue import Taken
from mixdown.jobs.store import JobStore
from mixdown.jobs.submission import Asked, Submitted

__all__ = ["Asked", "Attempt", "JobStore", "Submitted", "Taken", "migrate", "open_engine"]
