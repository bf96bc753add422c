"""The till: a process that buys speech, so that nothing which was paid for dies with whoever ordered it.

It works for one other process. When that is gone it still finishes what it has begun to buy, and keeps it; what was
merely ordered is left. It has a session of its own: what is meant for its parent, as Ctrl-C, does not reach it.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from uuid import UUID

from pydantic import SecretStr

from mixdown.codec.flac_bytes import flac_of, samples_of
from mixdown.errors import (
    DatabaseUnavailable,
    EngineRefused,
    EngineUnavailable,
    Interrupted,
    MixdownError,
    NoSuchEngine,
    RetryableError,
    UnreadableAudio,
)
from mixdown.jobs import open_engine
from mixdown.jobs.spending import Outcome, Purchase, Spending
from mixdown.owner import this_process
from mixdown.speech.cache import ChunkCache
from mixdown.speech.choice import CLOUD
from mixdown.speech.cloud import cloud_engines
from mixdown.speech.cloud.answers import Unanswered, Unusable
from mixdown.speech.making import made
from mixdown.speech.plan import Chunk
from mixdown.speech.port import Engine, Spoken
from mixdown.storage import ObjectStore, S3Options, scratch_errors

#: How long what is being bought may take once nobody waits for it, in seconds.
_LINGER_S = 120.0

#: How often a chunk is looked for that somebody else is buying, in seconds.
_LOOK_S = 0.3

#: How often, and when again, it is tried to write down how a purchase ended.
_END_TIMES, _END_AGAIN_S = 10, 2.0

#: Orders that wait at the same time, those at work among them.
_MOST_ORDERS = 256

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a till works with."""

    database_url: SecretStr
    results_url: str
    s3: S3Options
    engines: SecretStr  #: as `cloud_engines` takes them
    shelf: Path  #: for what is paid while the store does not serve


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A chunk to be bought."""

    job_id: UUID
    chunk: Chunk
    engine_name: str
    attempt: int
    max_cost: float | None


class Till:
    """Buys chunks, each once."""

    def __init__(self, setup: Setup, closing: threading.Event) -> None:
        self._cache = _Shelved(ObjectStore(setup.results_url, s3=setup.s3), setup.shelf)
        self._spending = Spending(open_engine(setup.database_url.get_secret_value()))
        self._engines = cloud_engines(setup.engines.get_secret_value())
        self._owner = this_process()
        self._closing = closing
        self._slots: dict[str, threading.BoundedSemaphore] = {}
        self._lock = threading.Lock()

    def buy(self, order: Order) -> str | None:
        """Have a chunk lie in the store: bought, unless somebody has bought it; or what is wrong with it."""
        if self._is_kept(order):
            return None
        engine = self._engine(order.engine_name)
        with self._slot(engine):
            purchase = self._begun(order, engine)
            if purchase is None:
                return None
            if purchase.again:
                logger.warning(
                    "A process that was buying speech for job %s has died: it is paid again.", order.job_id
                )
            return self._paid(order, engine, purchase)

    def _begun(self, order: Order, engine: Engine) -> Purchase | None:
        """The right to buy, waited for; None where the chunk is there by then."""
        while True:
            if self._closing.is_set():
                raise Interrupted
            length = len(order.chunk.utterance.text)
            purchase = self._spending.begin(
                order.chunk.key,
                order.job_id,
                engine=engine.name,
                characters=length,
                cost=engine.price * length / 1000,
                max_cost=order.max_cost,
                owner=self._owner,
            )
            if self._is_kept(order):
                if purchase is not None:
                    self._spending.end(purchase, Outcome.refused)
                return None
            if purchase is not None:
                return purchase
            self._closing.wait(_LOOK_S)

    def _paid(self, order: Order, engine: Engine, purchase: Purchase) -> str | None:
        outcome = Outcome.kept
        try:
            fault = made(self._cache, engine, order.chunk, attempt=order.attempt)
            outcome = Outcome.kept if fault is None else Outcome.faulty
            return fault
        except (Unanswered, Unusable) as error:
            outcome = Outcome.unanswered if isinstance(error, Unanswered) else Outcome.faulty
            raise
        except (EngineRefused, EngineUnavailable):
            outcome = Outcome.refused
            raise
        finally:
            self._end(purchase, outcome)

    def _end(self, purchase: Purchase, outcome: Outcome) -> None:
        """Write down how it ended, also where the database is away for a moment."""
        for _ in range(_END_TIMES - 1):
            with suppress(DatabaseUnavailable):
                self._spending.end(purchase, outcome)
                return
            time.sleep(_END_AGAIN_S)
        self._spending.end(purchase, outcome)

    def _is_kept(self, order: Order) -> bool:
        return self._cache.has(order.chunk.key) and self._cache.find(order.chunk.key) is not None

    def _engine(self, name: str) -> Engine:
        open_it = self._engines.get(name.removeprefix(CLOUD))
        if open_it is None:
            raise NoSuchEngine(f"The engine {name} is no longer set up (MIXDOWN_SPEECH_ENGINES).")
        with self._lock:
            return open_it()

    @contextmanager
    def _slot(self, engine: Engine) -> Iterator[None]:
        """One of the requests that an engine takes at once."""
        with self._lock:
            slots = self._slots.setdefault(engine.name, threading.BoundedSemaphore(engine.at_once))
        while not slots.acquire(timeout=_LOOK_S):
            if self._closing.is_set():
                raise Interrupted
        try:
            yield
        finally:
            slots.release()


class _Shelved(ChunkCache):
    """Chunks in the store; what it does not take now waits on a shelf of this machine, as it was paid for."""

    def __init__(self, objects: ObjectStore, shelf: Path) -> None:
        super().__init__(objects)
        self._shelf = shelf

    def has(self, key: str) -> bool:
        """Whether a chunk is there; one from the shelf is, after this."""
        path = self._path(key)
        if path.is_file():
            with suppress(UnreadableAudio, FileNotFoundError):  # another till was quicker
                samples, sample_rate_hz = samples_of(path.read_bytes())
                super().keep(key, Spoken(samples=samples, sample_rate_hz=sample_rate_hz), durable=True)
            path.unlink(missing_ok=True)
        return super().has(key)

    def keep(self, key: str, spoken: Spoken, *, durable: bool = False) -> None:
        """Keep what was said, here if not there; the error is raised all the same."""
        try:
            super().keep(key, spoken, durable=durable)
        except RetryableError:
            self._put_aside(key, spoken)
            raise

    def _put_aside(self, key: str, spoken: Spoken) -> None:
        path = self._path(key)
        with scratch_errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(f".{os.getpid()}")
            with part.open("wb") as file:
                file.write(flac_of(spoken.samples, spoken.sample_rate_hz))
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)

    def _path(self, key: str) -> Path:
        return self._shelf / f"{key}.flac"


class _Answers(logging.Handler):
    """The way back: what came of each order, and what is logged."""

    def __init__(self, wire: Connection) -> None:
        super().__init__()
        self._wire = wire
        self._sending = threading.Lock()

    def send(self, *message: object) -> None:
        """Send one message; nobody may be there any more to read it."""
        with self._sending, suppress(OSError):
            self._wire.send(message)

    def ended(self, number: int, future: Future[str | None]) -> None:
        """Tell what came of an order."""
        error = future.exception()
        if error is None:
            self.send("done", number, future.result())
        elif isinstance(error, MixdownError):
            self.send("failed", number, error)
        else:
            logger.error("The till has a bug.", exc_info=error)
            self.send("failed", number, RuntimeError(f"the till has a bug: {type(error).__name__}"))

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a line of ours on."""
        if record.name.startswith("mixdown"):
            self.send("log", record.levelno, self.format(record))


def main(wire: Connection) -> None:
    """Take orders until the other side is gone, then finish what is being bought; never returns."""
    signal.signal(signal.SIGTERM, _leave)
    answers = _Answers(wire)
    logging.basicConfig(level=logging.INFO, handlers=[answers], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    closing = threading.Event()
    pool = ThreadPoolExecutor(_MOST_ORDERS, thread_name_prefix="till")
    orders: set[Future[str | None]] = set()
    try:
        till = Till(wire.recv(), closing)
        while True:
            number, order = wire.recv()
            future = pool.submit(till.buy, order)
            orders = {each for each in orders if not each.done()} | {future}
            future.add_done_callback(partial(answers.ended, number))
    except (EOFError, OSError, pickle.UnpicklingError):
        pass  # who ordered is gone
    finally:
        closing.set()
        wait(orders, timeout=_LINGER_S)
        os._exit(0)


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit()


if __name__ == "__main__":
    from mixdown import till  # as others know it: what arrives here is of its classes

    till.main(Connection(socket.socket(fileno=int(sys.argv[1])).detach()))
