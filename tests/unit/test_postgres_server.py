"""The databases of the tests."""

from __future__ import annotations

import pytest

from tests.services.postgres_server import refuse_foreign_host


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://postgres@db.example.com/postgres",
        "postgresql://postgres@10.0.0.7:5432/postgres",
        "postgresql:///postgres?host=db.example.com",
        "postgresql://localhost/postgres?host=localhost,db.example.com",
        "postgresql://localhost/postgres?hostaddr=192.0.2.1",
    ],
)
def test_a_server_that_is_not_here_is_refused(url: str) -> None:
    """Tests create and drop databases: a setting for production must not make them do it there."""
    with pytest.raises(pytest.fail.Exception, match="only against a local server"):
        refuse_foreign_host(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://postgres@localhost/postgres",
        "postgresql+psycopg2://postgres:secret@127.0.0.1:5433/postgres",
        "postgresql://postgres@[::1]/postgres",
        "postgresql:///postgres",
        "postgresql:///postgres?host=/var/run/postgresql",
    ],
)
def test_a_server_that_is_here_is_used(url: str) -> None:
    """The loopback and a socket are local."""
    assert refuse_foreign_host(url) is None
