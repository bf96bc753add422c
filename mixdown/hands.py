"""Benches: stages run in child processes, or right here.

Children make use of every core, which threads of one Python cannot; one that crashes over a file takes
nobody along; and the process that coordinates stays small.
"""

from __future__ import annotations

import atexit
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from uuid import UUID

from mixdown.errors import HandDied, MixdownError
from mixdown.model import Claim, Stage
from mixdown.settings import Settings
from mixdown.studio import AtWork, Studio

#: How long a hand that was told to stop may take for it, in seconds.
_STOP_S = 5.0
#: How long the foreman may take to end with this process, in seconds.
_LEAVE_S = 10.0


class Here:
    """A bench in this process: for one recording, and where parts were handed over that cannot travel."""

    apart = False

    def __init__(self, shift: AtWork) -> None:
        self._studio: Studio = shift.studio
        self.width = shift.studio.settings.workers

    def run(self, stage: Stage, claims: Sequence[Claim]) -> list[Claim]:
        """Run a stage in the calling thread."""
        from mixdown.stages import run_stage  # brings in all of the sound, which other benches have elsewhere

        return run_stage(stage, self._studio, claims)

    def stop(self) -> None:
        """Have what is running stop at its next block."""
        self._studio.stopping.set()


class Hands:
    """Child processes, started when there is something to do and kept for what comes next: benches of them."""

    apart = True

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # One more than there are cores: while one waits for a disk, all cores have something to do.
        self.width = settings.workers + 1
        self._idle: list[_Hand] = []
        self._lock = threading.Lock()

    def __call__(self, shift: AtWork) -> Bench:
        """A bench for one shift."""
        return Bench(self)

    def close(self) -> None:
        """Let everyone go."""
        with self._lock:
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
            self._idle.append(hand)


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

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self.width = hands.width
        self._busy: set[_Hand] = set()

    def run(self, stage: Stage, claims: Sequence[Claim]) -> list[Claim]:
        """Have a hand run a stage, and wait for it."""
        hand = self._hands.borrow()
        self._busy.add(hand)
        try:
            answer = hand.run(stage, claims)
        except HandDied as error:
            error.job_id = hand.at
            hand.close()
            raise
        finally:
            self._busy.discard(hand)
        self._hands.put_back(hand)
        if isinstance(answer, MixdownError):
            raise answer
        return answer

    def stop(self) -> None:
        """Tell those at work to stop; who does not within seconds is stopped."""
        for hand in list(self._busy):
            hand.stop()
        until_s = time.monotonic() + _STOP_S
        while self._busy and time.monotonic() < until_s:
            time.sleep(0.05)
        for hand in list(self._busy):
            hand.close()


class _Hand:
    """A child process, as we hold it."""

    def __init__(self, wire: socket.socket, settings: Settings) -> None:
        self._wire = wire
        self._orders = Connection(os.dup(wire.fileno()))
        self._sending = threading.Lock()
        self.at: UUID | None = None  #: the job that it is at work on
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
                kind, said = self._orders.recv()
            except (EOFError, OSError) as error:
                raise HandDied from error
            if kind == "done":
                return said
            if kind == "at":
                self.at = said
                continue
            name, level, line = said
            logging.getLogger(name).log(level, "%s", line)

    def stop(self) -> None:
        """Tell it to stop at its next block."""
        self._send(None)

    def close(self) -> None:
        """Cut the wire, at which it ends, whoever of us waits at it."""
        with suppress(OSError):  # cut already
            self._wire.shutdown(socket.SHUT_RDWR)
        self._wire.close()

    def _send(self, order: object) -> None:
        with self._sending:
            try:
                self._orders.send(order)
            except (OSError, ValueError) as error:
                raise HandDied from error
