"""What `mixdown serve` has Prefect's own runner serve: a process for each run. Started by `flows.supervisor`."""

from __future__ import annotations

import os
import sys

from prefect import serve

from flows.lifeline import serve_as_parent
from flows.server import apply_limits, deployment, described_deployments, is_interactive, register_blocks
from mixdown import telemetry
from mixdown.cli import out
from mixdown.settings import Settings

#: Batches give way to what somebody waits for, which the warm process runs.
_NICE = 10


def main() -> None:
    """Register everything, then serve what is not interactive: so many runs at once, as the first argument says."""
    _, limit, server, *shown_at = sys.argv
    telemetry.begin(Settings(), service="mixdown-deployments")
    register_blocks()
    # Alone, a machine is limited by its workers: a slot costs 0.1 s, and a killed process keeps it for a minute.
    if server != "own":
        apply_limits()
    every = [(deployment(each), is_interactive(each)) for each in described_deployments()]
    for interactive in (each for each, is_for_warm in every if is_for_warm):
        interactive.apply()
    if shown_at:
        out.print(f"\n[bold]Open {shown_at[0]}[/] and run one of:", highlight=False)
        for each, _ in every:
            out.print(f"  {each.flow_name}/{each.name}", highlight=False)
        out.print("\nStop with Ctrl-C.\n")
    os.nice(_NICE)
    serve_as_parent()
    serve(*(each for each, is_for_warm in every if not is_for_warm), limit=int(limit), print_starting_message=False)


if __name__ == "__main__":
    main()
