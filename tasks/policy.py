"""How each stage is retried, limited and named in Prefect: written once."""

from __future__ import annotations

from typing import Any

from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task

from mixdown.errors import DatabaseUnavailable
from mixdown.model import Stage
from mixdown.retry import POLICIES
from mixdown.speech.cloud import LIMIT_PREFIX

#: Global concurrency limits, created by `mixdown deploy` from deployments/limits.yaml. A stage takes
#: one slot for a shard, since taking it costs 0.1 s; a limit that does not exist limits nothing.
LIMITS = {Stage.validate: "mixdown-fetch", Stage.process: "mixdown-process"}


def is_retryable(task: Task[..., Any], task_run: TaskRun, state: State[Any]) -> bool:
    """Retry what is in the way of a whole shard; a single job that fails waits for its turn in the ledger."""
    return isinstance(state.result(raise_on_failure=False), DatabaseUnavailable)


def policy(stage: Stage) -> dict[str, Any]:
    """Arguments of `@task` for a stage.

    There is no `timeout_seconds`: in a thread Prefect cannot keep it, and warns so at every run. Each job
    has its own deadline instead (`StagePolicy.timeout_s`), kept where its work is done.

    There are no tags: Prefect takes a slot for each at every task run; those of the deployment are inherited.

    No results are persisted: the ledger holds them, and a stored Prefect result could name pickle as
    its own serializer.
    """
    retry = POLICIES[stage]
    return {
        "task_run_name": f"{stage.value} {{shard.label}}",
        "retries": retry.retries,
        "retry_delay_seconds": retry.delays_s,
        "retry_jitter_factor": retry.jitter,
        "retry_condition_fn": is_retryable,
        "persist_result": False,
        "cache_policy": NO_CACHE,
    }


def existing_limits() -> frozenset[str]:
    """Names of our limits that the server has. Asked once for a run: to try one that is not there takes seconds."""
    with get_client(sync_client=True) as client:
        names = {limit.name for limit in client.read_global_concurrency_limits(limit=200)}
    return frozenset(name for name in names if name in LIMITS.values() or name.startswith(LIMIT_PREFIX))
