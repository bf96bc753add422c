"""`mixdown api` as a process: where it listens, who may, how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from mixdown.model import JobSpec, Source
from mixdown.settings import Settings
from mixdown.studio import open_studio
from tests.services.ctrl_c import heed_ctrl_c
from tests.services.served import MIXDOWN

_START_S = 60.0
_AUDIO = {"av", "soundfile", "numba", "scipy", "librosa", "onnxruntime", "pydub", "soxr", "lameenc"}


class Api:
    """A running `mixdown api`."""

    def __init__(self, folder: Path, *options: str, **settings: str) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MIXDOWN_")}
        self._log = folder / "api.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*MIXDOWN, "api", "--port", "0", *options],
                env={**clean, "MIXDOWN_HOME": str(folder / "home"), "PYTHONUNBUFFERED": "1", **settings},
                cwd=folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=heed_ctrl_c,
            )

    def said(self) -> str:
        """What it has printed."""
        return self._log.read_text(errors="replace")

    def lines(self) -> list[dict[str, object]]:
        """The lines of its log that are JSON."""
        return [json.loads(line) for line in self.said().splitlines() if line.startswith("{")]

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Wait, with the log at hand if it takes too long."""
        deadline_s = time.monotonic() + _START_S
        while not holds():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline_s, self.said()
            time.sleep(0.05)

    @property
    def url(self) -> str:
        """Where it answers."""
        self.wait_until(lambda: "The API answers at" in self.said())
        [found] = re.findall(r"answers at (http://[^;]+);", self.said())
        return str(found)


@contextmanager
def _running(folder: Path, *options: str, **settings: str) -> Iterator[Api]:
    api = Api(folder, *options, **settings)
    try:
        yield api
    finally:
        api.process.kill()
        api.process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_it_answers_until_it_is_told_to_stop(tmp_path: Path, number: signal.Signals) -> None:
    """It ends well, and what is asked for just then is answered."""
    with _running(tmp_path) as api, socket.create_connection(_address(api.url)) as client:
        assert httpx.get(f"{api.url}/health/ready").json()["status"] == "ready"
        client.sendall(b"GET /health/live HTTP/1.1\r\nhost: here\r\n")

        api.process.send_signal(number)
        client.sendall(b"connection: close\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(65_536), b""))

        assert answer.startswith(b"HTTP/1.1 200") or answer == b""
        assert api.process.wait(timeout=60) == 0


def test_streams_of_events_end_when_it_stops(tmp_path: Path) -> None:
    """Whoever listens sees the end of the stream, not a cut, and comes again to another one."""
    studio = open_studio(Settings(home=tmp_path / "home"))
    [job] = studio.jobs.submit([(JobSpec(source=Source(uri=str(tmp_path / "talk.wav"))), "one")])
    with _running(tmp_path) as api, httpx.stream("GET", f"{api.url}/v1/jobs/{job.id}/events", timeout=60) as stream:
        lines = stream.iter_lines()
        assert any(str(job.id) in line for line in lines)

        api.process.send_signal(signal.SIGTERM)
        left = list(lines)

        assert not [line for line in left if line.startswith("event: end")]
        assert api.process.wait(timeout=60) == 0


def test_its_process_loads_no_audio_library(tmp_path: Path) -> None:
    """Nothing that decodes is mapped into it, after routes have been used."""
    with _running(tmp_path) as api:
        httpx.get(f"{api.url}/openapi.json").raise_for_status()
        mapped = {Path(each.path).as_posix() for each in psutil.Process(api.process.pid).memory_maps()}

    assert not [path for path in mapped if _AUDIO & set(re.split(r"[/.]", path))]


def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    """A second one ends with a sentence."""
    with _running(tmp_path) as api:
        done = _api(tmp_path, "--port", str(_address(api.url)[1]))

    assert done.returncode == 2
    assert "Choose another port" in done.stderr


def test_others_are_let_in_with_keys_only(tmp_path: Path) -> None:
    """Without any key it does not listen where others reach it; with one it asks for it."""
    refused = _api(tmp_path, "--host", "0.0.0.0", "--port", "0")

    assert refused.returncode == 2
    assert "mixdown keys create" in refused.stderr

    made = subprocess.run(
        [*MIXDOWN, "keys", "create", "studio"],
        env={**os.environ, "MIXDOWN_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=True,
    )
    [key] = re.findall(r"mxd_\S+", made.stdout)
    with _running(tmp_path, "--host", "0.0.0.0") as api:
        url = f"http://127.0.0.1:{_address(api.url)[1]}"

        assert httpx.get(f"{url}/metrics").status_code == 401
        assert httpx.get(f"{url}/metrics", headers={"authorization": f"Bearer {key}"}).status_code == 200
        assert httpx.get(f"{url}/health").status_code == 200


def _api(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MIXDOWN_")}
    return subprocess.run(
        [sys.executable, "-m", "mixdown.cli", "api", *options],
        env={**clean, "MIXDOWN_HOME": str(folder / "home")},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def _address(url: str) -> tuple[str, int]:
    parts = httpx.URL(url)
    return parts.host, parts.port or 80


def test_requests_are_lines_without_bodies_and_queries(tmp_path: Path) -> None:
    """JSON, with a name that the client may give; looks of monitors leave no line."""
    with _running(tmp_path, MIXDOWN_LOG_FORMAT="json") as api:
        named = httpx.post(
            f"{api.url}/v1/nowhere?token=very-secret",
            headers={"x-request-id": "mine-1"},
            json={"body": "very-secret"},
        )
        httpx.get(f"{api.url}/health/live")
        api.wait_until(lambda: bool(api.lines()))

        assert named.headers["x-request-id"] == "mine-1"
        [line] = api.lines()
        assert (line["method"], line["path"], line["status"]) == ("POST", "/v1/nowhere", 404)
        assert line["request"] == "mine-1"
        assert "very-secret" not in api.said()
