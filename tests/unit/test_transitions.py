"""The table of legal transitions."""

from __future__ import annotations

from itertools import product

import pytest

from mixdown.jobs.transitions import LEGAL, may_become
from mixdown.model import Status

EVERY_LEGAL_STEP = {
    ("queued", "running"),
    ("queued", "cancelled"),
    ("running", "running"),
    ("running", "queued"),
    ("running", "succeeded"),
    ("running", "failed"),
    ("running", "cancelled"),
    ("running", "rejected"),
    ("failed", "queued"),
    ("cancelled", "queued"),
    ("succeeded", "queued"),
    ("rejected", "queued"),
}


@pytest.mark.parametrize(("before", "after"), list(product(Status, Status)), ids=str)
def test_every_pair_of_statuses_is_decided(before: Status, after: Status) -> None:
    """What is in the list is legal, and nothing else is."""
    assert may_become(before, after) == ((before, after) in EVERY_LEGAL_STEP)


def test_no_status_is_forgotten() -> None:
    """Every status can be reached, except that every job begins in the queue."""
    assert set(LEGAL) == set(Status)
    assert all(LEGAL.values())


def test_only_running_jobs_get_a_result() -> None:
    """Nothing ends with an outcome without having been worked on."""
    for outcome in (Status.succeeded, Status.failed, Status.rejected):
        assert LEGAL[outcome] == {Status.running}
