"""Migrations, on SQLite and on PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Engine, inspect, text

import mixdown.db
from mixdown.db.engine import reading, writing
from mixdown.db.front_door import Table
from mixdown.db.migrations import HEAD
from mixdown.jobs import JobStore, migrate, open_engine
from tests.services.ledger_processes import migrate_at_once, together
from tests.services.ledger_samples import submit_one

FOLDER = Path(mixdown.db.__file__).parent


@pytest.fixture
def scripts() -> ScriptDirectory:
    """The migrations that are shipped."""
    return ScriptDirectory(str(FOLDER))


def test_the_latest_revision_is_the_one_that_is_looked_for(scripts: ScriptDirectory) -> None:
    """Starting checks for the newest migration without reading them all: the two must agree."""
    assert scripts.get_current_head() == HEAD


def test_migrations_say_when_they_may_run(scripts: ScriptDirectory) -> None:
    """Each file name tells its number, and whether it runs before or after the change of release."""
    for script in scripts.walk_revisions():
        number, when, *_ = Path(script.path).stem.split("_")
        assert number == script.revision
        assert when in ("pre", "post")


def test_the_migrations_make_the_tables(database: Engine) -> None:
    """What the migrations make is what the code expects: columns, types, indexes, constraints."""
    with reading(database) as connection:
        differences: Any = compare_metadata(
            MigrationContext.configure(connection, opts={"compare_server_default": True}), Table.metadata
        )
        assert differences == []
        for table in Table.metadata.sorted_tables:
            wanted = {check.name for check in table.constraints if isinstance(check, CheckConstraint)}
            assert {check["name"] for check in inspect(connection).get_check_constraints(table.name)} == wanted


def test_migrating_again_changes_nothing(empty_database_url: str) -> None:
    """Every start may migrate: jobs are still there."""
    engine = open_engine(empty_database_url)
    migrate(engine)
    job = submit_one(JobStore(engine))

    migrate(engine)

    assert JobStore(engine).get(job.id) == job
    engine.dispose()


def test_processes_that_start_at_once_migrate_once(empty_database_url: str) -> None:
    """Three processes meet an empty database at the same moment, and all of them can work."""
    assert together(3, migrate_at_once, empty_database_url) == [True] * 3

    engine = open_engine(empty_database_url)
    submit_one(JobStore(engine))
    engine.dispose()


def test_a_database_of_a_newer_release_is_left_alone(database: Engine) -> None:
    """While releases change, the older one starts beside the newer one's tables."""
    with writing(database) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    migrate(database)

    with reading(database) as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"


def test_there_and_back(database: Engine) -> None:
    """A downgrade leaves nothing behind, and an upgrade makes everything again."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    with writing(database) as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    with reading(database) as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]

    migrate(database)

    submit_one(JobStore(database))


def test_a_migration_that_fails_has_not_begun(empty_database_url: str) -> None:
    """A migration is one transaction, on SQLite too: half a set of tables is never seen."""
    engine = open_engine(empty_database_url)
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE deliveries (id INTEGER)"))

    with pytest.raises(Exception, match="deliveries"):
        migrate(engine)

    with reading(engine) as connection:
        assert inspect(connection).get_table_names() == ["deliveries"]
    with writing(engine) as connection:
        connection.execute(text("DROP TABLE deliveries"))
    migrate(engine)
    submit_one(JobStore(engine))
    engine.dispose()
