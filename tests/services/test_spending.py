"""Purchases of speech in the ledger, on SQLite and on PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, update

from mixdown.db.engine import writing
from mixdown.db.tables import PaidChunk
from mixdown.errors import TooExpensive
from mixdown.jobs.spending import LONGEST, Outcome, Purchase, Spending, Spent
from mixdown.owner import this_process

JOB = uuid4()


@pytest.fixture
def spending(database: Engine) -> Spending:
    """A ledger in which nothing was bought."""
    return Spending(database)


def begun(
    spending: Spending, key: str = "a", *, job_id: UUID = JOB, max_cost: float | None = None, owner: str = ""
) -> Purchase | None:
    """Ask to buy a chunk that costs a half."""
    return spending.begin(
        key,
        job_id,
        engine="cloud:it",
        characters=50,
        cost=0.5,
        max_cost=max_cost,
        owner=owner or this_process(),
    )


def bought(spending: Spending, key: str, outcome: Outcome = Outcome.kept, *, job_id: UUID = JOB) -> None:
    """Buy a chunk."""
    purchase = begun(spending, key, job_id=job_id)
    assert purchase is not None
    spending.end(purchase, outcome)


def test_a_job_has_cost_what_was_or_may_have_been_paid(spending: Spending) -> None:
    """All but what was refused counts, what is being bought too; another job's purchases do not."""
    assert spending.of(JOB) == Spent()

    bought(spending, "a")
    bought(spending, "b", Outcome.faulty)
    bought(spending, "c", Outcome.refused)
    bought(spending, "d", Outcome.unanswered)
    bought(spending, "e", job_id=uuid4())
    begun(spending, "f")

    assert spending.of(JOB) == Spent(cost=2.0, characters=200, chunks=4, perhaps=1)


def test_one_buys_and_the_others_wait(spending: Spending) -> None:
    """Whoever wants a chunk that is being bought is told to wait, whatever the job; then it is free again."""
    first = begun(spending)

    assert first is not None
    assert begun(spending, job_id=uuid4()) is None
    assert begun(spending, "b") is not None

    spending.end(first, Outcome.faulty)
    assert begun(spending) is not None


def test_of_many_at_once_one_buys(spending: Spending) -> None:
    """Threads that ask for one chunk in the same moment: one gets it."""
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: begun(spending), range(16)))

    assert sum(each is not None for each in found) == 1
    assert spending.of(JOB).chunks == 1


def test_no_job_costs_more_than_it_may(spending: Spending) -> None:
    """Purchases of several threads are summed before each: exactly as many as may be."""

    def tried(number: int) -> bool:
        try:
            return begun(spending, f"{number}", max_cost=2.0) is not None
        except TooExpensive:
            return False

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(tried, range(16)))

    assert sum(found) == 4
    with pytest.raises(TooExpensive, match=r"has cost 2, and the next 50 characters at cloud:it cost 0\.5"):
        begun(spending, "x", max_cost=2.0)
    assert begun(spending, "x", max_cost=2.5) is not None
    assert begun(spending, "y", job_id=uuid4(), max_cost=0.5) is not None


def test_a_purchase_of_the_dead_is_made_again_and_counted(spending: Spending) -> None:
    """Nobody waits for a process that is gone; what it may have paid stays in the sum."""
    code = "from mixdown.owner import this_process; print(this_process())"
    dead = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert begun(spending, owner=dead) is not None

    again = begun(spending)

    assert again is not None
    assert again.again
    assert spending.of(JOB) == Spent(cost=1.0, characters=100, chunks=2, perhaps=1)


def test_nobody_waits_for_ever_for_another_machine(spending: Spending, database: Engine) -> None:
    """Whether a process lives elsewhere cannot be known; that a purchase takes no longer can."""
    assert begun(spending, owner="elsewhere:1:1:1") is not None
    assert begun(spending) is None

    with writing(database) as connection:
        long_ago = datetime.now(UTC) - LONGEST - timedelta(seconds=9)
        connection.execute(update(PaidChunk).values(started_at=long_ago))

    assert begun(spending) is not None
