"""One way to work through a folder of clips, in a process of its own: started and measured by batch.py.

It gets ready, says so, waits for a line, works, says what it took, waits for a line and ends.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import bare

CORES = len(os.sched_getaffinity(0))


def flow(clips: Path, kind: str) -> None:
    """Our batch flow."""
    from flows.process import process_batch

    process_batch([str(clips)], **bare.ASKED[kind])


def singles(clips: Path, kind: str) -> None:
    """Our flow for a single recording, one clip after the other."""
    from flows.process import process_audio

    for path in bare.clips_in(clips):
        process_audio(path, **bare.ASKED[kind])


def core(clips: Path, kind: str) -> None:
    """Our core without Prefect, as the command line uses it."""
    from uuid import uuid4

    from mixdown.runner import run_batch
    from mixdown.settings import Settings
    from mixdown.studio import open_studio
    from mixdown.submission import submit

    studio, batch_id = open_studio(Settings()), uuid4()
    studio.jobs.open_batch(batch_id=batch_id, attached=True)
    submit(studio, bare.specs_of(bare.clips_in(clips), kind), batch_id=batch_id)
    run_batch(studio, batch_id)


def processes(clips: Path, kind: str) -> None:
    """The same functions in a bare pool of processes, forked from one that has loaded everything."""
    context = get_context("forkserver")  # forked after some work, libraries with threads of their own hang
    context.set_forkserver_preload(["bare"])
    _through(ProcessPoolExecutor(CORES, mp_context=context), clips, kind)


def threads(clips: Path, kind: str) -> None:
    """The same functions in a bare pool of threads."""
    _through(ThreadPoolExecutor(CORES), clips, kind)


def _through(pool: Executor, clips: Path, kind: str) -> None:
    paths = bare.clips_in(clips)
    with pool:
        done = list(pool.map(bare.whole, paths, [kind] * len(paths)))
    assert len(done) == len(paths)


def again(clips: Path, kind: str) -> None:
    """Our batch flow over what it has done before."""
    flow(clips, kind)


def accept(clips: Path, kind: str) -> None:
    """A batch of ours accepted, without work on it."""
    from uuid import uuid4

    from mixdown.items import Defaults, items_of, requests_of
    from mixdown.settings import Settings
    from mixdown.step_text import parse_steps
    from mixdown.studio import open_studio
    from mixdown.submission import accept as accept_all

    studio, batch_id = open_studio(Settings()), uuid4()
    asked = dict(bare.ASKED[kind])
    asked["outputs"] = tuple(asked["outputs"])
    if "steps" in asked:
        asked["steps"] = tuple(parse_steps(asked["steps"]))
    studio.jobs.open_batch(batch_id=batch_id)
    accept_all(studio, requests_of(items_of([str(clips)]), Defaults(**asked)), batch_id=batch_id)


_BY_PREFECT = (flow, singles, again)
WAYS: dict[str, Callable[[Path, str], None]] = {
    way.__name__: way for way in (flow, singles, core, processes, threads, again, accept)
}


def get_ready(way: Callable[[Path, str], None], warm: Path, kind: str) -> None:
    """Load everything, compile what has to be compiled, and work through a few clips."""
    for path in bare.clips_in(warm)[:2]:
        bare.whole(path, kind)
    if way in _BY_PREFECT or way in (core, accept):
        way(warm, kind)


def main() -> None:
    """Work when told to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("way", choices=sorted(WAYS))
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--warm", type=Path, required=True, help="a few clips that are not counted")
    parser.add_argument("--kind", default=bare.MASTERED)
    given = parser.parse_args()
    way = WAYS[given.way]
    get_ready(way, given.warm, given.kind)
    if way is again:
        flow(given.clips, given.kind)
    _say({"ready": True})
    sys.stdin.readline()
    began_s = time.monotonic()
    way(given.clips, given.kind)
    _say(
        {
            "wall_s": time.monotonic() - began_s,
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
    )
    sys.stdin.readline()


def _say(message: dict[str, Any]) -> None:
    """A line for batch.py; whatever else is printed has no such beginning."""
    print("\nCONTENDER " + json.dumps(message), flush=True)


if __name__ == "__main__":
    main()
