"""`mixdown analyze`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from mixdown.cli.shared import AsJson, Files, Found, each_file, err, in_sentences, out, print_json
from mixdown.errors import InvalidRequest
from mixdown.model import MEASURED, Preset
from mixdown.settings import Settings

if TYPE_CHECKING:
    from mixdown.analysis import Section
    from mixdown.model import Analysis

_NAME_CHARS = 40
_ONE_AT_A_TIME = "--against and --peaks are for one recording at a time."

#: Tells how far an analysis is.
_Show = Callable[[float], None]


def analyze(
    files: Files,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE.html", help="Write a page with pictures: one for all recordings."),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="MASTER", help="Compare with the master made of it, also by ear."),
    ] = None,
    preset: Annotated[
        list[str] | None,
        typer.Option("--preset", "-p", metavar="NAME", help="Hold it against this preset; repeat. Default: all."),
    ] = None,
    peaks: Annotated[
        Path | None, typer.Option("--peaks", metavar="FILE.json", help="Write waveform data (audiowaveform v2).")
    ] = None,
    music: Annotated[
        bool | None,
        typer.Option("--music/--no-music", help="Tempo, beats and key always, or never. Default: where heard."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure everything about recordings and hold them against the presets.

    A recording that fails a preset is no error: the exit code tells whether all could be analyzed.
    """
    with in_sentences():
        _check(files, html=html, against=against, peaks=peaks)
        desk = _Desk(_presets(preset or ()), music=music, against=against, peaks=peaks, drawn=html is not None)
        shown = not as_json
        found = each_file(files, lambda path, name: desk.look(path, name, printed=shown))
        found.errors += desk.errors
        if html is not None and (sections := [section for _, (_, section) in found.good if section]):
            from mixdown.analysis import page_html

            _write(html, page_html(sections))
            err.print(f"The page is in {html}", markup=False, highlight=False)
    if as_json:
        print_json([document for _, (document, _) in found.good] + found.errors)
    raise typer.Exit(1 if found.errors else 0)


def _check(files: Sequence[str], *, html: Path | None, against: str | None, peaks: Path | None) -> None:
    """Refuse what cannot work before any work is done."""
    if len(files) > 1 and (against or peaks):
        raise InvalidRequest(_ONE_AT_A_TIME)
    for path in (html, peaks):
        if path is not None and path.is_dir():
            raise InvalidRequest(f"“{path.name}” is a folder: name a file.")
        if path is not None and not path.absolute().parent.is_dir():
            raise InvalidRequest(f"“{path.name}” cannot be written: its folder is not there.")


def _presets(names: Sequence[str]) -> list[Preset]:
    from mixdown import presets

    folder = Settings().effective_presets
    if names:
        return [presets.load(name, folder=folder) for name in dict.fromkeys(names)]
    found = presets.catalogue(folder)
    return [*found.shipped, *found.own]


class _Desk:
    """Analyzes one file after the other, and keeps no more of each than is to be written."""

    def __init__(
        self, presets: Sequence[Preset], *, music: bool | None, against: str | None, peaks: Path | None, drawn: bool
    ) -> None:
        self.errors: list[dict[str, Any]] = []  #: about masters to compare with
        self._seen = 0
        self._settings = Settings()
        self._presets = presets
        self._music = music
        self._against = against
        self._peaks = peaks
        self._drawn = drawn

    def look(self, path: Path, name: str, *, printed: bool) -> tuple[dict[str, Any], Section | None]:
        """The analysis of a file for programs, and its section of the page where there is to be one."""
        from mixdown.analysis import document, peaks_json, section_of

        self._seen += 1
        if self._seen > 1 and (self._against or self._peaks):  # a folder of several
            raise InvalidRequest(_ONE_AT_A_TIME)
        analysis = self._analysis(path, name)
        if self._peaks is not None:
            _write(self._peaks, peaks_json(analysis.peaks))
        if self._against is None:
            if printed:
                _print(analysis, None)
            return document(analysis), section_of(analysis) if self._drawn else None
        compared = each_file(
            [self._against], lambda other, its_name: self._compare(path, analysis, other, its_name, printed=printed)
        )
        self.errors += compared.errors
        return _only(compared) or (document(analysis), None)

    def _compare(
        self, path: Path, analysis: Analysis, master_path: Path, master_name: str, *, printed: bool
    ) -> tuple[dict[str, Any], Section | None]:
        from mixdown.analysis import document, level_matched, section_of

        master = self._analysis(master_path, master_name)
        if printed:
            _print(analysis, master)
        section = None
        if self._drawn:
            with TemporaryDirectory(prefix="mixdown-") as folder:
                players = level_matched(
                    (path, analysis), (master_path, master), Path(folder), limits=self._settings.limits
                )
            section = section_of(analysis, master, players)
        return {**document(analysis), "against": document(master)}, section

    def _analysis(self, path: Path, name: str) -> Analysis:
        from mixdown.accelerator import providers_of
        from mixdown.analysis import analyze as analyze_file

        with _bar(name) as show:
            return analyze_file(
                path,
                name=name,
                limits=self._settings.limits,
                presets=self._presets,
                music=self._music is not False,
                always_music=self._music is True,
                providers=providers_of(self._settings),
                progress=show,
            )


def _only(found: Found) -> tuple[dict[str, Any], Section | None] | None:
    return found.good[0][1] if found.good else None


@contextmanager
def _bar(name: str) -> Iterator[_Show]:
    """A bar while a file is analyzed, where somebody watches."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn()
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(escape(name[:_NAME_CHARS]), total=1.0)
        yield lambda share: progress.update(task, completed=share)


def _print(analysis: Analysis, master: Analysis | None) -> None:
    """A recording as a table: what was found, what was measured, what it is held against."""
    from mixdown.analysis.words import GROUPS, file_words, heard_words, key_words, measure_words, title_words

    out.print(f"\n[bold]{escape(analysis.name)}[/]  {escape(file_words(analysis))}", highlight=False)
    if master:
        out.print(f"[bold]{escape(master.name)}[/]  {escape(file_words(master))}", highlight=False)
    for sentence in [*heard_words(analysis), *(f"The file: {warning}." for warning in analysis.warnings)]:
        out.print(f"[yellow]•[/] {escape(sentence)}", highlight=False)
    table = Table(
        box=None, pad_edge=False, show_header=master is not None, header_style="bold", padding=(0, 2, 0, 0)
    )
    for title in ("", "", "Recording", *(["Master"] if master else [])):
        table.add_column(title, justify="right" if title else "left", no_wrap=True)
    shown = [each for each in (analysis, master) if each]
    for title, names in GROUPS:
        group = title
        for name in names:
            if any(each.measures[name] is not None for each in shown):
                values = [measure_words(name, each.measures[name]) for each in shown]
                table.add_row(f"[bold]{group}[/]", title_words(MEASURED[name].title), *values)
                group = ""
        if title == "Time" and any(map(key_words, shown)):
            table.add_row("", "Key", *(key_words(each) or "–" for each in shown))
    out.print(table)
    for verdict in (master or analysis).verdicts:
        mark = "[green]✓[/]" if verdict.passes else "[yellow]?[/]" if verdict.passes is None else "[red]✗[/]"
        out.print(f"{mark} {escape(verdict.text)}", highlight=False)


def _write(path: Path, body: bytes) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(body)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise InvalidRequest(f"“{path.name}” cannot be written: {error.strerror}.") from error
