"""What the API needs goes away under load and comes back: what was accepted is not lost. Parts of api.py."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
from bench_services import Services
from front_door import FrontDoor, Outages, Row, Say, said, short

from tests.chaos.endpoint import BadS3
from tests.services.s3_server import engine_running, fresh_bucket

_BEFORE_S, _AWAY_S, _LOAD_S = 6.0, 10.0, 26.0

#: When all that was accepted must have ended, after the load.
_ENDS_WITHIN_S = 120.0

_OVER = ("succeeded", "failed", "cancelled")


def restart(door: FrontDoor, say: Say) -> Iterator[Row]:
    """The API killed and PostgreSQL restarted under load: what was accepted is there."""
    generator = door.load("submit", "--clients", "50", "--every-s", "5", "--for-s", "35", "--kib", "64")
    server, outages = door.services.postgres, Outages()
    time.sleep(8)
    with outages.one():
        door.kill()
        door.start()
    time.sleep(8)
    with outages.one():
        server.stop()
        time.sleep(2)
        server.start()
    took = said(generator)
    say(f"restart: {short(took)}")
    with door.client() as client:
        states = _states(client, took["ids"])
    lost = [job for job in took["ids"] if states.get(job) in (None, "failed")]
    beyond = outages.outside(took["refused"])
    say(f"restart: lost {lost[:5]}; beyond the outages {beyond[:5]}")
    yield Row(
        f"API killed, PostgreSQL restarted under load: {len(took['ids'])} jobs accepted of {took['requests']}",
        f"{len(lost)} lost jobs; {_refused(took)}, {len(beyond)} of them beyond the outages",
        "none lost",
        "no request lost beyond the outage",
        not lost,
    )


def s3(services: Services, given: argparse.Namespace, say: Say) -> Iterator[Row]:
    """The S3 endpoint stopped and started while clients upload: what was accepted ends well."""
    with ExitStack() as stack:
        options = stack.enter_context(engine_running(given.s3))
        bucket = stack.enter_context(fresh_bucket(given.s3, options)).bucket
        endpoint = BadS3(options.endpoint_url or "", seed=1)
        endpoint.calm.set()
        stack.callback(endpoint.close)
        env = {
            "MIXDOWN_RESULTS_URL": f"s3://{bucket}/mixdown",
            "MIXDOWN_S3_ENDPOINT_URL": endpoint.url,
            "MIXDOWN_S3_KEY": options.key or "",
            "MIXDOWN_S3_SECRET": options.secret or "",
            "MIXDOWN_S3_REGION": options.region or "",
            "MIXDOWN_WORKERS": "2",
        }
        _, served = stack.enter_context(services.serving(**env))
        door = stack.enter_context(FrontDoor(services, served, given).standing())
        say(f"s3: {given.s3} is up")
        generator = door.load("submit", "--clients", "30", "--every-s", "6", "--for-s", str(_LOAD_S))
        outages = Outages()
        time.sleep(_BEFORE_S)
        with outages.one():
            endpoint.close()
            time.sleep(_AWAY_S)
            endpoint.open()
        took = said(generator)
        say(f"s3: {short(took)}")
        states = _ended(door, took["ids"])
    ended = Counter(states.values())
    beyond = outages.outside(took["refused"])
    unkind = [each for each in took["refused"] if each["as"] != "503" or not each.get("retryable")]
    say(f"s3: {dict(ended)}; beyond the outage {beyond[:5]}; refused otherwise {unkind[:5]}")
    yield Row(
        f"S3 ({given.s3}) away for {_AWAY_S:.0f} s, 30 clients submitting 1 MB jobs, 5 a second: "
        f"{len(took['ids'])} jobs accepted of {took['requests']}",
        f"{len(set(took['ids'])) - ended['succeeded']} lost jobs: {dict(ended)}; {_refused(took)}, "
        f"{len(beyond)} of them beyond the outage, {len(unkind)} not as 503 and retryable",
        "none lost",
        "no request lost beyond the outage",
        not unkind and ended["succeeded"] == len(set(took["ids"])),
    )


def _refused(took: dict[str, Any]) -> str:
    kinds = Counter(" ".join(filter(None, (each["as"], each.get("code")))) for each in took["refused"])
    return f"{len(took['refused'])} requests refused ({', '.join(f'{n} × {kind}' for kind, n in kinds.items())})"


def _states(client: httpx.Client, jobs: list[str]) -> dict[str, str]:
    """How jobs are, of those that are there."""
    answers = {job: client.get(f"/v1/jobs/{job}") for job in jobs}
    return {job: answer.json()["status"] for job, answer in answers.items() if answer.is_success}


def _ended(door: FrontDoor, jobs: list[str]) -> dict[str, str]:
    """How jobs are in the end."""
    until_s, states = time.monotonic() + _ENDS_WITHIN_S, dict.fromkeys(jobs, "unknown")
    with door.client() as client:
        while time.monotonic() < until_s:
            left = [job for job, state in states.items() if state not in _OVER]
            if not left:
                break
            states |= _states(client, left)
            time.sleep(1)
    return states
