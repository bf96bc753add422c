"""Requests under a client's name, on SQLite and on PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from mixdown.errors import IdempotencyMismatch
from mixdown.jobs.requests import Known, Name, RequestStore

MONDAY = Name(key_id=None, scope="job", name="monday \N{MUSICAL SYMBOL G CLEF} \0")


def test_a_request_is_known_by_its_name(database: Engine) -> None:
    """What became of it is told to whoever sends it again; another request under its name is refused."""
    requests, made = RequestStore(database), Known(job_id=uuid4())

    assert requests.find(MONDAY) is None
    assert requests.begin(MONDAY, "a") == Known()
    assert requests.begin(MONDAY, "a") == Known()
    requests.settle(MONDAY, made)
    assert requests.begin(MONDAY, "a") == requests.find(MONDAY) == made
    with pytest.raises(IdempotencyMismatch):
        requests.begin(MONDAY, "b")


def test_names_of_other_keys_and_kinds_are_others(database: Engine) -> None:
    """A name means something for one key, and for one kind of request."""
    requests = RequestStore(database)
    for name in (
        MONDAY,
        Name(key_id=uuid4(), scope=MONDAY.scope, name=MONDAY.name),
        Name(key_id=None, scope="batch", name=MONDAY.name),
    ):
        assert requests.begin(name, name.owner + name.scope) == Known()


def test_of_two_requests_at_once_one_has_the_name(database: Engine) -> None:
    """The other one is refused, whichever is first."""
    requests = RequestStore(database)

    def begin(request_digest: str) -> bool:
        try:
            requests.begin(MONDAY, request_digest)
        except IdempotencyMismatch:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(begin, "abcdefgh")) == 1
