"""When to try again, as data and a pure decision. Prefect's tasks and the command line both ask here."""

from __future__ import annotations

from dataclasses import dataclass

from mixdown.model import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How a stage is retried after a retryable error."""

    retries: int  #: tries after the first one
    first_delay_s: float
    jitter: float = 0.5  #: share of the delay that chance may add, so that a crowd does not return at once
    most_delay_s: float = 120.0

    @property
    def delays_s(self) -> list[float]:
        """The wait before each retry, doubling, before jitter."""
        return [min(self.first_delay_s * 2**attempt, self.most_delay_s) for attempt in range(self.retries)]


POLICIES: dict[Stage, RetryPolicy] = {
    Stage.validate: RetryPolicy(retries=4, first_delay_s=1.0),
    Stage.process: RetryPolicy(retries=2, first_delay_s=5.0),
    Stage.store: RetryPolicy(retries=4, first_delay_s=1.0),
    # An undelivered notification stays in the outbox, which has a schedule of its own.
    Stage.notify: RetryPolicy(retries=2, first_delay_s=2.0),
}
