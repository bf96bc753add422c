"""Dask and Ray clusters, through Prefect's own task runners for them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.futures import PrefectWrappedFuture
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.task_runners import TaskRunner

from mixdown.cluster import Cluster, ClusterName, reaching, refuse_unreachable_server
from mixdown.errand import Errand, Worked, run_errand
from mixdown.errors import ClusterUnavailable
from mixdown.model import BatchRecord, Priority
from mixdown.studio import Studio
from tasks.studio import studio
from tasks.through import through

if TYPE_CHECKING:
    from prefect_dask.task_runners import DaskTaskRunner

_Future = PrefectWrappedFuture[Any, Any]

#: How long a cluster may take to answer, in seconds.
_CONNECT_S = 20
#: Ray is asked again after these.
_RAY_PAUSES_S = (2.0, 5.0)

#: Dask takes higher ones first.
_DASK_PRIORITY = {Priority.urgent: 10, Priority.normal: 0}


@task(name="work-a-shard", persist_result=False, cache_policy=NO_CACHE)
def work_a_shard(errand: Errand) -> Worked:
    """Take one shard of a batch from the ledger and through its stages, in a process of the cluster."""
    return run_errand(studio(), errand, through)


@contextmanager
def open_cluster(name: ClusterName, opened: Studio, batch: BatchRecord) -> Iterator[Cluster]:
    """A cluster, reached for as long as a batch is worked on; one without an address is started here and ended."""
    with ExitStack() as stack:
        with get_client(sync_client=True) as client:
            server_url = str(client.api_url)
        refuse_unreachable_server(name, server_url)
        # Processes of the cluster report to the server of this run, even where it was only started for it.
        stack.enter_context(temporary_settings({PREFECT_API_URL: server_url}))
        opening = _dask if name.kind == "dask" else _ray
        yield stack.enter_context(opening(name, opened, batch))


class _Errands:
    """Errands that are out, as Prefect's futures, and those that are back."""

    def __init__(self, runner: TaskRunner[Any]) -> None:
        self._runner = runner
        self._out: set[_Future] = set()
        self._back: SimpleQueue[_Future] = SimpleQueue()

    def send(self, errand: Errand) -> None:
        """Have somebody run it."""
        future: Any = self._runner.submit(work_a_shard, parameters={"errand": errand})
        self._out.add(future)
        future.add_done_callback(self._back.put)

    def next_back(self, timeout_s: float) -> _Future | None:
        """The next that is done, however it went."""
        with suppress(Empty):
            future = self._back.get(timeout=timeout_s)
            self._out.discard(future)
            return future
        return None


class _DaskCluster(_Errands):
    """A Dask cluster, as `distributed` shows it."""

    def __init__(self, runner: DaskTaskRunner, priority: int) -> None:
        super().__init__(runner)
        self._client = runner.client
        self._priority = priority

    def width(self) -> int:
        """Threads of all its workers."""
        with reaching(OSError):
            return sum(self._client.nthreads().values())

    def send(self, errand: Errand) -> None:
        """Have somebody run it."""
        from dask.base import annotate

        with reaching(OSError), annotate(priority=self._priority):
            super().send(errand)

    def back(self, timeout_s: float) -> Worked | BaseException | None:
        """What came of the next one that is done."""
        future = self.next_back(timeout_s)
        if self._client.status != "running":
            raise ClusterUnavailable
        if future is None:
            return None
        inner = future.wrapped_future
        if inner.status == "finished":
            return _outcome(inner.result())
        return inner.exception() if inner.status == "error" else ClusterUnavailable()


class _RayCluster(_Errands):
    """A Ray cluster, as `ray` shows it."""

    def width(self) -> int:
        """Processors of all its machines."""
        import ray

        with reaching(ConnectionError, ray.exceptions.RaySystemError):
            return int(ray.cluster_resources().get("CPU", 0))

    def back(self, timeout_s: float) -> Worked | BaseException | None:
        """What came of the next one that is done."""
        import ray

        future = self.next_back(timeout_s)
        if future is None:
            return None
        with reaching(ConnectionError, ray.exceptions.RaySystemError):
            future.wait()
        return _outcome(future.state) if future.state.is_final() else ClusterUnavailable()


def _outcome(state: State[Any]) -> Any:
    """What a task run returned, or the error that ended it."""
    return state.result(raise_on_failure=False)


@contextmanager
def _dask(name: ClusterName, opened: Studio, batch: BatchRecord) -> Iterator[Cluster]:
    from prefect_dask.task_runners import DaskTaskRunner

    with ExitStack() as stack:
        if name.address:
            # Without a scheme: Dask's own configuration says whether that is tcp or tls.
            runner = DaskTaskRunner(address=name.address, client_kwargs={"timeout": _CONNECT_S})
        else:
            runner = DaskTaskRunner(
                cluster_kwargs={
                    "n_workers": opened.settings.workers,
                    "threads_per_worker": 1,
                    "dashboard_address": "127.0.0.1:0",
                    "local_directory": str(stack.enter_context(opened.workspace())),
                }
            )
        stack.enter_context(runner)
        with reaching(OSError):
            cluster = _DaskCluster(runner, _DASK_PRIORITY[batch.priority])
        yield cluster


@contextmanager
def _ray(name: ClusterName, opened: Studio, batch: BatchRecord) -> Iterator[Cluster]:
    options: dict[str, Any] = {"log_to_driver": False}
    address = f"ray://{name.address}" if name.address else None
    if address is None:
        options |= {"num_cpus": opened.settings.workers, "include_dashboard": False}
    with ExitStack() as stack:
        yield _RayCluster(_connected(stack, address, options))


def _connected(stack: ExitStack, address: str | None, options: dict[str, Any]) -> TaskRunner[Any]:
    """Ray's runner, its cluster reached: a head that is just starting turns its first clients away now and then."""
    import ray
    from prefect_ray.task_runners import RayTaskRunner

    for pause_s in _RAY_PAUSES_S:
        with suppress(ConnectionAbortedError):
            return stack.enter_context(RayTaskRunner(address=address, init_kwargs=options))
        ray.shutdown()
        time.sleep(pause_s)
    with reaching(ConnectionError):
        return stack.enter_context(RayTaskRunner(address=address, init_kwargs=options))
