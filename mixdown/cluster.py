"""Batches on a cluster of machines: its processes are sent for work, a shard at a time, until nothing is left.

The ledger is what they share. Whoever sends them knows how much is left, never which jobs went where.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Protocol
from urllib.parse import urlsplit
from uuid import UUID

from mixdown.crew import FIRST_SHARD_JOBS, LOOK_S, MOST_SHARD_JOBS, SHARD_BYTES, SHARD_S
from mixdown.errand import Errand, Worked
from mixdown.errors import (
    BatchCancelled,
    ClusterUnavailable,
    DatabaseUnavailable,
    Interrupted,
    InvalidRequest,
    PermanentError,
)
from mixdown.model import digest
from mixdown.notices import tell_of_batch
from mixdown.owner import is_alive
from mixdown.settings import Settings
from mixdown.storage import path_of
from mixdown.studio import AtWork, Studio

logger = logging.getLogger(__name__)

#: Work in one errand: more than in a shard of one machine, as sending somebody takes 0.2 s of processor time.
_ERRAND_S = 2 * SHARD_S
#: Errands on their way for each process, so that none waits for the next one.
_AHEAD = 2
#: How often one looks for jobs of processes that have died.
_RESCUE_S = 5.0
#: How long nothing is sent after something went wrong that is not the jobs' fault.
_BREATHER_S = 2.0
#: How long processes may take to stop when a batch is called off.
_STOP_S = 15.0


# -- which one ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterName:
    """A cluster as `MIXDOWN_CLUSTER` names it."""

    kind: str  #: dask, ray
    address: str | None  #: `host:port`; None: started here, for as long as a run lasts

    @property
    def host(self) -> str:
        """Where it is reached; "" for one that is started here."""
        return urlsplit(f"//{self.address}").hostname or "" if self.address else ""


def cluster_of(settings: Settings) -> ClusterName | None:
    """The cluster that batches go to, if any.

    Raises
    ------
    InvalidRequest
        The name makes no sense; what it takes is not installed; its machines could not reach the database or
        the results.
    """
    if settings.cluster in ("", "threads"):
        return None
    kind, _, address = settings.cluster.partition("://")
    if kind not in ("dask", "ray") or ("://" in settings.cluster and not _is_address(address)):
        raise InvalidRequest("MIXDOWN_CLUSTER is dask, ray, dask://host:port, ray://host:port or threads.")
    if find_spec(f"prefect_{kind}") is None or find_spec({"dask": "distributed"}.get(kind, kind)) is None:
        raise InvalidRequest(f"To work on a {kind.title()} cluster: pip install 'mixdown[{kind}]'.")
    name = ClusterName(kind=kind, address=address or None)
    _refuse_what_stays_here(settings, name)
    return name


def _is_address(address: str) -> bool:
    host, _, port = address.rpartition(":")
    return bool(host) and port.isdecimal()


def _refuse_what_stays_here(settings: Settings, name: ClusterName) -> None:
    """Nobody but this machine reads its files; nobody but this process reads its memory."""
    results = settings.effective_results_url
    if results.startswith("memory:"):
        raise InvalidRequest("Results in memory are out of a cluster's reach: set MIXDOWN_RESULTS_URL.")
    if name.address is None:
        return
    folder = path_of(results)
    if folder is not None and not settings.is_shared(folder):
        raise InvalidRequest(
            "The machines of a cluster cannot write to a folder of this one: set MIXDOWN_RESULTS_URL to s3://…, "
            "or to a folder below MIXDOWN_SHARED_FOLDERS."
        )
    if settings.effective_database_url.startswith("sqlite"):
        raise InvalidRequest("The machines of a cluster share a PostgreSQL: set MIXDOWN_DATABASE_URL.")


def refuse_unreachable_server(name: ClusterName, server_url: str) -> None:
    """InvalidRequest where the machines of a cluster could not report to this Prefect server."""
    if name.address and not _is_loopback(name.host) and _is_loopback(urlsplit(server_url).hostname or ""):
        raise InvalidRequest(
            "The machines of a cluster cannot reach a Prefect server that listens to this machine only: "
            "set PREFECT_API_URL to an address that they know too."
        )


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "0.0.0.0", "::", "::1") or host.startswith("127.")  # noqa: S104 - not bound to


# -- working on it --------------------------------------------------------------------------------


class Cluster(Protocol):
    """Processes that can be sent for work."""

    def width(self) -> int:
        """How many errands run at once; 0 while nobody is there."""

    def send(self, errand: Errand) -> None:
        """Have somebody run an errand, as soon as somebody is free."""

    def back(self, timeout_s: float) -> Worked | BaseException | None:
        """What came of an errand, whichever is done next; None where none is.

        ClusterUnavailable where nothing will come back any more.
        """


@contextmanager
def reaching(*foreign: type[Exception]) -> Iterator[None]:
    """Raise ClusterUnavailable for what a cluster that is away raises."""
    try:
        yield
    except foreign as error:
        raise ClusterUnavailable from error


def work_on_cluster(
    studio: Studio,
    batch_id: UUID,
    cluster: Cluster,
    *,
    look: Callable[[], None] = lambda: None,
    flow_run_id: UUID | None = None,
    limits: frozenset[str] = frozenset(),
) -> None:
    """Have a cluster work on a batch until nothing of it is left to do, there or elsewhere.

    `look` is called now and then. A paused batch is waited for.

    Raises
    ------
    BatchCancelled
        Somebody has called the batch off; what was running has stopped, or will within seconds.
    InvalidRequest
        A machine of the cluster has another ledger or another store.
    ClusterUnavailable
        The cluster is gone. What was running there goes on, or goes back into the queue with its lease.
    """
    with studio.at_work(batch_id, flow_run_id) as shift:
        _Sender(shift, batch_id, cluster, look, limits).work()


@dataclass
class _Sender:
    shift: AtWork
    batch_id: UUID
    cluster: Cluster
    look: Callable[[], None]
    limits: frozenset[str]
    out: int = 0  #: errands on their way
    queued: int = 0
    running: int = 0
    paused: bool = True
    bytes_per_s: float | None = None  #: of one process
    looked_s: float = -math.inf
    rescued_s: float = -math.inf
    rests_until_s: float = -math.inf
    width: int = 0
    said: set[str] = field(default_factory=set)

    def work(self) -> None:
        """Send, wait, look, until there is nothing left."""
        while True:
            try:
                if self._look() and self._over():
                    return
                self._send()
            except DatabaseUnavailable as error:
                logger.warning("%s It is waited for.", error.message)
                self._rest(_BREATHER_S)
            except BatchCancelled:
                self._wait_for_those_out()
                raise
            if self.out:
                self._receive(LOOK_S / 2)
            elif self.shift.studio.stopping.wait(LOOK_S / 2):
                raise Interrupted
            self.look()

    def _look(self) -> bool:
        """Read how the batch stands, now and then; whether that was just done."""
        now_s = time.monotonic()
        if now_s - self.looked_s < LOOK_S:
            return False
        jobs = self.shift.studio.jobs
        if now_s - self.rescued_s > _RESCUE_S:
            self.rescued_s = now_s
            jobs.requeue_lost(lease_s=self.shift.studio.settings.lease_s, is_alive=is_alive)
        batch = jobs.batch(self.batch_id)
        if batch.cancelled_at is not None:
            raise BatchCancelled
        self.paused = batch.paused_at is not None
        self.queued, self.running = jobs.left(self.batch_id)
        self.width = self.cluster.width()
        if not self.width:
            self._say("The cluster has no processes at present; work begins when there are some.")
        self.looked_s = now_s
        return True

    def _over(self) -> bool:
        """Whether nothing is left, there or elsewhere; the batch is then closed."""
        if self.queued or self.running or not self.shift.studio.jobs.close_batch(self.batch_id):
            return False
        tell_of_batch(self.shift.studio, self.batch_id)
        return True

    def _send(self) -> None:
        """Send as many as have something to do, and some more, who will find it out by themselves."""
        if self.paused or time.monotonic() < self.rests_until_s:
            return
        wide = max(1, self.width)
        known = self.bytes_per_s
        per_process = math.ceil(self.queued / (2 * wide))
        errand = Errand(
            batch_id=self.batch_id,
            results=digest(self.shift.studio.objects.root),
            flow_run_id=self.shift.flow_run_id,
            most_jobs=max(1, min(per_process, MOST_SHARD_JOBS if known else FIRST_SHARD_JOBS)),
            work_bytes=max(1, int(known * _ERRAND_S)) if known else SHARD_BYTES,
            limits=self.limits,
        )
        while self.queued > 0 and self.out < _AHEAD * wide:
            self.cluster.send(errand)
            self.out += 1
            self.queued -= errand.most_jobs  # at most so many: the next look knows better

    def _receive(self, timeout_s: float) -> None:
        """Wait for an errand to be done, and learn from it."""
        came = self.cluster.back(timeout_s)
        if came is None:
            return
        self.out -= 1
        match came:
            case Worked(jobs=0):  # what is queued has to wait
                self._rest(LOOK_S)
            case Worked():
                self._learn(came)
            case DatabaseUnavailable():
                logger.warning("%s It is waited for.", came.message)
                self._rest(_BREATHER_S)
            case PermanentError():  # a machine that is not set up as this one is: it would fail every time
                raise came
            case _:
                logger.warning("An errand has failed; its jobs go back into the queue.", exc_info=came)
                self._rest(_BREATHER_S)
        if not self.out:
            self.looked_s = -math.inf  # it may have been the last

    def _learn(self, worked: Worked) -> None:
        """How fast work goes in one process, from the shards of late."""
        if worked.size_bytes and worked.took_s > 0:
            now_per_s = worked.size_bytes / worked.took_s
            self.bytes_per_s = now_per_s if self.bytes_per_s is None else (self.bytes_per_s + now_per_s) / 2

    def _wait_for_those_out(self) -> None:
        """Let processes that are at work find out that the batch is called off."""
        until_s = time.monotonic() + _STOP_S
        while self.out and time.monotonic() < until_s:
            self._receive(LOOK_S / 2)

    def _rest(self, rest_s: float) -> None:
        self.rests_until_s = time.monotonic() + rest_s

    def _say(self, sentence: str) -> None:
        if sentence not in self.said:
            self.said.add(sentence)
            logger.warning(sentence)
