"""`mixdown transform` and `mixdown steps`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from mixdown.cli.process import asked_outputs, finish, work_through
from mixdown.cli.shared import AsJson, BitrateKbps, Files, Formats, Mono, Notify, in_sentences, out, print_json
from mixdown.errors import InvalidRequest
from mixdown.model import OutputSpec, Transform


def transform(
    files: Files,
    steps: Annotated[
        list[str] | None,
        typer.Option(
            "--step",
            "-s",
            metavar="'KIND NAME=VALUE…'",
            help="What is done, in order; see mixdown steps.",
        ),
    ] = None,
    steps_file: Annotated[
        Path | None,
        typer.Option("--steps", metavar="FILE", help="A TOML or JSON file of steps."),
    ] = None,
    deliver_to: Annotated[
        str, typer.Option("--out", "-o", metavar="DIR|s3://…", help="Where the files go.")
    ] = "transformed",
    formats: Formats = None,
    bitrate_kbps: BitrateKbps = None,
    sample_rate_hz: Annotated[
        int | None, typer.Option("--rate", metavar="HZ", help="Sample rate; as the source's 44.1 kHz, or 48 kHz.")
    ] = None,
    bit_depth: Annotated[int, typer.Option("--bits", metavar="16|24", help="Of flac and wav.")] = 24,
    mono: Mono = False,
    notify: Notify = None,
    as_json: AsJson = False,
) -> None:
    """Convert, cut, join, stretch, mix or label recordings.

    Without steps they are only converted. Levels stay as they are unless a step changes them.
    """
    from mixdown.items import in_a_sentence
    from mixdown.step_text import parse_steps, read_steps
    from mixdown.submission import job_specs, sources

    with in_sentences():
        chain = (*(read_steps(steps_file) if steps_file else ()), *parse_steps(steps or ()))
        with in_a_sentence("an output"):
            usual = OutputSpec.model_validate({"sample_rate_hz": sample_rate_hz, "bit_depth": bit_depth})
        specs = job_specs(
            sources(files, deliver_to=deliver_to),
            Transform(steps=chain),
            asked_outputs(usual, formats, bitrate_kbps, mono=mono),
            deliver_to,
            notify,
        )
        records = work_through(specs, quiet=as_json)
    finish(records, deliver_to, as_json=as_json)


def steps(
    kind: Annotated[str | None, typer.Argument(metavar="KIND", help="A kind of step.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """List the steps of a chain, or tell what one can be given."""
    from mixdown.step_text import step_kinds

    kinds = step_kinds()
    with in_sentences():
        if kind is not None and kind not in kinds:
            raise InvalidRequest(f"There is no step “{kind}”. There are: {', '.join(kinds)}.")
    shown = {name: model for name, model in kinds.items() if kind in (None, name)}
    if as_json:
        print_json({name: model.model_json_schema() for name, model in shown.items()})
        return
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    if kind is None:
        table.add_column("Step", no_wrap=True)
        table.add_column("What it does")
        for name, model in shown.items():
            table.add_row(name, escape((model.__doc__ or "").splitlines()[0]))
    else:
        out.print(f"[bold]{kind}[/]: {escape(shown[kind].__doc__ or '')}\n", highlight=False)
        for heading in ("Parameter", "Default", "Meaning"):
            table.add_column(heading)
        for name, field in shown[kind].model_fields.items():
            if name != "kind":
                default = "" if field.is_required() or field.default in (None, ()) else str(field.default)
                meaning = ". ".join(text for text in (field.title, field.description) if text)
                table.add_row(name, escape(default), escape(meaning))
    out.print(table)
