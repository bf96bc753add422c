"""Groups of commands in which an id is enough: `mixdown jobs 1a2b3c4d` shows that job."""

from __future__ import annotations

import re
from typing import Any

import typer
from typer.core import TyperGroup

_ID = re.compile("[0-9A-Fa-f][0-9A-Fa-f-]*")


class ShowsById(TyperGroup):
    """A group whose `show` is meant where an id stands in the place of a command."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that the words name; what looks like an id is to be shown."""
        first = args[0]
        if first not in self.commands and _ID.fullmatch(first) and "show" in self.commands:
            return super().resolve_command(ctx, ["show", *args])
        return super().resolve_command(ctx, args)


def asked_for_json(context: typer.Context, as_json: bool) -> bool:
    """Whether JSON is wanted: `--json` may stand before the command or after it."""
    parent = context.parent
    return as_json or bool(parent and parent.params.get("as_json"))
