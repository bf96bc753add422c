"""What Supabase needs of the ledger: changes of jobs and batches published, and each row only for its owner.

Supabase serves every table of the schema `public` to browsers, and gives new ones away to `anon` and
`authenticated`: all tables of the ledger get row-level security, and two of them a policy. Their owner, which is
the role that Mixdown works with, keeps everything.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from sqlalchemy import Connection, text

from mixdown.errors import InvalidRequest

_log = logging.getLogger(__name__)

#: `auto`: where there is a Supabase.
Mode = Literal["auto", "on", "off"]

PUBLICATION = "supabase_realtime"

#: What a client may read of its own rows; never requests, which may hold signed addresses, nor who works on them.
_SHOWN: Mapping[str, str] = MappingProxyType(
    {
        "jobs": "id, batch_id, key_id, status, stage, progress, error_code, failed_stage, attempts, size_bytes, "
        "not_before, created_at, started_at, finished_at",
        "batches": "id, key_id, title, priority, created_at, paused_at, cancelled_at, closed_at",
    }
)

_TABLES = (
    "alembic_version, batch_jobs, deliveries, delivery_attempts, job_events, outages, paid_chunks, results, shifts"
)
_DOORS = "api_keys, api_requests, audit_log, hook_messages, webhook_endpoints"
_ALL = (*_SHOWN, *_TABLES.split(", "), *_DOORS.split(", "))

_POLICY = "mixdown_owner"

#: The API key of whoever asks, from the token that Supabase has checked; nobody but a server can set these claims.
_KEY_OF_CALLER = """(
    SELECT coalesce(claims ->> 'mixdown_key_id', claims -> 'app_metadata' ->> 'mixdown_key_id')::uuid
    FROM (SELECT nullif(current_setting('request.jwt.claims', true), '')::jsonb AS claims) AS token
)"""


def is_there(connection: Connection) -> bool:
    """Whether this database is one of Supabase's."""
    return connection.dialect.name == "postgresql" and bool(
        connection.scalar(
            text(
                "SELECT EXISTS (SELECT FROM pg_publication WHERE pubname = :name) "
                "OR EXISTS (SELECT FROM pg_roles WHERE rolname = 'supabase_admin')"
            ),
            {"name": PUBLICATION},
        )
    )


def is_wanted(connection: Connection, mode: Mode) -> bool:
    """Whether the ledger is to be prepared."""
    if mode == "on" and connection.dialect.name != "postgresql":
        raise InvalidRequest("MIXDOWN_SUPABASE is on, but the database is not PostgreSQL.")
    return mode == "on" or (mode == "auto" and is_there(connection))


def is_prepared(connection: Connection) -> bool:
    """Whether `prepare` was here."""
    secured = text("SELECT relrowsecurity FROM pg_class WHERE oid = to_regclass('api_keys')")
    return bool(connection.scalar(secured))


def prepare(connection: Connection) -> None:
    """Secure the tables, and publish jobs and batches. It can be done again."""
    roles = _roles(connection)
    for table in _existing(connection):
        _run(connection, f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        for role in roles:
            _run(connection, f"REVOKE ALL ON {table} FROM {role}")
    for table, columns in _SHOWN.items():
        _run(connection, f"DROP POLICY IF EXISTS {_POLICY} ON {table}")
        if "authenticated" in roles:
            _run(connection, f"GRANT SELECT ({columns}) ON {table} TO authenticated")
            _run(
                connection,
                f"CREATE POLICY {_POLICY} ON {table} FOR SELECT TO authenticated USING (key_id = {_KEY_OF_CALLER})",
            )
    _publish(connection)


def undo(connection: Connection) -> None:
    """Take back what `prepare` did, but for the grants that were there before."""
    for table in _SHOWN:
        _run(connection, f"DROP POLICY IF EXISTS {_POLICY} ON {table}")
        if _is_published(connection, table) and not _publishes_all(connection):
            _run(connection, f"ALTER PUBLICATION {PUBLICATION} DROP TABLE {table}")
    for table in _existing(connection):
        _run(connection, f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")


def _publish(connection: Connection) -> None:
    is_ours = connection.scalar(
        text("SELECT pg_has_role(pubowner, 'USAGE') FROM pg_publication WHERE pubname = :name"),
        {"name": PUBLICATION},
    )
    if is_ours is None:
        _run(connection, f"CREATE PUBLICATION {PUBLICATION}")
    elif not is_ours:
        _log.warning("The publication %s belongs to another role: add jobs and batches to it.", PUBLICATION)
        return
    for table in _SHOWN:
        if not _is_published(connection, table):
            _run(connection, f"ALTER PUBLICATION {PUBLICATION} ADD TABLE {table}")


def _is_published(connection: Connection, table: str) -> bool:
    found = connection.scalar(
        text(
            "SELECT EXISTS (SELECT FROM pg_publication_tables WHERE pubname = :name "
            "AND schemaname = current_schema() AND tablename = :table)"
        ),
        {"name": PUBLICATION, "table": table},
    )
    return bool(found)


def _publishes_all(connection: Connection) -> bool:
    found = connection.scalar(
        text("SELECT puballtables FROM pg_publication WHERE pubname = :name"), {"name": PUBLICATION}
    )
    return bool(found)


def _existing(connection: Connection) -> list[str]:
    """The tables of the ledger; those that a later migration makes are not there yet."""
    found = text("SELECT to_regclass(:table) IS NOT NULL")
    return [table for table in _ALL if connection.scalar(found, {"table": table})]


def _roles(connection: Connection) -> list[str]:
    """The roles of browsers, those that are there."""
    found = connection.scalars(text("SELECT rolname FROM pg_roles WHERE rolname IN ('anon', 'authenticated')"))
    return sorted(found)


def _run(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement)
