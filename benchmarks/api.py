"""The front door under load, on loopback: python benchmarks/api.py [--only submit,read]

Everything runs on this machine: `mixdown serve` with a batch that keeps its workers busy, PostgreSQL, the API, and
the generator (load.py) in a process of its own. It asks in an open loop: what a stall held up is counted.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from bench_services import ROOT, Services, _wait_for
from hostility import REPEATED, hammered, hook_settings, random_bodies, slow_connections
from rich.console import Console
from rich.table import Table

from tests.chaos.ports import steady_port

KEEPS_BUSY = 2000


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    what: str
    found: str
    least: str = ""
    stretch: str = ""
    met: bool | None = None


class FrontDoor:
    """`mixdown serve` and the API beside it, and what is asked of them."""

    def __init__(self, services: Services, env: dict[str, str], given: argparse.Namespace) -> None:
        self.services, self.env, self.given = services, env, given
        self.port = steady_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._api: subprocess.Popen[bytes] | None = None

    # -- the API's process --------------------------------------------------------------------------

    def start(self) -> None:
        """Start the API."""
        command = [sys.executable, "-m", "mixdown.cli", "api", "--port", str(self.port)]
        with (self.services.folder / "api.log").open("ab") as log:
            self._api = subprocess.Popen(command, env=self.env, stdout=log, stderr=log)
        _wait_for(f"{self.url}/health/live", self._api)

    def kill(self) -> None:
        """End it, as a power cut does."""
        assert self._api is not None
        self._api.kill()
        self._api.wait()

    def stop(self) -> None:
        """End it."""
        assert self._api is not None
        self._api.terminate()
        self._api.wait(timeout=30)

    @property
    def memory_mib(self) -> float:
        """What it takes now."""
        assert self._api is not None
        tree = [psutil.Process(self._api.pid), *psutil.Process(self._api.pid).children(recursive=True)]
        return sum(each.memory_info().rss for each in tree) / 2**20

    # -- load ---------------------------------------------------------------------------------------

    def load(self, what: str, *words: str) -> subprocess.Popen[str]:
        """Start the generator."""
        command = [sys.executable, str(ROOT / "benchmarks" / "load.py"), what, "--url", self.url, *words]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def loaded(self, what: str, *words: str) -> dict[str, Any]:
        """What the generator says in the end."""
        return said(self.load(what, *words))

    def client(self) -> httpx.Client:
        """For a few requests."""
        return httpx.Client(base_url=self.url, trust_env=False, timeout=60)


def said(generator: subprocess.Popen[str]) -> dict[str, Any]:
    """What a generator says when it is done."""
    assert generator.stdout is not None
    for line in generator.stdout:
        if line.startswith("LOAD {"):
            found: dict[str, Any] = json.loads(line.removeprefix("LOAD "))
            return found
    raise SystemExit(f"the generator ended with {generator.wait()}")


# -- parts ------------------------------------------------------------------------------------------


def submit(door: FrontDoor, say: Callable[[str], None]) -> Iterator[Row]:
    """200 clients that submit 1 MB jobs while the workers are busy."""
    given = door.given
    took = door.loaded("submit", "--clients", "200", "--every-s", str(given.every_s), "--for-s", str(given.for_s))
    say(f"submit: {_short(took)}")
    errors = took["requests"] - took["answers"].get("202", 0)
    yield Row(
        f"200 clients submitting 1 MB jobs, {200 / given.every_s:.0f} a second, two workers busy",
        f"{_waits(took)}, {errors} errors of {took['requests']}",
        "p99 < 1 s, 0 errors",
        "p99 < 250 ms",
        took["p99_s"] < 1 and not errors,
    )


def read(door: FrontDoor, say: Callable[[str], None]) -> Iterator[Row]:
    """200 clients that ask how a job is."""
    with door.client() as client:
        paths = [each["status_url"] for each in client.get("/v1/jobs", params={"limit": 50}).json()["items"]]
    every_s = door.given.every_s / 5
    took = door.loaded(
        "read", "--paths", ",".join(paths), "--every-s", str(every_s), "--for-s", str(door.given.for_s)
    )
    say(f"read: {_short(took)}")
    errors = took["requests"] - took["answers"].get("200", 0)
    yield Row(
        f"200 clients reading the state of jobs, {200 / every_s:.0f} a second",
        f"{_waits(took)}, {errors} errors of {took['requests']}",
        "p99 < 150 ms",
        "< 50 ms",
        took["p99_s"] < 0.15 and not errors,
    )


def listen(door: FrontDoor, say: Callable[[str], None]) -> Iterator[Row]:
    """1,000 listeners on one batch."""
    clips = sorted(door.services.clips(40, seconds=1.0, rate_hz=22_050).iterdir())
    items = [{"source": {"uri": str(clip)}} for clip in clips]
    with door.client() as client:
        answer = client.post(
            "/v1/batches", json={"items": items, "priority": "urgent", "title": f"listened to {time.time()}"}
        )
        batch = answer.raise_for_status().json()
        client.post(f"{batch['status_url']}/pause").raise_for_status()
        generator = door.load(
            "listen", "--clients", "1000", "--paths", f"{batch['status_url']}/events", "--for-s", "180"
        )
        assert generator.stdout is not None
        while not generator.stdout.readline().startswith("LOAD ready"):
            if generator.poll() is not None:
                raise SystemExit("the listeners have gone")
        client.post(f"{batch['status_url']}/resume").raise_for_status()
        took = said(generator)
    say(f"listen: {took}")
    yield Row(
        f"{took['listeners']} listeners on one batch, {took['events']} events each",
        f"{took['different']} different histories; lag p50 {took['p50_s']:.3f} s, p99 {took['p99_s']:.3f} s, "
        f"most {took['max_s']:.3f} s",
        "all see all, < 1 s",
        "200 ms",
        took["listeners"] == 1000 and took["different"] == 1 and took["max_s"] < 1,
    )


def restart(door: FrontDoor, say: Callable[[str], None]) -> Iterator[Row]:
    """The API killed and PostgreSQL restarted under load: what was accepted is there, and ends."""
    generator = door.load("submit", "--clients", "50", "--every-s", "5", "--for-s", "45", "--kib", "64")
    server = door.services.postgres
    for pause_s, trouble in ((10, door.kill), (0, door.start), (10, server.stop), (1, server.start)):
        time.sleep(pause_s)
        trouble()
    took = said(generator)
    say(f"restart: {_short(took)}")
    with door.client() as client:
        lost = [each for each in took["ids"] if client.get(f"/v1/jobs/{each}").status_code != httpx.codes.OK]
    yield Row(
        f"API killed, PostgreSQL restarted under load: {len(took['ids'])} jobs accepted",
        f"{len(lost)} lost; answers {took['answers']}",
        "none lost",
        "",
        not lost,
    )


def _waits(took: dict[str, Any]) -> str:
    live = f"beside it /health/live {took['live_p50_s']:.3f} and {took['live_p99_s']:.3f} s"
    return f"p50 {took['p50_s']:.3f} s, p99 {took['p99_s']:.3f} s ({live})"


def _short(took: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in took.items() if name != "ids")


def hooks(door: FrontDoor, say: Callable[[str], None]) -> Iterator[Row]:
    """Webhooks that are repeated and forged while jobs are submitted."""
    generator = door.load("submit", "--clients", "20", "--every-s", "4", "--for-s", "20", "--kib", "64")
    clips = sorted(door.services.clips(60, seconds=1.0, rate_hz=22_050, name="hooked").iterdir())
    answers = hammered(door.url, [str(clip) for clip in clips])
    took = said(generator)
    say(f"hooks: {answers}; beside them: {_short(took)}")
    yield Row(
        f"{answers.messages} webhooks, each sent {REPEATED} times at once, and {answers.forged} forged ones",
        f"{answers.batches} of them made jobs, {answers.jobs} jobs in all; repeated {answers.repeated_as}, "
        f"forged {answers.forged_as}",
        "none makes a second job",
        "",
        answers.is_sound and answers.jobs == len(clips),
    )


def hostile(door: FrontDoor, say: Callable[[str], None]) -> Iterator[Row]:
    """Random bodies at every route, and 2,000 connections that send a byte now and then."""
    statuses, leaks = random_bodies(door.url, door.given.bodies, [str(door.services.folder), str(ROOT)])
    say(f"hostile: {statuses}")
    bad = sum(number for status, number in statuses.items() if status >= 500)
    yield Row(
        f"{door.given.bodies} random bodies at random routes",
        f"{bad} answers of 500 or more, {len(leaks)} that leak; {statuses} {leaks[:3] or ''}",
        "no 5xx, no leak",
        "",
        not bad and not leaks,
    )
    with slow_connections(door.port, 2000) as connected, door.client() as client:
        began_s = time.monotonic()
        answers = [client.get("/health/live").status_code for _ in range(20)]
        took_s = (time.monotonic() - began_s) / 20
    yield Row(
        f"{connected} slow connections",
        f"{answers.count(200)} of 20 requests beside them answered, {1000 * took_s:.0f} ms each",
        "service up",
        "",
        answers.count(200) == 20,
    )


PARTS = {part.__name__: part for part in (submit, read, listen, hooks, restart, hostile)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {','.join(PARTS)}")
    parser.add_argument("--every-s", type=float, default=10.0, help="each of 200 clients submits so often")
    parser.add_argument("--for-s", type=float, default=30.0, help="how long each load lasts")
    parser.add_argument("--bodies", type=int, default=10_000, help="random bodies")
    given = parser.parse_args()
    if unknown := set(given.only.split(",")) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    console = Console(stderr=True)
    rows: list[Row] = []
    with ExitStack() as stack:
        services = Services(stack, None)
        _, env = stack.enter_context(services.serving())
        env |= {"MIXDOWN_WORKERS": "2", "MIXDOWN_SOURCE_ROOTS": str(services.folder)}
        env |= hook_settings(services.folder)
        busy = services.clips(KEEPS_BUSY, seconds=10.0, rate_hz=24_000)
        words = [sys.executable, "-m", "mixdown.cli", "batch", "submit", str(busy), "--denoise", "off"]
        subprocess.run(words, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        door = FrontDoor(services, env, given)
        door.start()
        stack.callback(door.stop)
        for name in given.only.split(","):
            rows.extend(PARTS[name](door, lambda line: console.print(line, highlight=False, style="dim")))
            console.print(f"the API takes {door.memory_mib:.0f} MiB", style="dim")
    table = Table(box=None)
    for heading in ("what", "found", "at least", "stretch", ""):
        table.add_column(heading)
    for row in rows:
        table.add_row(row.what, row.found, row.least, row.stretch, {None: "", True: "✓", False: "✗"}[row.met])
    Console(width=200).print(table)


if __name__ == "__main__":
    os.chdir(Path(__file__).parent.parent)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    main()
