"""`mixdown serve` and `mixdown deploy`: deployments that can be run by name."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.services.served import MIXDOWN, Served
from tests.signals import recording


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for the tests of this file."""
    home = tmp_path_factory.mktemp("served") / "home"
    home.mkdir()
    server = Served(home)
    yield server
    server.close()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=10).is_success
    except httpx.TransportError:
        return False


def _python(program: str, served: Served, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**served.env, "PREFECT_API_URL": served.url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_deployment_is_served(served: Served) -> None:
    """The deployments of prefect.yaml are there, each with a description and a schema to fill in."""
    for name in (
        "process-audio/default",
        "process-batch/default",
        "transform-audio/default",
        "generate-audio/default",
        "generate-batch/default",
        "analyze-audio/default",
        "continue-batch/default",
        "continue-batch/urgent",
        "watch-inbox/default",
        "housekeeping/nightly",
        "deliver-notifications/every-5-minutes",
    ):
        deployment = served.deployment(name)

        assert deployment["description"]
        assert deployment["tags"]
        assert deployment["entrypoint"].startswith("flows.")


def test_the_run_form_has_nothing_null_in_it(served: Served) -> None:
    """What the form shows at first can be sent as it is: Prefect's server refuses a null that its form sent."""
    for name in (
        f"{each}/default"
        for each in ("process-audio", "process-batch", "transform-audio", "generate-audio", "analyze-audio")
    ):
        schema = served.deployment(name)["parameter_openapi_schema"]

        assert all(each.get("description") for each in schema["properties"].values())
        assert "null" not in json.dumps(schema)


def test_a_deployment_is_run_by_name(served: Served, tmp_path: Path) -> None:
    """`run_deployment` from another process delivers, and the command line sees the job."""
    source = recording(tmp_path / "talk.wav")
    served.deployment("process-audio/default")

    said = _python(
        "from prefect.deployments import run_deployment\n"
        f"run = run_deployment('process-audio/default', parameters={{'source': {str(source)!r}, "
        f"'deliver_to': {str(tmp_path / 'out')!r}}}, timeout=120)\n"
        "print(run.name, run.state.name)",
        served,
        tmp_path,
    )

    assert said.split() == ["talk.wav", "Completed"]
    assert (tmp_path / "out" / "talk.mp3").stat().st_size > 10_000
    listed = subprocess.run([*MIXDOWN, "jobs", "--json"], env=served.env, capture_output=True, check=True)
    assert [(job["filename"], job["state"]) for job in json.loads(listed.stdout)] == [("talk.wav", "succeeded")]


def test_deploy_registers_everything_with_a_server(served: Served, tmp_path: Path) -> None:
    """`mixdown deploy` makes the pool, the limits, the block types and the deployments, from any folder."""
    done = subprocess.run(
        [*MIXDOWN, "deploy", "--work-pool", "studio"],
        cwd=tmp_path,
        env={**served.env, "PREFECT_API_URL": served.url},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert httpx.get(f"{served.url}/work_pools/studio").json()["type"] == "process"
    assert served.deployment("process-batch/default")["work_pool_name"] == "studio"
    queues = httpx.post(f"{served.url}/work_pools/studio/queues/filter", json={}).json()
    assert sorted((queue["priority"], queue["name"]) for queue in queues)[0] == (1, "interactive")
    assert served.deployment("process-batch/default")["work_queue_name"] == "batch"
    kinds = {each["slug"] for each in httpx.post(f"{served.url}/block_types/filter", json={}).json()}
    assert {"audio-bucket", "job-database", "webhook-signing"} <= kinds


def test_a_taken_port_is_said_to_be_taken(served: Served, tmp_path: Path) -> None:
    """A second server on the same port ends at once, with a sentence."""
    served.deployment("process-audio/default")
    port = served.url.split(":")[2].split("/")[0]

    done = subprocess.run(
        [*MIXDOWN, "serve", "--port", port],
        cwd=tmp_path,
        env=served.env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "Choose another port" in done.stderr


def test_the_api_is_served_beside_it(served: Served) -> None:
    """It answers beside Prefect's server, and again after a kill."""

    def is_ready() -> bool:
        try:
            return httpx.get(f"{served.api_url}/health/ready", timeout=10).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    served.wait_until(is_ready)
    [first] = served.processes("flows.api")

    served.kill("flows.api")

    served.wait_until(lambda: not first.is_running() and is_ready())
    assert [each.pid for each in served.processes("flows.api")] != [first.pid]


def test_a_recording_sent_to_the_api_is_mastered(served: Served, tmp_path: Path) -> None:
    """A job of its own, without a batch, is taken up by the warm process; its master is fetched from the API."""
    source = recording(tmp_path / "interview.wav")
    served.deployment("continue-batch/urgent")
    served.wait_until(lambda: _answers(f"{served.api_url}/health/live"))

    answer = httpx.post(
        f"{served.api_url}/v1/jobs", files={"file": ("interview.wav", source.read_bytes())}, timeout=60
    )

    job_url = f"{served.api_url}{answer.raise_for_status().headers['location']}"
    served.wait_until(lambda: httpx.get(job_url, timeout=60).json()["status"] == "succeeded")
    [master] = httpx.get(f"{job_url}/results", timeout=60).json()["masters"]
    fetched = httpx.get(f"{served.api_url}{master['url']}", timeout=60).content
    assert (master["filename"], len(fetched)) == ("interview.mp3", master["size_bytes"])


def test_ctrl_c_stops_the_server_too(served: Served) -> None:
    """After an interrupt nothing answers any more."""
    served.deployment("process-audio/default")

    served.stop()

    for url in (served.url, served.api_url):
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/health", timeout=5)
