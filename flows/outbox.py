"""Notifications whose receiver did not answer at first."""

from __future__ import annotations

from prefect import flow, get_run_logger

from mixdown.notices import deliver_waiting
from tasks.studio import studio


@flow(name="deliver-notifications", persist_result=False)
def deliver_notifications() -> int:
    """Send what waits in the outbox and is due; returns how many were taken."""
    delivered = deliver_waiting(studio())
    get_run_logger().info("%d notifications delivered", delivered)
    return delivered
