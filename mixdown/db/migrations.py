"""Bringing a database to the tables that this release knows."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from mixdown.db import supabase
from mixdown.db.engine import reading, writing

#: The latest revision: known without loading Alembic's scripts, because every start asks for it.
HEAD = "0005"

#: Whoever holds this advisory lock of PostgreSQL migrates; "mixdown" in ASCII.
_LOCK = 0x6D6978646F776E


def migrate(engine: Engine, *, supabase_mode: supabase.Mode = "auto") -> None:
    """Create or upgrade the tables. Any number of processes may call it at once.

    `supabase_mode` tells whether they are prepared for Supabase; it may be turned on later. A database that is
    ahead of this release is left as it is: while a deployment rolls, the old release starts beside the new one
    (see `versions/README.md`).
    """
    with reading(engine) as connection:
        if not _behind(connection) and not _unprepared(connection, supabase_mode):
            return
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        if _behind(connection):
            _upgrade(connection, supabase_mode)
        if _unprepared(connection, supabase_mode):
            supabase.prepare(connection)


def _behind(connection: Connection) -> bool:
    """Whether the database lacks a migration that this release has."""
    if not inspect(connection).has_table("alembic_version"):
        return True
    revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision is None or str(revision) < HEAD


def _unprepared(connection: Connection, mode: supabase.Mode) -> bool:
    """Whether Supabase was asked for after the migrations had run."""
    return mode == "on" and supabase.is_wanted(connection, mode) and not supabase.is_prepared(connection)


def _upgrade(connection: Connection, supabase_mode: supabase.Mode) -> None:
    # Loaded here: Alembic takes half a second, and almost no start has anything to migrate.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["supabase"] = supabase_mode
    command.upgrade(config, "head")
