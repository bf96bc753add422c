"""The servers that contenders need, each of our own: PostgreSQL, Prefect's server, Redis, `mixdown serve`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import numpy as np
import psycopg2
import soundfile
from cpu import Meter, trees_s, wait_until_idle

from tests.chaos.ports import steady_port
from tests.services.postgres_server import PostgresServer

ROOT = Path(__file__).parent.parent

_START_S = 180.0
_IDLE_LOOK_S = 3.0


class Took(NamedTuple):
    """What one contender took."""

    wall_s: float
    cpu_s: float  #: of its own processes
    server_cpu_s: float  #: of the servers, beyond what they take when nothing is asked of them
    peak_mib: float  #: of the process that was asked, its children not counted

    @property
    def all_cpu_s(self) -> float:
        """All of it."""
        return self.cpu_s + self.server_cpu_s


class Services:
    """Starts what is asked for, once; everything ends with it."""

    def __init__(self, stack: ExitStack, celery_python: str | None) -> None:
        self._stack = stack
        self.folder = Path(stack.enter_context(TemporaryDirectory(prefix="mixdown-batch-")))
        self.celery_python = celery_python
        self.postgres = PostgresServer()
        stack.callback(self.postgres.remove)
        self._prefect_url: str | None = None
        self._prefect_pids: list[int] = []
        self.warm = self.clips(4, seconds=1.0, rate_hz=22_050, name="warm")

    # -- clips --------------------------------------------------------------------------------------

    def clips(self, count: int, *, seconds: float, rate_hz: int, name: str | None = None) -> Path:
        """A folder of so many clips, each another noise; made once."""
        folder = self.folder / (name or f"clips-{count}-{seconds:g}")
        if folder.is_dir():
            return folder
        folder.mkdir()
        for number in range(count):
            chance = np.random.default_rng(number)
            samples = 0.05 * chance.standard_normal(round(seconds * rate_hz))
            soundfile.write(folder / f"{number:05}.wav", samples, rate_hz, subtype="PCM_16")
        return folder

    # -- servers ------------------------------------------------------------------------------------

    def database(self) -> str:
        """The address of a new database."""
        name = f"bench_{uuid4().hex[:12]}"
        connection = psycopg2.connect(host="127.0.0.1", port=self.postgres.port, user="postgres", dbname="postgres")
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        connection.close()
        return f"postgres@127.0.0.1:{self.postgres.port}/{name}"

    def environment(self, home: str, *, prefect: bool) -> dict[str, str]:
        """A clean environment with a home and a ledger of its own, and Prefect's server if need be."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("MIXDOWN_", "PREFECT_"))}
        made = {
            **clean,
            "MIXDOWN_HOME": str(self.folder / f"{home}-{uuid4().hex[:8]}"),
            "MIXDOWN_DATABASE_URL": f"postgresql+psycopg2://{self.database()}",
            "PREFECT_LOGGING_LEVEL": "ERROR",
            "PREFECT_HOME": str(self.folder / "prefect"),
        }
        if prefect:
            made["PREFECT_API_URL"] = self.prefect()
        return made

    def prefect(self) -> str:
        """Prefect's server, as `mixdown serve` sets it up."""
        if self._prefect_url is None:
            from flows.commands import SERVER

            port = steady_port()
            url = f"http://127.0.0.1:{port}"
            env = {
                **self.environment("prefect", prefect=False),
                **SERVER,
                "PREFECT_LOGGING_SERVER_LEVEL": "CRITICAL",
            }
            command = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)]
            server = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self._stack.callback(_end, server)
            _wait_for(f"{url}/api/health", server)
            self._prefect_url, self._prefect_pids = f"{url}/api", [server.pid]
        return self._prefect_url

    @contextmanager
    def redis(self) -> Iterator[tuple[str, int]]:
        """A Redis of one's own that keeps what it is told: its address and its process."""
        port, folder = steady_port(), self.folder / f"redis-{uuid4().hex[:8]}"
        folder.mkdir()
        words = [
            "--port",
            str(port),
            "--dir",
            str(folder),
            "--appendonly",
            "yes",
            "--save",
            "",
            "--bind",
            "127.0.0.1",
        ]
        server = subprocess.Popen(["redis-server", *words], stdout=subprocess.DEVNULL)
        try:
            time.sleep(1.0)
            yield f"redis://127.0.0.1:{port}/0", server.pid
        finally:
            _end(server)

    @contextmanager
    def serving(self, **more: str) -> Iterator[tuple[str, dict[str, str]]]:
        """An idle `mixdown serve`: the address of its API, and its environment, with more in it if need be."""
        port = steady_port()
        env = self.environment("served", prefect=False) | more
        command = [sys.executable, "-m", "mixdown.cli", "serve", "--port", str(port), "--no-api"]
        with (self.folder / "serve.log").open("wb") as log:
            server = subprocess.Popen(command, env=env, cwd=self.folder, stdout=log, stderr=subprocess.STDOUT)
            try:
                url = f"http://127.0.0.1:{port}/api"
                _wait_for(f"{url}/deployments/name/process-audio/default", server)
                wait_until_idle([server.pid])
                yield url, env
            finally:
                server.send_signal(signal.SIGINT)
                _end(server)

    # -- contenders ---------------------------------------------------------------------------------

    def measure(self, way: str, clips: Path, kind: str) -> Took:
        """A way of contender.py over some clips."""
        prefect = way in ("flow", "singles", "again")
        env = self.environment(way, prefect=prefect)
        command = [sys.executable, str(ROOT / "benchmarks" / "contender.py"), way]
        servers = [*self._prefect_pids, self.postgres.pid] if way not in ("processes", "threads") else []
        return self._measured([*command, *self._words(clips, kind)], env, servers)

    def measure_celery(self, tasks: int, clips: Path, kind: str) -> Took | None:
        """The Celery peer over some clips; None where there is no Celery or no Redis."""
        if self.celery_python is None or not shutil.which("redis-server"):
            return None
        with self.redis() as (url, pid):
            # Celery's own environment first, then ours: it calls our functions.
            places = [str(ROOT), *[each for each in sys.path if each.endswith("-packages")]]
            env = {
                **self.environment("celery", prefect=False),
                "CELERY_PEER_REDIS": url,
                "PYTHONPATH": os.pathsep.join(places),
            }
            command = [self.celery_python, str(ROOT / "benchmarks" / "celery_peer.py"), "--tasks", str(tasks)]
            return self._measured([*command, *self._words(clips, kind)], env, [pid])

    def _words(self, clips: Path, kind: str) -> list[str]:
        return ["--clips", str(clips), "--warm", str(self.warm), "--kind", kind]

    def _measured(self, command: list[str], env: dict[str, str], servers: list[int]) -> Took:
        child = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert child.stdin is not None
        try:
            _said(child)
            wait_until_idle(servers)
            idle_s = trees_s(servers)
            time.sleep(_IDLE_LOOK_S if servers else 0.0)
            before_s, began_s = trees_s(servers), time.monotonic()
            idle_rate = (before_s - idle_s) / _IDLE_LOOK_S
            meter = Meter(child.pid)
            child.stdin.write("go\n")
            child.stdin.flush()
            said = _said(child)
            cpu_s = meter.stop_s()
            wait_until_idle(servers)
            server_s = trees_s(servers) - before_s - idle_rate * (time.monotonic() - began_s)
            child.stdin.write("leave\n")
            child.stdin.flush()
            child.wait(timeout=60)
        finally:
            if child.poll() is None:
                child.kill()
            child.wait()
        shutil.rmtree(env["MIXDOWN_HOME"], ignore_errors=True)
        return Took(said["wall_s"], cpu_s, max(0.0, server_s), said["peak_mib"])


def _said(child: subprocess.Popen[str]) -> dict[str, Any]:
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith("CONTENDER "):
            found: dict[str, Any] = json.loads(line.removeprefix("CONTENDER "))
            return found
    raise SystemExit(f"a contender ended with {child.wait()}: {' '.join(map(str, child.args))}")  # type: ignore[arg-type]


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + _START_S
    while time.monotonic() < deadline_s:
        if server.poll() is not None:
            raise SystemExit(f"a server ended with {server.returncode}: {server.args}")
        with suppress(httpx.TransportError):
            if httpx.get(url, timeout=5, trust_env=False).status_code == httpx.codes.OK:
                return
        time.sleep(0.3)
    raise SystemExit(f"{url} did not answer within {_START_S:.0f} s")


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
