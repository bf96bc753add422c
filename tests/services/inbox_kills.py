"""A program: an inbox is worked on by a child process that is killed (SIGKILL) at every step in turn.

`python -m tests.services.inbox_kills FOLDER` kills it at the first thing it does to a file, at the second,
and so on until it comes to its end. After each kill another child goes on, and all has to be as it belongs.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections import Counter
from pathlib import Path

from mixdown.model import Status
from tests.services.inbox_desks import FolderDesk, fail, look, report, succeed

#: What a child does to the inbox; between any two of them it may die.
_STEPS = ("os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.scandir", "open")
NAMES = ("good.wav", "bad.wav", "sub/good.wav")


def work(root: Path, die_at: int | None) -> None:
    """Take in, do the jobs, file away: twice, as the second look finds what the first has left."""
    desk = FolderDesk(root, f"sqlite:///{root / 'mixdown.db'}")
    if die_at is not None:
        _die_at(die_at)
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


def in_a_child(root: Path, die_at: int | None) -> bool:
    """Whether a child came to its end."""
    child = os.fork()
    if child == 0:
        work(root, die_at)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0:
        raise SystemExit("a child failed")
    return not os.WIFSIGNALED(status)


def check(root: Path) -> None:
    """Every recording is filed once, with the report of the one job that it had, which was done once."""
    desk = FolderDesk(root, f"sqlite:///{root / 'mixdown.db'}")
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


def main() -> None:
    """Kill at every point, one after the other; prints how many there were."""
    home, step, ended = Path(sys.argv[1]), 0, False
    FolderDesk(home, f"sqlite:///{home / 'empty.db'}").studio.jobs.list()
    while not ended:
        step += 1
        root = home / str(step)
        (root / "in box").mkdir(parents=True)
        shutil.copyfile(home / "empty.db", root / "mixdown.db")
        for name in NAMES:
            (root / "in box" / name).parent.mkdir(exist_ok=True)
            (root / "in box" / name).write_text(name)
        ended = in_a_child(root, die_at=step)
        in_a_child(root, die_at=None)
        check(root)
    sys.stdout.write(f"killed {step - 1} times\n")


if __name__ == "__main__":
    main()
