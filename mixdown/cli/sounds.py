"""`mixdown sounds`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from mixdown.cli.groups import asked_for_json
from mixdown.cli.shared import AsJson, in_sentences, out, print_json
from mixdown.errors import InvalidRequest
from mixdown.model import AudioFormat, OutputSpec

app = typer.Typer(help="List the music and the sounds that Mixdown makes, and render one.", add_completion=False)

_RENDERED_AS = {".wav": AudioFormat.wav, ".flac": AudioFormat.flac}


@app.callback(invoke_without_command=True)
def _default(context: typer.Context, as_json: AsJson = False) -> None:
    if context.invoked_subcommand is None:
        list_sounds(context, as_json)


@app.command("list")
def list_sounds(context: typer.Context, as_json: AsJson = False) -> None:
    """List beds, sounds and what sounds can be given."""
    from mixdown.music import BEDS, PARAMETERS, SOUNDS

    if asked_for_json(context, as_json):
        sounds = {name: {"about": about, "parameters": PARAMETERS[name]} for name, about in SOUNDS.items()}
        print_json({"beds": {name: {"about": about} for name, about in BEDS.items()}, "sounds": sounds})
        return
    table = Table("", "name", "", "parameters", box=None, pad_edge=False)
    for number, (name, about) in enumerate(BEDS.items()):
        table.add_row("" if number else "bed", name, about, "")
    for number, (name, about) in enumerate(SOUNDS.items()):
        given = " ".join(f"{key}={value:g}" for key, value in PARAMETERS[name].items())
        table.add_row("" if number else "sound", name, about, given)
    out.print(table)


@app.command("render")
def render_sound(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of a bed or a sound.", show_default=False)],
    parameters: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]…", help="What the sound is given: hz=440 s=2.", show_default=False),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Where it goes: .wav or .flac; NAME.wav if not given."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Another one, another piece.", min=0)] = 1,
    sample_rate_hz: Annotated[
        int, typer.Option("--rate", metavar="HZ", help="Sample rate.", min=8000, max=192_000)
    ] = 48_000,
) -> None:
    """Write a bed, once through, or a sound."""
    from mixdown.codec.encode import open_writer
    from mixdown.music import BEDS, bed, sound

    path = file or Path(f"{name}.wav")
    with in_sentences():
        if path.suffix.lower() not in _RENDERED_AS:
            raise InvalidRequest(f"{path.name} is neither .wav nor .flac.")
        given = _given(parameters or [])
        if name in BEDS and not given:
            samples = bed(name, seed=seed, sample_rate_hz=sample_rate_hz)
        elif name in BEDS:
            raise InvalidRequest(f"The bed {name} takes no parameters but --seed.")
        else:
            samples = sound(name, given, sample_rate_hz=sample_rate_hz, seed=seed)
        output = OutputSpec(format=_RENDERED_AS[path.suffix.lower()], bit_depth=24)
        try:
            with open_writer(path, output, sample_rate_hz=sample_rate_hz, channels=2) as writer:
                writer.write(samples)
        except OSError as error:
            raise InvalidRequest(f"{path.name} cannot be written: {error.strerror}.") from error
    out.print(f"{name}: {len(samples) / sample_rate_hz:.1f} s in {path}", markup=False, highlight=False)


def _given(words: list[str]) -> dict[str, str]:
    given = {}
    for word in words:
        key, separator, value = word.partition("=")
        if not separator:
            raise InvalidRequest(f"{word[:40]!r} is no KEY=VALUE.")
        given[key] = value
    return given
