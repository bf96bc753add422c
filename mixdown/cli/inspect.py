"""`mixdown probe` and `mixdown measure`."""

from __future__ import annotations

import typer

from mixdown.cli.shared import AsJson, Files, each_file, out, print_json
from mixdown.settings import Settings


def probe(files: Files, as_json: AsJson = False) -> None:
    """Tell what recordings are, by their headers."""
    from mixdown.codec.probe import probe as probe_file
    from mixdown.console import probe_table

    limits = Settings().limits
    found = each_file(files, lambda path, name: probe_file(path, name=name, limits=limits))
    if as_json:
        from dataclasses import asdict

        print_json([{"file": name, **asdict(probed)} for name, probed in found.good] + found.errors)
    else:
        out.print(probe_table(found.good))
    raise typer.Exit(1 if found.errors else 0)


def measure(files: Files, as_json: AsJson = False) -> None:
    """Measure loudness and peaks: EBU R 128, ITU-R BS.1770-4."""
    from mixdown.console import levels_table
    from mixdown.render import measure as measure_file
    from mixdown.report import levels

    limits = Settings().limits
    found = each_file(files, lambda path, name: measure_file(path, name=name, limits=limits)[1])
    if as_json:
        print_json([{"file": name, **levels(level)} for name, level in found.good] + found.errors)
    else:
        out.print(levels_table(found.good))
    raise typer.Exit(1 if found.errors else 0)
