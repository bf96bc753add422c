"""An inbox through Prefect: what has arrived is done and filed away, and an event starts a run."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import FlowRun

from flows.inbox import watch_inbox
from flows.server import deployment as made
from flows.server import described_deployments
from mixdown.errors import InvalidRequest
from mixdown.inbox import Swept
from mixdown.model import AudioFormat, OutputSpec, Status
from mixdown.studio import Studio
from tests.flows.runs import run, task_runs
from tests.signals import recording

FLAC = [OutputSpec(format=AudioFormat.flac)]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """A folder with a good recording, one in a folder, a broken one and a text."""
    folder = tmp_path / "inbox"
    recording(folder / "talk.wav")
    recording(folder / "monday" / "news.wav", seed=2)
    (folder / "broken.mp3").write_text("This is no sound. " * 100)
    (folder / "notes.txt").write_text("Bring milk.")
    return folder


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_what_has_arrived_is_done_and_filed(inbox: Path, studio: Studio, tmp_path: Path) -> None:
    """One run: masters delivered in folders like those of the inbox, recordings filed, a report beside each."""
    state, run_id = run(watch_inbox, str(inbox), outputs=FLAC, deliver_to=str(tmp_path / "out"), settle_s=0.5)

    assert _files(inbox) == [
        *("done/monday/news.wav", "done/monday/news.wav.json", "done/talk.wav", "done/talk.wav.json"),
        *("failed/broken.mp3", "failed/broken.mp3.json", "notes.txt"),
    ]
    assert _files(tmp_path / "out") == ["monday/news.flac", "talk.flac"]
    told = json.loads((inbox / "done/talk.wav.json").read_text())
    assert told["masters"][0]["after"]["integrated_lufs"] == pytest.approx(-19.0, abs=0.2)
    assert told["masters"][0]["uri"].endswith("/out/talk.flac")
    assert json.loads((inbox / "failed/broken.mp3.json").read_text())["error"]["code"] == "unsupported_format"
    assert state.message is not None
    assert state.message.startswith("3 recordings taken in; 2 done, 1 failed. Left where they are: notes.txt: ")
    assert task_runs(run_id)
    assert sum(studio.jobs.batch_progress(run_id).counts.values()) == 3


def test_a_run_that_finds_nothing_says_so(inbox: Path, studio: Studio) -> None:
    """The second look finds nothing new, makes no batch and no job."""
    run(watch_inbox, str(inbox), outputs=FLAC, settle_s=0.2)
    (inbox / "notes.txt").unlink()
    before = len(studio.jobs.list())

    state, _ = run(watch_inbox, str(inbox), outputs=FLAC, settle_s=0.2)

    assert state.message == "Nothing new."
    assert len(studio.jobs.list()) == before == 3


def test_a_run_goes_on_where_one_was_cut_off(inbox: Path, studio: Studio) -> None:
    """What an earlier run had taken in, and not done, the next one does."""
    from mixdown.inbox import open_inbox, sweep
    from mixdown.items import Defaults

    swept = sweep(studio, open_inbox(str(inbox), studio, settle_s=0), Defaults(outputs=tuple(FLAC)))
    assert swept.taken == 3

    state, _ = run(watch_inbox, str(inbox), outputs=FLAC, settle_s=0.2)

    assert {record.status for record in studio.jobs.list()} == {Status.succeeded, Status.failed}
    assert "done/talk.wav" in _files(inbox)
    looked: Swept = state.result()
    assert looked.open_batches == (swept.batch_id,)


def test_a_folder_that_is_not_there_fails_the_run(tmp_path: Path) -> None:
    """A typing mistake is no empty inbox."""
    with pytest.raises(InvalidRequest, match="There is no folder"):
        watch_inbox(str(tmp_path / "imbox"))


@pytest.fixture
def deployed() -> Iterator[UUID]:
    """The deployment of prefect.yaml, with its trigger."""
    deployment_id = _apply()
    yield deployment_id
    with get_client(sync_client=True) as client:
        client.delete_resource_owned_automations(f"prefect.deployment.{deployment_id}")
        client.delete_deployment(deployment_id)


def _apply() -> UUID:
    [described] = [each for each in described_deployments() if each["entrypoint"].endswith("watch_inbox")]
    applied: UUID = made(described).apply()  # type: ignore[assignment]
    return applied


def _runs(deployment_id: UUID) -> list[FlowRun]:
    with get_client(sync_client=True) as client:
        return client.read_flow_runs(
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment_id]))
        )


def test_an_event_starts_a_run(deployed: UUID) -> None:
    """Whoever sees something arrive emits an event; the deployment runs for the inbox that it names."""
    deadline_s = time.monotonic() + 90
    while not _runs(deployed):
        assert time.monotonic() < deadline_s, "the event started nothing"
        event = {
            "id": str(uuid4()),
            "occurred": datetime.now(UTC).isoformat(),
            "event": "mixdown.inbox.arrived",
            "resource": {"prefect.resource.id": "s3.bucket.inbox"},
            "payload": {"inbox": "s3://bucket/inbox"},
        }
        with get_client(sync_client=True) as client:
            client.request("POST", "/events", json=[event])
        time.sleep(3)

    assert _runs(deployed)[0].parameters["inbox"] == "s3://bucket/inbox"
    assert _runs(deployed)[0].parameters["preset"] == "podcast"


def test_a_schedule_that_a_person_added_stays(deployed: UUID) -> None:
    """`mixdown serve` and `mixdown deploy`, run again, leave schedules alone that they do not know."""
    wanted = {"schedule": {"cron": "*/10 * * * *"}, "slug": "mine", "parameters": {"inbox": "/inbox"}}
    with get_client(sync_client=True) as client:
        client.request("POST", f"/deployments/{deployed}/schedules", json=[wanted])

        assert _apply() == deployed
        [kept] = client.read_deployment(deployed).schedules

    assert (kept.slug, kept.parameters) == ("mine", {"inbox": "/inbox"})
