"""Promises under trouble of every kind, in little; `benchmarks/chaos.py` does it in full."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.run import run
from tests.chaos.troubles import Plan

PLAN = Plan(
    items=40,
    seed=4,
    limit_s=300.0,
    workers=3,
    flow_kills=2,
    hand_kills=2,
    server_kills=1,
    other_kills=1,
    postgres_restarts=1,
    postgres_down_s=(0.5, 2.0),
    s3_closed_s=3.0,
    scratch_full_s=2.0,
)


@pytest.mark.timeout(540)
def test_nothing_is_lost_and_nothing_is_done_twice(tmp_path: Path) -> None:
    """Processes killed, servers restarted, S3 and scratch failing: each item ends once, as it must, and is told."""
    outcome = run(PLAN, tmp_path / "house")

    assert outcome.broken == [], outcome.figures
