"""The ledger: what was asked for, who works on it, how it ended and who has been told."""

from mixdown.db.engine import open_engine
from mixdown.db.migrations import migrate
from mixdown.jobs.store import JobStore

__all__ = ["JobStore", "migrate", "open_engine"]
