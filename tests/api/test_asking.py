"""Asking for jobs and batches: by address, by upload, by manifest; once under a name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from mixdown.api.desk import Caller, caller
from mixdown.model import Enhance, Priority, Status, Transform
from mixdown.studio import Studio

TALK = b"RIFF" + bytes(2000)
ADDRESS = "https://example.com/talk.wav"


def upload(client: TestClient, **more: Any) -> Any:
    """A recording that is sent."""
    data = {name: more.pop(name) for name in ("parameters",) if name in more}
    return client.post("/v1/jobs", files={"file": ("talk.wav", TALK)}, data=data, **more)


def by_address(client: TestClient, body: Any, name: str | None = None) -> Any:
    """A request in JSON."""
    return client.post("/v1/jobs", json=body, headers={"Idempotency-Key": name} if name else {})


def test_a_recording_that_is_sent_becomes_a_job(client: TestClient, studio: Studio) -> None:
    """It lies in the store under its hash then; the answer says where the job is asked about."""
    answer = upload(client, parameters='{"preset": "audiobook-acx"}')

    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == answer.json()["status_url"]
    [job] = studio.jobs.list()
    assert answer.json()["id"] == str(job.id)
    assert job.status is Status.queued
    assert isinstance(job.spec.work, Enhance)
    assert job.spec.work.preset == "audiobook-acx"
    assert (job.spec.filename, job.size_bytes) == ("talk.wav", len(TALK))
    assert job.spec.source.sha256 == hashlib.sha256(TALK).hexdigest()
    assert studio.objects.read_bytes(job.spec.source.uri) == TALK


def test_nothing_stays_on_the_scratch_disk(client: TestClient, studio: Studio) -> None:
    """What came in lies in the store only."""
    upload(client)

    assert [path for path in studio.settings.effective_scratch.rglob("*") if path.is_file()] == []


def test_a_recording_somewhere_becomes_a_job(client: TestClient, studio: Studio) -> None:
    """Its address is written down; it is fetched when the job is worked on."""
    answer = by_address(client, {"source": ADDRESS, "parameters": {"kind": "transform"}})

    assert answer.status_code == 202, answer.text
    [job] = studio.jobs.list()
    assert job.spec.source.uri == ADDRESS
    assert isinstance(job.spec.work, Transform)
    assert job.batch_id is None


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"source": ADDRESS, "loudness": 1}, "body/loudness"),
        ({"source": ADDRESS, "parameters": {"prest": "podcast"}}, "body/parameters/enhance/prest"),
        (
            {"source": ADDRESS, "parameters": {"kind": "transform", "preset": "x"}},
            "body/parameters/transform/preset",
        ),
        ({"source": {"uri": ADDRESS, "name": "x"}}, "body/source/recording/name"),
        ({}, "body/source"),
    ],
)
def test_unknown_parameters_are_named(client: TestClient, body: Any, place: str) -> None:
    """A word that means nothing is not passed over."""
    answer = by_address(client, body)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert place in [each["at"] for each in answer.json()["errors"]]


def test_unknown_parameters_of_a_form_are_named(client: TestClient, studio: Studio) -> None:
    """Parts of the form, and words in its parameters."""
    part = client.post("/v1/jobs", files={"file": ("talk.wav", TALK)}, data={"preset": "podcast"})
    word = upload(client, parameters='{"prest": "podcast"}')

    assert [each["at"] for each in part.json()["errors"]] == ["body/preset"]
    assert [each["at"] for each in word.json()["errors"]] == ["body/parameters/enhance/prest"]
    assert studio.jobs.list() == []


def test_an_unknown_preset_is_refused_at_once(client: TestClient) -> None:
    """Nobody waits for a job that cannot be."""
    answer = by_address(client, {"source": ADDRESS, "parameters": {"preset": "none-such"}})

    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_preset")


def test_without_a_name_each_request_is_a_new_job(client: TestClient) -> None:
    """Asking twice is asking for two jobs, whose result is made once."""
    assert upload(client).json()["id"] != upload(client).json()["id"]


def test_the_same_request_under_a_name_is_done_once(client: TestClient, studio: Studio) -> None:
    """Sent again, it gives the same job back."""
    first = upload(client, headers={"Idempotency-Key": "monday"})
    again = upload(client, headers={"Idempotency-Key": "monday"})

    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert len(studio.jobs.list()) == 1


def test_another_request_under_a_known_name_is_refused(client: TestClient) -> None:
    """A name means one request."""
    by_address(client, {"source": ADDRESS}, "monday")

    answer = by_address(client, {"source": ADDRESS, "parameters": {"preset": "audiobook-acx"}}, "monday")

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch")


def test_one_request_sent_many_times_at_once_is_one_job(client: TestClient, studio: Studio) -> None:
    """Whoever of them is first writes the job down; the others find it."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: by_address(client, {"source": ADDRESS}, "monday"), range(8)))

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(studio.jobs.list()) == 1


@pytest.fixture
def keyed(client: TestClient) -> Iterator[TestClient]:
    """A client whose requests come with a key of their own, named by a header."""
    keys: dict[str, Caller] = {}

    def known(key: str = "a") -> Caller:
        fresh = Caller(key_id=uuid4(), scopes=frozenset({"read", "write"}), address="", request_id="")
        return keys.setdefault(key, fresh)

    client.app.dependency_overrides[caller] = known  # type: ignore[attr-defined]
    yield client
    client.app.dependency_overrides.clear()  # type: ignore[attr-defined]


def test_names_are_those_of_a_key(keyed: TestClient, studio: Studio) -> None:
    """Two keys may use one name; jobs belong to the key they were asked for with."""
    for key in "ab":
        body = {"source": f"https://example.com/{key}.wav"}
        answer = keyed.post("/v1/jobs", params={"key": key}, json=body, headers={"Idempotency-Key": "monday"})
        assert answer.status_code == 202, answer.text

    assert len({job.key_id for job in studio.jobs.list()} - {None}) == 2


def test_files_of_the_server_are_not_for_clients_to_name(client: TestClient, tmp_path: Path) -> None:
    """Neither as a recording, nor in a step, nor to put masters in."""
    (tmp_path / "secret.wav").write_bytes(TALK)
    secret = str(tmp_path / "secret.wav")
    intro = {"edits": [{"kind": "intro", "source": {"uri": secret}}]}
    bodies = [
        {"source": secret},
        {"source": f"file://{secret}"},
        {"source": ADDRESS, "parameters": intro},
        {"source": ADDRESS, "parameters": {"deliver_to": str(tmp_path)}},
    ]

    codes = [by_address(client, body).json()["code"] for body in bodies]

    assert codes == ["source_forbidden"] * 4


def test_a_batch_by_addresses(client: TestClient, studio: Studio) -> None:
    """Each recording is a job; one may want something else than the others."""
    answer = client.post(
        "/v1/batches",
        json={
            "title": "interviews",
            "priority": "urgent",
            "parameters": {"preset": "audiobook-acx", "never_worse": "off"},
            "items": [
                {"source": ADDRESS},
                {"source": "https://example.com/b.wav", "parameters": {"preset": "podcast"}},
            ],
        },
    )

    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == answer.json()["status_url"]
    [batch] = studio.jobs.batches()
    assert (batch.title, batch.priority, answer.json()["total"]) == ("interviews", Priority.urgent, 2)
    works = [job.spec.work for job in studio.jobs.list(batch_id=batch.id, oldest_first=True)]
    assert [(work.preset, work.never_worse) for work in works if isinstance(work, Enhance)] == [
        ("audiobook-acx", "off"),
        ("podcast", "off"),
    ]


def test_a_batch_of_files(client: TestClient, studio: Studio) -> None:
    """Each file that is sent is a job."""
    files = [("files", (f"{name}.wav", TALK + name.encode())) for name in "abc"]

    answer = client.post("/v1/batches", files=files, data={"options": '{"title": "three"}'})

    assert answer.status_code == 202, answer.text
    assert sorted(job.spec.filename for job in studio.jobs.list()) == ["a.wav", "b.wav", "c.wav"]


def test_a_batch_by_a_manifest(client: TestClient, studio: Studio) -> None:
    """Rows name files that came with it, or addresses; each has parameters of its own."""
    manifest = f"source,preset\na.wav,audiobook-acx\n{ADDRESS},podcast\n"
    files = [("files", ("a.wav", TALK)), ("manifest", ("list.csv", manifest.encode()))]

    answer = client.post("/v1/batches", files=files)

    assert answer.status_code == 202, answer.text
    works = {job.spec.filename: job.spec.work for job in studio.jobs.list()}
    assert {name: work.preset for name, work in works.items() if isinstance(work, Enhance)} == {
        "a.wav": "audiobook-acx",
        "talk.wav": "podcast",
    }


@pytest.mark.parametrize("name", ["b.wav", "../../../../etc/passwd"])
def test_a_manifest_names_no_file_that_did_not_come(client: TestClient, studio: Studio, name: str) -> None:
    """Names in it are those of files of the form, never paths here."""
    files = [("files", ("a.wav", TALK)), ("manifest", ("list.csv", f"source\n{name}\n".encode()))]

    answer = client.post("/v1/batches", files=files)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert studio.jobs.list() == []


def test_a_batch_under_a_name_is_made_once(client: TestClient, studio: Studio) -> None:
    """Sent again it is the same; another one under its name is refused."""
    body = {"items": [{"source": ADDRESS}]}
    name = {"Idempotency-Key": "monday"}

    first = client.post("/v1/batches", json=body, headers=name)
    again = client.post("/v1/batches", json=body, headers=name)
    other = client.post("/v1/batches", json={**body, "title": "x"}, headers=name)

    assert again.json()["id"] == first.json()["id"]
    assert other.json()["code"] == "idempotency_mismatch"
    assert (len(studio.jobs.batches()), len(studio.jobs.list())) == (1, 1)


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/plain", b"hello", 415),
        ("application/json", b"{", 422),
        ("application/json", b"", 422),
        ("application/json", b"\xff\xfe", 422),
        ("multipart/form-data", b"hello", 422),
        ("multipart/form-data; boundary=x", b"hello", 422),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nno name\r\n--x--\r\n", 422),
        ("multipart/form-data; boundary=" + "x" * 300, b"", 422),
    ],
)
@pytest.mark.parametrize("route", ["/v1/jobs", "/v1/batches"])
def test_bodies_that_make_no_sense(client: TestClient, route: str, kind: str, body: bytes, status: int) -> None:
    """Each is refused with a problem."""
    answer = client.post(route, content=body, headers={"content-type": kind})

    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_document_shows_the_bodies(client: TestClient) -> None:
    """JSON and forms, with what they are made of."""
    document = client.get("/openapi.json").json()

    content = document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]
    names = [each["schema"]["$ref"].rpartition("/")[2] for each in content.values()]
    assert names == ["JobRequest", "JobForm"]
    assert set(names) <= document["components"]["schemas"].keys()
    assert json.dumps(document).count("#/$defs/") == 0
