"""The command `mixdown`: the core without Prefect. Exit codes: 0 all well, 1 something failed, 2 usage."""

from __future__ import annotations

import logging
from importlib.metadata import entry_points
from typing import Annotated

import typer

from mixdown import __version__, logs
from mixdown.cli.analyze import analyze
from mixdown.cli.api import api
from mixdown.cli.batch import app as batch_app
from mixdown.cli.generate import generate
from mixdown.cli.inspect import measure, probe
from mixdown.cli.jobs import app as jobs_app
from mixdown.cli.keys import app as keys_app
from mixdown.cli.presets import app as presets_app
from mixdown.cli.process import process
from mixdown.cli.shared import err, in_sentences, out
from mixdown.cli.sounds import app as sounds_app
from mixdown.cli.transform import steps, transform
from mixdown.cli.triggers import app as triggers_app
from mixdown.cli.voices import app as voices_app
from mixdown.cli.watch import watch
from mixdown.settings import Settings

__all__ = ["app", "err", "in_sentences", "main", "out"]

app = typer.Typer(
    name="mixdown",
    help="Recordings in, broadcast-ready masters out, with proof.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _main(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens, to stderr.")] = False,
) -> None:
    if version:
        out.print(f"mixdown {__version__}")
        raise typer.Exit
    level = logging.INFO if verbose else logging.ERROR
    if Settings().log_format == "json":
        logs.configure("json", level=level)
        return
    shown = logging.StreamHandler()
    shown.setLevel(level)
    logging.basicConfig(level=logging.INFO, handlers=[shown], format="%(message)s")


#: The groups of commands, which may be plugged into as well.
_GROUPS = {
    **{"presets": presets_app, "batch": batch_app, "jobs": jobs_app, "keys": keys_app, "triggers": triggers_app},
    **{"voices": voices_app, "sounds": sounds_app},
}

for _command in (process, watch, transform, generate, steps, analyze, probe, measure, api):
    app.command()(_command)
for _name, _group in _GROUPS.items():
    app.add_typer(_group, name=_name)


def _add_commands_from_outside() -> None:
    """Commands that other packages plug in: those of Prefect's side, where it is installed.

    One named `jobs.reconcile` goes into the group `jobs`.
    """
    for entry in sorted(entry_points(group="mixdown.commands"), key=lambda entry: entry.name):
        try:
            command = entry.load()
        except ModuleNotFoundError:
            continue
        group, _, name = entry.name.rpartition(".")
        (_GROUPS[group] if group else app).command(name)(command)


def main() -> None:
    """Run the command line."""
    _add_commands_from_outside()
    app()
