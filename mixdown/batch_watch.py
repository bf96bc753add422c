"""Looking at a batch while it goes: on a terminal a screen that moves, elsewhere a line now and then."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from uuid import UUID

from rich.console import Console
from rich.live import Live

from mixdown.batch_view import MOST_BARS, Seen, screen
from mixdown.batch_words import attendance, attendance_words, batch_state_words, help_words, is_over, progress_words
from mixdown.errors import DatabaseUnavailable
from mixdown.jobs import JobStore
from mixdown.model import BatchProgress, JobRecord, Outage, Status
from mixdown.owner import is_alive
from mixdown.wording import state_words

#: Between two looks at least; longer where a look takes long, so that looking costs next to nothing.
_LOOK_S = 0.5
_LOOK_SHARE = 0.05
_LONGEST_S = 5.0
#: Between two looks at what changes seldom: outages, and who is at work.
_SELDOM_S = 3.0
#: Between two lines where there is no terminal.
_LINE_S = 10.0
#: A batch with more jobs than this gets no line for each.
_MOST_LINES = 60
#: A batch that is still being written down may look as if it were over for a moment.
_SURE_S = 2.0


@contextmanager
def live(console: Console | None, jobs: JobStore, batch_id: UUID) -> Iterator[None]:
    """Show how a batch goes while the block, which works on it, runs; nothing without a console.

    Where the console is no terminal, a line for each job as it ends, or one now and then for a large batch.
    """
    if console is None:
        yield
        return
    done = threading.Event()
    watcher = _Watcher(console, jobs, batch_id)
    if not console.is_terminal:
        watcher.tell_of_jobs()
    thread = threading.Thread(target=watcher.follow, args=(done,), name="screen", daemon=True)
    with watcher.shown(transient=True):
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def watch(console: Console, jobs: JobStore, batch_id: UUID, *, lease_s: float) -> BatchProgress:
    """Show how a batch goes, whoever works on it, until it is over; how it stands then."""
    watcher = _Watcher(console, jobs, batch_id, lease_s=lease_s)
    with watcher.shown(transient=False):
        return watcher.until_over()


@dataclass
class _Watcher:
    console: Console
    jobs: JobStore
    batch_id: UUID
    lease_s: float | None = None  #: None: this process works on it, and need not ask who else does
    seen: Seen | None = None
    screen: Live | None = None
    told: set[UUID] | None = None  #: jobs that have ended and are not told of any more; None: no job is
    remark: str = ""
    outages: list[Outage] = field(default_factory=list)
    asked_s: float = -math.inf
    line: str = ""
    state: str = ""
    line_s: float = -math.inf

    @contextmanager
    def shown(self, *, transient: bool) -> Iterator[None]:
        """A screen, where there is a terminal."""
        if not self.console.is_terminal:
            yield
            return
        with Live(console=self.console, transient=transient, auto_refresh=False) as self.screen:
            yield

    def follow(self, done: threading.Event) -> None:
        """Look until it is enough, and once more."""
        while not done.wait(self._look()):
            pass
        self._look()

    def until_over(self) -> BatchProgress:
        """Look until nothing more will happen."""
        over_since_s = math.inf
        while True:
            wait_s, now_s = self._look(), time.monotonic()
            if self.seen is not None:
                progress = self.seen.progress
                over_since_s = min(over_since_s, now_s) if is_over(progress) else math.inf
                settled = progress.batch.closed_at is not None or progress.batch.cancelled_at is not None
                if over_since_s <= (now_s if settled else now_s - _SURE_S):
                    return progress
            time.sleep(wait_s)

    def tell_of_jobs(self) -> None:
        """Say of each job, where they are few, when it ends; those that have ended are old news."""
        with suppress(DatabaseUnavailable):
            self.told = {record.id for record in self._few() if record.status.ended}

    def _look(self) -> float:
        """Look and show what there is; how long to wait before the next look, in seconds."""
        started_s = time.monotonic()
        try:
            self._show(self._see())
        except DatabaseUnavailable:
            if self.seen is not None and self.screen is not None:
                self._show(replace(self.seen, remark="the database does not answer; it is asked again"))
        took_s = time.monotonic() - started_s
        return min(_LONGEST_S, max(_LOOK_S, took_s / _LOOK_SHARE))

    def _see(self) -> Seen:
        progress = self.jobs.batch_progress(self.batch_id)
        if time.monotonic() - self.asked_s > _SELDOM_S:
            self.asked_s = time.monotonic()
            self.outages = self.jobs.outages()
            self.remark = self._who_is_there(progress)
        running = self.screen is not None and progress.counts[Status.running]
        self.seen = Seen(
            progress=progress,
            running=self.jobs.list(batch_id=self.batch_id, status=Status.running, limit=MOST_BARS)
            if running
            else (),
            outages=self.outages,
            remark=self.remark,
        )
        return self.seen

    def _running(self) -> list[JobRecord]:
        return self.jobs.list(batch_id=self.batch_id, status=Status.running, limit=MOST_BARS, oldest_first=True)

    def _who_is_there(self, progress: BatchProgress) -> str:
        """That nobody works on it, where that is so and somebody should."""
        batch = progress.batch
        if self.lease_s is None or is_over(progress) or batch.paused_at or batch.cancelled_at:
            return ""
        there = attendance(batch, self.jobs.shifts(), lease_s=self.lease_s, is_alive=is_alive)
        return "" if there.crews else f"{attendance_words(batch, there)}.\n{help_words(batch, there)}".rstrip()

    def _show(self, seen: Seen) -> None:
        if self.screen is not None:
            self.screen.update(screen(seen, self.console.height), refresh=True)
        elif self.told is not None and seen.progress.total <= _MOST_LINES:
            for record in self._few():
                if record.status.ended and record.id not in self.told:
                    self.told.add(record.id)
                    self._print(f"{record.spec.filename}: {state_words(record)}")
        else:
            self._print_line(seen)

    def _print_line(self, seen: Seen) -> None:
        """A line when the state changes, and now and then where there is news."""
        state, line = batch_state_words(seen.progress), progress_words(seen.progress)
        line = " · ".join([line, *(seen.remark.splitlines()[:1])])
        due = time.monotonic() - self.line_s >= _LINE_S and line != self.line
        if due or state != self.state:
            self.state, self.line, self.line_s = state, line, time.monotonic()
            self._print(line)

    def _few(self) -> list[JobRecord]:
        """The jobs of a batch of few, in their order."""
        return self.jobs.list(batch_id=self.batch_id, limit=_MOST_LINES)[::-1]

    def _print(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)
