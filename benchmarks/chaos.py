"""A batch through `mixdown serve` while everything around it fails: python benchmarks/chaos.py [--seed 7]

Kills processes (`kill -9`), restarts PostgreSQL, has S3 answer 500, 503, late or not at all, refuses webhooks,
fills the scratch disk; then looks whether every promise was kept, prints the figures, and exits 1 if one was not.
It needs what `make test` installs, starts all it uses, and kills nothing else. Without root the scratch disk is
not filled: the size of files that our processes may write is limited instead.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from tests.chaos.run import Outcome, run
from tests.chaos.troubles import Plan
from tests.services.s3_server import engines


def main() -> int:
    """Run it and print what was found."""
    usual = Plan()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=usual.items)
    parser.add_argument("--seed", type=int, default=usual.seed, help="the same trouble at the same progress")
    parser.add_argument("--limit-s", type=float, default=usual.limit_s, help="the batch must have ended by then")
    parser.add_argument("--workers", type=int, default=usual.workers, help="shards at once")
    parser.add_argument("--flow-kills", type=int, default=usual.flow_kills)
    parser.add_argument("--s3", choices=engines(), default=engines()[-1], help="which engine")
    parser.add_argument("--keep", type=Path, help="a folder to work in, which stays")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is taken down
    plan = Plan(
        items=given.items,
        seed=given.seed,
        limit_s=given.limit_s,
        workers=given.workers,
        flow_kills=given.flow_kills,
        engine=given.s3,
    )
    began_s = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began_s:6.0f} s  {line}", file=sys.stderr, flush=True)

    with TemporaryDirectory(prefix="mixdown-chaos-") as folder:
        outcome = run(plan, (given.keep or Path(folder)) / "house", say)
    _print(outcome)
    return 1 if outcome.broken else 0


def _print(outcome: Outcome) -> None:
    table = Table(box=None, show_header=False, title=f"seed {outcome.plan.seed}, {len(outcome.items)} items")
    for what, found in outcome.figures.items():
        table.add_row(what, found)
    Console(width=120).print(table)
    print(f"\n{len(outcome.broken)} promises broken" if outcome.broken else "\nEvery promise was kept.")
    for sentence in outcome.broken:
        print(f"- {sentence}")


if __name__ == "__main__":
    sys.exit(main())
