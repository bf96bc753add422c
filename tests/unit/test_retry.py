"""When a job is tried again: decisions over plain values."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixdown.errors import CorruptObject, RetryableError, SourceUnavailable
from mixdown.model import Outage, Stage
from mixdown.retry import MOST_RETRY_AFTER_S, POLICIES, Again, StagePolicy, decide

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
POLICY = StagePolicy(retries=3, first_delay_s=1.0, jitter=0.5, most_delay_s=3.0)


def decided(
    error: RetryableError,
    *,
    tries: int = 0,
    outage: Outage | None = None,
    held: bool = True,
    chance: float = 0.0,
) -> Again | None:
    """The decision of a policy with three retries and an hour of patience."""
    return decide(POLICY, error, tries=tries, outage=outage, held=held, patience_s=3600.0, now=NOW, chance=chance)


def outage(*, since_s: float = 10.0, is_open: bool = True) -> Outage:
    """A server that has not served for a while."""
    return Outage(
        dependency="https://example.org",
        code="source_unavailable",
        detail="down",
        failures=5,
        since=NOW - timedelta(seconds=since_s),
        next_probe_at=NOW if is_open else None,
    )


@pytest.mark.parametrize(("tries", "wait_s"), [(0, 1.0), (1, 2.0), (2, 3.0)])
def test_waits_double_up_to_a_limit(tries: int, wait_s: float) -> None:
    """Each wait is twice the one before, but never longer than the policy's longest."""
    again = decided(SourceUnavailable("down"), tries=tries)

    assert again == Again(at=NOW + timedelta(seconds=wait_s), counts=True, from_start=False)


def test_after_the_last_retry_a_job_has_failed() -> None:
    """Trying again is not for ever."""
    assert decided(SourceUnavailable("down"), tries=3) is None


@given(st.floats(0, 1), st.integers(0, 2))
def test_chance_only_ever_adds_its_share(chance: float, tries: int) -> None:
    """Jitter spreads a crowd, within half of the wait."""
    plain, jittered = (
        decided(SourceUnavailable("x"), tries=tries),
        decided(SourceUnavailable("x"), tries=tries, chance=chance),
    )

    assert plain is not None
    assert jittered is not None
    assert plain.at <= jittered.at <= NOW + (plain.at - NOW) * 1.5


def test_a_server_that_asks_for_patience_gets_it() -> None:
    """`Retry-After` goes before our own wait where it is longer, and is capped."""
    asked = decided(SourceUnavailable("busy", retry_after_s=90.0))
    absurd = decided(SourceUnavailable("busy", retry_after_s=1e9))
    short = decided(SourceUnavailable("busy", retry_after_s=0.1))

    assert [each.at - NOW for each in (asked, absurd, short) if each] == [
        timedelta(seconds=90),
        timedelta(seconds=MOST_RETRY_AFTER_S),
        timedelta(seconds=1),
    ]


def test_waiting_for_a_server_that_is_down_uses_up_no_tries() -> None:
    """Ten thousand jobs do not each wait out their retries: while a server is known to be down they just wait."""
    again = decided(SourceUnavailable("down"), tries=3, outage=outage())

    assert again is not None
    assert not again.counts


def test_who_is_not_held_back_returns_when_it_is_time_to_look() -> None:
    """Nobody asks a server that is down each second because the queue does not know who needs it."""
    overdue = decided(SourceUnavailable("down"), outage=outage(), held=False)
    later = decided(
        SourceUnavailable("down"),
        outage=replace(outage(), next_probe_at=NOW + timedelta(seconds=80)),
        held=False,
    )

    assert [(each.at - NOW).total_seconds() for each in (overdue, later) if each] == [1.0, 80.0]


def test_a_failure_that_is_not_yet_an_outage_counts() -> None:
    """Until it is clear that the server is down for others too, a job's own tries hold."""
    assert decided(SourceUnavailable("down"), tries=3, outage=outage(is_open=False)) is None


def test_patience_ends() -> None:
    """What waits for a server that is down for longer than the setting says fails at once."""
    assert decided(SourceUnavailable("down"), tries=0, outage=outage(since_s=3601)) is None


def test_what_was_lost_is_made_again() -> None:
    """A staged object that is gone or damaged is not read again: the job begins anew."""
    again = decided(CorruptObject("gone"))

    assert again is not None
    assert again.from_start


def test_every_stage_has_a_policy() -> None:
    """No stage is left without a word on retries."""
    assert POLICIES.keys() == set(Stage)
