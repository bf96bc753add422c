"""What may be given out of a log whose ids appear in another order than they are given."""

from __future__ import annotations

from collections.abc import Sequence

from mixdown.jobs.event_log import SETTLED_AFTER, Line

#: Lines behind a gap wait no longer than this for the transaction that may fill it.
PATIENCE_S = 2.0

#: Missing ids that are looked for again; a sequence jumps further only after a crash, and then for nothing.
_MOST_MISSING = 500


class Tail:
    """A position in the log, and the ids below it that may still appear."""

    def __init__(self, position: int, *, has_gaps: bool) -> None:
        self.position = position
        self._patience_s = PATIENCE_S if has_gaps else 0.0
        self._has_gaps = has_gaps
        self._seen_s: dict[int, float] = {}  # lines that are held back, and since when they are known
        self._missing: dict[int, float] = {}  # and until when they are looked for

    @property
    def late(self) -> tuple[int, ...]:
        """Ids that were passed over and may still appear."""
        return tuple(self._missing)

    @property
    def holds(self) -> bool:
        """Whether there are lines that are held back."""
        return bool(self._seen_s)

    def take(self, lines: Sequence[Line], now_s: float) -> list[Line]:
        """Of lines just read, those to be given out now; the position moves behind them."""
        given: list[Line] = []
        for line in lines:
            if line.id <= self.position:
                if self._missing.pop(line.id, None) is not None:
                    given.append(line)
                continue
            since_s = self._seen_s.setdefault(line.id, now_s)
            if line.id > self.position + 1:
                if now_s - since_s < self._patience_s:
                    self._seen_s.update(
                        {each.id: self._seen_s.get(each.id, now_s) for each in lines if each.id > line.id}
                    )
                    break
                self._pass_over(range(self.position + 1, line.id), now_s)
            given.append(line)
            self.position = line.id
        self._seen_s = {seen: since_s for seen, since_s in self._seen_s.items() if seen > self.position}
        self._missing = {each: until_s for each, until_s in self._missing.items() if until_s > now_s}
        return given

    def _pass_over(self, ids: range, now_s: float) -> None:
        if self._has_gaps:
            until_s = now_s + SETTLED_AFTER.total_seconds()
            self._missing.update((each, until_s) for each in ids[-_MOST_MISSING:])
            while len(self._missing) > _MOST_MISSING:
                del self._missing[next(iter(self._missing))]
