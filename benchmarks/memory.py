"""What memory a job takes, and that it does not grow with the recording: python benchmarks/memory.py FILE

Prints, in one run, the peak memory of the whole process for a job on the file and on a cut of it, without noise
reduction and with it, each in a fresh process. Three hours show it best, and take some minutes.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import costs
from enhance import LIMITS, denoise, enhance
from rich.console import Console
from rich.table import Table

from mixdown.codec.decode import open_audio
from mixdown.codec.encode import encodable_rate_hz, open_writer
from mixdown.codec.probe import probe
from mixdown.codec.remix import remix
from mixdown.dsp.processor import run
from mixdown.dsp.resample import Resampler
from mixdown.model import AudioFormat, OutputSpec

JOBS = {"without noise reduction": enhance, "with noise reduction": denoise}


def cut(source: Path, target: Path, seconds: float) -> None:
    """The first seconds of a recording, as MP3."""
    mp3 = OutputSpec(format=AudioFormat.mp3)
    with open_audio(source, name=source.name, limits=LIMITS) as reader:
        channels = min(reader.channels, 2)
        rate_hz = encodable_rate_hz(AudioFormat.mp3, reader.sample_rate_hz)
        resampler = Resampler(reader.sample_rate_hz, rate_hz, channels)
        with open_writer(target, mp3, sample_rate_hz=rate_hz, channels=channels) as writer:
            for block in run([resampler], (remix(block, channels) for block in reader.blocks())):
                writer.write(block)
                if writer.frames >= seconds * rate_hz:
                    break


def main() -> None:
    """Compare, or measure one job for the comparison."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, metavar="FILE", help="a long recording")
    parser.add_argument("--minutes", type=float, default=5.0, help="length of the cut")
    parser.add_argument("--only", choices=JOBS, help="measure one, and print JSON")
    arguments = parser.parse_args()
    source = arguments.file
    if arguments.only:
        with tempfile.TemporaryDirectory() as folder:
            costs.tell(lambda: JOBS[arguments.only](source, Path(folder)), lambda: None)
        return
    duration_s = probe(source, name=source.name, limits=LIMITS).duration_s or 0.0
    table = Table(title=f"Peak memory, {source.name}", title_justify="left")
    for heading in ("", f"{arguments.minutes:.0f} min, MiB", f"{duration_s / 60:.0f} min, MiB", "growth, MiB"):
        table.add_column(heading, justify="right" if heading else "left")
    with tempfile.TemporaryDirectory() as folder:
        short = Path(folder) / "cut.mp3"
        cut(source, short, arguments.minutes * 60.0)
        for name in JOBS:
            few, all_ = (costs.of_ours(__file__, name, each).peak_mib for each in (short, source))
            table.add_row(name, f"{few:.0f}", f"{all_:.0f}", f"{all_ - few:+.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
