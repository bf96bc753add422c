"""Prefect's server as a process of its own, which ends with the one that started it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import IO

import httpx

from flows.lifeline import command
from mixdown.errors import InvalidRequest, PrefectUnavailable

#: How long the server may take to answer at first: it makes its tables then.
_START_S = 120.0

#: How long it may take to end before it is killed; open pages of the UI hold it up.
_END_S = 10.0


@contextmanager
def running_server(host: str, port: int) -> Iterator[str]:
    """Prefect's server on this machine while the block runs; yields the address of its API."""
    refuse_taken(host, port)
    with TemporaryFile() as said:
        server = start_server(host, port, said)
        try:
            wait_until_up(server, host, port, said)
            yield f"http://{host}:{port}/api"
        finally:
            end(server)


def start_server(host: str, port: int, said: IO[bytes]) -> subprocess.Popen[bytes]:
    """Prefect's server, on its way; what it says goes to `said`."""
    # A session of its own: Ctrl-C reaches the server last, when the flows have stopped.
    return subprocess.Popen(  # noqa: S603 - our own interpreter and words
        command("prefect", "server", "start", "--host", host, "--port", str(port)),
        stdout=subprocess.DEVNULL,
        stderr=said,
        start_new_session=True,
    )


def end(process: subprocess.Popen[bytes], *, within_s: float = _END_S) -> None:
    """Ask a process to end, and end it if it does not."""
    process.terminate()
    try:
        process.wait(timeout=within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def refuse_taken(host: str, port: int) -> None:
    """InvalidRequest if somebody listens there already."""
    url = f"http://{host}:{port}"
    try:
        httpx.get(url, timeout=2, trust_env=False)
    except httpx.TransportError:
        return
    raise InvalidRequest(f"Something answers at {url} already. Choose another port with --port.")


def is_up(host: str, port: int) -> bool:
    """Whether Prefect's server answers there."""
    try:
        answer = httpx.get(f"http://{host}:{port}/api/health", timeout=2, trust_env=False)
    except httpx.TransportError:
        return False
    return answer.status_code == httpx.codes.OK


def wait_until_up(
    server: subprocess.Popen[bytes],
    host: str,
    port: int,
    said: IO[bytes],
    *,
    unless: Callable[[], bool] = lambda: False,
) -> None:
    """Wait until the server answers; PrefectUnavailable with its own words if it does not."""
    deadline_s = time.monotonic() + _START_S
    while time.monotonic() < deadline_s and not unless():
        if server.poll() is not None:
            raise PrefectUnavailable(f"Prefect's server did not start. It said:\n{_last_words(said)}")
        if is_up(host, port):
            return
        time.sleep(0.2)
    if unless():
        return
    raise PrefectUnavailable(f"Prefect's server did not answer within {_START_S:.0f} s.")


def _last_words(said: IO[bytes]) -> str:
    said.seek(0)
    return said.read().decode(errors="replace").strip()[-1500:]
