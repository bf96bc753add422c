"""What came of a stage for one job: written to the ledger together with those of its neighbors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mixdown.model.ledger import Claim, Delivery, JobResult, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Advanced:
    """The stage is done; what it found out is for the next ones."""

    claim: Claim
    stage: Stage
    work: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded:
    """The job has ended with its result, and these are to be told."""

    claim: Claim
    result: JobResult
    deliveries: tuple[Delivery, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The job has ended without a result, and these are to be told."""

    claim: Claim
    code: str
    detail: str
    stage: Stage
    deliveries: tuple[Delivery, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred:
    """The job goes back into the queue, to be tried again."""

    claim: Claim
    code: str
    detail: str
    until: datetime
    counts: bool = True  #: whether a try was used up; waiting for a server that is down costs none
    from_start: bool = False  #: what was staged is gone or damaged, so all of it is made again


#: What may come of a stage.
Outcome = Advanced | Succeeded | Failed | Deferred
