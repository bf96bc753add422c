"""The ledger on a database like Supabase's: its roles, its publication, its pooled port."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import ProgrammingError

from mixdown.db import supabase
from mixdown.db.engine import reading, writing
from mixdown.errors import DatabaseUnavailable, InvalidRequest
from mixdown.jobs import JobStore, migrate, open_engine
from mixdown.jobs.submission import Asked
from mixdown.model import JobRecord
from tests.services.ledger_samples import claimed, spec, submit_one
from tests.services.postgres_server import PostgresServer
from tests.services.tls_in_front import authority, context_of, tls_in_front

OURS, THEIRS = uuid4(), uuid4()


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server with the roles that every Supabase has, and their generous default rights."""
    server = PostgresServer()
    engine = open_engine(server.url)
    with writing(engine) as connection:
        for role in ("anon", "authenticated", "supabase_admin"):
            connection.execute(text(f"CREATE ROLE {role} NOLOGIN"))
    engine.dispose()
    yield server
    server.remove()


@pytest.fixture
def cloud(server: PostgresServer) -> Iterator[Engine]:
    """A new database there, as a new project has it, with the tables of the ledger."""
    name = f"cloud_{uuid4().hex[:8]}"
    administration = open_engine(server.url)
    with administration.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine = open_engine(server.url.removesuffix("postgres") + name)
    with writing(engine) as connection:
        connection.execute(text("CREATE PUBLICATION supabase_realtime"))
        connection.execute(
            text("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO anon, authenticated")
        )
    migrate(engine)
    yield engine
    engine.dispose()
    with administration.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    administration.dispose()


def job_of(store: JobStore, key_id: UUID | None) -> JobRecord:
    """A job in a batch, both asked for with this API key."""
    batch_id = store.open_batch("theirs", key_id=key_id)
    asked = Asked(spec=spec(f"{key_id}.wav"), key=f"{key_id}", key_id=key_id)
    return store.accept([asked], batch_id=batch_id).records[0]


def seen_by(engine: Engine, role: str, claims: dict[str, object] | None, query: str) -> list[object]:
    """What a client of Supabase reads, as its role and with the claims of its token."""
    with writing(engine) as connection:
        connection.execute(
            text("SELECT set_config('request.jwt.claims', :claims, true)"),
            {"claims": "" if claims is None else json.dumps(claims)},
        )
        connection.execute(text(f"SET LOCAL ROLE {role}"))
        return list(connection.scalars(text(query)))


def test_a_client_sees_what_was_made_with_its_key(cloud: Engine) -> None:
    """The claim `mixdown_key_id`, at the top or in `app_metadata`, opens its own jobs and batches, no others."""
    store = JobStore(cloud)
    mine = job_of(store, OURS)
    job_of(store, THEIRS)
    job_of(store, None)

    for claims in ({"mixdown_key_id": str(OURS)}, {"app_metadata": {"mixdown_key_id": str(OURS)}}):
        assert seen_by(cloud, "authenticated", claims, "SELECT id FROM jobs") == [mine.id]
        assert seen_by(cloud, "authenticated", claims, "SELECT id FROM batches") == [mine.batch_id]


def test_without_a_claim_nothing_is_seen(cloud: Engine) -> None:
    """No token, an empty one, and one whose user could have written the claim himself."""
    job_of(JobStore(cloud), OURS)

    for claims in (None, {}, {"user_metadata": {"mixdown_key_id": str(OURS)}}):
        assert seen_by(cloud, "authenticated", claims, "SELECT id FROM jobs") == []


@pytest.mark.parametrize("statement", ["SELECT spec FROM jobs", "SELECT * FROM jobs", "SELECT owner FROM jobs"])
def test_requests_and_workers_are_not_shown(cloud: Engine, statement: str) -> None:
    """A spec may hold a signed address: not even its owner reads it there."""
    with pytest.raises(ProgrammingError, match="permission denied"):
        seen_by(cloud, "authenticated", {"mixdown_key_id": str(OURS)}, statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE jobs SET status = 'cancelled' RETURNING id",
        "DELETE FROM batches RETURNING id",
        "INSERT INTO batches (id, created_at) VALUES (gen_random_uuid(), now()) RETURNING id",
    ],
)
def test_clients_change_nothing(cloud: Engine, statement: str) -> None:
    """Supabase gives every right on new tables away: it is taken back."""
    with pytest.raises(ProgrammingError, match="permission denied"):
        seen_by(cloud, "authenticated", {"mixdown_key_id": str(OURS)}, statement)


@pytest.mark.parametrize("role", ["anon", "authenticated"])
def test_every_other_table_is_closed(cloud: Engine, role: str) -> None:
    """Keys, audit, history, results: browsers have no way in, and row-level security stands behind that."""
    tables = set(inspect(cloud).get_table_names())
    with reading(cloud) as connection:
        secured = set(connection.scalars(text("SELECT relname FROM pg_class WHERE relrowsecurity")))

    assert secured == tables
    for table in tables - ({"jobs", "batches"} if role == "authenticated" else set()):
        with pytest.raises(ProgrammingError, match="permission denied"):
            seen_by(cloud, role, None, f"SELECT 1 FROM {table}")


def test_our_own_role_keeps_everything(cloud: Engine) -> None:
    """The owner of the tables works as ever."""
    store = JobStore(cloud)
    job = submit_one(store)
    store.progress(claimed(store, job), 0.5)

    assert store.get(job.id).progress == 0.5


def test_a_progress_update_comes_through_the_publication(cloud: Engine) -> None:
    """A subscriber of `supabase_realtime` reads it from its slot soon, and after what came before it."""
    slot = f"slot_{uuid4().hex[:8]}"
    store = JobStore(cloud)
    job = submit_one(store)
    claim = claimed(store, job)
    with cloud.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput', true)"))
        store.progress(claim, 0.3125)
        begun_s = time.monotonic()
        store.progress(claim, 0.4375)
        read = b""
        while b"0.4375" not in read and time.monotonic() < begun_s + 30:
            changes = connection.execute(
                text(
                    f"SELECT data FROM pg_logical_slot_get_binary_changes('{slot}', NULL, NULL, "
                    "'proto_version', '1', 'publication_names', 'supabase_realtime')"
                )
            )
            read += b"".join(bytes(change.data) for change in changes)

        took_s = time.monotonic() - begun_s
        connection.execute(text(f"SELECT pg_drop_replication_slot('{slot}')"))  # the database goes at once

    print(f"read {1000 * took_s:.0f} ms after it was begun to be written")
    assert str(job.id).encode() in read
    assert 0 < read.find(b"0.3125") < read.find(b"0.4375")
    assert took_s < 10  # 1 s is promised, of a machine that has nothing else to do


def test_it_can_be_turned_on_later(postgres_url: str) -> None:
    """A database that is none of Supabase's is left alone, until the setting asks; then once."""
    engine = open_engine(postgres_url)
    migrate(engine)
    with reading(engine) as connection:
        assert not supabase.is_prepared(connection)

    migrate(engine, supabase_mode="on")
    migrate(engine, supabase_mode="on")

    with reading(engine) as connection:
        assert supabase.is_prepared(connection)
        published = connection.scalars(
            text("SELECT tablename FROM pg_publication_tables WHERE pubname = 'supabase_realtime'")
        )
        assert sorted(published) == ["batches", "jobs"]
    submit_one(JobStore(engine))
    engine.dispose()


def test_it_can_be_taken_back(cloud: Engine) -> None:
    """Nothing of it is left but the grants that were there before."""
    with writing(cloud) as connection:
        supabase.undo(connection)

    with reading(cloud) as connection:
        assert not supabase.is_prepared(connection)
        assert connection.scalar(text("SELECT count(*) FROM pg_policies")) == 0
        assert connection.scalar(text("SELECT count(*) FROM pg_publication_tables")) == 0


def test_on_without_postgresql_is_a_mistake(migrated_sqlite: object) -> None:
    """Said in a sentence, not done by half."""
    engine = open_engine(f"sqlite:///{migrated_sqlite}")
    with pytest.raises(InvalidRequest, match="not PostgreSQL"):
        migrate(engine, supabase_mode="on")
    engine.dispose()


def test_nothing_is_prepared_on_the_server(cloud: Engine) -> None:
    """A pooled port gives each transaction another connection: prepared statements would be missed there."""
    store = JobStore(cloud)
    store.progress(claimed(store, submit_one(store)), 0.5)

    with reading(cloud) as connection:
        assert connection.scalar(text("SELECT count(*) FROM pg_prepared_statements")) == 0


def test_tls_is_asked_for_where_the_address_says_so(server: PostgresServer) -> None:
    """`sslmode=require` reaches the driver: a server without TLS is refused."""
    engine = open_engine(f"{server.url}?sslmode=require")
    with pytest.raises(DatabaseUnavailable, match="does not speak TLS"):
        JobStore(engine).list()
    engine.dispose()


@pytest.fixture(scope="module")
def secured(
    server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[int, list[str], Path]]:
    """TLS in front of the server, for `localhost`: its port, what was spoken there, and the root certificate."""
    folder = tmp_path_factory.mktemp("tls")
    root = authority(folder, "root")
    authority(folder, "other")
    with tls_in_front(server.port, context_of(folder, root, "localhost")) as (port, spoken):
        yield port, spoken, root


@pytest.mark.parametrize("mode", ["require", "verify-full&sslrootcert={root}"])
def test_the_ledger_works_over_tls(secured: tuple[int, list[str], Path], mode: str) -> None:
    """Encrypted, and with `verify-full` only after the certificate and its name were checked."""
    port, spoken, root = secured
    engine = open_engine(f"postgresql://postgres@localhost:{port}/postgres?sslmode={mode.format(root=root)}")
    migrate(engine)
    before = len(spoken)
    store = JobStore(engine)
    job = submit_one(store)
    store.progress(claimed(store, job), 0.5)

    assert store.get(job.id).progress == 0.5
    assert before > 0
    assert set(spoken) <= {"TLSv1.2", "TLSv1.3"}
    engine.dispose()


@pytest.mark.parametrize(
    ("host", "root", "says"),
    [
        ("localhost", "other.crt", "not trusted"),
        ("127.0.0.1", "root.crt", "another name"),
        ("localhost", "none.crt", "not there"),
    ],
)
def test_a_server_that_cannot_prove_who_it_is_is_refused(
    secured: tuple[int, list[str], Path], host: str, root: str, says: str
) -> None:
    """Signed by somebody else, made for another name, or nothing to check it by: the error says which."""
    port, _, folder = secured
    how = f"sslmode=verify-full&sslrootcert={folder.parent / root}"
    engine = open_engine(f"postgresql://postgres@{host}:{port}/postgres?{how}")
    with pytest.raises(DatabaseUnavailable, match=says):
        JobStore(engine).list()
    engine.dispose()
