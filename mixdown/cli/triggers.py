"""`mixdown triggers`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from mixdown.cli.shared import AsJson, in_sentences, out, print_json, studio
from mixdown.settings import Settings

if TYPE_CHECKING:
    from mixdown.triggers import Triggers

app = typer.Typer(help="List the triggers of webhooks that come in, and try them.", add_completion=False)


@app.callback(invoke_without_command=True)
def _default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_triggers()


@app.command("list")
def list_triggers(as_json: AsJson = False) -> None:
    """List the triggers, and where their messages go."""
    with in_sentences():
        triggers = _triggers()
        if triggers.named:
            from mixdown.api import create_app

            create_app(studio())  # says what `mixdown api` would say
    if as_json:
        print_json([{"name": name, **each.model_dump(mode="json")} for name, each in triggers.named.items()])
        return
    if not triggers.named:
        out.print("No triggers yet. Name a file of them in MIXDOWN_TRIGGERS.")
        return
    table = Table("name", "kind", "signed", "address", box=None, pad_edge=False)
    for name, each in triggers.named.items():
        table.add_row(name, each.kind, escape(each.signature.kind), f"/v1/hooks/{name}")
    out.print(table)


@app.command("test")
def try_message(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the trigger.", show_default=False)],
    message: Annotated[
        Path, typer.Argument(metavar="FILE", help="A message as it comes in: JSON, or a form.", show_default=False)
    ],
    as_json: AsJson = False,
) -> None:
    """Tell what a message would ask for. Nothing is written down, and no signature is looked at."""
    from mixdown.errors import InvalidRequest
    from mixdown.triggers import heard
    from mixdown.triggers.forms import as_json as fields_as_json
    from mixdown.triggers.forms import fields_of
    from mixdown.triggers.hearing import parsed

    with in_sentences():
        trigger = _triggers().get(name)
        try:
            body = message.read_bytes()
        except OSError as error:
            raise InvalidRequest(f"The message cannot be read: {error.strerror}.") from error
        is_form = trigger.kind == "form" and not body.lstrip().startswith(b"{")
        mentions = heard(trigger, fields_as_json(fields_of(body.strip())) if is_form else parsed(body)).mentions
    if as_json:
        print_json(
            [
                {"source": each.source.model_dump(exclude_none=True), "parameters": each.parameters}
                for each in mentions
            ]
        )
        return
    for each in mentions:
        said = ", ".join(f"{key}={value}" for key, value in each.parameters.items())
        out.print(f"{each.source.uri}  {said}".rstrip(), markup=False, highlight=False, soft_wrap=True)
    if not mentions:
        out.print("Nothing: this message would be answered and left.")


def _triggers() -> Triggers:
    from mixdown.triggers import read_triggers

    return read_triggers(Settings())
