"""The S3 endpoint closed and opened again while clients upload: python benchmarks/api_outage.py [--engine moto]

Everything runs here: an S3 engine behind a door that can be closed, PostgreSQL, `mixdown serve`, the API, and the
generator. What was accepted has to end well; what was refused has to have been refused while the door was closed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
from api import FrontDoor, _short, said
from bench_services import Services
from rich.console import Console

from tests.chaos.endpoint import BadS3
from tests.services.s3_server import engine_running, fresh_bucket

_BEFORE_S, _CLOSED_S = 8.0, 10.0
_ENDS_WITHIN_S = 300.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", default="radosgw", choices=("radosgw", "moto"))
    parser.add_argument("--clients", default="40")
    given = parser.parse_args()
    console = Console(width=160)
    with ExitStack() as stack:
        services = Services(stack, None)
        options = stack.enter_context(engine_running(given.engine))
        bucket = stack.enter_context(fresh_bucket(given.engine, options))
        door_of_s3 = BadS3(options.endpoint_url or "", seed=1)
        door_of_s3.calm.set()
        stack.callback(door_of_s3.close)
        env = {
            "MIXDOWN_RESULTS_URL": f"s3://{bucket.bucket}/mixdown",
            "MIXDOWN_S3_ENDPOINT_URL": door_of_s3.url,
            "MIXDOWN_S3_KEY": options.key or "",
            "MIXDOWN_S3_SECRET": options.secret or "",
            "MIXDOWN_S3_REGION": options.region or "",
            "MIXDOWN_WORKERS": "2",
        }
        _, served = stack.enter_context(services.serving(**env))
        door = FrontDoor(services, served, given)
        door.start()
        stack.callback(door.stop)
        generator = door.load(
            "submit", "--clients", given.clients, "--every-s", "8", "--for-s", "40", "--kib", "256"
        )
        time.sleep(_BEFORE_S)
        door_of_s3.close()
        time.sleep(_CLOSED_S)
        door_of_s3.open()
        took = said(generator)
        console.print(_short(took), highlight=False, style="dim")
        until_s = time.monotonic() + _ENDS_WITHIN_S
        with door.client() as client:
            left, states = list(took["ids"]), {}
            while left and time.monotonic() < until_s:
                for job in left:
                    answer = client.get(f"/v1/jobs/{job}")
                    if answer.status_code == httpx.codes.OK:
                        states[job] = answer.json()["status"]
                left = [job for job in left if states.get(job) in (None, "queued", "running")]
                time.sleep(1)
        ended = list(states.values())
        console.print(
            f"S3 closed for {_CLOSED_S:.0f} s under load: {len(took['ids'])} jobs accepted,"
            f" {ended.count('succeeded')} succeeded, {len(left)} not ended, {ended.count('failed')} failed;"
            f" answers {took['answers']}",
            highlight=False,
        )


if __name__ == "__main__":
    os.chdir(Path(__file__).parent.parent)
    sys.path.insert(0, str(Path(__file__).parent))
    main()
