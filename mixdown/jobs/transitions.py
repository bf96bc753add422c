"""Which status may follow which: the one table of legal transitions."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mixdown.model import Status

#: What a job may become, and from where.
LEGAL: Mapping[Status, frozenset[Status]] = MappingProxyType(
    {
        # Given back, abandoned, asked for again, or asked for again after its result was thrown away. What was
        # rejected would be so again: it is queued only where somebody says so.
        Status.queued: frozenset(
            {Status.running, Status.failed, Status.cancelled, Status.succeeded, Status.rejected}
        ),
        # Claimed; from `running`: taken over from a process that died or fell silent.
        Status.running: frozenset({Status.queued, Status.running}),
        Status.succeeded: frozenset({Status.running}),
        Status.failed: frozenset({Status.running}),
        Status.cancelled: frozenset({Status.queued, Status.running}),
        Status.rejected: frozenset({Status.running}),
    }
)


def may_become(before: Status, after: Status) -> bool:
    """Whether a job may go from one status to the other."""
    return before in LEGAL[after]
