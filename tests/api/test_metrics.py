"""What Prometheus reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from mixdown.model import JobSpec, Source
from mixdown.studio import Studio


def _samples(client: TestClient) -> dict[tuple[str, ...], float]:
    """Every sample, by its name and the values of its labels."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


@pytest.fixture
def asked(studio: Studio, tmp_path: Path) -> Studio:
    """A ledger with two jobs that wait and one that was called off, and an outage."""
    (tmp_path / "talk.wav").write_bytes(b"RIFF")
    specs = [(JobSpec(source=Source(uri=str(tmp_path / "talk.wav"))), key) for key in ("one", "two", "three")]
    records = studio.jobs.submit(specs, batch_id=studio.jobs.open_batch("talks"))
    studio.jobs.cancel(records[0].id)
    return studio


def test_the_ledger_is_told_in_numbers(asked: Studio, client: TestClient) -> None:
    """Jobs by status, the age of the queue, batches, deliveries, outages, processes at work."""
    found = _samples(client)

    assert found[("mixdown_database_up",)] == 1
    assert found[("mixdown_jobs", "queued")] == 2
    assert found[("mixdown_jobs", "cancelled")] == 1
    assert found[("mixdown_jobs", "running")] == 0
    assert found[("mixdown_queue_age_seconds",)] > 0
    assert found[("mixdown_batches_open",)] == 1
    assert found[("mixdown_deliveries_waiting",)] == 0
    assert found[("mixdown_outages", "results")] == 0
    assert found[("mixdown_processes_at_work",)] == 0


def test_an_outage_is_told_by_its_kind(asked: Studio, client: TestClient) -> None:
    """Jobs that wait for somebody's server count; whose server it is stays here."""
    jobs = asked.jobs.submit(
        [(JobSpec(source=Source(uri="https://customer.example/a.wav")), str(number)) for number in range(5)]
    )
    for job in jobs:
        asked.jobs.not_served("https://customer.example", job.id, code="source_unavailable", detail="It is away.")

    assert _samples(client)[("mixdown_outages", "source")] == 1
    assert "customer.example" not in client.get("/metrics").text


def test_requests_are_counted_by_route(client: TestClient) -> None:
    """As many addresses as there are, they are one line: a route; what is no route has one line too."""
    for path in ("/v1/jobs/a", "/v1/jobs/b", "/nowhere/a", "/nowhere/b", "/health/live"):
        client.get(path)

    found = _samples(client)

    assert sum(value for key, value in found.items() if key[:3] == _total("GET", "/v1/jobs/{job_id}")) == 2
    assert found[(*_total("GET", "unknown"), "404")] == 2
    assert found[(*_total("GET", "/health/live"), "200")] == 1
    assert found[("mixdown_http_request_seconds_count", "GET", "/health/live")] == 1


def _total(method: str, route: str) -> tuple[str, str, str]:
    return "mixdown_http_requests_total", method, route
