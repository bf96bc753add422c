"""Several machines on one: each a folder of its own and processes that see nothing of the others' files.

Run by root, the processes of a machine have a host name of their own and find the folders of all other machines
empty. Run by somebody else they merely have different homes.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil

#: Entered with the folder of the machine and a command.
_WALLS = """
mine=$1; shift
hostname "$(basename "$mine")"
for other in "$(dirname "$mine")"/*; do
    [ "$other" = "$mine" ] || mount -t tmpfs tmpfs "$other" || exit 1
done
exec "$@"
"""
_UNSHARE = ["unshare", "--mount", "--uts"]


def _has_walls() -> bool:
    return shutil.which("unshare") is not None and subprocess.run([*_UNSHARE, "true"], check=False).returncode == 0


class Machine:
    """A machine: its home, its scratch folder, and what it has been told of the others."""

    def __init__(self, name: str, folder: Path, shared: Mapping[str, str]) -> None:
        self.name = name
        self.folder = folder / name
        self._walls = [*_UNSHARE, "sh", "-c", _WALLS, "walls", str(self.folder)] if _has_walls() else []
        self._processes: list[subprocess.Popen[bytes]] = []
        clean = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("MIXDOWN_", "PREFECT_", "DASK_", "RAY_"))
        }
        own = {
            "HOME": "",
            "TMPDIR": "tmp",
            "MIXDOWN_HOME": "mixdown",
            "MIXDOWN_SCRATCH": "scratch",
            "PREFECT_HOME": "prefect",
        }
        self.env = {**clean, **{key: str(self.folder / place) for key, place in own.items()}, **shared}
        (self.folder / "tmp").mkdir(parents=True)

    @property
    def has_worked(self) -> bool:
        """Whether any of its processes has worked on a recording."""
        return (self.folder / "scratch").is_dir()

    @property
    def scratch_homes(self) -> set[str]:
        """The processes that have something in its scratch folder."""
        return {home.name.replace("~", ":").partition("#")[0] for home in (self.folder / "scratch").glob("*")}

    def start(self, *command: str, **env: str) -> subprocess.Popen[bytes]:
        """A command on this machine, in its own folder; what it says is kept in a log."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [*self._walls, *command],
                cwd=self.folder,
                env={**self.env, **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def python(self, *arguments: str, **env: str) -> subprocess.Popen[bytes]:
        """A program in Python on this machine."""
        return self.start(sys.executable, *arguments, **env)

    def said(self) -> str:
        """What its processes have said, the last of it."""
        return f"--- {self.name}\n{(self.folder / 'log').read_text(errors='replace')[-6000:]}"

    def wait_to_say(self, words: str) -> None:
        """Wait until one of its processes has said this."""
        wait_until(lambda: words in self.said(), 120, self)

    def switch_off(self) -> None:
        """End everything that runs on it, as a power cut does."""
        started = [psutil.Process(process.pid) for process in self._processes if process.poll() is None]
        for process in [each for one in started for each in (*one.children(recursive=True), one)]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        for child in self._processes:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()


@contextmanager
def machines(folder: Path, *names: str, **shared: str) -> Iterator[list[Machine]]:
    """Machines of these names, switched off afterwards."""
    found = [Machine(name, folder, shared) for name in names]
    try:
        yield found
    finally:
        for machine in found:
            machine.switch_off()


@contextmanager
def prefect_server(folder: Path) -> Iterator[str]:
    """The address of a Prefect server of one's own."""
    url = f"http://127.0.0.1:{free_port()}/api"
    port = url.split(":")[2].split("/")[0]
    with machines(folder, "server", PREFECT_SERVER_ANALYTICS_ENABLED="false") as [machine]:
        process = machine.python(
            "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", port, "--no-ui"
        )

        def is_up() -> bool:
            assert process.poll() is None, machine.said()
            with suppress(httpx.TransportError):
                return httpx.get(f"{url}/health", timeout=5).status_code == httpx.codes.OK
            return False

        wait_until(is_up, 120, machine)
        yield url


def wait_until(true: Callable[[], bool], within_s: float, *watched: Machine) -> None:
    """Wait for something to be so."""
    until_s = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < until_s, "\n".join(machine.said() for machine in watched)
        time.sleep(0.1)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
