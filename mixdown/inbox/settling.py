"""Whether a file is complete: nobody has written to it for a while."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

#: An empty file is one that somebody is about to write, for this long.
EMPTY_FOR_S = 300.0

#: Size, and the times of its content and of everything about it.
Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Seen:
    stamp: Stamp
    at_s: float  #: since when it is like this
    first_s: float  #: since when it is there


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A file that may still be written to."""

    seen_for_s: float


class Settling:
    """Tells complete files from those still being written, by their age or by two looks at them.

    The age is that of the younger of two times: the content's, which copying programs like to set back, and
    the inode's, which nobody can set. Where these lie in the future, or cannot be trusted, two looks that
    are `settle_s` apart and find the same decide.
    """

    def __init__(self, settle_s: float, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._settle_s = settle_s
        self._clock_s = clock_s
        self._before: dict[str, _Seen] = {}
        self._now: dict[str, _Seen] = {}

    def begin(self) -> None:
        """Begin another look; what was not seen in the last one is forgotten."""
        self._before, self._now = self._now, {}

    def unsettled(self, name: str, found: os.stat_result, now_ns: int) -> Unsettled | None:
        """What is known of a file that is not complete yet; None: it is. `now_ns` is its file system's time."""
        stamp, at_s = stamp_of(found), self._clock_s()
        before = self._before.get(name)
        same = before is not None and before.stamp == stamp
        seen = _Seen(
            stamp,
            before.at_s if before and same else at_s,
            before.first_s if before else at_s,
        )
        patience_s = self._settle_s if found.st_size else max(self._settle_s, EMPTY_FOR_S)
        if _age_s(found, now_ns) >= patience_s or (same and at_s - seen.at_s >= patience_s):
            return None
        self._now[name] = seen
        return Unsettled(at_s - seen.first_s)

    def note(self, name: str, found: os.stat_result) -> Unsettled:
        """Note a file that is known to be written to."""
        before, at_s = self._before.get(name), self._clock_s()
        self._now[name] = _Seen(stamp_of(found), at_s, before.first_s if before else at_s)
        return Unsettled(at_s - self._now[name].first_s)


def stamp_of(found: os.stat_result) -> Stamp:
    """Another one whenever a file has been written to."""
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _age_s(found: os.stat_result, now_ns: int) -> float:
    changed_ns = found.st_ctime_ns if found.st_mtime_ns > now_ns else max(found.st_mtime_ns, found.st_ctime_ns)
    return (now_ns - changed_ns) / 1e9
