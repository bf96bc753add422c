"""Endpoints and digests, on SQLite and on PostgreSQL: written with what they tell of, once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from pytest_httpserver import HTTPServer
from sqlalchemy import Engine

from mixdown.channels import of_batch, target_of
from mixdown.endpoints import Endpoints
from mixdown.errors import InvalidRequest
from mixdown.jobs import Asked, JobStore
from mixdown.jobs.deliveries import Deliveries, DeliveryStatus, Sent, WantedDeliveries
from mixdown.model import ChannelTarget, JobRecord, Status, WebhookTarget
from mixdown.notices import deliver_waiting, tell_of_batch
from mixdown.settings import Settings
from mixdown.studio import open_studio
from tests.services.ledger_samples import claimed, result, spec
from tests.services.webhook_samples import SECRET

TEAM = ChannelTarget(channel="team")
URL = "https://example.com/hook"
OF_JOBS = ("job.succeeded", "job.failed", "job.cancelled")


@pytest.fixture
def store(database: Engine) -> JobStore:
    """A ledger."""
    return JobStore(database)


def asked(store: JobStore, *keys: str, batch_id: UUID | None = None, key_id: UUID | None = None) -> list[JobRecord]:
    """Jobs asked for with an API key, which name nobody to tell."""
    each = [
        Asked(spec=spec(f"{key}.wav").model_copy(update={"notify": ()}), key=key, key_id=key_id) for key in keys
    ]
    return store.accept(each, batch_id=batch_id).records


def sent(store: JobStore, **wanted: Any) -> list[Sent]:
    """What is in the outbox."""
    return Deliveries(store.engine).list(WantedDeliveries(**wanted), limit=100)


def told(store: JobStore) -> list[tuple[str, str]]:
    """What is in the outbox, and for whom, in order."""
    return sorted((each.event, each.target.address) for each in sent(store))


def succeed(store: JobStore, job: JobRecord) -> None:
    """End a job with a result."""
    store.succeed(claimed(store, job), result(job.idempotency_key))


def fail(store: JobStore, job: JobRecord) -> None:
    """End a job without one."""
    store.fail(claimed(store, job), code="empty_file", detail=f"{job.spec.filename} is empty.")


# -- endpoints ------------------------------------------------------------------------------------


def test_endpoints_hear_of_every_end_of_their_jobs(store: JobStore) -> None:
    """Success, failure and being called off, alone or with a batch: each once, and only of jobs of the same key."""
    ours = uuid4()
    Endpoints(store.engine).create(key_id=ours, url=URL, description="", events=OF_JOBS)
    batch_id = store.open_batch(key_id=ours)
    good, bad, called_off, other = asked(store, "good", "bad", "off", "other", key_id=ours)
    asked(store, "batched", batch_id=batch_id, key_id=ours)
    [theirs] = asked(store, "theirs", key_id=uuid4())

    succeed(store, good)
    fail(store, bad)
    store.cancel(called_off.id)
    store.cancel_batch(batch_id)
    store.cancel_batch(batch_id)
    succeed(store, theirs)

    assert [event for event, _ in told(store)] == ["job.cancelled", "job.cancelled", "job.failed", "job.succeeded"]
    assert other.id not in {each.job_id for each in sent(store)}
    assert sent(store, key_id=uuid4()) == []
    assert len(sent(store, key_id=ours, status=DeliveryStatus.waiting)) == 4


def test_an_endpoint_at_the_address_of_a_job_is_told_too(store: JobStore) -> None:
    """Both have secrets of their own, so both are told."""
    Endpoints(store.engine).create(key_id=None, url=URL, description="", events=OF_JOBS)
    [job] = asked(store, "one")
    succeed(store, job)

    [to_endpoint] = sent(store)
    assert (to_endpoint.target, to_endpoint.endpoint_id is None) == (WebhookTarget(url=URL), False)


def test_a_job_called_off_twice_is_told_twice(store: JobStore) -> None:
    """It ended twice, before anybody took it up."""
    Endpoints(store.engine).create(key_id=None, url=URL, description="", events=OF_JOBS)
    [job] = asked(store, "one")

    store.cancel(job.id)
    asked(store, "one")
    store.cancel(job.id)

    assert [event for event, _ in told(store)] == ["job.cancelled", "job.cancelled"]


def test_a_key_has_so_many_endpoints_at_most(store: JobStore) -> None:
    """Each job that ends is a message to each of them."""
    endpoints = Endpoints(store.engine)
    for number in range(20):
        endpoints.create(key_id=None, url=f"{URL}/{number}", description="", events=OF_JOBS)

    with pytest.raises(InvalidRequest, match="20 endpoints"):
        endpoints.create(key_id=None, url=URL, description="", events=OF_JOBS)
    endpoints.create(key_id=uuid4(), url=URL, description="", events=OF_JOBS)


# -- digests --------------------------------------------------------------------------------------


def test_a_batch_is_told_of_once_when_it_has_ended(store: JobStore) -> None:
    """One message for all of it, with numbers and the first failures; closing it again tells nothing new."""
    batch_id = store.open_batch("Season 3", notify=[TEAM])
    jobs = asked(store, "one", "two", "three", batch_id=batch_id)

    assert not store.close_batch(batch_id)
    assert sent(store) == []
    succeed(store, jobs[0])
    succeed(store, jobs[1])
    fail(store, jobs[2])
    assert store.close_batch(batch_id)
    assert store.close_batch(batch_id)

    [digest] = sent(store, batch_id=batch_id)
    data = json.loads(digest.payload)["data"]
    assert (digest.event, digest.target, digest.job_id) == ("batch.ended", TEAM, None)
    assert (data["title"], data["jobs"]) == ("Season 3", 3)
    assert {status: count for status, count in data["counts"].items() if count} == {"succeeded": 2, "failed": 1}
    [failure] = data["failures"]
    assert (failure["code"], failure["jobs"]) == ("empty_file", 1)
    assert failure["examples"] == [{"filename": "three.wav", "message": "three.wav is empty."}]


def test_a_batch_that_ends_again_is_told_of_again(store: JobStore) -> None:
    """What failed is tried again, and that may end otherwise."""
    batch_id = store.open_batch(notify=[TEAM])
    [job] = asked(store, "one", batch_id=batch_id)
    fail(store, job)
    store.close_batch(batch_id)

    store.retry_batch(batch_id)
    succeed(store, store.get(job.id))
    store.close_batch(batch_id)

    counts = [json.loads(each.payload)["data"]["counts"]["succeeded"] for each in sent(store)]
    assert sorted(counts) == [0, 1]


def test_a_batch_that_is_called_off_is_told_of(store: JobStore) -> None:
    """It has ended as well; nobody is told of a batch of nothing."""
    store.close_batch(store.open_batch(notify=[TEAM]))
    batch_id = store.open_batch(notify=[TEAM])
    asked(store, "one", batch_id=batch_id)

    store.cancel_batch(batch_id)

    assert told(store) == [("batch.ended", "channel:team")]
    assert len(sent(store, batch_id=batch_id)) == 1


def test_endpoints_hear_of_batches_where_they_want_to(store: JobStore) -> None:
    """Of those of their key."""
    ours = uuid4()
    Endpoints(store.engine).create(key_id=ours, url=URL, description="", events=["batch.ended"])
    for key_id in (ours, None):
        batch_id = store.open_batch(key_id=key_id)
        for job in asked(store, f"of {key_id}", batch_id=batch_id, key_id=key_id):
            succeed(store, job)
        store.close_batch(batch_id)

    assert told(store) == [("batch.ended", URL)]


def test_people_are_told_of_a_batch_and_programs_of_each_job() -> None:
    """A channel gets one message, an address one for each job; what is neither is refused."""
    assert of_batch("team") == (None, (TEAM,))
    assert of_batch(URL) == (URL, ())
    assert of_batch("") == (None, ())
    assert (target_of("team"), target_of(URL)) == (TEAM, WebhookTarget(url=URL))
    with pytest.raises(InvalidRequest):
        target_of("example.com/hook")


# -- on the way -----------------------------------------------------------------------------------


def test_a_digest_arrives(tmp_path: Path, httpserver: HTTPServer) -> None:
    """What closes a batch tells of it at once; a receiver that is down fails nothing."""
    httpserver.expect_ordered_request("/topic").respond_with_data(status=503)
    httpserver.expect_ordered_request("/topic").respond_with_data()
    settings = Settings.model_validate({"home": tmp_path / "home", "webhook_secret": SECRET})
    studio = open_studio(settings)
    batch_id = studio.jobs.open_batch(notify=[WebhookTarget(url=httpserver.url_for("/topic"))])
    for job in asked(studio.jobs, "one", batch_id=batch_id):
        succeed(studio.jobs, job)
    studio.jobs.close_batch(batch_id)

    assert tell_of_batch(studio, batch_id) == 0
    [waiting] = sent(studio.jobs)
    assert (waiting.status, waiting.attempts) == (DeliveryStatus.waiting, 1)
    Deliveries(studio.jobs.engine).replay(waiting.id)
    assert deliver_waiting(studio) == 1
    _, tried = Deliveries(studio.jobs.engine).get(waiting.id)
    assert [(each.delivered, each.answer[:3]) for each in tried] == [(False, "503"), (True, "200")]


@pytest.mark.parametrize(("with_key", "arrives"), [(True, False), (False, True)])
def test_strangers_reach_nothing_inside(
    tmp_path: Path, httpserver: HTTPServer, with_key: bool, arrives: bool
) -> None:
    """An address that came with an API key may not be internal; the operator's own may."""
    httpserver.expect_request("/hook").respond_with_data()
    settings = Settings.model_validate({"home": tmp_path / "home", "webhook_secret": SECRET})
    studio = open_studio(settings)
    target = WebhookTarget(url=httpserver.url_for("/hook"))
    batch_id = studio.jobs.open_batch(notify=[target], key_id=uuid4() if with_key else None)
    for job in asked(studio.jobs, "one", batch_id=batch_id):
        succeed(studio.jobs, job)
    studio.jobs.close_batch(batch_id)

    assert deliver_waiting(studio) == int(arrives)
    assert len(httpserver.log) == int(arrives)
    [delivery] = sent(studio.jobs)
    assert delivery.status is (DeliveryStatus.delivered if arrives else DeliveryStatus.given_up)
    assert arrives or "not on the public internet" in (delivery.last_answer or "")
    assert studio.jobs.batch_progress(batch_id).counts[Status.succeeded] == 1
