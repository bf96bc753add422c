"""What has to be done now and then."""

from __future__ import annotations

from prefect import flow, get_run_logger

from flows.reconcile import reconcile_now
from mixdown.housekeeping import keep_house
from tasks.studio import studio


@flow(name="housekeeping", persist_result=False)
def housekeeping() -> None:
    """Make Prefect agree with the ledger, queue abandoned jobs again, deliver, sweep, delete what has expired."""
    for line in reconcile_now(dry_run=False):
        get_run_logger().info("%s", line)
    done = keep_house(studio())
    get_run_logger().info(
        "%d abandoned jobs queued again, %d notifications sent, %d leftovers swept, %d results expired",
        len(done.requeued),
        done.delivered,
        done.swept,
        done.expired,
    )
