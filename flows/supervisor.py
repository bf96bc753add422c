"""`mixdown serve`: Prefect's server, its runner, the warm process and the API, each started again when it ends.

It imports no Prefect: it is to be small, and there when everything else is not.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from tempfile import TemporaryFile

import psutil

from flows import server_process
from flows.lifeline import command
from mixdown.cli import err
from mixdown.listening import refuse_taken

#: A process that ended is started again after this long, twice as long each time, to the second number.
_AGAIN_AFTER_S = (0.5, 30.0)

#: After this long it counts as one that runs.
_SETTLED_S = 60.0

#: How long runs may take to give their jobs back when all of it is stopped.
_RUNS_END_S = 45.0

_LOOK_EVERY_S = 0.1


@dataclass
class Child:
    """One of the processes."""

    name: str  #: for people
    start: Callable[[bool], subprocess.Popen[bytes]]  #: told whether it is the first time
    process: subprocess.Popen[bytes]
    started_s: float = field(default_factory=time.monotonic)
    wait_s: float = _AGAIN_AFTER_S[0]
    again_at_s: float | None = None

    def look(self) -> None:
        """Start it again, if it has ended and its time has come."""
        now_s = time.monotonic()
        if self.again_at_s is not None:
            if now_s >= self.again_at_s:
                self.again_at_s = now_s + self.wait_s  # in case there is no memory for a process now
                with suppress(OSError):
                    self.process, self.started_s, self.again_at_s = self.start(False), now_s, None
            return
        code = self.process.poll()
        if code is None:
            return
        if now_s - self.started_s > _SETTLED_S:
            self.wait_s = _AGAIN_AFTER_S[0]
        self.again_at_s = now_s + self.wait_s
        err.print(f"{self.name} ended ({_ending(code)}); starting it again.", style="yellow", highlight=False)
        self.wait_s = min(2 * self.wait_s, _AGAIN_AFTER_S[1])


def supervise(
    *, host: str, port: int, server_url: str | None, limit: int, urgent: int, api: tuple[str, int] | None
) -> None:
    """Keep everything running until SIGINT or SIGTERM; then stop the runs, and the server last.

    With the address of a server none is started; `api` is where the API listens, if it is wanted.
    """
    with _told_to_stop() as stop, TemporaryFile() as said:
        children: list[Child] = []
        if api is not None:
            refuse_taken(*api)
        try:
            if server_url is None:
                server_process.refuse_taken(host, port)
                first = server_process.start_server(host, port, said)
                children.append(
                    Child("Prefect's server", lambda _: server_process.start_server(host, port, said), first)
                )
                server_process.wait_until_up(first, host, port, said, unless=stop.is_set)
            shown_at = server_url.removesuffix("/api") if server_url else f"http://{host}:{port}"
            whose = "given" if server_url else "own"
            children += [
                _child("The server of deployments", "flows.served", str(limit), whose, first_only=shown_at),
                _child("The warm process", "flows.warm", str(urgent)),
            ]
            if api is not None:
                children.append(_child("The API", "flows.api", *map(str, api)))
            while not stop.wait(_LOOK_EVERY_S):
                for child in children:
                    child.look()
        finally:
            _stop(children, has_server=server_url is None)


def _child(name: str, module: str, *arguments: str, first_only: str = "") -> Child:
    def start(first: bool) -> subprocess.Popen[bytes]:
        shown = [first_only] if first and first_only else []
        # A session of its own: Ctrl-C in a terminal reaches us alone, and we say who stops when.
        return subprocess.Popen(command(module, *arguments, *shown), start_new_session=True)  # noqa: S603

    return Child(name, start, start(True))


def _stop(children: list[Child], *, has_server: bool) -> None:
    """Runs first, whose jobs go back into the queue; then who started them; the server, which all tell it, last."""
    server, others = (children[:1], children[1:]) if has_server else ([], children)
    deadline_s = time.monotonic() + _RUNS_END_S
    runs = [run for child in others for run in _started_by(child) if "prefect.engine" in _words(run)]
    for run in runs:
        with suppress(psutil.Error):
            run.terminate()
    for child in others[1:]:  # the warm process ends its runs itself; the API takes nothing in any more
        child.process.terminate()
    psutil.wait_procs(runs, timeout=_RUNS_END_S)
    for child in [*others, *server]:
        server_process.end(child.process, within_s=max(1.0, deadline_s - time.monotonic()))


def _started_by(child: Child) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return psutil.Process(child.process.pid).children()
    return []


def _words(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return process.cmdline()
    return []


@contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; a second one stops at once."""
    stop = threading.Event()

    def heed(number: int, _: object) -> None:
        if stop.is_set():
            os._exit(128 + number)  # whom we have started ends with us
        stop.set()

    before = {number: signal.signal(number, heed) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"code {code}"
