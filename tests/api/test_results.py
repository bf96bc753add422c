"""Results over HTTP: links, checksums, measurements, and the files themselves."""

from __future__ import annotations

import hashlib
from pathlib import Path
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from mixdown.api import create_app
from mixdown.settings import Settings
from mixdown.storage import path_of
from mixdown.studio import Studio, open_studio
from tests.api.finished import MASTER, submitted, succeeded


def test_results_tell_of_every_file(client: TestClient, studio: Studio) -> None:
    """Each with a link, its checksum and its measurements; a level of silence is null."""
    job = succeeded(studio)

    answer = client.get(f"/v1/jobs/{job.id}/results").json()

    assert [master["filename"] for master in answer["masters"]] == ["talk.mp3", "talk.mp3"]
    assert answer["masters"][0]["sha256"] == hashlib.sha256(MASTER).hexdigest()
    assert answer["masters"][0]["size_bytes"] == len(MASTER)
    assert answer["masters"][0]["after"]["integrated_lufs"] is None
    assert answer["masters"][0]["after"]["duration_s"] == 2.5
    assert answer["report"]["media_type"] == "application/json"
    assert [each["name"] for each in answer["attachments"]] == ["report.html"]
    assert answer["warnings"] == ["shorter than its header says"]
    assert str(studio.settings.home) not in str(answer)


def test_every_link_leads_to_its_file(client: TestClient, studio: Studio) -> None:
    """What comes has the checksum that was told."""
    answer = client.get(f"/v1/jobs/{succeeded(studio).id}/results").json()

    for file in (*answer["masters"], answer["report"], answer["picture"], *answer["attachments"]):
        fetched = client.get(file["url"])
        assert fetched.status_code == 200
        assert hashlib.sha256(fetched.content).hexdigest() == file["sha256"]
        assert fetched.headers["content-type"].startswith(file["media_type"])
        assert fetched.headers["content-disposition"].startswith("attachment")


def test_part_of_a_file(client: TestClient, studio: Studio) -> None:
    """Ranges are answered, so that players can seek and downloads resume."""
    answer = client.get(f"/v1/jobs/{succeeded(studio).id}/results").json()
    master = answer["masters"][0]

    part = client.get(master["url"], headers={"range": "bytes=100-199", "if-range": f'"{master["sha256"]}"'})

    assert part.status_code == 206
    assert part.content == MASTER[100:200]
    assert part.headers["content-range"] == f"bytes 100-199/{len(MASTER)}"


@pytest.mark.parametrize(
    ("wanted", "status", "code"),
    [
        ("bytes=99-1", 400, "invalid_range"),
        ("lines=1-2", 400, "invalid_range"),
        ("bytes=", 400, "invalid_range"),
        ("bytes=99999999-", 416, "range_not_satisfiable"),
    ],
)
def test_ranges_that_make_no_sense(client: TestClient, studio: Studio, wanted: str, status: int, code: str) -> None:
    """They are told as problems, like all that is wrong."""
    [master, _] = client.get(f"/v1/jobs/{succeeded(studio).id}/results").json()["masters"]

    answer = client.get(master["url"], headers={"range": wanted})

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    if status == 416:
        assert answer.headers["content-range"] == f"bytes */{len(MASTER)}"


def test_a_file_that_lies_neither_in_a_folder_nor_on_s3(tmp_path: Path) -> None:
    """It comes whole, with its checksum, under its owner's name."""
    studio = open_studio(Settings(home=tmp_path / "home", results_url=f"memory://{uuid4()}"))
    with TestClient(create_app(studio, open_to_all=True)) as client:
        [master, _] = client.get(f"/v1/jobs/{succeeded(studio).id}/results").json()["masters"]
        whole = client.get(master["url"], headers={"range": "bytes=1-2"})

    assert (whole.status_code, whole.content) == (200, MASTER)
    assert whole.headers["content-length"] == str(len(MASTER))
    assert whole.headers["etag"] == f'"{master["sha256"]}"'
    assert "talk.mp3" in whole.headers["content-disposition"]


def test_there_are_no_results_yet(client: TestClient, studio: Studio) -> None:
    """A 409 says so; there is no address either."""
    job = submitted(studio)

    for path in ("results", "files/report.json"):
        answer = client.get(f"/v1/jobs/{job.id}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (409, "no_result")


def test_only_files_of_the_result_are_served(client: TestClient, studio: Studio) -> None:
    """Whatever the name says, nothing else is reached."""
    job = succeeded(studio)

    for name in ("nope.mp3", "%2e%2e", "%2e%2e%2fmixdown.db", "..%5Cmixdown.db", "%00", "etc%2Fpasswd"):
        assert client.get(f"/v1/jobs/{job.id}/files/{name}").status_code == 404


def test_a_file_that_is_gone(client: TestClient, studio: Studio) -> None:
    """A 404, though the ledger knows of it; so is a link that lies in its place."""
    job = succeeded(studio)
    assert job.result is not None
    path = path_of(job.result.report.uri)
    assert path is not None

    path.unlink()
    gone = client.get(f"/v1/jobs/{job.id}/files/report.json")
    path.symlink_to("/etc/hostname")
    link = client.get(f"/v1/jobs/{job.id}/files/report.json")

    assert (gone.status_code, gone.json()["code"]) == (404, "file_not_found")
    assert link.status_code == 404
