"""What Mixdown keeps in Prefect's server: block types, limits, deployments; and blocks that are used."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.concurrency.sync import concurrency

from blocks import AudioBucket, JobDatabase, MixdownChannel, MixdownSpeech, WebhookSigning
from blocks.operator import DOCUMENT_NAME, find_block
from flows.process import process_audio
from flows.server import apply_limits, deployments, register_blocks
from mixdown.channels import ChannelNotifier
from mixdown.jobs import JobStore
from mixdown.model import AudioFormat, OutputSpec, Stage, Status
from mixdown.speech.cloud.engine import CloudEngine
from mixdown.storage import ObjectStore
from mixdown.studio import Studio
from mixdown.webhooks import WebhookNotifier
from tests.signals import recording

FLAC = [OutputSpec(format=AudioFormat.flac)]


@pytest.fixture
def one_at_a_time() -> Iterator[None]:
    """Our limits, the one of rendering cut down to a single slot."""
    apply_limits()
    with get_client(sync_client=True) as client:
        client.upsert_global_concurrency_limit_by_name("mixdown-process", 1)
        yield
        for name in ("mixdown-process", "mixdown-fetch"):
            client.delete_global_concurrency_limit_by_name(name)


def test_limits_are_created_and_brought_up_to_date() -> None:
    """Applying the limits twice leaves each once, as the file says."""
    names = apply_limits()
    assert apply_limits() == names

    with get_client(sync_client=True) as client:
        found = {limit.name: limit.limit for limit in client.read_global_concurrency_limits(limit=200)}
        for name in names:
            client.delete_global_concurrency_limit_by_name(name)
    assert {name: found[name] for name in names} == {"mixdown-process": 16, "mixdown-fetch": 8}


@pytest.mark.usefixtures("one_at_a_time")
def test_a_limit_is_honoured(studio: Studio, tmp_path: Path) -> None:
    """While the one slot for rendering is taken a run waits with its rendering; then it goes on."""
    source = recording(tmp_path / "talk.wav")

    with ThreadPoolExecutor() as pool:
        with concurrency("mixdown-process"):
            running = pool.submit(process_audio, str(source), outputs=FLAC)
            _wait_until(lambda: any(record.stage is Stage.validate for record in studio.jobs.list()))
            time.sleep(1.0)
            [waiting] = studio.jobs.list()
        done = running.result(timeout=120)

    assert (waiting.status, waiting.stage) == (Status.running, Stage.validate)
    assert done.status is Status.succeeded


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def test_every_deployment_can_be_applied() -> None:
    """Each deployment of prefect.yaml is accepted by the server, with its description, tags and limit."""
    for deployment in deployments():
        deployment_id = deployment.apply()
        with get_client(sync_client=True) as client:
            kept = client.read_deployment(deployment_id)

        assert kept.description
        assert "mixdown" in kept.tags
        assert kept.global_concurrency_limit is not None
        assert kept.entrypoint == f"flows.{kept.entrypoint.split('.', 1)[1]}"


@pytest.fixture
def saved() -> Iterator[Callable[[Block], None]]:
    """Saves a block under the name that is looked for; it is gone after the test."""
    register_blocks()
    kinds: list[type[Block]] = []

    def save(block: Block) -> None:
        block.save(DOCUMENT_NAME, overwrite=True)
        kinds.append(type(block))

    yield save
    for kind in kinds:
        kind.delete(DOCUMENT_NAME)


@pytest.mark.parametrize(
    ("kind", "fields", "opened"),
    [
        (AudioBucket, {"url": "memory://bucket", "key": "me", "secret": "hush-hush"}, ObjectStore),
        (JobDatabase, {"url": "sqlite:///{folder}/hush-hush.db"}, JobStore),
        (MixdownChannel, {"url": "ntfy://ntfy.sh/hush-hush"}, ChannelNotifier),
        (MixdownSpeech, {"kind": "openai", "price": "0.1", "key": "sk-hush-hush"}, CloudEngine),
        (WebhookSigning, {"secret": "whsec_hushhushMfKQ9r8GKYqrTwjUPD8ILPZI"}, WebhookNotifier),
    ],
)
def test_a_block_opens_to_a_core_object_and_keeps_its_secrets(
    saved: Callable[[Block], None], kind: type[Block], fields: dict[str, str], opened: type, tmp_path: Path
) -> None:
    """Saved and found again, a block gives what it describes; its secret is in no representation of it."""
    saved(kind(**{name: value.format(folder=tmp_path) for name, value in fields.items()}))

    found = find_block(kind)

    assert found is not None
    assert isinstance(found.open(), opened)  # type: ignore[attr-defined]
    assert "hush" not in f"{found!r} {found.model_dump_json()}"
    assert kind.get_description()


def test_without_a_block_settings_hold() -> None:
    """A kind of block that nobody saved is no error."""
    assert find_block(JobDatabase) is None


def test_a_block_goes_before_a_setting(
    saved: Callable[[Block], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an Audio Bucket called `mixdown`, masters go there."""
    saved(AudioBucket(url=str(tmp_path / "bucket")))
    monkeypatch.setenv("MIXDOWN_HOME", str(tmp_path / "home"))

    record = process_audio(str(recording(tmp_path / "talk.wav")), outputs=FLAC)

    assert record.result is not None
    assert record.result.renditions[0].object.uri.startswith((tmp_path / "bucket").as_uri())
