"""What every command shares: the two consoles, common options, errors as sentences, JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from mixdown.errors import InvalidRequest, MixdownError
from mixdown.model import AudioFormat, JobRecord
from mixdown.settings import Settings

if TYPE_CHECKING:
    from mixdown.studio import Studio


def _console(*, stderr: bool = False) -> Console:
    """A console as wide as the terminal; a file gets lines that a table fits in."""
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=120)


out, err = _console(), _console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Formats = Annotated[
    list[AudioFormat] | None,
    typer.Option("--format", "-f", metavar="FORMAT", help=f"{', '.join(AudioFormat)}; repeat for several."),
]
BitrateKbps = Annotated[
    int | None, typer.Option("--bitrate", metavar="KBPS", help="Of mp3, m4a, opus and ogg.", min=24, max=512)
]
Mono = Annotated[bool, typer.Option("--mono", help="One channel, whatever the source has.")]
Notify = Annotated[
    str | None,
    typer.Option(
        "--notify",
        metavar="URL|CHANNEL",
        help="Send a signed webhook per job; or tell the people of a channel, of a batch as a whole.",
    ),
]
Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE…", help="Recordings: files, folders, s3:// or https:// addresses.", show_default=False
    ),
]


class Found:
    """What came of looking at files, and what could not be looked at."""

    def __init__(self) -> None:
        self.good: list[tuple[str, Any]] = []
        self.errors: list[dict[str, Any]] = []


def each_file(names: Sequence[str], look: Callable[[Path, str], Any]) -> Found:
    """Look at each file; an error is printed and noted, and stops nothing."""
    from tempfile import TemporaryDirectory

    from mixdown.fetch import fetch
    from mixdown.studio import s3_options
    from mixdown.submission import sources

    settings, found = Settings(), Found()
    with in_sentences():
        recordings = sources(names)
    for source in recordings:
        name = source.name
        with TemporaryDirectory(prefix="mixdown-") as folder:
            try:
                got = fetch(
                    source,
                    Path(folder) / "source",
                    limits=settings.limits,
                    s3=s3_options(settings),
                    timeout_s=settings.fetch_timeout_s,
                )
                found.good.append((name, look(got.path, name)))
            except MixdownError as error:
                found.errors.append({"file": name, "error": {"code": error.code, "message": error.message}})
                err.print(f"{name}: {error.message} ({error.code})", markup=False, highlight=False)
    return found


def studio() -> Studio:
    from mixdown.studio import open_studio

    return open_studio(Settings())


def document(record: JobRecord) -> dict[str, Any]:
    from mixdown.report import job_document

    return job_document(record)


def print_json(value: object) -> None:
    speaks_unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=not speaks_unicode, default=str) + "\n")


@contextmanager
def in_sentences() -> Iterator[None]:
    """Errors that are ours end the command with their sentence: 2 for a wrong request, else 1."""
    try:
        yield
    except MixdownError as error:
        err.print(f"[red]{error.code}[/]: ", end="")
        err.print(error.message, markup=False, highlight=False)
        raise typer.Exit(2 if isinstance(error, InvalidRequest) else 1) from None
