"""What each amount of noise reduction does to a recording: python benchmarks/quality.py FILE…

Every file is mastered with every amount, and each master, decoded again, is held against its source. Printed per
file and amount: the speech scores (DNSMOS P.835, mean of the places with speech) before and after, what else was
worse, and the verdict. Below: what hearing and comparing cost.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.table import Table

from mixdown.chain import effective_steps
from mixdown.codec.decode import open_audio
from mixdown.model import AudioFormat, Comparison, Enhance, Limits, NoiseReduction, OutputSpec
from mixdown.quality import Heard, Hearing, compare
from mixdown.render import render


def compared(source: Path, preset: str, reduction: NoiseReduction, output: OutputSpec) -> tuple[Comparison, float]:
    """A master held against its source, and the CPU seconds of that."""
    steps = effective_steps(Enhance(preset=preset, noise_reduction=reduction))
    with tempfile.TemporaryDirectory() as folder:
        rendered = render(source, steps, (output,), Path(folder), name=source.name, listen=Hearing)
    if rendered.heard is None:
        raise SystemExit("render() heard nothing")
    before, (after,) = rendered.heard
    started_s = time.process_time()
    comparison = compare(before, after, speech_scores=True)
    return comparison, time.process_time() - started_s


def hearing_cost(source: Path) -> tuple[Heard, float]:
    """What is heard of a file, and the CPU seconds of that, decoding left out."""
    with open_audio(source, name=source.name, limits=Limits()) as reader:
        blocks = list(reader.blocks())
        for _ in range(2):  # the first time compiles
            hearing = Hearing(reader.sample_rate_hz, reader.channels)
            started_s = time.process_time()
            for block in blocks:
                hearing.push(block)
            heard = hearing.report()
            cost_s = time.process_time() - started_s
    return heard, cost_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--preset", default="podcast")
    parser.add_argument("--format", type=AudioFormat, default=AudioFormat.mp3, choices=list(AudioFormat))
    asked = parser.parse_args()
    console = Console()
    table = Table("file", title=asked.preset)
    for column in ("reduction", "signal", "background", "overall"):
        table.add_column(column, no_wrap=True)
    table.add_column("verdict")
    comparing_s = []
    for path in asked.files:
        for reduction in NoiseReduction:
            comparison, cost_s = compared(path, asked.preset, reduction, OutputSpec(format=asked.format))
            comparing_s.append(cost_s)
            verdict = " ".join(comparison.complaints) or "not worse"
            table.add_row(path.name, reduction.value, *_scores(comparison), verdict)
        table.add_section()
    console.print(table)
    heard, cost_s = hearing_cost(asked.files[0])
    per_2_min_s = cost_s * 120 / heard.duration_s
    console.print(
        f"Hearing: {per_2_min_s:.3f} CPU s per 2 min. Comparing: {fmean(comparing_s):.2f} CPU s a master."
    )


def _scores(comparison: Comparison) -> tuple[str, str, str]:
    """Mean scores before and after: `3.10 → 3.42`; a dash where no speech was found."""
    found = comparison.segments
    if not found:
        return "–", "–", "–"
    return (
        f"{fmean(s.signal_before for s in found):.2f} → {fmean(s.signal_after for s in found):.2f}",
        f"{fmean(s.background_before for s in found):.2f} → {fmean(s.background_after for s in found):.2f}",
        f"{fmean(s.overall_before for s in found):.2f} → {fmean(s.overall_after for s in found):.2f}",
    )


if __name__ == "__main__":
    main()
