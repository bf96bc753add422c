"""API keys: who may ask, what each sees, and what is kept of them."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import anyio
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from mixdown.api import create_app
from mixdown.api.door import Door
from mixdown.db.engine import writing
from mixdown.db.front_door import ApiKey
from mixdown.errors import InvalidRequest, KeyNotFound
from mixdown.keys import KeyRing, KeyStore
from mixdown.studio import Studio
from tests.api.finished import submitted

#: Far longer than anything here may take, in seconds.
PATIENCE_S = 60.0


@pytest.fixture
def keys(studio: Studio) -> KeyStore:
    """The keys of the ledger."""
    return KeyStore(studio.jobs.engine)


@pytest.fixture
def guarded(studio: Studio) -> Iterator[TestClient]:
    """A client of an API that asks for keys."""
    with TestClient(create_app(studio), raise_server_exceptions=False) as client:
        yield client


def bearer(secret: str) -> dict[str, str]:
    """The usual header."""
    return {"authorization": f"Bearer {secret}"}


def mixdown(studio: Studio, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command on the ledger of this studio."""
    program = "import sys; from mixdown.cli import main; sys.argv[0] = 'mixdown'; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *words],
        env={"MIXDOWN_HOME": str(studio.settings.home), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_key_nothing_is_told(guarded: TestClient) -> None:
    """401, and how a key is shown."""
    answer = guarded.get("/v1/jobs")

    assert answer.status_code == 401
    assert answer.json()["code"] == "unauthorized"
    assert answer.headers["www-authenticate"] == 'Bearer realm="mixdown"'


def test_the_first_key_closes_the_door(studio: Studio, keys: KeyStore) -> None:
    """An API that asked nobody for a key asks from then on, without being started again; for good."""
    elsewhere = {"host": "api.example.com"}
    with TestClient(create_app(studio, open_to_all=True)) as client:
        before = client.get("/v1/jobs"), client.get("/v1/jobs", headers=elsewhere)
        key, secret = keys.create("phone")
        by_s = time.monotonic() + PATIENCE_S
        while client.get("/v1/jobs").status_code == 200 and time.monotonic() < by_s:
            time.sleep(0.1)
        after = client.get("/v1/jobs"), client.get("/v1/jobs", headers=elsewhere | bearer(secret))
        keys.revoke(str(key.id))
        without = client.get("/v1/jobs")

    assert [each.status_code for each in before] == [200, 403]
    assert [each.status_code for each in after] == [401, 200]
    assert without.status_code == 401


def test_whether_there_is_a_key_is_asked_now_and_then(keys: KeyStore) -> None:
    """Not for each request: a key that was made a moment ago is seen a moment later."""
    at_s = 0.0
    door = Door(keys, open_to_all=True, clock=lambda: at_s)

    assert anyio.run(door.is_open)
    keys.create("phone")
    at_s = Door.LOOK_EVERY_S - 0.1
    assert anyio.run(door.is_open)
    at_s = Door.LOOK_EVERY_S
    assert not anyio.run(door.is_open)


@pytest.mark.parametrize("wrong", ["x", "mxd_", "mxd_" + "A" * 43, "ü" * 47, "' OR 1=1 --"])
def test_a_key_that_is_none_opens_nothing(guarded: TestClient, wrong: str) -> None:
    """Whatever is shown instead of a key is a 401, never an error of ours."""
    answer = guarded.get("/v1/jobs", headers={"x-api-key": wrong.encode()})

    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
def test_a_key_opens_in_either_header(guarded: TestClient, keys: KeyStore, header: str) -> None:
    """As a bearer token or in a header of its own."""
    _, secret = keys.create("either")

    answer = guarded.get("/v1/jobs", headers={header: f"Bearer {secret}" if header == "Authorization" else secret})

    assert answer.status_code == 200


def test_a_key_is_no_part_of_an_address(guarded: TestClient, keys: KeyStore) -> None:
    """Addresses are logged everywhere."""
    _, secret = keys.create("address")

    assert guarded.get(f"/v1/jobs?key={secret}&api_key={secret}&access_token={secret}").status_code == 401


def test_a_key_is_only_for_what_it_is_for(guarded: TestClient, studio: Studio, keys: KeyStore) -> None:
    """Without the scope the answer is a 403 that names it."""
    key, secret = keys.create("looks", ["read"])
    job = submitted(studio, key_id=key.id)

    answer = guarded.post(f"/v1/jobs/{job.id}/cancel", headers=bearer(secret))

    assert answer.status_code == 403
    assert answer.json()["code"] == "forbidden"
    assert 'error="insufficient_scope", scope="write"' in answer.headers["www-authenticate"]
    assert guarded.get(f"/v1/jobs/{job.id}", headers=bearer(secret)).json()["status"] == "queued"


def test_what_is_somebody_elses_is_not_there(guarded: TestClient, studio: Studio, keys: KeyStore) -> None:
    """A key sees what was made with it; `admin` sees all."""
    ours, _ = keys.create("ours")
    _, theirs = keys.create("theirs")
    _, admin = keys.create("admin", ["admin"])
    job = submitted(studio, key_id=ours.id)

    assert guarded.get(f"/v1/jobs/{job.id}", headers=bearer(theirs)).status_code == 404
    assert guarded.get("/v1/jobs", headers=bearer(theirs)).json()["items"] == []
    assert guarded.get(f"/v1/jobs/{job.id}", headers=bearer(admin)).status_code == 200


def test_a_revoked_key_opens_nothing(studio: Studio, keys: KeyStore) -> None:
    """At once for who has not seen it, after a moment for who has."""
    key, secret = keys.create("gone")
    now_s = 0.0
    ring = KeyRing(keys, clock=lambda: now_s)
    assert ring.find(secret)

    keys.revoke(key.prefix)

    assert keys.find(secret) is None
    assert ring.find(secret)
    now_s += KeyRing.TRUST_S
    assert ring.find(secret) is None
    assert ring.remembered(secret) is None


def test_an_expired_key_opens_nothing(guarded: TestClient, studio: Studio, keys: KeyStore) -> None:
    """Even where it was seen a moment ago."""
    _, over = keys.create("over", within_s=-1.0)
    _, good = keys.create("good", within_s=3600.0)

    assert guarded.get("/v1/jobs", headers=bearer(over)).status_code == 401
    assert guarded.get("/v1/jobs", headers=bearer(good)).status_code == 200


def test_only_keys_that_open_something_count(keys: KeyStore) -> None:
    """Whoever listens in public wants to know whether anybody could come in."""
    keys.create("over", within_s=-1.0)
    revoked, _ = keys.create("revoked")
    keys.revoke(str(revoked.id))
    assert keys.usable() == 0

    keys.create("good")

    assert keys.usable() == 1


def test_use_is_written_down_once_a_minute(studio: Studio, keys: KeyStore) -> None:
    """A key that is used all the time is not a write for each request."""
    key, secret = keys.create("busy")
    keys.find(secret)
    first = keys.list()[0].last_used_at
    keys.find(secret)
    assert first
    assert keys.list()[0].last_used_at == first

    with writing(studio.jobs.engine) as connection:
        connection.execute(
            update(ApiKey).where(ApiKey.id == key.id).values(last_used_at=first - timedelta(seconds=61))
        )
    keys.find(secret)

    assert (keys.list()[0].last_used_at or first) >= first


def test_a_key_must_make_sense(keys: KeyStore) -> None:
    """A name, and scopes that exist."""
    with pytest.raises(InvalidRequest):
        keys.create("  ")
    with pytest.raises(InvalidRequest):
        keys.create("odd", ["everything"])
    with pytest.raises(InvalidRequest):
        keys.create("none", [])


def test_revoking_wants_to_know_which(keys: KeyStore) -> None:
    """What names no key, or several, revokes none."""
    keys.create("one")
    keys.create("two")

    for which in ("", "mxd_", str(uuid4())):
        with pytest.raises(KeyNotFound):
            keys.revoke(which)
    assert keys.usable() == 2


def test_the_secret_is_kept_nowhere(
    guarded: TestClient, studio: Studio, keys: KeyStore, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in the database, not in what is written beside it, not in logs, not in answers."""
    caplog.set_level(logging.DEBUG)
    _, secret = keys.create("secret", ["read", "write", "admin"])
    told = ""
    for method, path in (("GET", "/v1/jobs"), ("GET", "/nowhere"), ("POST", "/v1/jobs"), ("DELETE", "/v1/jobs")):
        answer = guarded.request(method, path, headers={**bearer(secret), "x-api-key": secret})
        told += answer.text + str(answer.headers)

    kept = b"".join(path.read_bytes() for path in Path(studio.settings.home).rglob("*") if path.is_file())
    core = secret.removeprefix("mxd_")[8:]  # beyond what is shown on purpose
    assert b"secret" in kept
    assert core.encode() not in kept
    assert core not in told
    assert core not in caplog.text


def test_keys_by_command(studio: Studio, guarded: TestClient) -> None:
    """Made, used, listed, revoked."""
    made = mixdown(studio, "keys", "create", "Night shift", "--scope", "read", "--days", "90")
    secret = made.stdout.strip()
    assert guarded.get("/v1/jobs", headers=bearer(secret)).status_code == 200

    listed = json.loads(mixdown(studio, "keys", "list", "--json").stdout)
    assert [(each["name"], each["scopes"]) for each in listed] == [("Night shift", ["read"])]
    assert listed[0]["expires_at"]
    assert secret not in json.dumps(listed)

    revoked = mixdown(studio, "keys", "revoke", listed[0]["prefix"])
    assert "opens nothing any more" in revoked.stdout
    assert KeyStore(studio.jobs.engine).find(secret) is None
    assert mixdown(studio, "keys", "revoke", "mxd_notthere").returncode == 1
