"""What decoding costs, against pydub: python benchmarks/decode.py FILE.mp3 (60 minutes show it best)"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import costs
from rich.console import Console

from mixdown.codec.decode import open_audio
from mixdown.codec.probe import probe
from mixdown.model import Limits


def ours(source: Path, *, most_frames: int = sys.maxsize) -> None:
    """Every sample as float32, in blocks."""
    with open_audio(source, name=source.name, limits=Limits()) as reader:
        for _ in reader.blocks():
            if reader.frames >= most_frames:
                break


#: What a user of pydub writes. It calls ffmpeg, whose time and memory count.
PYDUB = "import sys, warnings; warnings.simplefilter('ignore')\nfrom pydub import AudioSegment\n" + (
    "import numpy\nsegment = AudioSegment.from_file(sys.argv[1])\n"
    "samples = numpy.array(segment.get_array_of_samples(), numpy.float32) / 32768"
)


def main() -> None:
    """Compare, or measure ours for the comparison."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, metavar="FILE", help="a compressed recording")
    parser.add_argument("--only", choices=["ours"], help="measure ours, and print JSON")
    arguments = parser.parse_args()
    source = arguments.file
    if arguments.only:
        costs.tell(lambda: ours(source), lambda: ours(source, most_frames=200_000))
        return
    found = {
        "ours": costs.of_ours(__file__, "ours", source),
        "pydub": costs.of_command([sys.executable, "-c", PYDUB, str(source)]),
    }
    duration_s = probe(source, name=source.name, limits=Limits()).duration_s or 0.0
    costs.show(f"{source.name}, {duration_s / 60:.1f} min", found, "ours", duration_s, Console())


if __name__ == "__main__":
    main()
