"""What a command or a function costs, measured in a process of its own."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

#: Waits for a command and says what it took. Small, as a child's peak begins with that of its parent.
_WAITER = """
import json, resource, subprocess, sys, time
began_s = time.monotonic()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
wall_s = time.monotonic() - began_s
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, wall_s]))
"""


class Cost(NamedTuple):
    """What one contender took."""

    cpu_s: float
    peak_mib: float
    wall_s: float


def of_command(command: Sequence[str]) -> Cost:
    """CPU time and peak memory of a command line, children included."""
    return _said_by([sys.executable, "-I", "-c", _WAITER, *command])


def of_ours(script: str, name: str, source: Path) -> Cost:
    """CPU time and peak memory of one of a script's own contenders, in a fresh process: see `tell`."""
    return _said_by([sys.executable, script, str(source), "--only", name])


def tell(work: Callable[[], object], warm_up: Callable[[], object]) -> None:
    """Do some work and print what it took as JSON; what the warm-up loads and compiles is not counted."""
    warm_up()
    before_s, began_s = _cpu_s(), time.monotonic()
    work()
    spent_s, wall_s = _cpu_s() - before_s, time.monotonic() - began_s
    print(json.dumps([spent_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, wall_s]))


def show(title: str, costs: dict[str, Cost], base: str, duration_s: float, console: Console) -> None:
    """Print a table of costs as ratios to one of them."""
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for heading in ("CPU s", "wall s", "× realtime", "peak MiB", f"CPU ÷ {base}", f"memory ÷ {base}"):
        table.add_column(heading, justify="right")
    for name, cost in costs.items():
        table.add_row(
            name,
            f"{cost.cpu_s:.2f}",
            f"{cost.wall_s:.2f}",
            f"{duration_s / cost.cpu_s:.0f}",
            f"{cost.peak_mib:.0f}",
            f"{cost.cpu_s / costs[base].cpu_s:.2f}",
            f"{cost.peak_mib / costs[base].peak_mib:.2f}",
        )
    console.print(table)


def _said_by(command: Sequence[str]) -> Cost:
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return Cost(*json.loads(done.stdout))


def _cpu_s() -> float:
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
