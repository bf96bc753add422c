"""`mixdown presets`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from mixdown.cli.shared import AsJson, err, in_sentences, out, print_json
from mixdown.errors import InvalidRequest
from mixdown.model import MEASURED, Loudness, Preset, RmsLevel
from mixdown.settings import Settings

#: Stands for no hum at all.
_NO_HUM_DBFS = -200.0

if TYPE_CHECKING:
    from mixdown.presets.cases import Outcome

app = typer.Typer(help="List presets, try them, add your own.", add_completion=False)


@app.callback(invoke_without_command=True)
def _default(context: typer.Context, as_json: AsJson = False) -> None:
    if context.invoked_subcommand is None:
        list_presets(as_json)


@app.command("list")
def list_presets(as_json: AsJson = False) -> None:
    """List the presets: those that are shipped and your own."""
    from mixdown import presets

    folder = Settings().effective_presets
    with in_sentences():
        found = presets.catalogue(folder)
    if as_json:
        print_json(
            [{**_document(each), "own": False} for each in found.shipped]
            + [{**_document(each), "own": True} for each in found.own]
            + [{"error": {"code": each.code, "message": each.message}} for each in found.broken]
        )
        return
    table = Table("preset", "for", "level", "peaks", box=None, pad_edge=False)
    for preset in (*found.shipped, *found.own):
        level, peaks = _level(preset)
        table.add_row(preset.name, escape(preset.description), level, peaks)
    out.print(table)
    _print_line(f"\nYour own: {', '.join(each.name for each in found.own) or 'none'}, in {folder}")
    for problem in found.broken:
        err.print(problem.message, markup=False, highlight=False)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A preset.", show_default=False)],
    as_toml: Annotated[bool, typer.Option("--toml", help="Print its file, to begin one of your own with.")] = False,
    as_json: AsJson = False,
) -> None:
    """Tell what a preset does, step by step, and what it asks of a file."""
    from mixdown import presets

    folder = Settings().effective_presets
    with in_sentences():
        preset = presets.load(name, folder=folder)
        text = presets.source_text(name, folder=folder)
    if as_json:
        print_json(_document(preset))
    elif as_toml:
        typer.echo(text, nl=False)
    else:
        _print_preset(preset)


@app.command("test")
def try_out(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]…", help="Presets; all if none is named.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Try presets on recordings made for it, and measure what is delivered."""
    from mixdown import presets
    from mixdown.accelerator import providers_of
    from mixdown.presets.cases import run
    from mixdown.render import render

    settings = Settings()
    folder = settings.effective_presets
    with in_sentences():
        providers = providers_of(settings)
        if names:
            chosen = [presets.load(name, folder=folder) for name in dict.fromkeys(names)]
        else:
            found = presets.catalogue(folder)
            chosen = [*found.shipped, *found.own]
            for problem in found.broken:
                err.print(problem.message, markup=False, highlight=False)
        outcomes: list[Outcome] = []
        with err.status("Trying …") as status:
            for preset in chosen:
                for outcome in run(preset, render=partial(render, providers=providers), measure=_measured):
                    outcomes.append(outcome)
                    status.update(f"{preset.name}: {len(outcomes)} tried")
    if as_json:
        print_json([{**asdict(outcome), "passed": outcome.passed} for outcome in outcomes])
    else:
        _print_outcomes(outcomes, untried=[preset.name for preset in chosen if not preset.cases])
    broken = not names and bool(found.broken)
    raise typer.Exit(0 if all(outcome.passed for outcome in outcomes) and not broken else 1)


@app.command("import")
def import_preset(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON: a preset or the algorithms of Auphonic.")],
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="What it is called here; else by its own name.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace your preset of this name.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take over a preset of Auphonic as one of your own, and tell what has no counterpart."""
    from mixdown.presets import auphonic

    with in_sentences():
        imported = auphonic.imported(_text_of(file), name=name)
        place = auphonic.save(imported, Settings().effective_presets, force=force)
    if as_json:
        print_json({"preset": _document(imported.preset), "findings": [asdict(each) for each in imported.findings]})
        return
    table = Table("setting", "value", "", "here", box=None, pad_edge=False)
    for each in sorted(imported.findings, key=lambda each: list(auphonic.Fate).index(each.fate)):
        table.add_row(*map(escape, (each.setting, each.value, each.fate.value, each.here)))
    out.print(table)
    _print_line(f"\nWritten to {place}")
    _print_line(f"Use it: mixdown process FILE --preset {imported.preset.name}")


# -- measuring ----------------------------------------------------------------------------------------


def _measured(path: Path) -> Mapping[str, float | None]:
    """All that is measured on a delivered file; hum that is not heard counts as hum far below hearing."""
    from mixdown.analysis import analyze

    found = analyze(path, name=path.name, music=False).measures
    return found if found["hum_dbfs"] is not None else {**found, "hum_dbfs": _NO_HUM_DBFS}


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"“{file.name}” cannot be read as text.") from error


# -- in words -----------------------------------------------------------------------------------------


def _document(preset: Preset) -> dict[str, Any]:
    return preset.model_dump(mode="json", exclude={"cases"}, exclude_none=True)


def _level(preset: Preset) -> tuple[str, str]:
    """The level that a preset brings a file to, and its ceiling."""
    step = preset.steps[-1]
    if isinstance(step, Loudness):
        mono = f" (mono {_number(step.mono_target_lufs, '')})" if step.mono_target_lufs is not None else ""
        return f"{_number(step.target_lufs, 'LUFS')}{mono}", _number(step.ceiling_dbtp, "dBTP")
    if isinstance(step, RmsLevel):
        return _number(step.target_rms_dbfs, "dBFS RMS"), _number(step.ceiling_dbtp, "dBTP")
    return "", ""


def _print_preset(preset: Preset) -> None:
    _print_line(f"{preset.name}: {preset.title}\n{preset.description}\n")
    table = Table(box=None, pad_edge=False, show_header=False)
    for index, step in enumerate(preset.steps, start=1):
        given = step.model_dump(mode="json", exclude={"kind"}, exclude_none=True)
        table.add_row(str(index), step.kind, escape(", ".join(f"{key} = {value}" for key, value in given.items())))
    out.print(table, highlight=False)
    if preset.output is not None:
        asked = preset.output.model_dump(
            mode="json", exclude=set() if preset.output.format.lossless else {"bit_depth"}
        )
        _print_line(f"\nDelivers {', '.join(f'{key} = {value}' for key, value in asked.items())}")
    if preset.requirements:
        _print_line("\nAsks of a file:")
    for each in preset.requirements:
        of = {1: " (mono)", 2: " (stereo)"}.get(each.channels or 0, "")
        measure = MEASURED[each.measure]
        _print_line(f"  {measure.title}{of}: {_range(each.at_least, each.at_most, measure.unit)}")


def _print_outcomes(outcomes: list[Outcome], *, untried: list[str]) -> None:
    from mixdown.analysis.words import measure_words

    table = Table("preset", "case", "measure", "asked", "measured", "", box=None, pad_edge=False)
    for outcome in outcomes:
        for each in outcome.readings:
            measured = measure_words(each.measure, each.measured)
            verdict = "[green]passed[/]" if each.passed else "[red]FAILED[/]"
            asked = _range(each.least, each.most, MEASURED[each.measure].unit)
            table.add_row(outcome.preset, escape(outcome.case), each.measure, asked, measured, verdict)
        if outcome.error is not None:
            table.add_row(outcome.preset, escape(outcome.case), "", "", escape(outcome.error), "[red]FAILED[/]")
    if outcomes:
        out.print(table, highlight=False)
    for outcome in outcomes:
        for warning in outcome.warnings:
            _print_line(f"{outcome.preset}, {outcome.case}: {warning}")
    passed = sum(outcome.passed for outcome in outcomes)
    _print_line(f"\n{passed} of {len(outcomes)} cases passed.")
    if untried:
        _print_line(f"Without cases: {', '.join(untried)}.")


def _range(least: float | None, most: float | None, unit: str) -> str:
    """What is asked for: `at most −1 dBTP`, `−16.2 to −15.8 LUFS`, `44100 Hz`."""
    if least is None or most is None:
        return f"at least {_number(least, unit)}" if least is not None else f"at most {_number(most or 0.0, unit)}"
    return _number(least, unit) if least == most else f"{_number(least, '')} to {_number(most, unit)}"


def _number(value: float, unit: str) -> str:
    """A target as a person writes it, with its unit."""
    return f"{value:g} {unit}".replace("-", "−").rstrip()


def _print_line(text: str) -> None:
    out.print(text, markup=False, highlight=False, soft_wrap=True)
