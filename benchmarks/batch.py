"""What batches cost and how fast they are, as ratios of one run: python benchmarks/batch.py [--only cost,accept]

Each contender works in fresh processes, after a few clips that are not counted. CPU is that of everything: the
process that was asked, its children, Prefect's server and PostgreSQL beyond what they take when idle. Celery is
left out unless --celery-python names a Python (of this version) that has celery and redis.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import bare
import httpx
from bench_services import Services, Took
from rich.console import Console
from rich.table import Table

from mixdown.model import Priority
from mixdown.settings import Settings
from mixdown.studio import open_studio
from mixdown.submission import submit


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    what: str
    found: str
    least: str = ""
    stretch: str = ""
    met: bool | None = None  #: whether what is asked at least was reached


class Batches:
    """The parts; what several of them need is measured once."""

    def __init__(self, services: Services, items: int, say: Callable[[str], None]) -> None:
        self._services = services
        self.items = items
        self._say = say

    def _took(self, way: str, clips: Path, kind: str) -> Took:
        return self._told(way, clips, self._services.measure(way, clips, kind))

    def _told(self, way: str, clips: Path, took: Took) -> Took:
        self._say(
            f"{way} over {clips.name}: {took.wall_s:.1f} s wall, {took.cpu_s:.1f} s CPU + "
            f"{took.server_cpu_s:.1f} s of servers, peak {took.peak_mib:.0f} MiB"
        )
        return took

    def _short(self, count: int) -> Path:
        return self._services.clips(count, seconds=1.0, rate_hz=22_050)

    def _long(self) -> Path:
        return self._services.clips(self.items, seconds=10.0, rate_hz=24_000)

    def _tiny(self, count: int) -> Path:
        return self._services.clips(count, seconds=0.2, rate_hz=8_000)

    @cached_property
    def _flow_over_long(self) -> Took:
        return self._took("flow", self._long(), bare.MASTERED)

    # -- parts --------------------------------------------------------------------------------------

    def cost(self) -> Iterator[Row]:
        """Orchestration cost per item."""
        clips = self._short(self.items)
        # The work itself twice, before and after: the machine is not the same all the time.
        first = self._took("processes", clips, bare.CHEAPEST)
        flow = self._took("flow", clips, bare.CHEAPEST)
        second = self._took("processes", clips, bare.CHEAPEST)
        core = self._took("core", clips, bare.CHEAPEST)
        work_s = (first.cpu_s + second.cpu_s) / 2
        cost_ms = 1000 * (flow.all_cpu_s - work_s) / self.items
        client_ms, server_ms = 1000 * (flow.cpu_s - work_s) / self.items, 1000 * flow.server_cpu_s / self.items
        yield Row(
            f"orchestration cost per item, {self.items} clips of 1 s",
            f"{cost_ms:.1f} ms ({client_ms:.1f} client + {server_ms:.1f} server; the work: "
            f"{1000 * work_s / self.items:.1f} ms)",
            "≤ 15 ms",
            "≤ 5 ms",
            cost_ms <= 15,
        )
        yield Row("… without Prefect", f"{1000 * (core.all_cpu_s - work_s) / self.items:.1f} ms")

    def pool(self) -> Iterator[Row]:
        """Throughput against bare pools."""
        ours = self._flow_over_long
        for way, name in (("processes", "ProcessPoolExecutor"), ("threads", "ThreadPoolExecutor")):
            bare_took = self._took(way, self._long(), bare.MASTERED)
            share = bare_took.wall_s / ours.wall_s
            yield Row(
                f"throughput of {self.items} × 10 s clips against a bare {name}",
                f"{100 * share:.0f} % (CPU {100 * ours.all_cpu_s / bare_took.cpu_s:.0f} %)",
                "≥ 80 %",
                "≥ 95 %",
                share >= 0.80,
            )

    def celery(self) -> Iterator[Row]:
        """Throughput against Celery with Redis."""
        for tasks, name in ((4, "a chain of four tasks"), (1, "one task per clip")):
            took = self._services.measure_celery(tasks, self._long(), bare.MASTERED)
            if took is None:
                self._say("Celery or Redis is not installed: left out")
                return
            self._told(f"Celery, {name}", self._long(), took)
            ratio = took.wall_s / self._flow_over_long.wall_s
            yield Row(
                f"the same against Celery with Redis, {name}",
                f"{ratio:.2f}× (CPU {100 * self._flow_over_long.all_cpu_s / took.all_cpu_s:.0f} %)",
                "ahead",
                "1.5×",
                ratio > 1,
            )

    def scale(self) -> Iterator[Row]:
        """Cost and memory at ten times the items, against a tenth of them."""
        many, few = 10 * self.items, max(10, self.items // 10)
        small = self._took("flow", self._tiny(few), bare.CHEAPEST)
        large = self._took("flow", self._tiny(many), bare.CHEAPEST)
        # Without what every batch costs at first, which would make many items look cheaper than they are.
        start = self._took("flow", self._tiny(2), bare.CHEAPEST)
        each_of_many_s = (large.all_cpu_s - start.all_cpu_s) / (many - 2)
        ratio = each_of_many_s / ((small.all_cpu_s - start.all_cpu_s) / (few - 2))
        whole = (large.all_cpu_s / many) / (small.all_cpu_s / few)
        yield Row(
            f"cost per item at {many} against {few}",
            f"{ratio:.2f}× CPU beyond the start of a batch ({1000 * each_of_many_s:.0f} ms an item), "
            f"{whole:.2f}× with it",
            "≤ 1.2×",
            "flat",
            ratio <= 1.2,
        )
        yield Row(
            f"memory of the flow process at {many} items",
            f"{large.peak_mib:.0f} MiB ({small.peak_mib:.0f} MiB at {few})",
            "≤ 400 MB",
            "flat",
            large.peak_mib <= 400e6 / 2**20,
        )

    def singles(self) -> Iterator[Row]:
        """A batch against the same items one at a time."""
        few = max(10, self.items // 10)
        clips = self._short(few)
        batch = self._took("flow", clips, bare.CHEAPEST)
        single = self._took("singles", clips, bare.CHEAPEST)
        ratio = single.wall_s / batch.wall_s
        yield Row(
            f"a batch of {few} against process-audio {few} times",
            f"{ratio:.1f}× (CPU {single.all_cpu_s / batch.all_cpu_s:.1f}×)",
            "≥ 5×",
            "≥ 10×",
            ratio >= 5,
        )

    def accept(self) -> Iterator[Row]:
        """Time to accept ten times the items."""
        many = 10 * self.items
        took = self._took("accept", self._tiny(many), bare.CHEAPEST)
        yield Row(f"time to accept {many} items", f"{took.wall_s:.2f} s", "≤ 5 s", "≤ 1 s", took.wall_s <= 5)

    def again(self) -> Iterator[Row]:
        """Everything done already, run again."""
        took = self._took("again", self._short(self.items), bare.CHEAPEST)
        yield Row(
            f"everything already done, run again, {self.items} items",
            f"{took.wall_s:.2f} s",
            "≤ 5 s",
            "≤ 1 s",
            took.wall_s <= 5,
        )

    def trigger(self) -> Iterator[Row]:
        """From a trigger to the first task, on an idle `mixdown serve`."""
        clips = sorted(self._services.clips(48, seconds=1.0, rate_hz=22_050).iterdir())
        with self._services.serving() as (url, env):
            ways = {
                "process-audio by Prefect's API": lambda clip: _by_api(url, clip),
                "an urgent batch written down": lambda clip: _by_ledger(env, clip),
            }
            for (name, start), some in zip(ways.items(), (clips[:24], clips[24:]), strict=True):
                waits_s = [start(clip) for clip in some]
                # The first ones find things not yet loaded.
                counted = sorted(waits_s[4:])
                self._say(f"{name}: {', '.join(f'{each:.2f}' for each in waits_s)} s")
                p95_s = counted[int(0.95 * (len(counted) - 1))]
                yield Row(
                    f"trigger → first task running, {name}",
                    f"p50 {statistics.median(counted):.2f} s, p95 {p95_s:.2f} s",
                    "p95 ≤ 1 s",
                    "≤ 0.3 s",
                    p95_s <= 1,
                )


def _by_api(url: str, clip: Path) -> float:
    """Seconds from a request to Prefect's API until the first task of the run is running."""
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as api:
        deployment = api.get("/deployments/name/process-audio/default").json()["id"]
        asked: dict[str, Any] = {**bare.ASKED[bare.CHEAPEST], "source": str(clip)}
        asked["outputs"] = [each.model_dump(mode="json", exclude_defaults=True) for each in asked["outputs"]]
        began_s = time.time()
        answer = api.post(f"/deployments/{deployment}/create_flow_run", json={"parameters": asked})
        while answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:  # SQLite is busy: asked again, as clients do
            time.sleep(0.1)
            answer = api.post(f"/deployments/{deployment}/create_flow_run", json={"parameters": asked})
        if not answer.is_success:
            raise SystemExit(f"the trigger was refused: {answer.text[:500]}")
        run = answer.json()["id"]
        found: list[dict[str, Any]] = []
        flow_runs = {"flow_runs": {"id": {"any_": [run]}}}
        while not (found and found[0]["start_time"]):
            time.sleep(0.2)
            found = api.post("/task_runs/filter", json={**flow_runs, "sort": "EXPECTED_START_TIME_ASC"}).json()
        while api.get(f"/flow_runs/{run}").json()["end_time"] is None:
            time.sleep(0.2)
        time.sleep(0.5)
        return _seconds(found[0]["start_time"]) - began_s


def _by_ledger(env: dict[str, str], clip: Path) -> float:
    """Seconds from the moment an urgent batch is written down until a process has claimed its job."""
    studio = open_studio(Settings(home=Path(env["MIXDOWN_HOME"]), database_url=env["MIXDOWN_DATABASE_URL"]))
    began_s = time.time()
    batch_id = studio.jobs.open_batch(priority=Priority.urgent)
    [job] = submit(studio, bare.specs_of([str(clip)], bare.CHEAPEST), batch_id=batch_id)
    while not (job := studio.jobs.get(job.id)).status.ended:
        time.sleep(0.2)
    assert job.started_at is not None
    time.sleep(0.5)
    return job.started_at.timestamp() - began_s


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


PARTS = ("cost", "pool", "celery", "scale", "singles", "accept", "again", "trigger")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {','.join(PARTS)}")
    parser.add_argument("--items", type=int, default=1000, help="clips of the middle size of batch")
    parser.add_argument("--celery-python", help="a Python with celery and redis")
    given = parser.parse_args()
    wanted = given.only.split(",")
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    console = Console(stderr=True)
    rows: list[Row] = []
    with ExitStack() as stack:
        services = Services(stack, given.celery_python)
        batches = Batches(services, given.items, lambda line: console.print(line, highlight=False, style="dim"))
        for part in wanted:
            rows.extend(getattr(batches, part)())
    _print(rows)


def _print(rows: list[Row]) -> None:
    table = Table(box=None)
    for heading in ("what", "found", "at least", "stretch", ""):
        table.add_column(heading)
    marks = {None: "", True: "✓", False: "✗"}
    for row in rows:
        table.add_row(row.what, row.found, row.least, row.stretch, marks[row.met])
    Console(width=200).print(table)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        raise SystemExit(str(error)) from error
