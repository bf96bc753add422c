"""Keys and the audit log, on SQLite and on PostgreSQL, and while the database is away."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import Engine

from mixdown.audit import AuditLog, Deed
from mixdown.errors import DatabaseUnavailable
from mixdown.jobs import migrate, open_engine
from mixdown.keys import Key, KeyRing, KeyStore
from tests.services.postgres_server import PostgresServer


def read(subject: str) -> Deed:
    """Somebody looked at something."""
    return Deed(key_id=None, action="read", subject=subject, address="", request_id="", detail={"status": 200})


def test_a_key_is_found_until_it_is_revoked(database: Engine) -> None:
    """By its secret; the list shows it as it was made."""
    keys = KeyStore(database)
    key, secret = keys.create("Ümläute \x00 and all", ["read", "admin"], within_s=60.0)

    assert keys.list() == [key]
    found = keys.find(secret)
    assert found
    assert (found.id, found.name, found.scopes) == (key.id, "Ümläute \x00 and all", frozenset({"read", "admin"}))
    assert keys.list()[0].last_used_at
    assert keys.revoke(str(key.id)).revoked_at == keys.revoke(key.prefix).revoked_at
    assert keys.find(secret) is None


def test_many_that_show_one_key_at_once_are_let_in(database: Engine) -> None:
    """Whatever they meet of each other."""
    keys = KeyStore(database)
    key, secret = keys.create("crowd")
    ring = KeyRing(keys)
    found: list[Key | None] = []
    crowd = [threading.Thread(target=lambda: found.append(ring.find(secret))) for _ in range(20)]

    for each in crowd:
        each.start()
    for each in crowd:
        each.join(60)

    assert [each.id for each in found if each] == [key.id] * 20


def test_deeds_are_rows(database: Engine) -> None:
    """Each once, with what is known of it, whatever is in its address."""
    log = AuditLog(database)
    log.note_read(read("/v1/jobs/\x00\ud800"))
    log.note_read(read("/v1/jobs/\x00\ud800"))
    log.close()

    assert [each.deed for each in log.newest()] == [read("/v1/jobs/\x00\ud800")]


def test_deeds_wait_for_a_database_that_is_away(own_postgres: PostgresServer) -> None:
    """They are written when it is back, in order, each once."""
    engine = open_engine(own_postgres.url)
    migrate(engine)
    log = AuditLog(engine)
    own_postgres.stop()
    for subject in ("/1", "/2"):
        with pytest.raises(DatabaseUnavailable):
            log.note(read(subject)).result(timeout=60)

    own_postgres.start()
    log.note(read("/3")).result(timeout=60)

    assert [each.deed.subject for each in log.newest()] == ["/3", "/2", "/1"]
    engine.dispose()
