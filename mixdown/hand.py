"""The child's side of a bench: the foreman loads the sound once, and forks a hand whenever one is asked for.

A hand runs one stage over one shard at a time. It ends at once, whatever it is doing, when the process it
works for is gone: the socket between them then reads as closed.
"""

from __future__ import annotations

import gc
import logging
import os
import queue
import resource
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any
from uuid import UUID

from mixdown import telemetry
from mixdown.errors import InvalidRequest, MixdownError
from mixdown.model import Claim, Stage
from mixdown.rehearsal import rehearse
from mixdown.settings import Settings
from mixdown.stages import run_stage
from mixdown.studio import Studio, open_studio

logger = logging.getLogger("mixdown.hand")

#: Files that a hand may have open at once.
_MOST_FILES = 1024
#: What the program itself maps, whatever it works on.
_MEMORY_OF_OURS_BYTES = 2 << 30


#: Work gives way to those who answer people: the API, Prefect's server, the ledger.
_NICE = 5


def foreman(control: socket.socket) -> None:
    """Fork a hand for each socket that arrives, until the other side is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches everyone: our parent decides
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for hands
    os.nice(_NICE)
    rehearse()
    gc.collect()
    gc.freeze()  # pages that all hands share stay shared
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not message:
            return
        if os.fork() == 0:
            control.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _work(Connection(descriptors[0]))
        os.close(descriptors[0])


def _work(orders: Connection) -> None:
    """Do what is ordered; never returns."""
    settings: Settings = orders.recv()
    _limit(settings)
    stopping = threading.Event()
    todo: queue.SimpleQueue[tuple[Stage, Sequence[Claim]]] = queue.SimpleQueue()
    at_work = threading.Lock()
    threading.Thread(target=_listen, args=(orders, todo, stopping, at_work), daemon=True).start()
    answers = _Answers(orders)
    answers.send("pid", os.getpid())
    logging.basicConfig(level=logging.INFO, handlers=[answers], force=True)
    try:
        telemetry.begin(settings, service="mixdown-hand")
    except InvalidRequest as error:
        logger.warning(error.message)
    studio: Studio | None = None
    while True:
        stage, claims = todo.get()
        try:
            studio = studio or open_studio(settings, stopping=stopping, at=answers.at)
            with at_work:
                alive = run_stage(stage, studio, claims)
            answers.send("done", alive)
        except MixdownError as error:  # a database that is away, too: that is no death
            answers.send("done", error)


def _limit(settings: Settings) -> None:
    """Set what this process may take at the very most; its bench, which knows the job, looks more closely."""
    _lower(resource.RLIMIT_CORE, 0)  # a dump would hold recordings and secrets
    _lower(resource.RLIMIT_NOFILE, _MOST_FILES)
    if sys.platform == "linux":  # elsewhere it is not about memory that was mapped
        _lower(resource.RLIMIT_DATA, 2 * settings.job_memory_bytes + _MEMORY_OF_OURS_BYTES)


def _lower(which: int, most: int) -> None:
    _, hard = resource.getrlimit(which)
    limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(which, (limit, limit))


def _listen(
    orders: Connection, todo: queue.SimpleQueue[Any], stopping: threading.Event, at_work: threading.Lock
) -> None:
    """Take orders while the hand is at work; without a parent there is nothing to work for."""
    while True:
        try:
            order = orders.recv()
        except (EOFError, OSError):
            if at_work.acquire(blocking=False):
                telemetry.ours().flush()
            os._exit(1)
        if order is None:
            stopping.set()
        else:
            stopping.clear()
            todo.put(order)


class _Answers(logging.Handler):
    """The way back to the parent: what is logged, which people read there, and what came of an order."""

    def __init__(self, orders: Connection) -> None:
        super().__init__()
        self._orders = orders
        self._sending = threading.Lock()

    def send(self, kind: str, said: object) -> None:
        """Send one message; those of several threads do not mix."""
        with self._sending:
            self._orders.send((kind, said))

    def at(self, job_id: UUID) -> None:
        """Say which job is begun: should this process die, it is over this one."""
        self.send("at", job_id)

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a line of ours on."""
        if record.name.startswith("mixdown"):
            self.send("log", (record.name, record.levelno, self.format(record)))


if __name__ == "__main__":
    foreman(socket.socket(fileno=int(sys.argv[1])))
