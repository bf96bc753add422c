"""`mixdown generate`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mixdown import presets
from mixdown.cli.process import asked_outputs, finish, work_through
from mixdown.cli.shared import AsJson, BitrateKbps, Formats, Notify, err, in_sentences
from mixdown.errors import InvalidRequest, InvalidScript
from mixdown.model import JobSpec, Listening, OutputSpec, ScriptForm
from mixdown.settings import Settings

if TYPE_CHECKING:
    from mixdown.items import Defaults


def generate(
    scripts: Annotated[
        list[str] | None,
        typer.Argument(metavar="SCRIPT", help="Files, folders of them, s3:// or https:// addresses."),
    ] = None,
    text: Annotated[str, typer.Option("--text", "-t", metavar="TEXT", help="A script, in so many words.")] = "",
    rows: Annotated[
        Path | None, typer.Option("--rows", metavar="FILE", help="A CSV or JSONL file: a script for each row.")
    ] = None,
    template: Annotated[
        Path | None, typer.Option("--template", metavar="FILE", help="How a row becomes a script: Jinja2.")
    ] = None,
    quality: Annotated[
        str,
        typer.Option(
            "--quality",
            "-q",
            metavar="NAME",
            help="auto (the best installed), draft, standard, studio or cloud:NAME; see mixdown voices.",
        ),
    ] = "auto",
    voice: Annotated[str, typer.Option("--voice", metavar="NAME", help="A voice of that quality.")] = "",
    language: Annotated[str, typer.Option("--language", "-l", metavar="CODE", help="Such as en-GB or de.")] = "",
    cast: Annotated[
        list[str] | None, typer.Option("--cast", metavar="NAME=VOICE", help="The voice of a speaker; repeat.")
    ] = None,
    rate: Annotated[float, typer.Option("--rate", metavar="X", help="How fast is spoken.", min=0.5, max=2.0)] = 1.0,
    lexicon: Annotated[
        str, typer.Option("--lexicon", metavar="FILE", help="How words are said: CSV, YAML or PLS.")
    ] = "",
    form: Annotated[
        ScriptForm, typer.Option("--as", metavar="FORM", help=f"How scripts are written: {', '.join(ScriptForm)}.")
    ] = ScriptForm.auto,
    music: Annotated[
        str,
        typer.Option(
            "--music", metavar="BED|FILE", help="Music under all of it: a bed (mixdown sounds) or a recording."
        ),
    ] = "",
    preset: Annotated[
        str, typer.Option("--preset", "-p", metavar="NAME", help="What it is for: decides the loudness.")
    ] = "podcast",
    title: Annotated[
        str, typer.Option("--title", metavar="TEXT", help="Title tag, where the script has none.")
    ] = "",
    listening: Annotated[
        Listening,
        typer.Option(
            "--listening", metavar="MODE", help="Have a recogniser hear whether all was said: off, auto or on."
        ),
    ] = Listening.auto,
    max_cost: Annotated[
        float | None, typer.Option("--max-cost", metavar="SUM", help="What a job may cost at a paid engine.", min=0)
    ] = None,
    deliver_to: Annotated[
        str, typer.Option("--out", "-o", metavar="DIR|s3://…", help="Where the files go.")
    ] = "spoken",
    formats: Formats = None,
    bitrate_kbps: BitrateKbps = None,
    notify: Notify = None,
    as_json: AsJson = False,
) -> None:
    """Make audio from scripts: speech, over music if wanted, with chapters and captions.

    What was said once is not said again: change a sentence, and only that one is made.
    """
    from mixdown.items import Defaults
    from mixdown.scripts import cast_of, generate_of, music_of, scripts_at

    with in_sentences():
        if not (scripts or text or rows):
            raise InvalidRequest("There is nothing to say: name scripts, give --text, or --rows with a --template.")
        work = generate_of(
            **{"quality": quality, "voice": voice, "language": language, "rate": rate, "form": form},
            **{"music": music_of(music), "preset": preset, "listening": listening, "title": title},
            cast=cast_of(cast or ()),
            lexicon=scripts_at([lexicon])[0] if lexicon else None,
            max_cost=max_cost,
        )
        folder = Settings().effective_presets
        usual = presets.load(preset, folder=folder).output or OutputSpec()
        defaults = Defaults(
            work=work,
            outputs=tuple(asked_outputs(usual, formats, bitrate_kbps, mono=False)),
            deliver_to=deliver_to,
            notify_url=notify,
            preset_folder=folder,
        )
        bad: list[str] = []
        specs = _specs(scripts or (), text, rows, template, defaults, bad)
        for sentence in bad:
            err.print(sentence, markup=False, highlight=False)
        if not specs:
            raise InvalidScript("No row can be used.")
        records = work_through(specs, quiet=as_json)
    finish(records, deliver_to, as_json=as_json, failed=bool(bad))


def _specs(
    scripts: Sequence[str],
    text: str,
    rows: Path | None,
    template: Path | None,
    defaults: Defaults,
    bad: list[str],
) -> list[JobSpec]:
    """A request for each script; rows that cannot be used are told to `bad`."""
    from mixdown.scripts import row_requests, rows_at, script_requests, scripts_at, source_of_text

    if (rows is None) != (template is None):
        raise InvalidRequest("--rows and --template go together: what is filled in, and what it is filled into.")
    named = [*scripts_at(scripts), *((source_of_text(text),) if text else ())]
    specs = [spec for spec, _ in script_requests(named, defaults)]
    if rows is not None:
        specs += [spec for spec, _ in row_requests(rows_at(rows, str(template), bad.append), defaults)]
    return specs
