"""Benches: stages run in child processes, or right here.

Children make use of every core, which threads of one Python cannot; one that crashes over a file takes
nobody along; and the process that coordinates stays small.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from uuid import UUID

import psutil

from mixdown.errors import HandDied, MixdownError, NeedsTooMuchMemory, TimedOut
from mixdown.jobs import JobStore
from mixdown.model import Claim, Stage, Status
from mixdown.scratch import sweep
from mixdown.settings import Settings
from mixdown.studio import AtWork, Studio
from mixdown.verdict import failed

#: How long a hand that was told to stop may take for it, in seconds.
_STOP_S = 5.0
#: How long the foreman may take to end with this process, in seconds.
_LEAVE_S = 10.0
#: How often a hand that says nothing is looked at, in seconds.
_LOOK_S = 0.5

#: The stages in which recordings are decoded.
_OPENS_FILES = (Stage.validate, Stage.process)

logger = logging.getLogger(__name__)


class Here:
    """A bench in this process: for one recording, and where parts were handed over that cannot travel.

    What others than people at this machine have asked for is opened by a hand all the same, within its limits.
    """

    apart = False

    def __init__(self, shift: AtWork) -> None:
        self._studio: Studio = shift.studio
        self._within_limits = Bench(kept_hands(shift.studio.settings), shift.studio.jobs)
        self.width = shift.studio.settings.workers

    def run(self, stage: Stage, claims: Sequence[Claim]) -> list[Claim]:
        """Run a stage in the calling thread."""
        from mixdown.stages import run_stage  # brings in all of the sound, which other benches have elsewhere

        strange = self._of_strangers(claims) if stage in _OPENS_FILES else []
        own = [claim for claim in claims if claim not in strange]
        alive = run_stage(stage, self._studio, own) if own else []
        return alive + (self._within_limits.run(stage, strange) if strange else [])

    def stop(self) -> None:
        """Have what is running stop at its next block."""
        self._studio.stopping.set()
        self._within_limits.stop()

    def _of_strangers(self, claims: Sequence[Claim]) -> list[Claim]:
        records = self._studio.jobs.read([claim.job_id for claim in claims])
        theirs = {record.id for record in records if record.spec.from_outside}
        return [claim for claim in claims if claim.job_id in theirs]


class Hands:
    """Child processes, started when there is something to do and kept for what comes next: benches of them."""

    apart = True

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # One more than there are cores: while one waits for a disk, all cores have something to do.
        self.width = settings.workers + 1
        self._idle: list[_Hand] = []
        self._closed = False
        self._lock = threading.Lock()

    def __call__(self, shift: AtWork) -> Bench:
        """A bench for one shift."""
        return Bench(self, shift.studio.jobs)

    def close(self) -> None:
        """Let everyone go."""
        with self._lock:
            self._closed = True
            for hand in self._idle:
                hand.close()
            self._idle.clear()

    def borrow(self) -> _Hand:
        """A hand that has nothing to do."""
        with self._lock:
            while self._idle:
                hand = self._idle.pop()
                if hand.is_there():
                    return hand
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                _FOREMAN.fork(theirs)
            except HandDied:
                ours.close()
                raise
        return _Hand(ours, self._settings)

    def put_back(self, hand: _Hand) -> None:
        """Keep a hand for what comes next."""
        with self._lock:
            if self._closed:
                hand.close()
            else:
                self._idle.append(hand)


_KEPT: dict[Settings, Hands] = {}
_keeping = threading.Lock()


def kept_hands(settings: Settings) -> Hands:
    """The hands that this process keeps until it ends, or is to work by other settings."""
    with _keeping:
        if settings not in _KEPT:
            _let_go()
            _KEPT[settings] = Hands(settings)
        return _KEPT[settings]


def _let_go() -> None:
    for hands in _KEPT.values():
        hands.close()
    _KEPT.clear()


atexit.register(_let_go)


class _Foreman:
    """The child that has loaded the sound and forks hands: one for this process, kept for all of its batches."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._lock = threading.Lock()

    def fork(self, wire: socket.socket) -> None:
        """Have a hand forked that listens to this wire; HandDied where that fails."""
        with self._lock:
            if self._process is None or self._control is None or self._process.poll() is not None:
                self._control = self._start()
            try:
                socket.send_fds(self._control, [b"."], [wire.fileno()])
            except OSError as error:
                raise HandDied from error

    def leave(self) -> None:
        """End it."""
        with self._lock:
            if self._process is None or self._control is None:
                return
            self._control.close()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=_LEAVE_S)
            self._process.kill()
            self._process.wait()
            self._process = None

    def _start(self) -> socket.socket:
        if self._control is not None:
            self._control.close()
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and words
                [sys.executable, "-m", "mixdown.hand", str(theirs.fileno())], pass_fds=[theirs.fileno()]
            )
        return ours


_FOREMAN = _Foreman()
atexit.register(_FOREMAN.leave)


class Bench:
    """The hands that work for one shift."""

    def __init__(self, hands: Hands, jobs: JobStore) -> None:
        self._hands = hands
        self._jobs = jobs
        self.width = hands.width
        self._busy: set[_Hand] = set()

    def run(self, stage: Stage, claims: Sequence[Claim]) -> list[Claim]:
        """Have a hand run a stage, and wait for it.

        A job that takes more than it may fails at once; the others of the shard go on with another hand.
        """
        claims = list(claims)
        while True:
            try:
                return self._run(stage, claims)
            except _TookTooMuch as error:
                over = next(claim for claim in claims if claim.job_id == error.job_id)
                claims.remove(over)
                self._end(stage, over, error)
                if not claims:
                    return []

    def _run(self, stage: Stage, claims: Sequence[Claim]) -> list[Claim]:
        hand = self._hands.borrow()
        self._busy.add(hand)
        try:
            answer = hand.run(stage, claims)
        except HandDied as error:
            error.job_id = hand.at
            hand.bury()
            raise
        finally:
            self._busy.discard(hand)
        self._hands.put_back(hand)
        if isinstance(answer, MixdownError):
            raise answer
        return answer

    def _end(self, stage: Stage, claim: Claim, error: _TookTooMuch) -> None:
        """Write down that a job has failed, once and for all: the next hand would fare no better."""
        for record in self._jobs.read([claim.job_id]):
            if record.status is Status.running and record.fence == claim.fence:
                message = error.what.format(record.spec.filename)
                logger.warning("job %s was stopped in %s: %s", record.id, stage.value, message)
                self._jobs.write([failed(record, claim, stage, error.failure, message)])

    def stop(self) -> None:
        """Tell those at work to stop; who does not within seconds is stopped."""
        for hand in list(self._busy):
            hand.stop()
        until_s = time.monotonic() + _STOP_S
        while self._busy and time.monotonic() < until_s:
            time.sleep(0.05)
        for hand in list(self._busy):
            hand.kill()
            hand.close()


class _TookTooMuch(HandDied):
    """A hand was killed over a job that took more than it may."""

    failure = ""  #: the code that the job ends with
    what = ""  #: a sentence about it, with a place for its name


class _Hand:
    """A child process, as we hold it."""

    def __init__(self, wire: socket.socket, settings: Settings) -> None:
        self._wire = wire
        self._orders = Connection(os.dup(wire.fileno()))
        self._sending = threading.Lock()
        self._settings = settings
        self._pid: int | None = None
        self.at: UUID | None = None  #: the job that it is at work on
        self._since_s = 0.0  #: when it began with that
        self._send(settings)

    def is_there(self) -> bool:
        """Whether it still listens: an idle one has nothing to say, so whatever can be read is its end."""
        return not self._orders.poll(0)

    def run(self, stage: Stage, claims: Sequence[Claim]) -> list[Claim] | MixdownError:
        """Order a stage, pass on what is logged meanwhile, and wait for the answer."""
        self.at = None
        self._send((stage, list(claims)))
        while True:
            try:
                while not self._orders.poll(_LOOK_S):
                    self._keep_within_limits()
                kind, said = self._orders.recv()
            except (EOFError, OSError) as error:
                raise HandDied from error
            if kind == "done":
                return said
            if kind == "at":
                self.at, self._since_s = said, time.monotonic()
                continue
            if kind == "pid":
                self._pid = said
                continue
            name, level, line = said
            logging.getLogger(name).log(level, "%s", line, extra={"told": True})  # to Sentry: see `telemetry`

    def _keep_within_limits(self) -> None:
        """Kill it where its job takes more than it may, whatever code it hangs in."""
        if self.at is None or self._pid is None:
            return
        error = _TookTooMuch()
        if time.monotonic() - self._since_s > self._settings.job_time_s:
            error.failure = TimedOut.code
            error.what = f"Given up after {self._settings.job_time_s:g} s of work on “{{}}”."
        elif _memory_bytes(self._pid) > self._settings.job_memory_bytes:
            error.failure = NeedsTooMuchMemory.code
            error.what = (
                f"“{{}}” needs more than the {self._settings.job_memory_bytes} bytes of memory for one job."
            )
        else:
            return
        self.kill()
        raise error

    def kill(self) -> None:
        """End it at once; one that hangs does not notice that its wire is cut."""
        if self._pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    def stop(self) -> None:
        """Tell it to stop at its next block."""
        self._send(None)

    def close(self) -> None:
        """Cut the wire, at which it ends, whoever of us waits at it."""
        with suppress(OSError):  # cut already
            self._wire.shutdown(socket.SHUT_RDWR)
        self._wire.close()

    def bury(self) -> None:
        """Once it is dead: what it was working on may fill a disk that the others need."""
        self.close()
        if self._pid is not None:
            with suppress(psutil.Error):
                psutil.Process(self._pid).wait(timeout=_STOP_S)
        sweep(self._settings.effective_scratch)

    def _send(self, order: object) -> None:
        with self._sending:
            try:
                self._orders.send(order)
            except (OSError, ValueError) as error:
                raise HandDied from error


def _memory_bytes(pid: int) -> int:
    """Memory of a process that is not a file's; 0 where this system does not tell."""
    try:
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
    except (OSError, ValueError):  # it has just ended, too
        return 0
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")
