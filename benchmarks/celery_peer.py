"""Celery 5 with Redis over the same functions: the queue the idea began with. Started and measured by batch.py.

Set up as one would who must lose nothing: late acknowledgements, tasks of a lost worker go back, one task
prefetched, Redis with its append-only file. Prefork, as many children as there are cores.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import bare
import redis
from celery import Celery, chain

CORES = len(os.sched_getaffinity(0))
URL = os.environ.get("CELERY_PEER_REDIS", "redis://127.0.0.1:6379/0")
_DONE = "done"
_START_S = 120.0

app = Celery("celery_peer", broker=URL)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)


@app.task
def validate(path: str, kind: str) -> dict[str, Any]:
    """The first stage."""
    return bare.validated(path, kind)


@app.task
def process(work: dict[str, Any], path: str, kind: str) -> dict[str, Any]:
    """The second stage."""
    return work | bare.processed(path, kind, work)


@app.task
def store(work: dict[str, Any], path: str, kind: str) -> str:
    """The third stage."""
    return bare.stored(path, kind, work)


@app.task
def notify(_sha256: str, path: str) -> None:
    """The fourth stage: somebody is told."""
    redis.Redis.from_url(URL).sadd(_DONE, path)


@app.task
def whole(path: str, kind: str) -> None:
    """All stages in one task."""
    bare.whole(path, kind)
    redis.Redis.from_url(URL).sadd(_DONE, path)


def submit(paths: list[str], kind: str, *, tasks: int) -> None:
    """Send everything."""
    for path in paths:
        if tasks == 1:
            whole.delay(path, kind)
        else:
            chain(validate.s(path, kind), process.s(path, kind), store.s(path, kind), notify.s(path)).delay()


def wait_for(count: int, worker: subprocess.Popen[bytes]) -> None:
    """Wait until so many clips are done."""
    server = redis.Redis.from_url(URL)
    while server.scard(_DONE) < count:
        if worker.poll() is not None:
            raise SystemExit("Celery's worker has ended")
        time.sleep(0.05)
    server.delete(_DONE)


def main() -> None:
    """Work when told to, as contender.py does."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--warm", type=Path, required=True)
    parser.add_argument("--kind", default=bare.MASTERED)
    parser.add_argument("--tasks", type=int, choices=(1, 4), default=4, help="tasks to a clip")
    given = parser.parse_args()
    command = [sys.executable, "-m", "celery", "-A", "celery_peer", "worker", "--loglevel", "WARNING"]
    command += ["--concurrency", str(CORES), "--pool", "prefork", "--without-gossip", "--without-mingle"]
    worker = subprocess.Popen(command, cwd=Path(__file__).parent, stdout=sys.stderr)
    try:
        warm = bare.clips_in(given.warm)
        for _ in range(3):  # so that every child has had some
            submit(warm, given.kind, tasks=given.tasks)
            wait_for(len(warm), worker)
        _say({"ready": True})
        sys.stdin.readline()
        paths = bare.clips_in(given.clips)
        began_s = time.monotonic()
        submit(paths, given.kind, tasks=given.tasks)
        wait_for(len(paths), worker)
        _say(
            {
                "wall_s": time.monotonic() - began_s,
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
        sys.stdin.readline()
    finally:
        worker.terminate()
        worker.wait()


def _say(message: dict[str, Any]) -> None:
    print("\nCONTENDER " + json.dumps(message), flush=True)


if __name__ == "__main__":
    main()
