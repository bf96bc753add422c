"""What Prefect adds to a batch of short clips, by jobs to a shard: python benchmarks/shards.py [--clips 96]

Each line is the same batch, made anew, in one process and against one Prefect server (a temporary one, unless
PREFECT_API_URL is set); the last is the core without Prefect. The first batch compiles and is not counted.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from prefect.testing.utilities import prefect_test_harness

import tasks.shard
from flows.process import process_batch
from mixdown.model import AudioFormat, NoiseReduction, OutputSpec
from mixdown.runner import run_jobs
from mixdown.settings import Settings
from mixdown.studio import open_studio
from mixdown.submission import enhance_specs, sources, submit

FLAC = [OutputSpec(format=AudioFormat.flac)]


def make_clips(folder: Path, count: int) -> None:
    """Clips of one second, each another noise."""
    folder.mkdir()
    for number in range(count):
        noise = np.random.default_rng(number).standard_normal((48_000, 1)) * 0.05
        soundfile.write(folder / f"{number}.wav", noise, 48_000)


def through_prefect(clips: Path) -> None:
    """The batch flow over the clips."""
    process_batch([str(clips)], outputs=FLAC, noise_reduction=NoiseReduction.off)


def bare(clips: Path) -> None:
    """The same jobs in the core's own pool of threads."""
    studio = open_studio(Settings())
    wanted = enhance_specs(sources([str(clips)]), "podcast", NoiseReduction.off, FLAC)
    run_jobs(studio, [record.id for record in submit(studio, wanted)])


def cost_ms(work: Callable[[Path], None], clips: Path, count: int) -> tuple[float, float]:
    """Wall time and CPU of this process for each clip, in ms, in a home of its own."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["MIXDOWN_HOME"] = home
        wall_s, usage = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF)
        work(clips)
        wall_s, after = time.monotonic() - wall_s, resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = after.ru_utime + after.ru_stime - usage.ru_utime - usage.ru_stime
    return 1000 * wall_s / count, 1000 * cpu_s / count


def compare(clips: Path, count: int) -> None:
    """Print a line for each size of shard, and one without Prefect."""
    cost_ms(through_prefect, clips, count)
    found = {}
    for jobs in (1, 4, 12, 24, 48):
        tasks.shard.SHARD_JOBS = jobs
        found[f"{jobs} to a shard"] = cost_ms(through_prefect, clips, count)
    found["bare core"] = cost_ms(bare, clips, count)
    for name, (wall_ms, cpu_ms) in found.items():
        ratio = wall_ms / found["bare core"][0]
        print(f"{name:>14}  {wall_ms:7.1f} ms wall  {cpu_ms:6.1f} ms CPU a clip  {ratio:5.2f} × bare")


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=96, help="how many clips")
    count = parser.parse_args().clips
    with tempfile.TemporaryDirectory() as folder:
        clips = Path(folder) / "clips"
        make_clips(clips, count)
        if os.environ.get("PREFECT_API_URL"):
            compare(clips, count)
        else:
            with prefect_test_harness(server_startup_timeout=120):
                compare(clips, count)


if __name__ == "__main__":
    main()
