"""A program: an inbox is worked on by child processes that are killed with SIGKILL; nothing is lost or done twice.

`python -m tests.services.inbox_kills folder HOME` kills a child at the first thing it does to a file, the next at
the second, and so on until one comes to its end. After each kill another child goes on, and all has to be right.

`… bucket HOME BUCKET ENDPOINT KEY SECRET SEED` kills children at random moments, then lets one come to its end.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from mixdown.model import Status
from mixdown.storage import S3Options
from tests.services.inbox_desks import BucketDesk, Desk, FolderDesk, fail, look, opened, report, succeed

#: What a child does to the inbox; between any two of them it may die.
_STEPS = ("os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.scandir", "open")
KILLS = 12
NAMES = ("good.wav", "bad.wav", "sub/good.wav")


def work(desk: Desk) -> None:
    """Take in, do the jobs, file away: twice, as the second look finds what the first has left."""
    for _ in range(2):
        look(desk)
        for status in (Status.queued, Status.running):
            for job in desk.studio.jobs.list(status=status):
                (fail if job.spec.filename.startswith("bad") else succeed)(desk, job)
    look(desk)


def _die_at(step: int) -> None:
    left = step

    def hook(event: str, given: tuple[object, ...]) -> None:
        nonlocal left
        if event in _STEPS and any("in box" in str(each) for each in given):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def in_a_child(desk_of: Callable[[], Desk], *, die_at: int | None = None, die_after_s: float | None = None) -> bool:
    """Whether a child came to its end."""
    child = os.fork()
    if child == 0:
        desk = desk_of()
        if die_at is not None:
            _die_at(die_at)
        work(desk)
        os._exit(0)
    if die_after_s is not None:
        time.sleep(die_after_s)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0:
        raise SystemExit("a child failed")
    return not os.WIFSIGNALED(status)


def check(desk: Desk) -> None:
    """Every recording is filed once, with the report of the one job that it had, which was done once."""
    jobs = {str(job.id): job for job in desk.studio.jobs.list(limit=100)}
    expected = sorted(f"{'failed' if 'bad' in name else 'done'}/{name}" for name in NAMES)
    filed = [name for name in desk.names() if not name.endswith(".json")]
    assert filed == expected, desk.names()
    assert sorted(desk.names()) == sorted([*expected, *(f"{name}.json" for name in expected)]), desk.names()
    for name in expected:
        assert desk.read(name) == name.encode().partition(b"/")[2]
        job = jobs.pop(report(desk, f"{name}.json")["id"])
        assert job.spec.source.uri.endswith(name.partition("/")[2])
        kinds = Counter(event.kind for event in desk.studio.jobs.events(job.id))
        assert (kinds["queued"], kinds["requeued"], kinds["succeeded"] + kinds["failed"]) == (1, 0, 1), kinds
    assert not jobs


def folder(home: Path) -> None:
    """Kill at every step, one after the other."""
    step, ended = 0, False
    FolderDesk(home, f"sqlite:///{home / 'empty.db'}").studio.jobs.list()
    while not ended:
        step += 1
        root = home / str(step)
        root.mkdir()
        shutil.copyfile(home / "empty.db", root / "mixdown.db")
        desk_of = partial(FolderDesk, root, f"sqlite:///{root / 'mixdown.db'}")
        for name in NAMES:
            desk_of().put(name, name.encode())
        ended = in_a_child(desk_of, die_at=step)
        in_a_child(desk_of)
        check(desk_of())
    sys.stdout.write(f"killed {step - 1} times\n")


def bucket(home: Path, name: str, endpoint_url: str, key: str, secret: str, seed: str) -> None:
    """Kill at random moments."""
    options = S3Options(endpoint_url=endpoint_url, key=key, secret=secret, region="us-east-1")

    def desk() -> Desk:  # in each process its own: no connection survives a fork
        return BucketDesk(home, f"sqlite:///{home / 'mixdown.db'}", opened(name, options))

    moments, kills = random.Random(seed), 0
    in_a_child(lambda: _stocked(desk()))
    for _ in range(KILLS):
        kills += not in_a_child(desk, die_after_s=moments.uniform(0.05, 1.0))
    in_a_child(desk)
    check(desk())
    sys.stdout.write(f"killed {kills} times\n")


def _stocked(desk: Desk) -> Desk:
    for name in NAMES:
        desk.put(name, name.encode())
    return desk


if __name__ == "__main__":
    kind, home, *rest = sys.argv[1:]
    {"folder": folder, "bucket": bucket}[kind](Path(home), *rest)
