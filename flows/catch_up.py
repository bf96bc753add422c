"""What becomes of scheduled runs that are late: after a night's downtime Prefect would start every one of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.context import FlowRunContext
from prefect.states import Completed

#: A run that starts within this time of when it was due is not late: workers ask every few seconds.
ON_TIME = timedelta(minutes=1)
#: Later runs that are looked at. A deployment may have schedules with parameters of their own.
_LOOKED_AT = 200
#: A run in one of these states will not do what an earlier one would have done.
_IN_VAIN = [StateType.FAILED, StateType.CRASHED, StateType.CANCELLED, StateType.CANCELLING]


class CatchUp(StrEnum):
    """Which of several late runs work."""

    latest = "latest"  #: The last one of those with the same parameters; the others have nothing to add.
    all = "all"  #: Each of them, one after the other.
    none = "none"  #: None: what was due while nobody was there is left out.


def superseded(policy: CatchUp) -> State[Any] | None:
    """The state in which the present run ends at once, with the reason; None: it is to work.

    Only runs of a deployment are left out, and with `none` only those of a schedule: a run that somebody
    asked for is not dropped for being late.
    """
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None or run.deployment_id is None or run.expected_start_time is None or policy is CatchUp.all:
        return None
    now = datetime.now(UTC)
    if policy is CatchUp.none:
        late = run.auto_scheduled and now - run.expected_start_time > ON_TIME
        return _skipped(f"It was due {_ago(run, now)} ago, and late runs are left out.") if late else None
    later = _due_after(run, now)
    return _skipped("A later run with the same parameters is due: it does what this one would.") if later else None


def _due_after(run: FlowRun, now: datetime) -> bool:
    """Whether another run that asks for the same was due since."""
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                deployment_id=FlowRunFilterDeploymentId(any_=[run.deployment_id]),
                expected_start_time=FlowRunFilterExpectedStartTime(after_=run.expected_start_time, before_=now),
                state=FlowRunFilterState(type=FlowRunFilterStateType(not_any_=_IN_VAIN)),
            ),
            sort=FlowRunSort.EXPECTED_START_TIME_DESC,
            limit=_LOOKED_AT,
        )
    return any(
        each.parameters == run.parameters and each.expected_start_time > run.expected_start_time
        for each in found
        if each.expected_start_time and run.expected_start_time
    )


def _skipped(why: str) -> State[Any]:
    return Completed(name="Skipped", message=why)


def _ago(run: FlowRun, now: datetime) -> str:
    late = now - run.expected_start_time if run.expected_start_time else timedelta()
    return str(timedelta(seconds=round(late.total_seconds())))
