"""What has to be done now and then, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from mixdown.housekeeping import keep_house
from mixdown.model import AudioFormat, JobRecord, OutputSpec, Status
from mixdown.runner import run_jobs
from mixdown.settings import Settings
from mixdown.studio import Studio, open_studio
from mixdown.submission import enhance_specs, sources, submit
from tests.signals import recording

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"


@pytest.fixture
def studio(tmp_path: Path, database_url: str) -> Studio:
    """A studio that forgets results after a day."""
    return open_studio(
        Settings(
            home=tmp_path / "home",
            database_url=database_url,
            webhook_secret=SECRET,  # type: ignore[arg-type]
            keep_results_days=1.0,
        )
    )


def _done(studio: Studio, path: Path, notify_url: str | None = None) -> JobRecord:
    wanted = enhance_specs(
        sources([str(path)]), "podcast", outputs=[OutputSpec(format=AudioFormat.flac)], notify_url=notify_url
    )
    [record] = submit(studio, wanted)
    [record] = run_jobs(studio, [record.id])
    return record


def test_an_abandoned_job_is_queued_again(studio: Studio, tmp_path: Path) -> None:
    """A job whose process fell silent goes back into the queue, and the next run finishes it."""
    [record] = submit(studio, enhance_specs(sources([str(recording(tmp_path / "a.wav"))]), "podcast"))
    studio.jobs.claim(record.id, owner="elsewhere:boot:1:1", lease_s=60.0)
    hasty = replace(studio, settings=studio.settings.model_copy(update={"lease_s": 1e-6}))

    assert keep_house(hasty).requeued == [record.id]
    assert [each.status for each in run_jobs(studio, [record.id])] == [Status.succeeded]


def test_a_notification_that_failed_is_sent_again(studio: Studio, tmp_path: Path, httpserver: HTTPServer) -> None:
    """A receiver that was down gets the same message, under the same id, when it is due again."""
    seen: list[tuple[str, bytes]] = []
    answers = iter([503, 204])

    def receive(request: Request) -> Response:
        seen.append((request.headers["webhook-id"], request.data))
        return Response(status=next(answers))

    httpserver.expect_request("/hook").respond_with_handler(receive)
    record = _done(studio, recording(tmp_path / "a.wav"), httpserver.url_for("/hook"))
    [waiting] = studio.jobs.deliveries(record.id)
    assert record.status is Status.succeeded
    assert waiting.delivered_at is None
    studio.jobs.record_attempt(
        waiting.id, delivered=False, answer="503", next_attempt_at=datetime.now(UTC) - timedelta(seconds=1)
    )

    assert keep_house(studio).delivered == 1
    assert seen[0] == seen[1]
    assert studio.jobs.deliveries(record.id)[0].delivered_at is not None


def test_what_killed_processes_left_is_swept(studio: Studio) -> None:
    """The scratch folder of a process that is gone goes; that of one alive stays."""
    scratch = studio.settings.effective_scratch
    with studio.workspace() as mine:
        dead = scratch / mine.name.replace(mine.name.split("~")[2], "999999")
        (dead / "left").mkdir(parents=True)

        assert keep_house(studio).swept == 1
        assert mine.is_dir()
        assert not dead.exists()


def test_expired_results_go_and_can_be_made_again(studio: Studio, tmp_path: Path) -> None:
    """A result older than the setting is deleted; asked for again, the job is done again."""
    source = recording(tmp_path / "a.wav")
    record = _done(studio, source)
    assert record.result is not None
    assert keep_house(studio).expired == 0
    much_later = replace(studio, settings=studio.settings.model_copy(update={"keep_results_days": 1e-9}))

    assert keep_house(much_later).expired == 3

    assert not studio.objects.holds(record.result.renditions[0].object.uri)
    again = _done(studio, source)
    assert again.id == record.id
    assert again.result is not None
    assert again.result.renditions[0].object == record.result.renditions[0].object
    assert studio.objects.holds(again.result.renditions[0].object.uri)
