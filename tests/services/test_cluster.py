"""Batches on several machines: Dask, Ray, several workers on one pool. No path of one is needed on another."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import psutil
import pytest

from mixdown.items import Defaults, items_of, requests_of
from mixdown.model import AudioFormat, JobEvent, OutputSpec, Status
from mixdown.settings import Settings
from mixdown.step_text import parse_steps
from mixdown.storage import S3Options
from mixdown.studio import Studio, open_studio
from mixdown.submission import accept
from tests.services.machines import Machine, free_port, machines, prefect_server, wait_until
from tests.services.s3_server import S3, fresh_bucket
from tests.signals import recording

CLIPS = 48  #: so many that nobody is done before the others have begun
END_S = 240

CONTINUE = """
import sys
from uuid import UUID
from flows.continue_batch import continue_batch
continue_batch(UUID(sys.argv[1]))
"""

SEND = """
import sys
from prefect.deployments import run_deployment
for _ in range(2):
    run_deployment("continue-batch/default", parameters={"batch_id": sys.argv[1]}, timeout=0)
"""

WORKER = ["-m", "prefect", "worker", "start", "--pool", "studio", "--limit", "1"]

DASK_SCHEDULER = [
    "-m",
    "distributed.cli.dask_scheduler",
    "--host",
    "127.0.0.1",
    "--dashboard-address",
    "127.0.0.1:0",
]
DASK_WORKER = ["-m", "distributed.cli.dask_worker", "--nthreads", "1", "--no-nanny", "--local-directory", "dask"]
RAY_NODE = ["-m", "ray.scripts.scripts", "start", "--block", "--num-cpus", "1", "--node-ip-address", "127.0.0.1"]
RAY_NODE += ["--min-worker-port", "0", "--max-worker-port", "0"]


@dataclass
class Desk:
    """Where a batch is handed in and watched: recordings of its own, and what all machines share."""

    studio: Studio
    shared: dict[str, str]
    machines: Path  #: their folders
    killed: set[str] = field(default_factory=set)  #: processes

    def hand_in(self) -> UUID:
        """A batch of short clips, and the clips gone: nobody can need their paths any more."""
        clips = self.machines / "desk" / "recordings"
        for n in range(CLIPS):
            recording(clips / f"{n}.wav", seconds=2.0, seed=n)
        asked = Defaults(steps=parse_steps(["loudness"]), outputs=(OutputSpec(format=AudioFormat.flac),))
        batch_id = self.studio.jobs.open_batch("clips")
        accepted = accept(self.studio, requests_of(items_of([str(clips)]), asked), batch_id=batch_id, share=True)
        assert accepted.new == CLIPS
        shutil.rmtree(clips)
        return batch_id

    def events(self, batch_id: UUID) -> Iterator[JobEvent]:
        """What happened to its jobs."""
        for record in self.studio.jobs.list(batch_id=batch_id, limit=CLIPS):
            yield from self.studio.jobs.events(record.id)

    def processes(self, batch_id: UUID) -> set[str]:
        """Those that have taken jobs: host, boot, process id, start."""
        return {str(each.detail).partition("#")[0] for each in self.events(batch_id) if each.kind == "claimed"}

    def kill_one_at_work(self, batch_id: UUID) -> bool:
        """Kill a process that holds a job, as a power cut does; whether there was one."""
        running = self.studio.jobs.list(batch_id=batch_id, status=Status.running, limit=1)
        held = [self.studio.jobs.events(record.id) for record in running]
        owners = [str([each for each in events if each.kind == "claimed"][-1].detail) for events in held]
        for owner in owners:
            os.kill(int(owner.split(":")[2]), signal.SIGKILL)
            self.killed.add(owner.partition("#")[0])
        return bool(owners)

    def is_whole(self, batch_id: UUID) -> None:
        """Every job is done, once, and every result lies where it says."""
        counts = self.studio.jobs.counts(batch_id)
        assert counts[Status.succeeded] == CLIPS, counts
        for record in self.studio.jobs.list(batch_id=batch_id, limit=CLIPS):
            kinds = [event.kind for event in self.studio.jobs.events(record.id)]
            assert kinds.count("succeeded") == 1
            assert record.result is not None
            assert self.studio.intact(record.result)
        assert list(self.studio.objects.list("staged/")) == []


@pytest.fixture(scope="module")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One Prefect server for the tests of this file."""
    with prefect_server(tmp_path_factory.mktemp("prefect")) as url:
        yield url


@pytest.fixture
def bucket(s3_options_of: Callable[[str], S3Options]) -> Iterator[S3]:
    """A bucket that all machines reach."""
    with fresh_bucket("moto", s3_options_of("moto")) as bucket:
        yield bucket


@pytest.fixture
def desk(tmp_path: Path, postgres_url: str, bucket: S3, server_url: str) -> Desk:
    """A desk whose ledger and results lie where every machine reaches them."""
    shared = {
        "MIXDOWN_DATABASE_URL": postgres_url,
        "MIXDOWN_RESULTS_URL": bucket.url,
        "MIXDOWN_S3_ENDPOINT_URL": str(bucket.options.endpoint_url),
        "MIXDOWN_S3_KEY": str(bucket.options.key),
        "MIXDOWN_S3_SECRET": str(bucket.options.secret),
        "MIXDOWN_S3_REGION": "us-east-1",
        "MIXDOWN_LEASE_S": "6",
        "MIXDOWN_WORKERS": "1",
        "PREFECT_API_URL": server_url,
    }
    mixdown = {key[len("MIXDOWN_") :].lower(): value for key, value in shared.items() if key.startswith("MIXDOWN_")}
    folder = tmp_path / "machines"
    (folder / "desk").mkdir(parents=True)
    return Desk(open_studio(Settings.model_validate({**mixdown, "home": folder / "desk"})), shared, folder)


def _is_there(process: str) -> bool:
    return psutil.pid_exists(int(process.split(":")[2]))


def _all_said(everyone: list[Machine]) -> str:
    return "\n".join(machine.said() for machine in everyone)


def _outlives_a_kill(desk: Desk, office: Machine, everyone: list[Machine], cluster: str) -> None:
    batch_id = desk.hand_in()
    run = office.python("-c", CONTINUE, str(batch_id), MIXDOWN_CLUSTER=cluster)
    wait_until(lambda: len([machine for machine in everyone if machine.has_worked]) == 2, END_S, *everyone)
    wait_until(lambda: desk.kill_one_at_work(batch_id), END_S, *everyone)
    wait_until(lambda: run.poll() is not None, END_S, *everyone)

    assert run.returncode == 0, _all_said(everyone)
    desk.is_whole(batch_id)
    assert "requeued" in {each.kind for each in desk.events(batch_id)}
    assert len(desk.processes(batch_id)) > 1
    assert not office.has_worked
    left_behind = [home for machine in everyone for home in machine.scratch_homes]
    assert len(left_behind) <= len(desk.killed)
    assert not any(_is_there(home) for home in left_behind)  # hands that ended with whom they worked for


def test_a_dask_cluster_outlives_a_worker(desk: Desk) -> None:
    """Workers that share nothing but ledger and store do a batch; one that is killed leaves nothing undone."""
    port = str(free_port())
    with machines(desk.machines, "hub", "left", "right", "office", **desk.shared) as everyone:
        hub, left, right, office = everyone
        hub.python(*DASK_SCHEDULER, "--port", port)
        for machine in (left, right):
            machine.python(*DASK_WORKER, f"tcp://127.0.0.1:{port}")
        for machine in (left, right):
            machine.wait_to_say("Registered to")
        _outlives_a_kill(desk, office, everyone, f"dask://127.0.0.1:{port}")


def test_a_dask_cluster_that_goes_away_is_said_to_be_away(desk: Desk) -> None:
    """The run ends with a sentence instead of waiting for ever; the batch is there for the next run."""
    port = str(free_port())
    with machines(desk.machines, "hub", "office", **desk.shared) as everyone:
        hub, office = everyone
        scheduler = hub.python(*DASK_SCHEDULER, "--port", port)
        batch_id = desk.hand_in()
        run = office.python("-c", CONTINUE, str(batch_id), MIXDOWN_CLUSTER=f"dask://127.0.0.1:{port}")
        wait_until(lambda: "no processes at present" in office.said(), END_S, *everyone)

        scheduler.kill()
        wait_until(lambda: run.poll() is not None, END_S, *everyone)

        assert run.returncode != 0
        assert "The Dask or Ray cluster cannot be reached." in office.said()
        assert desk.studio.jobs.counts(batch_id)[Status.queued] == CLIPS


def test_a_ray_cluster_outlives_a_worker(desk: Desk) -> None:
    """The same on Ray, with a node for each machine."""
    port, client_port = str(free_port()), str(free_port())
    no_talk = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
    # A short path: Ray's sockets must fit in 107 bytes.
    with (
        TemporaryDirectory(prefix="mixdown-ray-", dir="/tmp", ignore_cleanup_errors=True) as sessions,
        machines(desk.machines, "left", "right", "office", **desk.shared, **no_talk) as everyone,
    ):
        left, right, office = everyone
        left.python(
            *RAY_NODE,
            "--head",
            "--port",
            port,
            "--ray-client-server-port",
            client_port,
            "--temp-dir",
            sessions,
            "--include-dashboard",
            "false",
            "--dashboard-agent-listen-port",
            str(free_port()),
        )
        right.python(
            *RAY_NODE,
            "--address",
            f"127.0.0.1:{port}",
            "--dashboard-agent-listen-port",
            str(free_port()),
        )
        for machine in (left, right):
            machine.wait_to_say("Ray runtime started")
        _outlives_a_kill(desk, office, everyone, f"ray://127.0.0.1:{client_port}")


def test_two_workers_on_one_pool_share_a_batch(desk: Desk) -> None:
    """Two runs over one batch, each on another machine: both do their part, and no job is done twice."""
    with machines(desk.machines, "left", "right", "office", **desk.shared) as everyone:
        left, right, office = everyone
        deployed = office.python("-m", "mixdown.cli", "deploy", "--work-pool", "studio")
        wait_until(lambda: deployed.poll() is not None, END_S, office)
        assert deployed.returncode == 0, office.said()
        batch_id = desk.hand_in()
        for machine in (left, right):
            machine.python(*WORKER, PREFECT_WORKER_QUERY_SECONDS="1")
        for machine in (left, right):
            machine.wait_to_say("started!")
        office.python("-c", SEND, str(batch_id))

        wait_until(lambda: desk.studio.jobs.batch(batch_id).closed_at is not None, END_S, *everyone)

        assert left.has_worked, _all_said(everyone)
        assert right.has_worked, _all_said(everyone)
        desk.is_whole(batch_id)
        assert not left.scratch_homes | right.scratch_homes
