"""The main job through Prefect: one recording, and a batch."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from flows.process import process_audio, process_batch
from mixdown.errors import JobFailed, UnknownChannel
from mixdown.model import AudioFormat, NoiseReduction, OutputSpec, Stage, Status
from mixdown.studio import Studio
from tests.flows.runs import artifacts, run, task_runs
from tests.signals import recording

FLAC = [OutputSpec(format=AudioFormat.flac)]
STAGES = ["validate", "process", "store", "notify"]


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A text that is called a recording."""
    path = tmp_path / "broken.mp3"
    path.write_text("This is no sound. " * 100)
    return path


def _stages(run_id: UUID) -> list[str]:
    return [each.name.split()[0] for each in task_runs(run_id)]


def test_one_recording_is_delivered_at_its_loudness(studio: Studio, tmp_path: Path) -> None:
    """A path in, a master out: on target, recorded, and found in the store."""
    source = recording(tmp_path / "talk.wav")

    record = process_audio(str(source), outputs=FLAC)

    assert record.status is Status.succeeded
    assert record.result is not None
    [master] = record.result.renditions
    assert master.after.integrated_lufs == pytest.approx(-19.0, abs=0.2)
    assert master.after.true_peak_dbtp <= -1.0 + 0.3
    assert studio.objects.holds(master.object.uri)
    assert studio.jobs.get(record.id) == record


@pytest.mark.parametrize("flow", [process_audio, process_batch])
def test_a_channel_that_is_not_set_up_is_refused(studio: Studio, tmp_path: Path, flow: Any) -> None:
    """At the beginning of the run, in a sentence: not when everything is done and nobody is told."""
    source = str(recording(tmp_path / "talk.wav"))

    with pytest.raises(UnknownChannel, match="no channel “nobody” here: none is set up"):
        flow(source if flow is process_audio else [source], notify_url="nobody")

    assert studio.jobs.list() == []


def test_a_run_shows_the_four_stages_and_their_order(studio: Studio, tmp_path: Path) -> None:
    """Prefect sees a DAG: each stage waits for the one before it, and is named after the recording."""
    source = recording(tmp_path / "talk.wav")

    _, run_id = run(process_audio, str(source), outputs=FLAC)

    found = task_runs(run_id)
    assert [each.name for each in found] == [f"{stage} talk.wav" for stage in STAGES]
    for before, after in pairwise(found):
        assert before.id in {upstream.id for inputs in after.task_inputs.values() for upstream in inputs}


def test_a_run_shows_progress_a_table_and_a_page_with_a_picture(studio: Studio, tmp_path: Path) -> None:
    """What a person looks for in the UI is there."""
    source = recording(tmp_path / "talk.wav")

    _, run_id = run(process_batch, [str(source)], outputs=FLAC)

    [progress] = artifacts(run_id, "progress")
    [table] = artifacts(run_id, "table")
    [page] = artifacts(run_id, "markdown")
    assert progress.data == 100.0
    assert "talk.wav" in str(table.data)
    assert "data:image/png;base64," in str(page.data)
    assert "−19.0 LUFS" in str(page.data)


def test_a_broken_recording_fails_alone(studio: Studio, tmp_path: Path, broken: Path) -> None:
    """A permanent error ends its job, with a code, and touches no neighbor in the same shard."""
    sources = [str(recording(tmp_path / f"{n}.wav", seed=n)) for n in (1, 2)]

    first, failed, last = process_batch([sources[0], str(broken), sources[1]], outputs=FLAC)

    assert first.status is last.status is Status.succeeded
    assert (failed.status, failed.error_code, failed.failed_stage) == (
        Status.failed,
        "unsupported_format",
        Stage.validate,
    )


def test_one_broken_recording_fails_its_run(studio: Studio, broken: Path) -> None:
    """`process-audio` raises the job's code and sentence, so that its run is red in the UI."""
    with pytest.raises(JobFailed) as raised:
        process_audio(str(broken))

    assert raised.value.job_code == "unsupported_format"
    assert "broken.mp3" in raised.value.message


def test_short_recordings_share_a_task_run(studio: Studio, tmp_path: Path) -> None:
    """Ten short clips are a shard for each hand: a few task runs, not forty."""
    for n in range(10):
        recording(tmp_path / "clips" / f"{n}.wav", seconds=1.0, seed=n)

    state, run_id = run(process_batch, [str(tmp_path / "clips")], outputs=FLAC)

    assert [record.status for record in state.result()] == [Status.succeeded] * 10
    stages = _stages(run_id)
    assert len(stages) <= 3 * len(STAGES)
    assert {stages.count(stage) for stage in STAGES} == {len(stages) // len(STAGES)}


def test_what_is_done_is_not_done_again(studio: Studio, tmp_path: Path) -> None:
    """The same batch again runs no task and gives the same results back."""
    source = recording(tmp_path / "talk.wav")
    first = process_batch([str(source)], outputs=FLAC)

    state, run_id = run(process_batch, [str(source)], outputs=FLAC)

    assert list(state.result()) == list(first)
    assert task_runs(run_id) == []


def test_a_copy_of_a_recording_uses_the_result_again(studio: Studio, tmp_path: Path) -> None:
    """The same bytes under another name are another job, but they are not rendered a second time."""
    source = recording(tmp_path / "talk.wav")
    copy = tmp_path / "copy.wav"
    copy.write_bytes(source.read_bytes())
    first = process_audio(str(source), outputs=FLAC, deliver_to=str(tmp_path / "out"))

    second = process_audio(str(copy), outputs=FLAC, deliver_to=str(tmp_path / "out"))

    assert first.result is not None
    assert second.result is not None
    assert second.id != first.id
    assert second.result.reused
    assert second.result.renditions[0].object == first.result.renditions[0].object
    assert (tmp_path / "out" / "copy.flac").read_bytes() == (tmp_path / "out" / "talk.flac").read_bytes()


def test_a_retry_does_only_what_is_unfinished(
    studio: Studio, tmp_path: Path, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is busy at first is asked again; the neighbor in its shard is not done twice."""
    body = recording(tmp_path / "remote.wav", seed=5).read_bytes()
    answers = iter([Response("busy", status=503), Response(body, content_type="audio/wav")])
    asked: list[str] = []

    def answer(request: Request) -> Response:
        asked.append(request.path)
        return next(answers)

    httpserver.expect_request("/remote.wav").respond_with_handler(answer)
    local = recording(tmp_path / "local.wav", seed=6)

    near, far = process_batch([str(local), httpserver.url_for("/remote.wav")], outputs=FLAC)

    assert near.status is far.status is Status.succeeded
    assert len(asked) == 2
    events = [event.kind for event in studio.jobs.events(near.id)]
    assert events.count("validated") == events.count("processed") == 1


def test_a_server_that_stays_away_ends_the_job_with_its_code(studio: Studio, tmp_path: Path) -> None:
    """When the retries are used up the job fails with the code of what went wrong."""
    [record] = process_batch(["http://127.0.0.1:9/talk.wav"], outputs=FLAC)

    assert (record.status, record.error_code) == (Status.failed, "source_unavailable")


def test_noise_reduction_can_be_chosen(studio: Studio, tmp_path: Path) -> None:
    """The same recording with another amount of noise reduction is another result."""
    source = str(recording(tmp_path / "talk.wav"))

    without = process_audio(source, outputs=FLAC, noise_reduction=NoiseReduction.off)
    with_it = process_audio(source, outputs=FLAC, noise_reduction=NoiseReduction.db12)

    assert without.result is not None
    assert with_it.result is not None
    assert without.result.result_key != with_it.result.result_key


def test_nothing_is_left_in_scratch(studio: Studio, tmp_path: Path, broken: Path) -> None:
    """After a batch, good and bad, the scratch folder holds no file."""
    process_batch([str(recording(tmp_path / "talk.wav")), str(broken)], outputs=FLAC)

    assert [path for path in studio.settings.effective_scratch.rglob("*") if path.is_file()] == []
