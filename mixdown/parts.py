"""The speech of long scripts, made in parts by whoever is free, before their jobs are processed.

A part leaves nothing behind but chunks in the store, under keys of their own: it may be made twice, or not at all,
and then the process stage makes what is missing.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import replace
from uuid import UUID

from mixdown.crew import BENCH, ROOM, Shard
from mixdown.model import Claim


def spoken(shard: Shard, speak: Callable[[Shard], Shard]) -> Shard:
    """Have the parts of a shard made, each through `speak`; the shard comes back with the jobs that live on.

    What `speak` raises is raised here, once the parts that were begun have ended.
    """
    waiting = deque(_parts(shard))
    if not waiting:
        return shard
    width = BENCH.get().width
    room = ROOM.get() or threading.Semaphore(width)
    lost: set[UUID] = set()

    def make(part: Shard) -> Shard:
        with room:
            return speak(part)

    with ThreadPoolExecutor(width, thread_name_prefix="part") as pool:
        running: dict[Future[Shard], Shard] = {}
        try:
            while waiting or running:
                while waiting and len(running) < width:
                    part = waiting.popleft()
                    if part.jobs[0] not in lost:  # else it has failed, or waits for an engine that is down
                        running[pool.submit(copy_context().run, make, part)] = part
                if not running:
                    break
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    part = running.pop(future)
                    if not future.result().claims:
                        lost.add(part.jobs[0])
        finally:
            for future in running:
                future.cancel()
    return replace(shard, claims=tuple(claim for claim in shard.claims if claim.job_id not in lost))


def _parts(shard: Shard) -> Iterator[Shard]:
    """A shard for each part."""
    for claim in shard.claims:
        for number in range(claim.parts):
            yield Shard(
                label=f"{number + 1}/{claim.parts} {shard.label}",
                jobs=(claim.job_id,),
                claims=(_only(claim, number),),
                limits=shard.limits,
            )


def _only(claim: Claim, number: int) -> Claim:
    return replace(claim, part=number)
