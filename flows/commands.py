"""Commands that need Prefect, plugged into `mixdown`. Prefect takes seconds to import: only when one runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer

from mixdown import telemetry
from mixdown.cli import in_sentences, out
from mixdown.settings import Settings

#: How Prefect's own server is run: nothing sent anywhere, events kept for two days, and the batch sizes
#: that cut its CPU threefold under load (DESIGN §8).
SERVER = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": "P2D",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "50",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "50",
    "PREFECT_RUNNER_POLL_FREQUENCY": "1",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "mixdown",
    "DO_NOT_TRACK": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}

#: With MIXDOWN_LOG_FORMAT=json: Prefect's console writes our lines, uncoloured.
JSON_LINES = {
    "PREFECT_LOGGING_HANDLERS_CONSOLE_FORMATTER": "json",
    "PREFECT_LOGGING_FORMATTERS_JSON_CLASS": "mixdown.logs.JsonLines",
    "PREFECT_LOGGING_COLORS": "false",
}

#: Nothing of Prefect's on the terminal: the demo has its own display.
QUIET = {
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_SERVER_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_ENABLED": "true",
}


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on. The UI asks for no password.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the UI and of Prefect's API.", min=1, max=65535)] = 4200,
    limit: Annotated[int, typer.Option(help="Batches at once on this machine.", min=1)] = 4,
    urgent: Annotated[int, typer.Option(help="Jobs that somebody waits for at once, beside batches.", min=1)] = 4,
    api_host: Annotated[str, typer.Option(help="Address of the HTTP API. Others than local ones need a key.")] = (
        "127.0.0.1"
    ),
    api_port: Annotated[int, typer.Option(help="Port of the HTTP API.", min=1, max=65535)] = 8000,
    no_api: Annotated[bool, typer.Option("--no-api", help="Without the HTTP API.")] = False,
) -> None:
    """Start Prefect's server, its UI, every deployment and the HTTP API, and keep them running.

    With PREFECT_API_URL set no server is started: the deployments are served to that one.
    """
    _prepare(Settings().home / "prefect")
    os.environ.setdefault("PREFECT_SERVER_API_PORT", str(port))
    os.environ.setdefault("PREFECT_UI_API_URL", f"http://{host}:{port}/api")
    given_url = os.environ.get("PREFECT_API_URL")
    if not given_url:
        out.print("Starting Prefect's server …", highlight=False)
        os.environ["PREFECT_API_URL"] = f"http://{host}:{port}/api"
    with in_sentences():
        from flows.supervisor import supervise

        telemetry.check(Settings())
        api = None if no_api else (api_host, api_port)
        supervise(host=host, port=port, server_url=given_url, limit=limit, urgent=urgent, api=api)


def warm(
    pool: Annotated[str, typer.Option(help="Work pool whose queue “interactive” it works on.")] = "mixdown",
    urgent: Annotated[int, typer.Option(help="Jobs at once.", min=1)] = 4,
) -> None:
    """Work on what somebody waits for, at once, and send workers to batches on which nobody works.

    `mixdown serve` has one of these already. Beside workers of a pool, start one on each machine.
    """
    _prepare(Settings().home / "prefect")
    with in_sentences():
        from flows.warm import keep_warm

        telemetry.check(Settings())
        out.print(f"Warm, for the pool {pool}. Stop with Ctrl-C.", highlight=False)
        keep_warm(slots=urgent, pool=pool)


def deploy(
    work_pool: Annotated[str, typer.Option(help="Work pool of the workers; made if it is not there.")] = "mixdown",
) -> None:
    """Register block types, limits and every deployment with the Prefect server of PREFECT_API_URL."""
    _prepare(Settings().home / "prefect")
    with in_sentences():
        from flows.server import apply_limits, deployments, ensure_work_pool, register_blocks

        for slug in register_blocks():
            out.print(f"block type  {slug}", highlight=False)
        for name in apply_limits():
            out.print(f"limit       {name}", highlight=False)
        for queue in ensure_work_pool(work_pool):
            out.print(f"queue       {work_pool}/{queue}", highlight=False)
        for deployment in deployments(work_pool=work_pool):
            deployment.apply()
            out.print(f"deployment  {deployment.flow_name}/{deployment.name}", highlight=False)
    out.print(f"\nStart workers with: prefect worker start --pool {work_pool}", highlight=False)
    out.print(f"and one of these:   mixdown warm --pool {work_pool}", highlight=False)


def reconcile(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
) -> None:
    """Make Prefect's view agree with the ledger, and queue the jobs of dead processes again.

    `mixdown serve` and `mixdown warm` do it by themselves, every few seconds.
    """
    _prepare(Settings().home / "prefect")
    os.environ.setdefault("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    with in_sentences():
        from flows.reconcile import reconcile_now

        for line in reconcile_now(dry_run=dry_run):
            out.print(line, markup=False, highlight=False)


def demo(
    folder: Annotated[Path, typer.Option(help="Where everything of the demo goes.")] = Path("demo"),
) -> None:
    """Master a handful of example recordings on the embedded default, one of them broken on purpose."""
    home = folder.resolve()
    os.environ.update(QUIET)
    os.environ["MIXDOWN_HOME"] = str(home)
    os.environ["PREFECT_HOME"] = str(home / "prefect")
    _prepare(home / "prefect")
    with in_sentences():
        from flows.demo import run_demo

        run_demo(home, shown_as=folder, batch_id=uuid4())


def _prepare(prefect_home: Path) -> None:
    """Settings for Prefect that nobody has chosen otherwise; it reads them when it is imported."""
    prefect_home.mkdir(parents=True, exist_ok=True)
    lines = JSON_LINES if Settings().log_format == "json" else {}
    for name, value in {**SERVER, **lines, "PREFECT_HOME": str(prefect_home)}.items():
        os.environ.setdefault(name, value)
