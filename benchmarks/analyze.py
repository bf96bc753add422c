"""What an analysis costs: python benchmarks/analyze.py FILE [--minutes 60]

Prints the CPU seconds, the speed against realtime and the peak memory of analyzing the file, repeated to the wanted
length, with and without music; each in a fresh process, after a short run that is not counted.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console

from mixdown.analysis import analyze
from mixdown.codec.decode import open_audio
from mixdown.codec.encode import encodable_rate_hz, open_writer
from mixdown.codec.remix import remix
from mixdown.dsp.resample import Resampler
from mixdown.model import AudioFormat, Limits, OutputSpec


def lengthened(source: Path, target: Path, seconds: float) -> None:
    """The recording over and over, as an mp3 of this length."""
    with open_audio(source, name=source.name, limits=Limits()) as reader:
        channels = min(reader.channels, 2)
        rate_hz = encodable_rate_hz(AudioFormat.mp3, reader.sample_rate_hz)
        resampler = Resampler(reader.sample_rate_hz, rate_hz, channels)
        blocks = [resampler.process(remix(block, channels)) for block in reader.blocks()]
        once = np.concatenate([*blocks, resampler.flush()])
    wanted = round(seconds * rate_hz)
    with open_writer(
        target, OutputSpec(format=AudioFormat.mp3), sample_rate_hz=rate_hz, channels=channels
    ) as writer:
        while writer.frames < wanted:
            writer.write(once[: wanted - writer.frames])


def cost(path: Path, short: Path, *, music: bool) -> dict[str, float]:
    """CPU and wall seconds, and peak memory of this process."""
    analyze(short, name="short", music=music, always_music=music)
    cpu_s, wall_s = time.process_time(), time.monotonic()
    analysis = analyze(path, name="long", music=music, always_music=music)
    return {
        "cpu_s": time.process_time() - cpu_s,
        "wall_s": time.monotonic() - wall_s,
        "duration_s": analysis.levels.duration_s,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    """Measure in children, print a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--child", nargs=2, metavar=("SHORT", "MUSIC"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        print(json.dumps(cost(asked.file, Path(asked.child[0]), music=asked.child[1] == "music")))
        return
    out = Console(highlight=False)
    with tempfile.TemporaryDirectory() as folder:
        long, short = Path(folder) / "long.mp3", Path(folder) / "short.mp3"
        lengthened(asked.file, long, asked.minutes * 60)
        lengthened(asked.file, short, 15)
        for kind in ("no-music", "music"):
            command = [sys.executable, __file__, str(long), "--child", str(short), kind]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            out.print(
                f"{kind:9} {found['cpu_s']:6.1f} s CPU, {found['duration_s'] / found['cpu_s']:.0f}x realtime,"
                f" {found['wall_s']:.1f} s wall, {found['peak_mib']:.0f} MiB"
            )


if __name__ == "__main__":
    main()
