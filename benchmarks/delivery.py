"""How near masters come to their target: python benchmarks/delivery.py FILE… [--preset NAME…] [--format F…]

Every preset is run over every file, into every format. What was delivered is measured from its bytes by our
meter and, where it is installed, by ffmpeg (filters `ebur128` and `astats`). Printed per preset and format:

* off: distance from the target, the largest and the mean, in LU; in dB RMS where a preset asks for that; by
  ffmpeg, then by ours
* over: how far the true peak is above the ceiling at most, in dB; less than 0 where it is below; by both
* enc.: how often a file was encoded, the mean and the most
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf, log10
from pathlib import Path
from statistics import fmean
from typing import Any
from unittest.mock import patch

from rich.console import Console
from rich.table import Table

from mixdown import presets
from mixdown.chain import effective_steps
from mixdown.codec.encode import open_writer
from mixdown.errors import MixdownError
from mixdown.model import AudioFormat, Enhance, OutputSpec
from mixdown.render import Master, delivery, render

#: What is promised of a delivered file, and what is aimed at.
PROMISED_LU, PROMISED_PEAK_DB = 0.2, 0.3
AIMED_LU = 0.1

_FILTERS = "ebur128=metadata=1:peak=true,astats=metadata=1,ametadata=mode=print:file=-"
_LOUDNESS, _TRUE_PEAK = re.compile(r"r128\.I=(\S+)"), re.compile(r"r128\.true_peak=(\S+)")
_RMS = re.compile(r"Overall\.RMS_level=(\S+)")


@dataclass(frozen=True, slots=True)
class Level:
    """What a meter says of a file, relative to what was asked for."""

    off: float  #: LU, or dB RMS
    over_db: float


@dataclass(frozen=True, slots=True)
class Delivered:
    """A delivered file, measured."""

    source: str
    preset: str
    format: AudioFormat
    ours: Level
    theirs: Level | None  #: ffmpeg's
    encodes: int

    @property
    def worst(self) -> Level:
        """What the less favourable of the meters says."""
        both = [self.ours, self.theirs or self.ours]
        return Level(max((each.off for each in both), key=abs), max(each.over_db for each in both))


def delivered(source: Path, preset: str, formats: Sequence[AudioFormat]) -> list[Delivered]:
    """What a preset makes of a file in these formats."""
    outputs = [_output(preset, each) for each in formats]
    steps = effective_steps(Enhance(preset=preset))
    with tempfile.TemporaryDirectory() as folder, _counted() as encodes:
        rendered = render(source, steps, outputs, Path(folder), name=source.name)
        return [
            Delivered(
                source=source.name,
                preset=preset,
                format=master.output.format,
                ours=_ours(master),
                theirs=_theirs(master) if shutil.which("ffmpeg") else None,
                encodes=encodes[master.output.format],
            )
            for master in rendered.masters
        ]


def _output(preset: str, wanted: AudioFormat) -> OutputSpec:
    """The output a preset asks for, or its other properties in another format at that one's own bitrate."""
    own = presets.load(preset).output or OutputSpec()
    return own if own.format is wanted else own.model_copy(update={"format": wanted, "bitrate_kbps": None})


@contextmanager
def _counted() -> Iterator[Counter[AudioFormat]]:
    """Counts encodes by format meanwhile."""
    counted: Counter[AudioFormat] = Counter()

    def counting(path: Path, output: OutputSpec, **other: Any) -> Any:
        counted[output.format] += 1
        return open_writer(path, output, **other)

    with patch.object(delivery, "open_writer", counting):
        yield counted


def _ours(master: Master) -> Level:
    report = master.after
    return _level(master, report.integrated_lufs, report.rms_dbfs, report.true_peak_dbtp)


def _theirs(master: Master) -> Level:
    command = ["ffmpeg", "-v", "error", "-nostats", "-i", str(master.path), "-af", _FILTERS, "-f", "null", "-"]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    lufs, rms_dbfs, peak = (float(pattern.findall(said)[-1]) for pattern in (_LOUDNESS, _RMS, _TRUE_PEAK))
    return _level(master, lufs, rms_dbfs, 20.0 * log10(peak) if peak > 0.0 else -inf)


def _level(master: Master, lufs: float, rms_dbfs: float | None, true_peak_dbtp: float) -> Level:
    if master.target_rms_dbfs is not None and rms_dbfs is not None:
        off = rms_dbfs - master.target_rms_dbfs
    else:
        off = lufs - (master.target_lufs or 0.0)
    ceiling_dbtp = 0.0 if master.ceiling_dbtp is None else master.ceiling_dbtp
    return Level(off, true_peak_dbtp - ceiling_dbtp)


def table_of(found: Sequence[Delivered]) -> Table:
    """A row for each preset and format."""
    table = Table(title="Delivered, against what was asked for", title_justify="left")
    table.add_column("preset", no_wrap=True)
    table.add_column("format")
    for heading in ("files", "off", "mean", "ours", "mean", "over", "ours", "enc.", "most"):
        table.add_column(heading, justify="right", no_wrap=True)
    for preset in dict.fromkeys(each.preset for each in found):
        of_preset = [each for each in found if each.preset == preset]
        for wanted in dict.fromkeys(each.format for each in of_preset):
            table.add_row(preset, wanted.value, *_row([each for each in of_preset if each.format is wanted]))
        table.add_section()
    table.add_row("all", "", *_row(found))
    return table


def _row(found: Sequence[Delivered]) -> list[str]:
    theirs = [each.theirs for each in found if each.theirs is not None]
    ours = [each.ours for each in found]
    return [
        str(len(found)),
        *_offs(theirs),
        *_offs(ours),
        f"{max(each.over_db for each in theirs):+.2f}" if theirs else "–",
        f"{max(each.over_db for each in ours):+.2f}",
        f"{fmean(each.encodes for each in found):.1f}",
        str(max(each.encodes for each in found)),
    ]


def _offs(levels: Sequence[Level]) -> tuple[str, str]:
    if not levels:
        return "–", "–"
    return f"{max(abs(each.off) for each in levels):.2f}", f"{fmean(abs(each.off) for each in levels):.2f}"


def misses_of(found: Sequence[Delivered]) -> Iterable[str]:
    """How many are further off than what is aimed at and what is promised, and each of the latter."""
    offs = [abs(each.worst.off) for each in found]
    overs = [each.worst.over_db for each in found]
    yield (
        f"Of {len(found)} files, by the less favourable meter: {_beyond(offs, AIMED_LU)} beyond ±{AIMED_LU}, "
        f"{_beyond(offs, PROMISED_LU)} beyond ±{PROMISED_LU}; peaks of {_beyond(overs, 0.0)} above the ceiling, "
        f"of {_beyond(overs, PROMISED_PEAK_DB)} by more than {PROMISED_PEAK_DB} dB."
    )
    for each in found:
        if abs(each.worst.off) > PROMISED_LU or each.worst.over_db > PROMISED_PEAK_DB:
            yield (
                f"  {each.source}, {each.preset}, {each.format.value}: {each.worst.off:+.2f}, peaks "
                f"{each.worst.over_db:+.2f} dB, {each.encodes} encodes"
            )


def _beyond(values: Iterable[float], limit: float) -> int:
    # Meters round to a hundredth.
    return sum(value > limit + 0.005 for value in values)


def main() -> None:
    """Deliver everything, and print how near it came."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--preset", action="append", choices=presets.names(), help="repeat; default: all")
    parser.add_argument("--format", action="append", type=AudioFormat, choices=list(AudioFormat), help="likewise")
    asked = parser.parse_args()
    console = Console(width=max(110, Console().width))  # the table needs as much
    wanted = asked.preset or presets.names()
    found: list[Delivered] = []
    done = 0
    with console.status("…") as status:
        for preset in wanted:
            for source in asked.files:
                done += 1
                status.update(f"{done} of {len(wanted) * len(asked.files)}: {source.name}, {preset}")
                try:
                    found += delivered(source, preset, asked.format or list(AudioFormat))
                except MixdownError as error:
                    console.print(f"{source.name}, {preset}: {error}")
    if not found:
        raise SystemExit("nothing was delivered")
    console.print(table_of(found))
    for line in misses_of(found):
        console.print(line, highlight=False)
    if all(each.theirs is None for each in found):
        console.print("ffmpeg is not installed: measured by our meter only.", style="dim")


if __name__ == "__main__":
    main()
