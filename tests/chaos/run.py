"""The whole of it: a batch submitted, trouble made, and in the end everything held against its promises."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from mixdown.model import Status
from tests.chaos.house import House
from tests.chaos.items import Item, make_items
from tests.chaos.promises import Findings, check
from tests.chaos.submit import submit
from tests.chaos.troubles import Plan, Troublemaker, Watch

_LOOK_EVERY_S = 0.5
_SAY_EVERY_S = 10.0
#: How long the last crew may take to notice that nothing is left, and its processes to be gone.
_SETTLE_S = 60.0
_OPEN = (Status.queued, Status.running)


@dataclass(slots=True)
class Outcome:
    """What came of it."""

    plan: Plan
    items: list[Item]
    findings: Findings
    figures: dict[str, str]

    @property
    def broken(self) -> list[str]:
        """The promises that were not held."""
        return self.findings.broken


def run(plan: Plan, folder: Path, say: Callable[[str], None] = lambda _: None) -> Outcome:
    """Live through a plan."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # moto's server tells of each request
    with closing(House(folder, seed=plan.seed, engine=plan.engine, workers=plan.workers)) as house:
        items = make_items(folder / "items", house.s3, count=plan.items, seed=plan.seed)
        say(f"{len(items)} items, {sum(item.code is not None for item in items)} of them poisoned")
        house.serve()
        house.wait_until_served()
        began_s = time.monotonic()
        batch_id = submit(house, items)
        accepted_s = time.monotonic() - began_s
        say(f"accepted in {accepted_s:.1f} s")
        watch = Watch(house, batch_id)
        makers = Troublemaker(house, batch_id, plan, watch)
        makers.start()
        try:
            ended = _wait_for_the_end(watch, makers, began_s + plan.limit_s, say)
        finally:
            makers.stop()
        took_s = time.monotonic() - began_s
        say(f"{'ended' if ended else 'NOT ENDED'} after {took_s:.0f} s; looking at what came of it")
        house.endpoint.calm.set()
        stopped, left = _stop(house, batch_id)
        findings = check(house, batch_id, items)
        _about_the_run(findings, plan, makers, watch, ended=ended, stopped=stopped, left=left)
        figures = _figures(house, makers, watch, findings, took_s, accepted_s)
    return Outcome(plan, items, findings, figures)


def _wait_for_the_end(watch: Watch, makers: Troublemaker, deadline_s: float, say: Callable[[str], None]) -> bool:
    said_s = time.monotonic()
    while time.monotonic() < deadline_s:
        makers.help_out()
        watch.look()
        if watch.total and watch.ended == watch.total:
            return True
        if time.monotonic() - said_s > _SAY_EVERY_S:
            said_s = time.monotonic()
            trouble = ", ".join(f"{kind} {count}" for kind, count in sorted(makers.made.items()))
            say(f"{watch.ended} of {watch.total} ended; {trouble}")
        time.sleep(_LOOK_EVERY_S)
    return False


def _stop(house: House, batch_id: UUID) -> tuple[bool, list[str]]:
    """Ctrl-C when the work is done; whether that was enough, and who is still there."""
    deadline_s = time.monotonic() + _SETTLE_S
    while house.crews(batch_id) and time.monotonic() < deadline_s:
        time.sleep(0.5)
    stopped = house.stop_serving()
    deadline_s = time.monotonic() + 10.0
    while house.left_over() and time.monotonic() < deadline_s:
        time.sleep(0.5)
    return stopped, [house.named(process) for process in house.left_over()]


def _about_the_run(
    findings: Findings,
    plan: Plan,
    makers: Troublemaker,
    watch: Watch,
    *,
    ended: bool,
    stopped: bool,
    left: list[str],
) -> None:
    if not ended:
        findings.add(f"The batch was not at its end after {plan.limit_s:.0f} s: {_open(watch)}.")
    if not stopped:
        findings.add("`mixdown serve` did not stop on Ctrl-C.")
    if left:
        findings.add(f"{len(left)} processes were left over.", left)
    short = [f"{kind}: {makers.made[kind]} of {n}" for kind, n in makers.planned.items() if makers.made[kind] < n]
    if short:
        findings.add("Not all of the trouble could be made, so this run proves less than it should.", short)


def _open(watch: Watch) -> str:
    return ", ".join(f"{watch.counts.get(status, 0)} {status.value}" for status in _OPEN)


def _figures(
    house: House, makers: Troublemaker, watch: Watch, findings: Findings, took_s: float, accepted_s: float
) -> dict[str, str]:
    receiver, s3, events = house.receiver, house.endpoint.counts, findings.events
    again = sum(count - 1 for count in receiver.taken.values())
    asked = sum(s3.values())
    return {
        "jobs": ", ".join(f"{count} {state}" for state, count in sorted(findings.states.items())),
        "time": f"{took_s:.0f} s, {accepted_s:.1f} s of it to accept the batch",
        **{kind: f"{makers.made[kind]} of {planned}" for kind, planned in makers.planned.items() if planned},
        "requests to S3": f"{asked}: {s3['500']} × 500, {s3['503']} × 503, {s3['slow']} slow",
        "claims taken": f"{events['claimed']}, {events['requeued']} of them lost with their process",
        "attempts in the ledger": f"{findings.attempts}, {findings.most_attempts} at most for one job",
        "put off to be tried again": f"{events['deferred']}",
        "webhooks": f"{sum(receiver.taken.values())} taken, {sum(receiver.refused.values())} refused, "
        f"{again} sent again after they were taken",
        "webhooks still waiting at the end": str(findings.drained),
        "objects, hashes right": str(findings.objects),
        "leftovers for housekeeping": str(findings.swept),
    }
