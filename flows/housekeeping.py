"""What has to be done now and then."""

from __future__ import annotations

from prefect import flow, get_run_logger

from mixdown.housekeeping import keep_house
from tasks.studio import studio


@flow(name="housekeeping", persist_result=False)
def housekeeping() -> None:
    """Requeue abandoned jobs, deliver waiting notifications, sweep scratch, delete expired results."""
    done = keep_house(studio())
    get_run_logger().info(
        "%d abandoned jobs queued again, %d notifications sent, %d leftovers swept, %d results expired",
        len(done.requeued),
        done.delivered,
        done.swept,
        done.expired,
    )
