"""Everything a batch needs, on this machine: PostgreSQL, S3, a receiver, a small scratch disk, `mixdown serve`."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg2

from mixdown.owner import is_alive
from mixdown.settings import Settings
from mixdown.studio import Studio, open_studio
from tests.chaos.endpoint import BadS3
from tests.chaos.ports import steady_port
from tests.chaos.receiver import SECRET, Receiver
from tests.services.ctrl_c import heed_ctrl_c
from tests.services.postgres_server import PostgresServer
from tests.services.s3_server import S3, engine_running, fresh_bucket

_MIXDOWN = [sys.executable, "-m", "mixdown.cli"]
_SCRATCH_BYTES = 48 << 20
_STOP_S = 90.0
#: Every process of ours has it in its environment: that is how those left over are found.
_MARK = "MIXDOWN_CHAOS"


class House:
    """The services, and the command that works; what is killed here was started here."""

    def __init__(self, folder: Path, *, seed: int, engine: str, workers: int) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.mark = uuid.uuid4().hex
        self._stack = ExitStack()
        self.restarts = 0
        try:
            self.postgres = _postgres_on(steady_port())
            self._stack.callback(self.postgres.remove)
            self._make_database()
            options = self._stack.enter_context(engine_running(engine))
            self.s3: S3 = self._stack.enter_context(fresh_bucket(engine, options))
            self.endpoint = BadS3(options.endpoint_url or "", seed=seed)
            self._stack.callback(self.endpoint.close)
            self.receiver = Receiver(seed=seed)
            self._stack.callback(self.receiver.stop)
            self.scratch, self.scratch_is_disk = folder / "scratch", False
            self._stack.enter_context(self._small_scratch())
            self.port = steady_port()
            self.env = self._environment(workers)
            self.studio = self._looking_in()
            self._stack.callback(self.studio.jobs._engine.dispose)  # or each look leaves connections behind
            self._log = self._stack.enter_context((folder / "serve.log").open("ab"))
            self.served: subprocess.Popen[bytes] | None = None
        except BaseException:
            self._stack.close()
            raise

    def close(self) -> None:
        """Stop everything, the hard way where it does not listen."""
        if self.served is not None and self.served.poll() is None:
            self.served.kill()
            self.served.wait()
        for process in self.left_over():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._stack.close()

    # -- what there is ------------------------------------------------------------------------------

    def _make_database(self) -> None:
        with _connected(self.postgres.port) as cursor:
            cursor.execute("CREATE DATABASE mixdown")

    def _environment(self, workers: int) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("MIXDOWN_", "PREFECT_"))}
        given = self.s3.options
        return {
            **clean,
            _MARK: self.mark,
            "PYTHONUNBUFFERED": "1",
            "MIXDOWN_HOME": str(self.folder / "home"),
            "MIXDOWN_DATABASE_URL": f"postgresql+psycopg2://postgres@127.0.0.1:{self.postgres.port}/mixdown",
            "MIXDOWN_RESULTS_URL": self.s3.url,
            "MIXDOWN_S3_ENDPOINT_URL": self.endpoint.url,
            "MIXDOWN_S3_KEY": given.key or "",
            "MIXDOWN_S3_SECRET": given.secret or "",
            "MIXDOWN_S3_REGION": given.region or "",
            "MIXDOWN_SCRATCH": str(self.scratch),
            "MIXDOWN_WEBHOOK_SECRET": SECRET,
            "MIXDOWN_WORKERS": str(workers),
        }

    def _looking_in(self) -> Studio:
        """Our own view of the ledger and the store, past the bad endpoint."""
        settings = Settings(
            home=self.folder / "home",
            database_url=self.env["MIXDOWN_DATABASE_URL"],
            results_url=self.s3.url,
            scratch=self.scratch,
            webhook_secret=SECRET,  # type: ignore[arg-type]
            s3_endpoint_url=self.s3.options.endpoint_url,
            s3_key=self.s3.options.key,
            s3_secret=self.s3.options.secret,  # type: ignore[arg-type]
            s3_region=self.s3.options.region,
        )
        return open_studio(settings)

    @contextmanager
    def _small_scratch(self) -> Iterator[None]:
        """A file system of its own for root; for others a folder, whose disk is never really full."""
        self.scratch.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={_SCRATCH_BYTES}", "tmpfs", str(self.scratch)]
        self.scratch_is_disk = os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0
        try:
            yield
        finally:
            if self.scratch_is_disk:
                subprocess.run(["umount", "-l", str(self.scratch)], check=True)

    @property
    def delivered_url(self) -> str:
        """Where copies under the recordings' own names go."""
        return f"s3://{self.s3.bucket}/delivered"

    # -- the command --------------------------------------------------------------------------------

    def run(self, *words: str) -> str:
        """`mixdown …`, run to its end; what it printed."""
        done = subprocess.run(
            [*_MIXDOWN, *words], env=self.env, cwd=self.folder, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"mixdown {words[0]} ended with {done.returncode}:\n{done.stderr[-3000:]}")
        return done.stdout

    def serve(self) -> None:
        """Start `mixdown serve`, which lasts as long as this process at most."""
        guard = ["setpriv", "--pdeathsig", "TERM"] if Path("/usr/bin/setpriv").exists() else []
        self.served = subprocess.Popen(
            [*guard, *_MIXDOWN, "serve", "--port", str(self.port), "--no-api"],
            env=self.env,
            cwd=self.folder,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            preexec_fn=heed_ctrl_c,
        )

    def wait_until_served(self, within_s: float = 180.0) -> None:
        """Wait until the batch could be taken up: the server answers, and the deployments are there."""
        deadline_s = time.monotonic() + within_s
        url = f"http://127.0.0.1:{self.port}/api/deployments/name/continue-batch/default"
        while time.monotonic() < deadline_s:
            if self.served is None or self.served.poll() is not None:
                break
            with suppress(httpx.TransportError):
                if httpx.get(url, timeout=5, trust_env=False).status_code == httpx.codes.OK:
                    return
            time.sleep(0.5)
        raise RuntimeError(f"`mixdown serve` did not come up. It said:\n{self.said()[-3000:]}")

    def named(self, process: psutil.Process) -> str:
        """A process for people: its number and its words."""
        with suppress(psutil.Error):
            return f"{process.pid} {' '.join(process.cmdline())[:160]}"
        return f"{process.pid} (gone by now)"

    def stop_serving(self) -> bool:
        """Ctrl-C; whether it ended by itself."""
        if self.served is None:
            return True
        self.served.send_signal(signal.SIGINT)
        try:
            self.served.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            return False
        return True

    def left_over(self) -> list[psutil.Process]:
        """Processes of ours that still run, but for the command itself."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                ours = process.environ().get(_MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE
                if ours and (self.served is None or process.pid != self.served.pid):
                    found.append(process)
        return found

    def said(self) -> str:
        """What the command has printed."""
        return (self.folder / "serve.log").read_text(errors="replace")

    # -- trouble: each returns whether it happened ---------------------------------------------------

    def _descendants(self) -> list[psutil.Process]:
        if self.served is None:
            return []
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self.served.pid).children(recursive=True)
        return []

    def crews(self, batch_id: uuid.UUID) -> list[psutil.Process]:
        """The processes that work on a batch, by the ledger's word, as far as they are ours."""
        pids = {
            int(shift.owner.split(":")[2])
            for shift in self.studio.jobs.shifts()
            if shift.batch_id == batch_id and is_alive(shift.owner)
        }
        return [process for process in self._descendants() if process.pid in pids]

    def kill_flow(self, batch_id: uuid.UUID) -> bool:
        """`kill -9` of a process that works on the batch."""
        return _kill(self.crews(batch_id)[:1])

    def kill_hand(self, batch_id: uuid.UUID) -> bool:
        """`kill -9` of a process that a working process has started."""
        crews = self.crews(batch_id)
        with suppress(psutil.NoSuchProcess):
            hands = [child for crew in crews for child in crew.children(recursive=True) if not child.children()]
            # The youngest: trackers and servers of processes are older than the processes themselves.
            return _kill(sorted(hands, key=psutil.Process.create_time)[-1:])
        return False

    def kill_server(self) -> bool:
        """`kill -9` of Prefect's server: whoever of ours listens on its port."""
        return _kill([process for process in self._descendants() if _listens(process, self.port)])

    def kill_child(self, batch_id: uuid.UUID) -> bool:
        """`kill -9` of another of the command's own children: what starts flow runs, or the warm process."""
        if self.served is None:
            return False
        crews = {process.pid for process in self.crews(batch_id)}
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.served.pid).children()
            others = [each for each in children if each.pid not in crews and not _listens(each, self.port)]
            return _kill([others[self.restarts % len(others)]] if others else [])
        return False

    def restart_postgres(self, *, hard: bool, down_s: float) -> bool:
        """PostgreSQL stopped, by a crash or in order, and started again."""
        self.postgres.stop(signal.SIGQUIT if hard else signal.SIGINT)
        time.sleep(down_s)
        self.postgres.start()
        self.restarts += 1
        return True

    def close_s3(self, for_s: float) -> bool:
        """The endpoint refuses connections for a while."""
        self.endpoint.close()
        time.sleep(for_s)
        self.endpoint.open()
        return True

    def fill_scratch(self, for_s: float) -> bool:
        """The scratch disk is full for a while; without root, our processes may write small files only."""
        until_s = time.monotonic() + for_s
        if not self.scratch_is_disk:
            while time.monotonic() < until_s:
                _limit_files(self._descendants(), 16 << 10)
                time.sleep(0.2)
            _limit_files(self._descendants(), resource.RLIM_INFINITY)
            return True
        filler = self.scratch / "filler"
        with filler.open("wb", buffering=0) as file:
            while time.monotonic() < until_s:
                with suppress(OSError):
                    while True:
                        file.write(bytes(1 << 16))
                time.sleep(0.02)
        filler.unlink()
        return True


def _kill(processes: list[psutil.Process]) -> bool:
    killed = False
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
            killed = True
    return killed


def _listens(process: psutil.Process, port: int) -> bool:
    with suppress(psutil.Error):
        found = process.net_connections(kind="tcp")
        return any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in found)
    return False


def _limit_files(processes: list[psutil.Process], most_bytes: int) -> None:
    for process in processes:
        with suppress(OSError, ValueError):
            _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most_bytes, hard))


def _postgres_on(port: int) -> PostgresServer:
    """A server whose port nobody takes while it is down."""
    server = PostgresServer()
    server.stop()
    server.port = port
    server.start()
    return server


@contextmanager
def _connected(port: int) -> Iterator[Any]:
    connection = psycopg2.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres")
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()
