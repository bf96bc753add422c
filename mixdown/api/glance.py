"""How jobs stand, for all who ask at the same moment: one thread, one query for everybody who waits.

The busier it is, the more are answered by one query; and uploads, which fill the pool of threads, hold nobody up.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import NamedTuple
from uuid import UUID

from mixdown.model import JobGlance

#: Ids in one query.
_AT_ONCE = 500


class _Asked(NamedTuple):
    job_id: UUID
    answer: asyncio.Future[JobGlance | None]


class Glances:
    """Asked from event loops; `find` is called in the thread."""

    def __init__(self, find: Callable[[Collection[UUID]], Mapping[UUID, JobGlance]]) -> None:
        self._find = find
        self._lock = threading.Lock()
        self._waiting: list[_Asked] = []
        self._is_looking = False
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="glance")

    async def at(self, job_id: UUID) -> JobGlance | None:
        """How a job stands; None where there is no such job."""
        asked = _Asked(job_id, asyncio.get_running_loop().create_future())
        with self._lock:
            self._waiting.append(asked)
            begins, self._is_looking = not self._is_looking, True
        if begins:
            self._look()
        return await asked.answer

    def _look(self) -> None:
        """Have all who wait answered, and then those who came meanwhile."""
        with self._lock:
            taken, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
            self._is_looking = bool(taken)
        if taken:
            query = self._reader.submit(self._find, {asked.job_id for asked in taken})
            query.add_done_callback(partial(self._tell, taken))

    def _tell(self, taken: list[_Asked], query: Future[Mapping[UUID, JobGlance]]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[_Asked]] = {}
        for asked in taken:
            by_loop.setdefault(asked.answer.get_loop(), []).append(asked)
        for loop, some in by_loop.items():
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_answer, some, query)
        self._look()


def _answer(some: list[_Asked], query: Future[Mapping[UUID, JobGlance]]) -> None:
    error = query.exception()
    for job_id, answer in some:
        if answer.done():  # its client has gone
            continue
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(query.result().get(job_id))
