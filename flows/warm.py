"""The warm process: everything imported, so that a job which somebody waits for begins in a fraction of a second.

It runs what stands in the queue `interactive`, in threads, as a worker would in processes; sends runs to batches on
which nobody works; and keeps Prefect's view and the ledger together.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import httpx
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.exceptions import Abort, ObjectNotFound, PrefectException
from prefect.flow_engine import run_flow
from prefect.logging.loggers import flow_run_logger, get_logger
from prefect.states import AwaitingRetry, Cancelled, Pending
from prefect.utilities.engine import propose_state_sync

from flows.dispatch import Dispatcher
from flows.orchestrate import KEPT_HANDS, call_batch_off
from flows.otherwise import impatient, otherwise, without_heartbeats
from flows.reconcile import reconcile
from flows.server import INTERACTIVE, described_deployments, flow_of, flows_with_batches, is_interactive
from flows.wake import Alarm
from mixdown import telemetry
from mixdown.errors import DatabaseUnavailable
from mixdown.hands import Hands
from mixdown.notices import deliver_waiting
from mixdown.settings import Settings
from mixdown.studio import Studio
from tasks.studio import studio

logger = get_logger("mixdown")

#: How often the ledger is asked for batches that wait.
_LEDGER_S = 0.2
#: How often Prefect is asked without having said anything.
_PREFECT_S = 1.0
_CANCELLATIONS_S = 3.0
#: How often deployments are looked up again: they get new ids when they are made anew.
_DEPLOYMENTS_S = 60.0
#: How often Prefect's view is made to agree with the ledger, and jobs of the dead are queued again.
_RECONCILE_S = 10.0
#: How often what waits in the outbox is looked at: the first wait of a message is 5 s.
_OUTBOX_S = 1.0
#: How long nothing is asked after Prefect or the database did not answer.
_REST_S = 1.0
#: How long runs may take to give their jobs back when the process is stopped.
_STOP_S = 20.0

#: What goes wrong while Prefect or the database is away, and comes right by itself.
_AWAY = (httpx.HTTPError, PrefectException, DatabaseUnavailable)


@dataclass(frozen=True)
class _Run:
    flow: Flow[..., object]
    flow_run: FlowRun
    future: Future[object]


@dataclass
class WarmProcess:
    """Runs flows in threads, `slots` at once; those of one work pool, or of deployments without one."""

    studio: Studio
    owner: str
    slots: int
    pool: str | None = None
    stopping: threading.Event = field(default_factory=threading.Event)
    _alarm: Alarm = field(default_factory=Alarm)
    _running: dict[UUID, _Run] = field(default_factory=dict)
    _flows: dict[UUID, Flow[..., object]] = field(default_factory=dict)
    _next_s: dict[str, float] = field(default_factory=dict)
    _tidying: Future[object] | None = None
    _posting: Future[object] | None = None

    def __post_init__(self) -> None:
        self._dispatcher = Dispatcher(self.studio)
        self._hands = Hands(self.studio.settings)
        self._threads = ThreadPoolExecutor(self.slots, thread_name_prefix="run")
        self._tidier = ThreadPoolExecutor(1, thread_name_prefix="reconcile")
        self._postman = ThreadPoolExecutor(1, thread_name_prefix="post")

    def work(self) -> None:
        """Take what comes, until `stopping` is set."""
        away = ""
        self._tidier.submit(self._hire)
        # What is asked here is asked again soon: Prefect's client is not to try for a minute.
        with otherwise(impatient)(), get_client(sync_client=True) as client:
            while not self.stopping.is_set():
                rang = self._alarm.wait(_LEDGER_S)
                try:
                    self._look(client, rang=rang)
                    away = ""
                except _AWAY as error:
                    if str(error) != away:
                        logger.warning("%s It is waited for.", error)
                    away = str(error)
                    self.stopping.wait(_REST_S)
            self._leave(client)

    def _hire(self) -> None:
        """Have hands ready, with all of the sound loaded: it takes seconds."""
        for hand in [self._hands.borrow() for _ in range(min(self.slots, self._hands.width))]:
            self._hands.put_back(hand)

    def stop(self) -> None:
        """Have `work` end."""
        self.stopping.set()
        self._alarm.ring()

    @property
    def is_busy(self) -> bool:
        """Whether a run is still going on."""
        return any(not run.future.done() for run in self._running.values())

    def _look(self, client: SyncPrefectClient, *, rang: bool) -> None:
        for run in [each for each in self._running.values() if each.future.done()]:
            self._ended(client, run)
        if self._is_due("deployments", _DEPLOYMENTS_S if self._flows else _PREFECT_S):
            self._flows = _interactive_flows(client)
        if self._is_due("cancellations", _CANCELLATIONS_S) or rang:
            self._heed_cancellations(client)
        if self._is_due("prefect", _PREFECT_S) or rang:
            self._take_runs(client)
        for batch in self._dispatcher.waiting(room=self._free()):
            if self._free() and (sent := self._dispatcher.send(client, batch, taken_by=self._signature)):
                self._start(client, sent.id)
        if self._is_due("outbox", _OUTBOX_S) and (self._posting is None or self._posting.done()):
            self._posting = self._postman.submit(deliver_waiting, self.studio)
        if self._is_due("reconcile", _RECONCILE_S) and (self._tidying is None or self._tidying.done()):
            self.studio.jobs.begin_shift(self.owner, batch_id=None, flow_run_id=None)  # if we were thought dead
            self._tidying = self._tidier.submit(reconcile, self.studio, spare=set(self._running))

    def _is_due(self, what: str, every_s: float) -> bool:
        now_s = time.monotonic()
        if now_s < self._next_s.get(what, 0.0):
            return False
        self._next_s[what] = now_s + every_s
        return True

    def _free(self) -> int:
        return self.slots - len(self._running)

    @property
    def _signature(self) -> str:
        return f"Taken by {self.owner}"

    def _take_runs(self, client: SyncPrefectClient) -> None:
        """Claim the runs that are due, so many as there are slots. Of several that try, Prefect lets one."""
        if not self._free() or not self._flows:
            return
        for run_id in self._due(client):
            if not self._free():
                return
            with suppress(Abort, ObjectNotFound):
                state: State[object] = Pending(message=self._signature)
                if propose_state_sync(client, state, flow_run_id=run_id).is_pending():
                    self._start(client, run_id)

    def _due(self, client: SyncPrefectClient) -> list[UUID]:
        now = datetime.now(UTC)
        if self.pool is None:
            due = client.get_scheduled_flow_runs_for_deployments(
                list(self._flows), scheduled_before=now, limit=self._free()
            )
            return [each.id for each in due]
        found = client.get_scheduled_flow_runs_for_work_pool(self.pool, [INTERACTIVE], scheduled_before=now)
        return [each.flow_run.id for each in found if each.flow_run.deployment_id in self._flows]

    def _start(self, client: SyncPrefectClient, run_id: UUID) -> None:
        flow_run = client.read_flow_run(run_id)
        if flow_run.deployment_id is None:
            return
        if flow_run.deployment_id not in self._flows:  # it was registered since they were looked up
            self._flows = _interactive_flows(client)
        flow = self._flows[flow_run.deployment_id]
        future = self._threads.submit(_run, flow, flow_run, self._hands)
        future.add_done_callback(lambda _: self._alarm.ring())
        self._running[flow_run.id] = _Run(flow, flow_run, future)

    def _heed_cancellations(self, client: SyncPrefectClient) -> None:
        """Call the batch of every run that is to be cancelled off in the ledger, wherever it is worked on.

        Whoever runs it would only do so when its process has ended; a thread of ours cannot be ended at all.
        """
        cancelling = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.CANCELLING]))
        for run in client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=flows_with_batches())),
            flow_run_filter=FlowRunFilter(state=cancelling),
        ):
            call_batch_off(run)

    def _ended(self, client: SyncPrefectClient, run: _Run) -> None:
        """Forget a run; one that was told to cancel is cancelled now, however it ended."""
        if _in_state(client, [run.flow_run.id], StateType.CANCELLING):
            client.set_flow_run_state(run.flow_run.id, Cancelled(message="It was cancelled."), force=True)
        del self._running[run.flow_run.id]

    def _leave(self, client: SyncPrefectClient) -> None:
        """Stop what runs. Its jobs go back into the queue; its runs are taken up again by whoever comes next."""
        self.studio.stopping.set()
        deadline_s = time.monotonic() + _STOP_S
        while self.is_busy and time.monotonic() < deadline_s:
            time.sleep(0.05)
        with suppress(*_AWAY):
            for run_id in self._running:
                state = client.read_flow_run(run_id).state
                if state is None or not (state.is_completed() or state.is_cancelled()):
                    again: State[object] = AwaitingRetry(message="The process was stopped.")
                    client.set_flow_run_state(run_id, again, force=True)


def _run(flow: Flow[..., object], flow_run: FlowRun, hands: Hands) -> object:
    """Run a flow in this thread, as a worker would. What it raises is in its state."""
    KEPT_HANDS.set(hands)
    with otherwise(without_heartbeats)():
        return run_flow(flow, flow_run=flow_run, error_logger=flow_run_logger(flow_run, flow))  # type: ignore[arg-type]


def _interactive_flows(client: SyncPrefectClient) -> dict[UUID, Flow[..., object]]:
    """The flows of interactive deployments that are registered, by the deployment's id."""
    found = {}
    for described in described_deployments():
        if is_interactive(described):
            flow = flow_of(described)
            with suppress(ObjectNotFound):
                found[client.read_deployment_by_name(f"{flow.name}/{described['name']}").id] = flow
    return found


def _in_state(client: SyncPrefectClient, run_ids: Iterable[UUID], kind: StateType) -> list[FlowRun]:
    wanted = list(run_ids)
    if not wanted:
        return []
    state = FlowRunFilterState(type=FlowRunFilterStateType(any_=[kind]))
    return client.read_flow_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=wanted), state=state))


def keep_warm(*, slots: int = 4, pool: str | None = None) -> None:
    """Be the warm process until SIGTERM or SIGINT."""
    telemetry.begin(Settings(), service="mixdown-warm")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as stack:
        while not stop.is_set():
            try:
                opened = studio()
                shift = stack.enter_context(opened.at_work())
            except _AWAY as error:
                logger.warning("%s It is waited for.", error)
                stop.wait(_REST_S)
            else:
                process = WarmProcess(opened, shift.owner, slots, pool, stopping=stop)
                process.work()
                if process.is_busy:
                    os._exit(1)  # a thread that does not stop is not waited for: the ledger knows what it had


def main() -> None:
    """As the supervisor starts it."""
    keep_warm(slots=int(sys.argv[1]))


if __name__ == "__main__":
    main()
