"""How long a stage may take and when it is tried again, as data: for Prefect's tasks and the command line."""

from __future__ import annotations

from dataclasses import dataclass

from mixdown.model import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePolicy:
    """How a stage is retried after a retryable error, and how long it may work on one job."""

    retries: int  #: tries after the first one
    first_delay_s: float
    jitter: float = 0.5  #: share of the delay that chance may add, so that a crowd does not return at once
    most_delay_s: float = 120.0
    timeout_s: float | None = None  #: of one job's work; None where every request has a timeout of its own

    @property
    def delays_s(self) -> list[float]:
        """The wait before each retry, doubling, before jitter."""
        return [min(self.first_delay_s * 2**attempt, self.most_delay_s) for attempt in range(self.retries)]


POLICIES: dict[Stage, StagePolicy] = {
    Stage.validate: StagePolicy(retries=4, first_delay_s=1.0),
    Stage.process: StagePolicy(retries=2, first_delay_s=5.0, timeout_s=4 * 3600.0),
    Stage.store: StagePolicy(retries=4, first_delay_s=1.0),
    # An undelivered notification stays in the outbox, which has a schedule of its own.
    Stage.notify: StagePolicy(retries=2, first_delay_s=2.0),
}
