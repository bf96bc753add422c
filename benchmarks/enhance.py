"""What mastering costs, against decoding and encoding alone: python benchmarks/enhance.py FILE

Prints, in one run, the CPU seconds (user and system, child processes included) and the peak memory of each
contender that is installed. Each runs in a fresh process; ours work on the first seconds of the file before
the clock starts, so that loading and compiling are not counted.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from mixdown.codec.decode import open_audio
from mixdown.codec.encode import bitrate_kbps, encodable_rate_hz, open_writer
from mixdown.codec.probe import probe
from mixdown.codec.remix import remix
from mixdown.dsp.processor import run
from mixdown.dsp.resample import Resampler
from mixdown.model import AudioFormat, Enhance, Limits, NoiseReduction, OutputSpec

LIMITS = Limits()
WARM_UP_S = 5
PRESET = "podcast"
TARGET_LUFS, CEILING_DBTP = "-16", "-1"  # of the preset, for those who have no presets
MP3 = OutputSpec(format=AudioFormat.mp3)


class Cost(NamedTuple):
    """What one contender took."""

    cpu_s: float
    peak_mib: float


# -- ours: functions of a recording and an empty folder -------------------------------------------


def transcode(source: Path, folder: Path) -> None:
    """Our codec, and nothing between."""
    with open_audio(source, name=source.name, limits=LIMITS) as reader:
        channels = min(reader.channels, 2)
        rate_hz = encodable_rate_hz(MP3.format, reader.sample_rate_hz)
        resampler = Resampler(reader.sample_rate_hz, rate_hz, channels)
        path = folder / "out.mp3"
        with open_writer(path, MP3, sample_rate_hz=rate_hz, channels=channels) as writer:
            for block in run([resampler], (remix(block, channels) for block in reader.blocks())):
                writer.write(block)


def enhance(source: Path, folder: Path) -> None:
    """The product without noise reduction."""
    _enhance(source, folder, NoiseReduction.off)


def enhance_and_denoise(source: Path, folder: Path) -> None:
    """The product."""
    _enhance(source, folder, NoiseReduction.db18)


def _enhance(source: Path, folder: Path, reduction: NoiseReduction) -> None:
    # Imported here: the memory of decoding and encoding alone is not to be that of all.
    from mixdown.chain import effective_steps
    from mixdown.render import render

    render(
        source,
        effective_steps(Enhance(preset=PRESET, noise_reduction=reduction)),
        (MP3,),
        folder,
        name=source.name,
    )


OURS: dict[str, Callable[[Path, Path], None]] = {
    "codec alone": transcode,
    "enhance": enhance,
    "enhance + denoise": enhance_and_denoise,
}


# -- others: command lines ------------------------------------------------------------------------


def others(source: Path, folder: Path) -> dict[str, list[str]]:
    """What others call the same work: to MP3 at the bitrate we would choose, on one thread."""
    found = probe(source, name=source.name, limits=LIMITS)
    rate_hz = encodable_rate_hz(MP3.format, found.sample_rate_hz)
    kbps = bitrate_kbps(MP3, sample_rate_hz=rate_hz, channels=min(found.channels, 2))
    encoder = ["-c:a", "libmp3lame", "-b:a", f"{kbps}k", "-ar", str(rate_hz)]
    decode = ["ffmpeg", "-v", "error", "-y", "-threads", "1", "-i", str(source), "-map", "0:a:0"]
    levels = ["-t", TARGET_LUFS, "-tp", CEILING_DBTP]
    return {
        "ffmpeg alone": [*decode, *encoder, "-threads", "1", str(folder / "ffmpeg.mp3")],
        "ffmpeg-normalize": ["ffmpeg-normalize", str(source), *levels, *encoder, "-o", str(folder / "norm.mp3")],
    }


# -- measuring ------------------------------------------------------------------------------------

#: Waits for a command and says what it took. Small, as a child's peak begins with that of its parent.
_WAITER = """
import json, resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024]))
"""


def cost_of_ours(name: str, source: Path) -> Cost:
    """What one of ours takes, measured in this process, which must be fresh."""
    with tempfile.TemporaryDirectory() as scratch:
        folders = [Path(scratch, purpose) for purpose in ("warm-up", "work")]
        for folder in folders:
            folder.mkdir()
        OURS[name](_excerpt(source, Path(scratch)), folders[0])
        before_s = _cpu_s()
        OURS[name](source, folders[1])
        spent_s = _cpu_s() - before_s
    return Cost(cpu_s=spent_s, peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _excerpt(source: Path, folder: Path) -> Path:
    """The first seconds of a recording, as WAV."""
    path = folder / "excerpt.wav"
    wav = OutputSpec(format=AudioFormat.wav)
    with open_audio(source, name=source.name, limits=LIMITS) as reader:
        channels, rate_hz = min(reader.channels, 2), reader.sample_rate_hz
        with open_writer(path, wav, sample_rate_hz=rate_hz, channels=channels) as writer:
            for block in reader.blocks():
                writer.write(remix(block, channels))
                if writer.frames >= WARM_UP_S * rate_hz:
                    break
    return path


def _cpu_s() -> float:
    """CPU time of this process and its finished children."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _measured_by(command: list[str]) -> Cost:
    """The cost that a fresh process measures and prints as JSON."""
    done = subprocess.run([sys.executable, *command], check=True, stdout=subprocess.PIPE)
    return Cost(*json.loads(done.stdout))


def compare(source: Path, console: Console) -> dict[str, Cost]:
    """Run everybody who is installed."""
    costs: dict[str, Cost] = {}
    with tempfile.TemporaryDirectory() as scratch:
        commands = others(source, Path(scratch))
        for name in ("codec alone", "ffmpeg alone", "enhance", "enhance + denoise", "ffmpeg-normalize"):
            with console.status(f"{name} …"):
                if name in OURS:
                    costs[name] = _measured_by([__file__, str(source), "--only", name])
                elif shutil.which(commands[name][0]):
                    costs[name] = _measured_by(["-I", "-c", _WAITER, *commands[name]])
    return costs


def show(source: Path, costs: dict[str, Cost], console: Console) -> None:
    """Print the table."""
    duration_s = probe(source, name=source.name, limits=LIMITS).duration_s or 0.0
    table = Table(title=f"{source.name}, {duration_s / 60:.1f} min, to MP3", title_justify="left")
    table.add_column("")
    for heading in ("CPU s", "× realtime", "peak MiB", "÷ codec", "÷ ffmpeg"):
        table.add_column(heading, justify="right")
    for name, cost in costs.items():
        bases = [costs.get("codec alone"), costs.get("ffmpeg alone")]
        ratios = [f"{cost.cpu_s / base.cpu_s:.2f}" if base else "–" for base in bases]
        speed = f"{duration_s / cost.cpu_s:.0f}"
        table.add_row(name, f"{cost.cpu_s:.2f}", speed, f"{cost.peak_mib:.0f}", *ratios)
    console.print(table)
    absent = [name for name in ("ffmpeg alone", "ffmpeg-normalize") if name not in costs]
    if absent:
        console.print(f"Not installed: {', '.join(absent)}.", style="dim")
    console.print(
        f"CPU: user and system, children included, of a fresh process each. Ours after {WARM_UP_S} s of the "
        "file as a warm-up, so loading and compiling are not counted. Alone: decode and encode, nothing "
        "between. Peak memory is of the whole process.",
        style="dim",
    )


def main() -> None:
    """Compare all, or measure one for the comparison."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, metavar="FILE", help="a recording of some minutes")
    parser.add_argument("--only", choices=OURS, help="measure one of ours, and print JSON")
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(cost_of_ours(arguments.only, arguments.file)))
    else:
        console = Console()
        show(arguments.file, compare(arguments.file, console), console)


if __name__ == "__main__":
    main()
