"""CPU time of trees of processes: what runs, and what has run and was waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from contextlib import suppress

import psutil

#: A server that took less than this of a core within a look has nothing left to do.
_IDLE_SHARE = 0.06
_LOOK_S = 2.0
_SAMPLE_S = 0.1
_MOST_WAIT_S = 60.0


def tree_s(pid: int) -> float:
    """CPU seconds of a process, its descendants, and all of theirs that have ended."""
    total_s = 0.0
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total_s += times.user + times.system + times.children_user + times.children_system
    return total_s


class Meter:
    """CPU time of a process and its descendants, looked at while they live.

    Some of ours are waited for by nobody, and what they took is gone with them.
    """

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._seen_s: dict[tuple[int, float], float] = {}
        self._over = threading.Event()
        self._look()
        self._before_s = sum(self._seen_s.values())
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop_s(self) -> float:
        """Seconds since it was made."""
        self._over.set()
        self._thread.join()
        self._look()
        return sum(self._seen_s.values()) - self._before_s

    def _watch(self) -> None:
        while not self._over.wait(_SAMPLE_S):
            self._look()

    def _look(self) -> None:
        with suppress(psutil.NoSuchProcess):
            for process in (self._root, *self._root.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    times = process.cpu_times()
                    self._seen_s[process.pid, process.create_time()] = times.user + times.system


def trees_s(pids: Iterable[int]) -> float:
    """The same of several."""
    return sum(tree_s(pid) for pid in pids)


def wait_until_idle(pids: list[int]) -> None:
    """Wait until servers have worked off what they put off."""
    deadline_s = time.monotonic() + _MOST_WAIT_S
    before_s = trees_s(pids)
    while pids and time.monotonic() < deadline_s:
        time.sleep(_LOOK_S)
        after_s = trees_s(pids)
        if after_s - before_s < _IDLE_SHARE * _LOOK_S:
            return
        before_s = after_s
