"""What is sent to the API over a socket: streamed, bounded, and gone where it breaks off."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

_MB = 1_000_000
_MOST_BYTES = 150 * _MB
_HEAD = b'--x\r\nContent-Disposition: form-data; name="file"; filename="talk.wav"\r\n\r\n'
_TAIL = b"\r\n--x--\r\n"
_FORM = {"content-type": "multipart/form-data; boundary=x"}


@dataclass(frozen=True)
class Served:
    """The API in a process of its own."""

    port: int
    pid: int
    home: Path

    @property
    def peak_bytes(self) -> int:
        """The most memory that the process had so far."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found
        return int(found[1]) * 1024

    @property
    def scratch(self) -> list[Path]:
        """Files on the disk of work in progress."""
        return [path for path in (self.home / "scratch").rglob("*") if path.is_file()]

    @property
    def stored(self) -> list[Path]:
        """Recordings that came in."""
        return [path for path in (self.home / "results").rglob("*") if path.is_file()]

    def send(self, body: Iterator[bytes] | bytes) -> httpx.Response:
        """Send a form; its length is not said where it is made on the way."""
        url = f"http://127.0.0.1:{self.port}/v1/jobs"
        return httpx.post(url, content=body, headers=_FORM, timeout=120, trust_env=False)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The API on a free port."""
    home = tmp_path_factory.mktemp("home")
    command = [sys.executable, "-m", "tests.api.app_process", str(home), str(_MOST_BYTES)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield Served(int(process.stdout.readline()), process.pid, home)
        process.kill()


def form(size_bytes: int) -> Iterator[bytes]:
    """A form with a recording of so many bytes."""
    yield _HEAD
    for _ in range(size_bytes // _MB):
        yield bytes(_MB)
    yield _TAIL


def test_an_upload_takes_little_memory(served: Served) -> None:
    """A hundred megabytes pass through a process that grows by much less."""
    assert served.send(form(_MB)).status_code == 202  # what is loaded with the first request is loaded
    before_bytes = served.peak_bytes

    answer = served.send(form(100 * _MB))

    assert answer.status_code == 202, answer.text
    assert answer.json()["source_bytes"] == 100 * _MB
    assert served.peak_bytes - before_bytes < 50 * _MB
    assert served.scratch == []


def test_an_upload_that_is_too_large_is_refused(served: Served) -> None:
    """At the byte that is one too many, if its length was not said."""
    before = served.stored

    answer = served.send(form(_MOST_BYTES + _MB))

    assert (answer.status_code, answer.json()["code"]) == (413, "source_too_large")
    assert served.scratch == []
    assert served.stored == before


def test_a_dropped_connection_leaves_nothing(served: Served) -> None:
    """What had arrived is thrown away, as if it had never been sent."""
    before = served.stored
    head = "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in _FORM.items())
    with socket.create_connection(("127.0.0.1", served.port)) as connection:
        connection.sendall(f"{head}\r\n".encode() + _HEAD + bytes(10 * _MB))
        _until(lambda: bool(served.scratch))

    _until(lambda: not served.scratch)
    assert served.stored == before


def test_an_empty_file_is_refused(served: Served) -> None:
    """There is nothing to work on."""
    answer = served.send(_HEAD + _TAIL)

    assert answer.json()["code"] == "empty_file"


def test_a_form_that_breaks_off_is_refused(served: Served) -> None:
    """Its last line is missing: who knows what else."""
    answer = served.send(_HEAD + b"RIFF")

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def _until(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    deadline_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
