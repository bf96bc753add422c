"""The front door under load, on loopback: python benchmarks/api.py [--only submit,read]

Everything runs on this machine: `mixdown serve` with a batch that keeps its workers busy, PostgreSQL, the API, and
the generator (load.py) in a process of its own. It asks in an open loop: what a stall held up is counted. Each line
is printed as soon as it is found, and all of them once more in the end.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from api_limits import redis
from api_outage import restart, s3
from bench_services import ROOT, Services
from front_door import FrontDoor, Row, Say, said, short
from hostility import REPEATED, hammered, hook_settings, random_bodies, slow_connections
from rich.console import Console
from rich.table import Table

from tests.services.s3_server import engines

KEEPS_BUSY = 2000


# -- parts ------------------------------------------------------------------------------------------


def submit(door: FrontDoor, say: Say) -> Iterator[Row]:
    """200 clients that submit 1 MB jobs while the workers are busy."""
    given = door.given
    took = door.loaded("submit", "--clients", "200", "--every-s", str(given.every_s), "--for-s", str(given.for_s))
    say(f"submit: {short(took)}")
    errors = took["requests"] - took["answers"].get("202", 0)
    yield Row(
        f"200 clients submitting 1 MB jobs, {200 / given.every_s:.0f} a second, two workers busy",
        f"{_waits(took)}, {errors} errors of {took['requests']}",
        "p99 < 1 s, 0 errors",
        "p99 < 250 ms",
        took["p99_s"] < 1 and not errors,
    )


def read(door: FrontDoor, say: Say) -> Iterator[Row]:
    """200 clients that ask how a job is."""
    with door.client() as client:
        paths = [each["status_url"] for each in client.get("/v1/jobs", params={"limit": 50}).json()["items"]]
    every_s = door.given.every_s / 5
    took = door.loaded(
        "read", "--paths", ",".join(paths), "--every-s", str(every_s), "--for-s", str(door.given.for_s)
    )
    say(f"read: {short(took)}")
    errors = took["requests"] - took["answers"].get("200", 0)
    yield Row(
        f"200 clients reading the state of jobs, {200 / every_s:.0f} a second",
        f"{_waits(took)}, {errors} errors of {took['requests']}",
        "p99 < 150 ms",
        "< 50 ms",
        took["p99_s"] < 0.15 and not errors,
    )


def listen(door: FrontDoor, say: Say) -> Iterator[Row]:
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


def _waits(took: dict[str, Any]) -> str:
    live = f"beside it /health/live {took['live_p50_s']:.3f} and {took['live_p99_s']:.3f} s"
    return f"p50 {took['p50_s']:.3f} s, p99 {took['p99_s']:.3f} s ({live})"


def hooks(door: FrontDoor, say: Say) -> Iterator[Row]:
    """Webhooks that are repeated and forged while jobs are submitted."""
    generator = door.load("submit", "--clients", "20", "--every-s", "4", "--for-s", "20", "--kib", "64")
    clips = sorted(door.services.clips(60, seconds=1.0, rate_hz=22_050, name="hooked").iterdir())
    answers = hammered(door.url, [str(clip) for clip in clips])
    took = said(generator)
    say(f"hooks: {answers}; beside them: {short(took)}")
    yield Row(
        f"{answers.messages} webhooks, each sent {REPEATED} times at once, and {answers.forged} forged ones",
        f"{answers.batches} of them made jobs, {answers.jobs} jobs in all; repeated {answers.repeated_as}, "
        f"forged {answers.forged_as}",
        "none makes a second job",
        "",
        answers.is_sound and answers.jobs == len(clips),
    )


def bodies(door: FrontDoor, say: Say) -> Iterator[Row]:
    """Random bodies at every route."""
    statuses, leaks = random_bodies(door.url, door.given.bodies, [str(door.services.folder), str(ROOT)])
    say(f"bodies: {statuses}")
    bad = sum(number for status, number in statuses.items() if status >= 500)
    yield Row(
        f"{door.given.bodies} random bodies at random routes",
        f"{bad} answers of 500 or more, {len(leaks)} that leak; {statuses} {leaks[:3] or ''}",
        "no 5xx, no leak",
        "",
        not bad and not leaks,
    )


def slow(door: FrontDoor, say: Say) -> Iterator[Row]:
    """2,000 connections that send a byte now and then."""
    with slow_connections(door.port, 2000) as connected, door.client() as client:
        began_s = time.monotonic()
        answers = [client.get("/health/live").status_code for _ in range(20)]
        took_s = (time.monotonic() - began_s) / 20
    say(f"slow: {connected} connected")
    yield Row(
        f"{connected} slow connections",
        f"{answers.count(200)} of 20 requests beside them answered, {1000 * took_s:.0f} ms each",
        "service up",
        "",
        answers.count(200) == 20,
    )


#: Parts that ask one API whose workers are busy.
BUSY = {part.__name__: part for part in (submit, read, listen, hooks, restart, bodies, slow)}
#: Parts that start what they need.
APART = {part.__name__: part for part in (s3, redis)}


def _found(given: argparse.Namespace, names: list[str], say: Say) -> Iterator[Row]:
    """What the parts find, one after the other."""
    with ExitStack() as stack:
        services = Services(stack, None)
        if asked := [name for name in BUSY if name in names]:
            with _busy(services, given) as door:
                for name in asked:
                    yield from BUSY[name](door, say)
                    say(f"the API takes {door.memory_mib:.0f} MiB")
        for name in APART:
            if name in names:
                yield from APART[name](services, given, say)


@contextmanager
def _busy(services: Services, given: argparse.Namespace) -> Iterator[FrontDoor]:
    """An API whose two workers have more to do than they can."""
    with services.serving() as (_, env):
        env |= {"MIXDOWN_WORKERS": "2", "MIXDOWN_SOURCE_ROOTS": str(services.folder)}
        env |= hook_settings(services.folder)
        busy = services.clips(KEEPS_BUSY, seconds=10.0, rate_hz=24_000)
        words = [sys.executable, "-m", "mixdown.cli", "batch", "submit", str(busy), "--denoise", "off"]
        subprocess.run(words, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with FrontDoor(services, env, given).standing() as door:
            yield door


def main() -> None:
    """Measure and print."""
    every = [*BUSY, *APART]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(every), help=f"some of {','.join(every)}")
    parser.add_argument("--every-s", type=float, default=10.0, help="each of 200 clients submits so often")
    parser.add_argument("--for-s", type=float, default=25.0, help="how long submit and read last")
    parser.add_argument("--bodies", type=int, default=10_000, help="random bodies")
    parser.add_argument("--s3", choices=engines(), default=engines()[-1], help="which engine goes away")
    given = parser.parse_args()
    names = given.only.split(",")
    if unknown := set(names) - set(every):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    began_s, aside, console = time.monotonic(), Console(stderr=True), Console(width=200)

    def say(line: str) -> None:
        aside.print(f"{time.monotonic() - began_s:4.0f} s  {line}", highlight=False, markup=False, style="dim")

    rows: list[Row] = []
    for row in _found(given, names, say):
        rows.append(row)
        asked = f" (at least: {row.least})" if row.least else ""
        console.print(f"{row.mark} {row.what}: {row.found}{asked}", highlight=False, markup=False, soft_wrap=True)
    table = Table(box=None)
    for heading in ("what", "found", "at least", "stretch", ""):
        table.add_column(heading)
    for row in rows:
        table.add_row(row.what, row.found, row.least, row.stretch, row.mark)
    console.print(table)
    say("over")


if __name__ == "__main__":
    os.chdir(Path(__file__).parent.parent)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    main()
