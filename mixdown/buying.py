"""Speech that is paid for: ordered at a till of this process, which outlives it (see `till`)."""

from __future__ import annotations

import atexit
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from itertools import count
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING
from uuid import UUID

from pydantic import SecretStr

from mixdown.errors import EngineUnavailable
from mixdown.speech.plan import Chunk
from mixdown.studio import Studio

if TYPE_CHECKING:
    from mixdown.till import Order, Setup

#: How often somebody who waits for speech looks whether the work is called off, in seconds.
_LOOK_S = 0.2

#: How long a till that has nothing to do may take to end with this process, in seconds.
_LEAVE_S = 2.0

#: How many tills may die over an order.
_MOST_TILLS = 3

logger = logging.getLogger("mixdown.till")


def buy(
    studio: Studio, job_id: UUID, chunk: Chunk, engine_name: str, *, attempt: int, max_cost: float | None
) -> str | None:
    """Have a chunk lie in the store, bought unless it was before; or what is wrong with how it sounds.

    Whatever the engine raises passes through. Once it is being paid it is finished and kept, even where this
    raises, or dies.

    Raises
    ------
    TooExpensive
        The job would cost more than `max_cost`, or than any job may.
    Interrupted
        The studio is stopping.
    """
    from mixdown.till import Order

    most = [each for each in (max_cost, studio.settings.max_cost) if each is not None]
    order = Order(
        job_id=job_id,
        chunk=chunk,
        engine_name=engine_name,
        attempt=attempt,
        max_cost=min(most) if most else None,
    )
    setup = _setup_of(studio)
    for _ in range(_MOST_TILLS):
        with suppress(_TillDied):
            return _kept_till(setup).bought(order, studio.check)
    raise EngineUnavailable(f"The process that buys speech at {engine_name} dies again and again.")


def close_tills() -> None:
    """Let every till of this process end, once what it is buying is kept."""
    with _keeping:
        for till in _KEPT.values():
            till.close()
        _KEPT.clear()


class _TillDied(Exception):
    """The till is gone, and did not say what came of an order."""


class _TillHeld:
    """A till, as we hold it."""

    def __init__(self, setup: Setup) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and words
                [sys.executable, "-m", "mixdown.till", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # what is meant for this process, or its group, does not end it
            )
        self._shared = ours
        self._wire = Connection(os.dup(ours.fileno()))
        self._sending = threading.Lock()
        self._numbers = count()
        self._waiting: dict[int, Future[str | None]] = {}
        self._gone = False
        with suppress(OSError):  # found out by the first order
            self._wire.send(setup)
        threading.Thread(target=self._listen, name="till", daemon=True).start()

    @property
    def is_there(self) -> bool:
        """Whether it takes orders."""
        return not self._gone

    def bought(self, order: Order, check: Callable[[], None]) -> str | None:
        """Order, and wait for the answer; `check` may end the waiting, not the purchase."""
        answer: Future[str | None] = Future()
        with self._sending:
            number = next(self._numbers)
            self._waiting[number] = answer
            try:
                if self._gone:
                    raise _TillDied
                self._wire.send((number, order))
            except (OSError, ValueError) as error:
                raise _TillDied from error
        while True:
            check()
            with suppress(TimeoutError):
                return answer.result(_LOOK_S)

    def close(self) -> None:
        """Cut the wire, at which it ends when it has kept what it is buying."""
        with suppress(OSError):  # it has died
            self._shared.shutdown(socket.SHUT_RDWR)
        self._shared.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_LEAVE_S)

    def forget(self) -> None:
        """In a process that was forked: let go of its copy of the wire."""
        self._shared.close()
        self._wire.close()

    def _listen(self) -> None:
        """Hand the answers out until there are no more."""
        while True:
            try:
                kind, *said = self._wire.recv()
            except (EOFError, OSError):
                break
            if kind == "log":
                logger.log(said[0], "%s", said[1])
                continue
            answer = self._waiting.pop(said[0], None)
            if answer is not None and kind == "done":
                answer.set_result(said[1])
            elif answer is not None:
                answer.set_exception(said[1])
        with self._sending:
            self._gone = True
            for answer in self._waiting.values():
                answer.set_exception(_TillDied())
            self._waiting.clear()
        self._wire.close()
        self._shared.close()
        self._process.wait()  # no zombie is left behind


_KEPT: dict[Setup, _TillHeld] = {}
_keeping = threading.Lock()


def _kept_till(setup: Setup) -> _TillHeld:
    with _keeping:
        if setup not in _KEPT or not _KEPT[setup].is_there:
            _KEPT[setup] = _TillHeld(setup)
        return _KEPT[setup]


def _setup_of(studio: Studio) -> Setup:
    from mixdown.till import Setup

    return Setup(
        database_url=SecretStr(studio.jobs.engine.url.render_as_string(hide_password=False)),
        results_url=studio.objects.root,
        s3=studio.s3,
        engines=studio.settings.speech_engines or SecretStr(""),
        shelf=studio.settings.home / "paid",
    )


def _forget_tills() -> None:
    """In a process that was forked: the till is the other one's, and must see it go."""
    global _keeping
    for till in _KEPT.values():
        till.forget()
    _KEPT.clear()
    _keeping = threading.Lock()


atexit.register(close_tills)
os.register_at_fork(after_in_child=_forget_tills)
