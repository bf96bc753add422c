"""What measuring loudness costs, against ffmpeg's meter: python benchmarks/meter.py FILE.wav

Integrated loudness, range and true peak of one file, decoding included and, in the last two lines, without. WAV or
FLAC is the fair choice: decoding it costs next to nothing.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import costs
from rich.console import Console

from mixdown.codec.decode import open_audio
from mixdown.dsp.loudness import LoudnessMeter
from mixdown.model import Limits


def decode(source: Path, *, most_frames: int = sys.maxsize) -> None:
    """Decode, and nothing else."""
    _decode(source, None, most_frames)


def meter(source: Path, *, most_frames: int = sys.maxsize) -> None:
    """Decode and measure."""
    with open_audio(source, name=source.name, limits=Limits()) as reader:
        found = LoudnessMeter(reader.sample_rate_hz, reader.channels)
    _decode(source, found, most_frames)
    found.report()


def _decode(source: Path, found: LoudnessMeter | None, most_frames: int) -> None:
    with open_audio(source, name=source.name, limits=Limits()) as reader:
        for block in reader.blocks():
            if found is not None:
                found.push(block)
            if reader.frames >= most_frames:
                break


OURS = {"our decoder": decode, "our meter": meter}


def others(source: Path) -> dict[str, list[str]]:
    """ffmpeg decoding, and ffmpeg measuring the same."""
    start = ["ffmpeg", "-v", "error", "-nostats", "-threads", "1", "-i", str(source), "-map", "0:a:0"]
    end = ["-f", "null", "-"]
    return {
        "ffmpeg's decoder": [*start, *end],
        "ffmpeg's meter": [*start, "-af", "ebur128=peak=true:framelog=verbose", *end],
    }


def main() -> None:
    """Compare, or measure one for the comparison."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, metavar="FILE", help="a recording of some minutes")
    parser.add_argument("--only", choices=OURS, help="measure one of ours, and print JSON")
    arguments = parser.parse_args()
    source = arguments.file
    if arguments.only:
        work = OURS[arguments.only]
        costs.tell(lambda: work(source), lambda: work(source, most_frames=200_000))
        return
    found = {name: costs.of_ours(__file__, name, source) for name in OURS}
    if shutil.which("ffmpeg"):
        found |= {name: costs.of_command(command) for name, command in others(source).items()}
    with open_audio(source, name=source.name, limits=Limits()) as reader:
        duration_s = reader.probe.duration_s or 0.0
    console = Console()
    costs.show(f"{source.name}, {duration_s / 60:.1f} min", found, "our meter", duration_s, console)
    if "ffmpeg's meter" in found:
        ours_s = found["our meter"].cpu_s - found["our decoder"].cpu_s
        theirs_s = found["ffmpeg's meter"].cpu_s - found["ffmpeg's decoder"].cpu_s
        console.print(
            f"Without decoding: ours {ours_s:.2f} s, ffmpeg's {theirs_s:.2f} s: {theirs_s / ours_s:.1f}×."
        )


if __name__ == "__main__":
    main()
