"""Watching jobs: one thread of a process reads the log and tells everybody who listens."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from fastapi.encoders import jsonable_encoder
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from mixdown.api.bundle import Bundle, Write
from mixdown.api.tail import Tail
from mixdown.db.bell import Bell
from mixdown.errors import DatabaseUnavailable
from mixdown.jobs.event_log import EventLog, Line, Standing, Subject

_log = logging.getLogger(__name__)

#: A sign of life for listeners and what lies between.
HEARTBEAT_S = 15.0

#: Messages kept for a listener, beside what lies in its connection; with more it is cut, and reads the log again.
MOST_WAITING = 4096

#: How often it is looked how things stand.
_STANDING_EVERY_S = 1.0

#: How soon it is looked when something that somebody watches has ended.
_END_WITHIN_S = 0.2

#: Between two readings: a busy ledger speaks more often.
_REST_S = 0.05

#: And for each listener who was just told: about what sending takes, so that other requests have their turn.
_REST_EACH_S = 0.00005

#: Before the next attempt where the database does not serve.
_RETRY_S = 1.0

#: Lines after which it is worth looking whether all has ended.
_ENDS = ("succeeded", "failed", "cancelled", "rejected")

_PAGE = 1000


def line_message(line: Line) -> bytes:
    """One line of a history as it goes over the wire."""
    data = {
        "job_id": str(line.job_id),
        "batch_id": None if line.batch_id is None else str(line.batch_id),
        "at": line.at.isoformat(),
        "kind": line.kind,
        # Who claimed a job is a machine's and a process's name: nobody's business.
        "detail": None if line.kind == "claimed" else line.detail,
    }
    return format_sse_event(event="job", data_str=json.dumps(data), id=str(line.id))


def _standing_message(event: str, data: dict[str, Any]) -> bytes:
    return format_sse_event(event=event, data_str=json.dumps(jsonable_encoder(data)))


class Listener:
    """One who watches a job or a batch, within one event loop."""

    def __init__(self, hub: EventHub, subject: Subject) -> None:
        self.subject = subject
        self.loop = asyncio.get_running_loop()
        self.head: asyncio.Future[int] = self.loop.create_future()
        # These three are the hub's.
        self.told: dict[str, Any] | None = None
        self.told_at_s = 0.0
        self.left = False
        self.write: Write | None = None  #: past everything that surrounds the app, to the connection
        self._hub = hub
        self._waiting: deque[Bundle] = deque()
        self._rests = False  # all that was told has been sent
        self._woken = asyncio.Event()
        self._over = False

    def begin(self, position: int) -> None:
        """Everything behind this position is told; what is before, the log knows."""
        if not self.head.done():
            self.head.set_result(position)

    def tell(self, bundle: Bundle, *, last: bool) -> None:
        """Send messages, or keep them until they are fetched."""
        if self._over:
            return
        if self._rests and not last and self.write is not None and self.write(bundle.chunk):
            return
        self._rests = False
        self._waiting.append(bundle)
        if sum(each.number for each in self._waiting) > MOST_WAITING:
            self._waiting.clear()  # it comes again with the last id it has seen
            self._over = True
        self._over = self._over or last
        self._woken.set()

    def leave(self) -> None:
        """Listen no more."""
        self._hub.leave(self)

    async def joined(self) -> AsyncIterator[bytes]:
        """Signs of life until `head` is known."""
        while not (await asyncio.wait({self.head}, timeout=HEARTBEAT_S))[0]:
            yield KEEPALIVE_COMMENT

    async def messages(self) -> AsyncIterator[bytes]:
        """What there is to tell, several messages at once, and signs of life; ends with the subject."""
        while True:
            self._rests = not self._waiting
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await self._woken.wait()
            except TimeoutError:
                self._rests = False
                yield KEEPALIVE_COMMENT
                continue
            self._rests = False
            self._woken.clear()
            waiting = b"".join(each.body for each in self._waiting)
            self._waiting.clear()
            if waiting:
                yield waiting
            if self._over and not self._waiting:
                return


class EventHub:
    """Listeners of one process. Its thread is there as long as somebody listens."""

    def __init__(self, log: EventLog) -> None:
        self.log = log
        self._lock = threading.Lock()
        self._listeners: dict[Subject, set[Listener]] = {}
        self._joining: list[Listener] = []
        self._thread: threading.Thread | None = None
        self._bell: Bell | None = None
        self._closed = False
        self._told = 0  # listeners who were told something by the last pass

    def join(self, subject: Subject) -> Listener:
        """A listener of this event loop, which has to `leave`."""
        listener = Listener(self, subject)
        with self._lock:
            if self._closed:
                listener.begin(0)
                listener.tell(_NOTHING, last=True)
                return listener
            self._joining.append(listener)
            if self._bell is None:
                self._bell = Bell(self.log.engine)
                self._thread = threading.Thread(target=self._run, args=(self._bell,), name="events", daemon=True)
                self._thread.start()
            self._bell.ring()
        return listener

    def leave(self, listener: Listener) -> None:
        """Tell this one nothing more."""
        with self._lock:
            listener.left = True
            if listener in self._joining:
                self._joining.remove(listener)
            self._forget(listener)
            if self._bell is not None and not self._listeners and not self._joining:
                self._bell.ring()

    def close(self) -> None:
        """End every stream, as when the process stops; listeners come again, to another one."""
        with self._lock:
            self._closed = True
            thread = self._thread
            everyone = [*self._joining, *(each for some in self._listeners.values() for each in some)]
            if self._bell is not None:
                self._bell.ring()
        _hand_out([(listener, 0, _NOTHING, True) for listener in everyone])
        if thread is not None:
            thread.join(timeout=5)

    def _forget(self, listener: Listener) -> None:
        others = self._listeners.get(listener.subject, set())
        others.discard(listener)
        if not others:
            self._listeners.pop(listener.subject, None)

    def _is_over(self) -> bool:
        """Whether the thread may end; whoever joins after that begins another one."""
        with self._lock:
            if not self._closed and (self._listeners or self._joining):
                return False
            self._bell = self._thread = None
            return True

    # -- the thread -----------------------------------------------------------------------------

    def _run(self, bell: Bell) -> None:
        try:
            self._read(bell)
        finally:
            with self._lock:
                left = [*self._joining, *(each for some in self._listeners.values() for each in some)]
                if self._bell is bell:  # it did not end as it should: whoever comes again begins anew
                    self._bell = self._thread = None
                    self._joining, self._listeners = [], {}
                    _hand_out([(listener, 0, _NOTHING, True) for listener in left])
            bell.close()

    def _read(self, bell: Bell) -> None:
        tail: Tail | None = None
        look_at_s = 0.0
        unserved = False
        while not self._is_over():
            try:
                if tail is None:
                    tail = Tail(self.log.settled(), has_gaps=self.log.has_gaps)
                look_at_s = self._pass(tail, look_at_s)
                unserved = False
            except DatabaseUnavailable as error:
                if not unserved:
                    _log.warning("Events wait: %s", error.message)
                unserved = True
                time.sleep(_RETRY_S)
                continue
            time.sleep(_REST_S + self._told * _REST_EACH_S)
            bell.wait(max(0.0, look_at_s - time.monotonic()))

    def _pass(self, tail: Tail, look_at_s: float) -> float:
        """Read what is new, tell it, and let in who came; when to look next how things stand."""
        with self._lock:
            joining, self._joining = self._joining, []
            subjects = set(self._listeners)
        try:
            standings: dict[Subject, Standing] = {}
            looks = bool(joining) or time.monotonic() >= look_at_s
            if looks:
                # Before the lines: what had ended by then has all its lines among those read next.
                standings = self.log.standings(subjects | {listener.subject for listener in joining})
                look_at_s = time.monotonic() + _STANDING_EVERY_S
            lines: list[Line] = []
            while True:
                read = self.log.after(tail.position, late=tail.late, limit=_PAGE)
                lines += tail.take(read, time.monotonic())
                if len(read) < _PAGE or tail.holds:
                    break
            told, has_ends = self._by_subject(lines)
        except DatabaseUnavailable:
            with self._lock:
                self._joining = joining + self._joining
            raise
        with self._lock:
            self._tell(told, standings if looks else None, joining, tail)
        return min(look_at_s, time.monotonic() + _END_WITHIN_S) if has_ends else look_at_s

    def _by_subject(self, lines: list[Line]) -> tuple[dict[Subject, list[bytes]], bool]:
        """The messages for each subject that is listened to, and whether there is an end among them."""
        told: dict[Subject, list[bytes]] = {}
        has_ends = False
        with self._lock:
            subjects = set(self._listeners)
        batches = {subject.id for subject in subjects if subject.kind == "batch"}
        found = self.log.found_in(batches, {line.job_id for line in lines}) if lines and batches else {}
        for line in lines:
            about = {Subject("batch", batch_id) for batch_id in found.get(line.job_id, ())}
            about.add(Subject("job", line.job_id))
            if line.batch_id is not None:
                about.add(Subject("batch", line.batch_id))
            wanted = about & subjects
            if wanted:
                message = line_message(line)
                has_ends = has_ends or line.kind in _ENDS
                for subject in wanted:
                    told.setdefault(subject, []).append(message)
        return told, has_ends

    def _tell(
        self,
        told: dict[Subject, list[bytes]],
        standings: dict[Subject, Standing] | None,
        joining: list[Listener],
        tail: Tail,
    ) -> None:
        handed: list[_Handed] = []
        joining = [listener for listener in joining if not listener.left]
        now_s = time.monotonic()
        made: dict[Subject, tuple[bytes, bool]] = {}
        newcomers = set(joining)
        bundles: dict[tuple[Subject, bool], Bundle] = {}
        for listener in [*(each for some in self._listeners.values() for each in some), *joining]:
            subject = listener.subject
            messages = () if listener in newcomers else told.get(subject, ())
            last = with_standing = False
            if standings is not None:
                standing = standings.get(subject, _GONE)
                if subject not in made:
                    # What is held back comes before the end.
                    ended = standing.ended and not tail.holds
                    made[subject] = _standing_message("end" if ended else "progress", standing.data), ended
                message, last = made[subject]
                is_due = now_s - listener.told_at_s > 0.9 * _STANDING_EVERY_S
                if last or (is_due and listener.told != standing.data):
                    messages, with_standing = (*messages, message), True
                    listener.told, listener.told_at_s = standing.data, now_s
            if listener in newcomers:
                handed.append((listener, tail.position, Bundle.of(messages), last))
            elif messages:
                bundle = bundles.get((subject, with_standing))
                if bundle is None:
                    bundle = bundles[subject, with_standing] = Bundle.of(messages)
                handed.append((listener, tail.position, bundle, last))
        for listener in joining:
            self._listeners.setdefault(listener.subject, set()).add(listener)
        for listener, _, _, last in handed:
            if last:
                self._forget(listener)
        self._told = len(handed)
        for gone in _hand_out(handed):
            self._forget(gone)


#: A job that is there no more has ended.
_GONE = Standing(ended=True, data={})

_NOTHING = Bundle.of(())

#: For whom, from which position on, what, and whether that is all.
_Handed = tuple[Listener, int, Bundle, bool]


def _hand_out(handed: list[_Handed]) -> list[Listener]:
    """Give every event loop what is for its listeners, in one call each; the listeners whose loop is gone."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Handed]] = {}
    for each in handed:
        by_loop.setdefault(each[0].loop, []).append(each)
    gone: list[Listener] = []
    for loop, some in by_loop.items():
        try:
            loop.call_soon_threadsafe(_receive, some)
        except RuntimeError:  # the loop is closed
            gone += [listener for listener, *_ in some]
    return gone


def _receive(handed: list[_Handed]) -> None:
    for listener, position, bundle, last in handed:
        listener.begin(position)
        if bundle.number or last:
            listener.tell(bundle, last=last)
