"""Watching jobs and batches by Server-Sent Events."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi.testclient import TestClient

from mixdown.api import create_app
from mixdown.api.bundle import Bundle
from mixdown.api.events import MOST_WAITING, EventHub
from mixdown.jobs.event_log import EventLog, Subject
from mixdown.jobs.submission import Asked
from mixdown.keys import KeyStore
from mixdown.model import Claim, JobRecord
from mixdown.studio import Studio
from tests.api.serving import PATIENCE_S, served
from tests.services.ledger_samples import claimed, spec, submit, submit_one


@dataclass(frozen=True)
class Event:
    """One event as a browser would see it."""

    name: str
    id: str | None
    data: dict[str, Any]


def parsed(text: str) -> list[Event]:
    """The events of a stream, without heartbeats."""
    found = []
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if "data" in fields:
            found.append(Event(fields.get("event", ""), fields.get("id"), json.loads(fields["data"])))
    return found


def kinds(events: list[Event]) -> list[str]:
    """What happened, by the lines of history."""
    return [event.data["kind"] for event in events if event.name == "job"]


def end_badly(studio: Studio, claim: Claim) -> JobRecord:
    """The quickest end."""
    return studio.jobs.fail(claim, code="unreadable_audio", detail="no audio")


class Watch:
    """A stream that a test reads event by event."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.iter_lines()

    def until(self, name: str, **data: Any) -> list[Event]:
        """Everything up to the event that has this in it."""
        block: list[str] = []
        seen: list[Event] = []
        for line in self._lines:
            block.append(line)
            if line:
                continue
            seen += parsed("\n".join(block))
            block = []
            if seen and seen[-1].name == name and data.items() <= seen[-1].data.items():
                return seen
        raise AssertionError(f"The stream ended without {name} {data}: {seen}")


@contextmanager
def watching(url: str, **options: Any) -> Iterator[Watch]:
    """A client that listens."""
    with httpx.stream("GET", url, timeout=PATIENCE_S, **options) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Watch(response)


def test_a_job_that_has_ended_tells_its_history_and_its_end(client: TestClient, studio: Studio) -> None:
    """Whoever comes late sees everything in order, with ids, and then the stream is over."""
    job = submit_one(studio.jobs)
    end_badly(studio, claimed(studio.jobs, job))

    answer = client.get(f"/v1/jobs/{job.id}/events")

    events = parsed(answer.text)
    assert answer.headers["cache-control"] == "no-cache"
    assert kinds(events) == ["queued", "claimed", "failed"]
    assert events[-1].name == "end"
    assert events[-1].data["status"] == "failed"
    assert events[-1].data["code"] == "unreadable_audio"
    ids = [int(event.id) for event in events if event.id]
    assert ids == sorted(set(ids))


def test_a_stream_goes_on_behind_the_last_event_seen(client: TestClient, studio: Studio) -> None:
    """`Last-Event-ID` and `after` give what came later and nothing twice."""
    job = submit_one(studio.jobs)
    end_badly(studio, claimed(studio.jobs, job))
    first = parsed(client.get(f"/v1/jobs/{job.id}/events").text)[0]

    by_header = client.get(f"/v1/jobs/{job.id}/events", headers={"last-event-id": str(first.id)})
    by_query = client.get(f"/v1/jobs/{job.id}/events", params={"after": first.id})

    assert kinds(parsed(by_header.text)) == ["claimed", "failed"]
    assert kinds(parsed(by_query.text)) == ["claimed", "failed"]


def test_a_stream_may_begin_now(client: TestClient, studio: Studio) -> None:
    """Without history there is how things stand: here, the end."""
    job = submit_one(studio.jobs)
    end_badly(studio, claimed(studio.jobs, job))

    events = parsed(client.get(f"/v1/jobs/{job.id}/events", params={"history": "false"}).text)

    assert [event.name for event in events] == ["end"]


def test_who_claimed_a_job_is_not_told(client: TestClient, studio: Studio) -> None:
    """The names of machines and processes are nobody's business."""
    job = submit_one(studio.jobs)
    end_badly(studio, claimed(studio.jobs, job, owner="secret-host:4711:1"))

    assert "secret-host" not in client.get(f"/v1/jobs/{job.id}/events").text


@pytest.mark.parametrize("what", ["jobs", "batches"])
def test_what_is_not_there_cannot_be_watched(client: TestClient, what: str) -> None:
    """A 404 with a code, and no stream."""
    answer = client.get(f"/v1/{what}/{uuid4()}/events")

    assert answer.status_code == 404
    assert answer.json()["code"] in ("job_not_found", "batch_not_found")


def test_an_id_that_is_none_is_refused(client: TestClient, studio: Studio) -> None:
    """No number, a negative one and one that no database has are a 422."""
    job = submit_one(studio.jobs)

    for wrong in ("seven", "-1", str(2**63)):
        answer = client.get(f"/v1/jobs/{job.id}/events", headers={"last-event-id": wrong})
        assert answer.status_code == 422


def test_one_sees_what_was_made_with_ones_own_key(studio: Studio) -> None:
    """Another key's job or batch is not there; an admin's key opens all."""
    keys = KeyStore(studio.jobs.engine)
    owner, mine = keys.create("mine", ["read"])
    _, other = keys.create("other", ["read"])
    _, admin = keys.create("all", ["read", "admin"])
    batch_id = studio.jobs.open_batch("mine", key_id=owner.id)
    (job,) = studio.jobs.accept([Asked(spec=spec(), key="mine", key_id=owner.id)], batch_id=batch_id).records
    end_badly(studio, claimed(studio.jobs, job))
    studio.jobs.close_batch(batch_id)

    with TestClient(create_app(studio)) as client:
        for path in (f"/v1/jobs/{job.id}/events", f"/v1/batches/{batch_id}/events"):
            answers = [client.get(path, headers={"x-api-key": key}).status_code for key in (mine, other, admin)]
            assert answers == [200, 404, 200]
            assert client.get(path).status_code == 401


def test_a_running_job_is_seen_as_it_goes(studio: Studio) -> None:
    """History, progress and the end arrive while they happen, over a real socket."""
    job = submit_one(studio.jobs)
    with served(studio) as url, watching(f"{url}/v1/jobs/{job.id}/events") as watch:
        before = watch.until("progress", status="queued")
        claim = claimed(studio.jobs, job)
        watch.until("job", kind="claimed")
        studio.jobs.progress(claim, 0.5)
        watch.until("progress", status="running")
        end_badly(studio, claim)
        rest = watch.until("end")

    assert kinds(before) == ["queued"]
    assert "failed" in kinds(rest)


def test_a_batch_tells_of_all_its_jobs(studio: Studio) -> None:
    """Also of those it found there; and its end comes after every line."""
    batch_id = studio.jobs.open_batch("letters")
    (found,) = submit(studio.jobs, "found")
    jobs = submit(studio.jobs, "found", "a", "b", batch_id=batch_id)
    other = submit_one(studio.jobs, "somebody else's")
    assert jobs[0].id == found.id
    with served(studio) as url, watching(f"{url}/v1/batches/{batch_id}/events") as watch:
        watch.until("progress", total=3)
        for job in (*jobs, other):
            end_badly(studio, claimed(studio.jobs, job))
        studio.jobs.close_batch(batch_id)
        events = watch.until("end")

    ended = {event.data["job_id"] for event in events if event.name == "job" and event.data["kind"] == "failed"}
    assert ended == {str(job.id) for job in jobs}
    assert events[-1].data["counts"]["failed"] == 3


def test_streams_end_when_the_process_stops(studio: Studio) -> None:
    """A server that is asked to stop does not wait for listeners: they come again."""
    job = submit_one(studio.jobs)
    hub = EventHub(EventLog(studio.jobs.engine))

    async def stop() -> str:
        listener = hub.join(Subject("job", job.id))
        told = asyncio.create_task(collected(listener.messages()))
        await listener.head
        await asyncio.to_thread(hub.close)
        return await told

    assert "event: end" not in asyncio.run(asyncio.wait_for(stop(), PATIENCE_S))


async def collected(messages: AsyncIterator[bytes]) -> str:
    """All that a listener is told, to its end."""
    return b"".join([each async for each in messages]).decode()


def test_a_thousand_listeners_see_every_event(studio: Studio) -> None:
    """One reader tells them all, each line once and in the same order, and all of them are let go."""
    batch_id = studio.jobs.open_batch("many")
    jobs = submit(studio.jobs, *(f"job {number}" for number in range(8)), batch_id=batch_id)
    hub = EventHub(EventLog(studio.jobs.engine))
    before = threading.active_count()

    async def listen() -> list[str]:
        listeners = [hub.join(Subject("batch", batch_id)) for _ in range(1000)]
        await asyncio.gather(*(listener.head for listener in listeners))
        told = [asyncio.create_task(collected(listener.messages())) for listener in listeners]
        await asyncio.to_thread(work)
        return await asyncio.gather(*told)

    def work() -> None:
        for job in jobs:
            end_badly(studio, claimed(studio.jobs, job))
        studio.jobs.close_batch(batch_id)

    streams = asyncio.run(asyncio.wait_for(listen(), PATIENCE_S))

    expected = ["claimed", "failed"] * 8
    assert [kinds(parsed(stream)) for stream in streams] == [expected] * 1000
    assert all("event: end" in stream for stream in streams)
    hub.close()
    assert threading.active_count() <= before + 1


def test_a_listener_that_is_too_slow_is_cut_and_finds_all_again(studio: Studio) -> None:
    """What waits for it is bounded; the last id it saw brings it back."""
    job = submit_one(studio.jobs)
    hub = EventHub(EventLog(studio.jobs.engine))

    async def overrun() -> str:
        listener = hub.join(Subject("job", job.id))
        await listener.head
        listener.tell(Bundle.of([b"x"] * (MOST_WAITING + 1)), last=False)
        try:
            return await collected(listener.messages())
        finally:
            listener.leave()

    assert asyncio.run(asyncio.wait_for(overrun(), PATIENCE_S)) == ""
    hub.close()


def test_the_reader_ends_with_its_last_listener(studio: Studio) -> None:
    """A process in which nobody watches reads nothing."""
    job = submit_one(studio.jobs)
    hub = EventHub(EventLog(studio.jobs.engine))

    async def listen() -> None:
        listener = hub.join(Subject("job", job.id))
        await listener.head
        listener.leave()

    asyncio.run(asyncio.wait_for(listen(), PATIENCE_S))

    for thread in threading.enumerate():
        if thread.name == "events":
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
