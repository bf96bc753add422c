"""Many who ask how jobs stand at the same moment."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from mixdown.api.glance import Glances
from mixdown.errors import DatabaseUnavailable
from mixdown.model import JobGlance
from mixdown.studio import Studio
from tests.api.finished import submitted
from tests.services.ledger_samples import claimed, result


class Counted:
    """A look at the ledger that waits until it may, and counts."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self.asked: list[set[UUID]] = []
        self.may_go_on = threading.Event()

    def __call__(self, job_ids: Collection[UUID]) -> dict[UUID, JobGlance]:
        self.asked.append(set(job_ids))
        assert self.may_go_on.wait(60)
        return self._studio.jobs.glances(job_ids)


def test_who_waits_is_answered_by_one_query(studio: Studio) -> None:
    """The first who asks is looked up at once; all who came meanwhile by a second query, each with its own job."""
    jobs = [submitted(studio, f"{number}.wav") for number in range(5)]
    find = Counted(studio)
    glances = Glances(find)

    async def ask() -> list[JobGlance | None]:
        waiting = [asyncio.create_task(glances.at(job.id)) for job in (jobs[0], *jobs, jobs[0])]
        await asyncio.sleep(0)
        find.may_go_on.set()
        return await asyncio.gather(*waiting)

    found = asyncio.run(ask())

    assert [each and each.record.id for each in found] == [job.id for job in (jobs[0], *jobs, jobs[0])]
    assert find.asked == [{jobs[0].id}, {job.id for job in jobs}]


def test_a_job_that_is_not_there_holds_nobody_up(studio: Studio) -> None:
    """It is None beside the answers of others."""
    job = submitted(studio, "talk.wav")
    glances = Glances(studio.jobs.glances)

    async def ask() -> list[JobGlance | None]:
        return await asyncio.gather(*(glances.at(each) for each in (uuid4(), job.id, uuid4())))

    assert [each and each.record.id for each in asyncio.run(ask())] == [None, job.id, None]


def test_all_who_wait_hear_of_a_database_that_is_away(studio: Studio) -> None:
    """And whoever asks later is answered when it is back."""
    job = submitted(studio, "talk.wav")
    away = True

    def find(job_ids: Collection[UUID]) -> dict[UUID, JobGlance]:
        if away:
            raise DatabaseUnavailable("The database is away.")
        return studio.jobs.glances(job_ids)

    glances = Glances(find)

    async def ask() -> list[JobGlance | BaseException | None]:
        return await asyncio.gather(*(glances.at(job.id) for _ in range(3)), return_exceptions=True)

    assert [type(each) for each in asyncio.run(ask())] == 3 * [DatabaseUnavailable]
    away = False
    again = asyncio.run(ask())
    assert [isinstance(each, JobGlance) for each in again] == 3 * [True]


def test_who_has_gone_leaves_the_others_their_answer(studio: Studio) -> None:
    """A client that hangs up while it waits is passed over."""
    job = submitted(studio, "talk.wav")
    find = Counted(studio)
    glances = Glances(find)

    async def ask() -> JobGlance | None:
        goes, stays = asyncio.create_task(glances.at(job.id)), asyncio.create_task(glances.at(job.id))
        await asyncio.sleep(0)
        goes.cancel()
        await asyncio.sleep(0)
        find.may_go_on.set()
        return await stays

    found = asyncio.run(ask())

    assert found is not None
    assert found.record.id == job.id


@pytest.mark.parametrize("reused", [False, True])
def test_a_glance_tells_of_the_result_without_reading_it(client: TestClient, studio: Studio, reused: bool) -> None:
    """Whether there is one, and whether it was made before; the answer is the one that lists give."""
    claim = claimed(studio.jobs, submitted(studio))
    job = studio.jobs.succeed(claim, replace(result("ab" * 32), reused=reused))
    glance = studio.jobs.glances([job.id])[job.id]

    assert (glance.has_result, glance.reused, glance.record.result) == (True, reused, None)
    told = client.get(f"/v1/jobs/{job.id}").json()
    assert told == client.get("/v1/jobs").json()["items"][0]
    assert told["results_url"] == f"/v1/jobs/{job.id}/results"
