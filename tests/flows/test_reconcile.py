"""Prefect's view made to agree with the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from prefect import task
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State, StateType
from prefect.states import Cancelling, Completed, Crashed, Pending, Running

from flows.reconcile import reconcile, reconcile_now
from flows.server import deployment, described_deployments
from mixdown.items import Defaults, items_of, requests_of
from mixdown.model import AudioFormat, OutputSpec, Status, Transform
from mixdown.runner import run_batch
from mixdown.studio import Studio
from mixdown.submission import accept
from tests.signals import recording

COPIED = Defaults(work=Transform(steps=()), outputs=(OutputSpec(format=AudioFormat.wav),))

#: A process id that no process has.
DEAD = "{host}:{boot}:4194305:1"


@task
def _nothing() -> None:
    """A task."""


@pytest.fixture
def client() -> Iterator[SyncPrefectClient]:
    """Prefect's server of the tests."""
    with get_client(sync_client=True) as client:
        yield client


def _deployed(name: str) -> UUID:
    [described] = [each for each in described_deployments() if each["entrypoint"].endswith(name)][:1]
    found: UUID = deployment(described).apply()  # type: ignore[assignment]
    return found


def _run(client: SyncPrefectClient, state: State[object], *, flow: str = "process_batch") -> UUID:
    """A run in this state, that no process is behind."""
    run = client.create_flow_run_from_deployment(_deployed(flow), state=Pending())
    client.set_flow_run_state(run.id, Running(), force=True)
    client.set_flow_run_state(run.id, state, force=True)
    return run.id


def _batch(studio: Studio, folder: Path, run_id: UUID) -> None:
    """One clip, accepted as the batch of a run."""
    studio.jobs.open_batch("clips", batch_id=run_id)
    clip = recording(folder / "clip.wav", seconds=0.5)
    accept(studio, requests_of(items_of([str(clip)]), COPIED), batch_id=run_id)


def _state(client: SyncPrefectClient, run_id: UUID) -> StateType:
    state = client.read_flow_run(run_id).state
    assert state is not None
    return state.type


def test_a_running_run_without_a_process_has_crashed(
    studio: Studio, client: SyncPrefectClient, tmp_path: Path
) -> None:
    """Its batch waits to be taken up, and the second look finds nothing to do."""
    run = _run(client, Running())
    _batch(studio, tmp_path, run)

    reconcile(studio, grace_s=0)

    assert _state(client, run) is StateType.CRASHED
    assert reconcile(studio, grace_s=0).changes == ()


def test_a_run_whose_batch_is_done_is_completed(studio: Studio, client: SyncPrefectClient, tmp_path: Path) -> None:
    """Whether it was left running or has crashed: others have brought its batch to the end."""
    for number, state in enumerate((Running(), Crashed())):
        run = _run(client, state)
        _batch(studio, tmp_path / str(number), run)
        run_batch(studio, run)

        reconcile(studio, grace_s=0)

        assert _state(client, run) is StateType.COMPLETED


def test_a_run_whose_batch_was_called_off_is_cancelled(
    studio: Studio, client: SyncPrefectClient, tmp_path: Path
) -> None:
    """The ledger knows that it was called off."""
    run = _run(client, Running())
    _batch(studio, tmp_path, run)
    studio.jobs.cancel_batch(run)

    reconcile(studio, grace_s=0)

    assert _state(client, run) is StateType.CANCELLED


def test_a_run_that_was_to_be_cancelled_calls_its_batch_off(
    studio: Studio, client: SyncPrefectClient, tmp_path: Path
) -> None:
    """Its process died before it could: nothing of the batch is left to be done."""
    run = _run(client, Cancelling())
    _batch(studio, tmp_path, run)

    reconcile(studio, grace_s=0)

    assert _state(client, run) is StateType.CANCELLED
    assert studio.jobs.counts(run)[Status.cancelled] == 1


def test_a_run_with_somebody_at_work_is_left_alone(
    studio: Studio, client: SyncPrefectClient, tmp_path: Path
) -> None:
    """A shift that is signed in and alive, or a run that the caller knows to be alive."""
    run, spared = _run(client, Running()), _run(client, Running())
    _batch(studio, tmp_path, run)

    with studio.at_work(run, run):
        reconcile(studio, grace_s=0, spare={spared})

    assert _state(client, run) is _state(client, spared) is StateType.RUNNING
    reconcile(studio, grace_s=0)  # for the tests after this one


def test_a_young_state_is_left_alone(studio: Studio, client: SyncPrefectClient) -> None:
    """A process may just be about to sign in."""
    run = _run(client, Running())

    reconcile(studio, grace_s=60)

    assert _state(client, run) is StateType.RUNNING
    reconcile(studio, grace_s=0)


def test_a_run_that_a_dead_process_took_is_given_to_another(studio: Studio, client: SyncPrefectClient) -> None:
    """It had not begun: it waits for its turn again."""
    with studio.at_work() as shift:
        host, boot, *_ = shift.owner.split(":")
    run = _run(client, Pending(message=f"Taken by {DEAD.format(host=host, boot=boot)}"))

    reconcile(studio, grace_s=0)

    assert _state(client, run) is StateType.SCHEDULED


def test_a_dry_run_changes_nothing(studio: Studio, client: SyncPrefectClient, tmp_path: Path) -> None:
    """It only says what would be done."""
    run = _run(client, Running())
    _batch(studio, tmp_path, run)

    changes = reconcile(studio, grace_s=0, dry_run=True).changes

    assert [(change.was, change.now) for change in changes] == [("Running", "Crashed")]
    assert _state(client, run) is StateType.RUNNING
    reconcile(studio, grace_s=0)


def test_task_runs_below_a_run_that_has_ended_are_ended(studio: Studio, client: SyncPrefectClient) -> None:
    """An event was lost: the task run was never said to have ended."""
    run = _run(client, Running(), flow="housekeeping")
    task_run = client.create_task_run(_nothing, run, "key", state=Running())
    client.set_flow_run_state(run, Completed(), force=True)

    reconcile(studio, grace_s=0)

    state = client.read_task_run(task_run.id).state
    assert state is not None
    assert state.is_final()


def test_agreement_is_said_in_a_sentence(studio: Studio) -> None:
    """What `mixdown jobs reconcile` prints when there is nothing to do."""
    assert reconcile_now(dry_run=False) == ["Prefect and the ledger agree."]
