"""What the API needs, asked whether it answers: each in a thread, so that what hangs holds nobody up."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field

import httpx
from sqlalchemy import text

from mixdown.db import engine as database
from mixdown.errors import INTERNAL, MixdownError, PrefectUnavailable
from mixdown.studio import Studio

#: Who has not answered by then counts as down.
_PATIENCE_S = 3.0

#: An answer holds for this long, however many ask.
_FRESH_S = 0.5

#: Questions to one of them that may hang at once.
_HANGING = 4


@dataclass(slots=True)
class _Question:
    future: Future[str]
    asked_s: float = field(default_factory=time.monotonic)


class Checkup:
    """Asks everything by name; an ask raises one of our errors where its thing is down."""

    def __init__(self, asks: Mapping[str, Callable[[], None]]) -> None:
        self._asks = dict(asks)
        self._asked: dict[str, list[_Question]] = {name: [] for name in asks}
        self._lock = threading.Lock()

    async def look(self) -> dict[str, str]:
        """By name: an empty string for what is up, else the code of what is wrong."""
        names = list(self._asks)
        return dict(zip(names, await asyncio.gather(*map(self._answer, names)), strict=True))

    async def _answer(self, name: str) -> str:
        question = self._question(name)
        left_s = max(0.0, question.asked_s + _PATIENCE_S - time.monotonic())
        answered, loop = asyncio.Event(), asyncio.get_running_loop()

        def tell(_: Future[str]) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(answered.set)

        question.future.add_done_callback(tell)
        try:
            await asyncio.wait_for(answered.wait(), left_s)
        except TimeoutError:
            return "no_answer"
        return question.future.result()

    def _question(self, name: str) -> _Question:
        """The latest question that still says something, else a new one."""
        now_s = time.monotonic()
        with self._lock:
            asked = self._asked[name]
            asked[:] = [each for each in asked if not each.future.done() or each is asked[-1]]
            latest = asked[-1] if asked else None
            if latest is not None:
                keeps_s = _FRESH_S if latest.future.done() else _PATIENCE_S
                if now_s - latest.asked_s < keeps_s or len(asked) > _HANGING:
                    return latest
            question = _Question(Future())
            asked.append(question)
        thread = threading.Thread(target=self._ask, args=(name, question.future), name=f"ask-{name}", daemon=True)
        thread.start()
        return question

    def _ask(self, name: str, future: Future[str]) -> None:
        said = INTERNAL  # a bug: the thread ends with it
        try:
            self._asks[name]()
            said = ""
        except MixdownError as error:
            said = error.code
        finally:
            future.set_result(said)


def checkup_of(studio: Studio) -> Checkup:
    """The database, the results, and Prefect where a setting says that it matters."""

    def ask_database() -> None:
        with database.reading(studio.jobs.engine) as connection:
            connection.execute(text("SELECT 1"))

    asks: dict[str, Callable[[], None]] = {"database": ask_database, "results": studio.objects.ping}
    url = studio.settings.prefect_url
    if url:
        asks["prefect"] = lambda: _ask_prefect(url)
    return Checkup(asks)


def _ask_prefect(url: str) -> None:
    try:
        answer = httpx.get(f"{url.rstrip('/')}/health", timeout=_PATIENCE_S, trust_env=False)
    except httpx.TransportError as error:
        raise PrefectUnavailable("Prefect's server does not answer.") from error
    if answer.status_code != httpx.codes.OK:
        raise PrefectUnavailable("Prefect's server is not well.")
