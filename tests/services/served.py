"""A running `mixdown serve`, for tests."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil

from mixdown.settings import Settings
from mixdown.studio import Studio, open_studio
from tests.services.ctrl_c import heed_ctrl_c

MIXDOWN = [sys.executable, "-m", "mixdown.cli"]
START_S = 120.0


class Served:
    """A running `mixdown serve`."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as probe, socket.socket() as other:
            probe.bind(("127.0.0.1", 0))
            other.bind(("127.0.0.1", 0))
            port, api_port = probe.getsockname()[1], other.getsockname()[1]
        self.home = home
        self.url = f"http://127.0.0.1:{port}/api"
        self.api_url = f"http://127.0.0.1:{api_port}"
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("MIXDOWN_", "PREFECT_"))}
        self.env = {**clean, "MIXDOWN_HOME": str(home), "PYTHONUNBUFFERED": "1"}
        self._log = (home.parent / "serve.log").open("w+b")
        self.process = subprocess.Popen(
            [*MIXDOWN, "serve", "--port", str(port), "--api-port", str(api_port)],
            env=self.env,
            cwd=home.parent,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            preexec_fn=heed_ctrl_c,
        )

    def said(self) -> str:
        """What the command has printed."""
        self._log.flush()
        return Path(self._log.name).read_text(errors="replace")

    def studio(self) -> Studio:
        """The ledger and the store that it works with."""
        return open_studio(Settings(home=self.home))

    def deployment(self, name: str) -> dict[str, Any]:
        """A deployment, once the server has it."""
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            try:
                answer = httpx.get(f"{self.url}/deployments/name/{name}", timeout=10)
            except httpx.TransportError:
                return False
            found.extend([dict(answer.json())] if answer.status_code == httpx.codes.OK else [])
            return bool(found)

        self.wait_until(is_there)
        return found[0]

    def run(self, name: str, **parameters: object) -> str:
        """Ask for a run of a deployment; returns its id."""
        deployment_id = self.deployment(name)["id"]
        answer = httpx.post(
            f"{self.url}/deployments/{deployment_id}/create_flow_run", json={"parameters": parameters}, timeout=30
        )
        return str(answer.raise_for_status().json()["id"])

    def runs(self, **wanted: object) -> list[dict[str, Any]]:
        """The flow runs that a filter finds."""
        answer = httpx.post(f"{self.url}/flow_runs/filter", json={"flow_runs": wanted}, timeout=30)
        return [dict(each) for each in answer.raise_for_status().json()]

    def state(self, run_id: str) -> str:
        """The state of a flow run."""
        answer = httpx.get(f"{self.url}/flow_runs/{run_id}", timeout=30)
        return str(answer.raise_for_status().json()["state"]["name"])

    def cancel(self, run_id: str) -> None:
        """What the UI's button Cancel does."""
        state = {"state": {"type": "CANCELLING", "name": "Cancelling"}}
        httpx.post(f"{self.url}/flow_runs/{run_id}/set_state", json=state, timeout=30).raise_for_status()

    def processes(self, words: str = "") -> list[psutil.Process]:
        """Its children and theirs, those whose command has these words in it."""
        found = []
        for each in psutil.Process(self.process.pid).children(recursive=True):
            try:
                if words in " ".join(each.cmdline()):
                    found.append(each)
            except psutil.Error:
                continue
        return found

    def kill(self, words: str) -> None:
        """`kill -9` of those, one at least."""
        self.wait_until(lambda: bool(self.processes(words)))
        for each in self.processes(words):
            each.kill()

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Wait, with the log at hand if it takes too long."""
        deadline_s = time.monotonic() + START_S
        while not holds():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline_s, self.said()
            time.sleep(0.1)

    def stop(self) -> int:
        """Ctrl-C, and the exit code."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(timeout=90)
        self._log.close()
        return code

    def close(self) -> None:
        """Stop it, if it has not been stopped."""
        if self.process.poll() is None:
            self.stop()
        self._log.close()
