"""Where jobs are written down."""

from __future__ import annotations

from typing import Any

from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from mixdown.jobs import JobStore
from mixdown.studio import open_jobs


class JobDatabase(Block):
    """The database that knows every job: PostgreSQL, or SQLite for one machine."""

    _block_type_name = "Job Database"
    _block_type_slug = "job-database"
    _description = "The database that knows every Mixdown job: PostgreSQL, or SQLite for one machine."

    url: SecretStr = Field(
        title="Address",
        description="`postgresql+psycopg2://user:password@host/name` or `sqlite:////path/to/mixdown.db`.",
    )

    def settings(self) -> dict[str, Any]:
        """The settings that this block stands for."""
        return {"database_url": self.url.get_secret_value()}

    def open(self) -> JobStore:
        """The ledger in this database, its tables up to date."""
        return open_jobs(self.url.get_secret_value())
