"""What mastering costs, against decoding and encoding alone: python benchmarks/enhance.py FILE

Prints, in one run, the CPU seconds (user and system, child processes included), wall time and peak memory of each
contender that is installed. Ours do what a job does: the preset's chain, the measuring of the delivered bytes,
and the comparison with the source. Each runs in a fresh process; ours work on the first seconds of the file before
the clock starts, so that loading and compiling are not counted.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import costs
from rich.console import Console

from mixdown.codec.decode import open_audio
from mixdown.codec.encode import bitrate_kbps, encodable_rate_hz, open_writer
from mixdown.codec.probe import probe
from mixdown.codec.remix import remix
from mixdown.dsp.processor import run
from mixdown.dsp.resample import Resampler
from mixdown.heap import give_back
from mixdown.model import EDITS, AudioFormat, Enhance, Limits, NoiseReduction, OutputSpec

LIMITS = Limits()
WARM_UP_S = 5
PRESET = "podcast"
MP3 = OutputSpec(format=AudioFormat.mp3)

#: The preset for those who have no presets: its level, and filters that come nearest to its steps.
TARGET_LUFS, CEILING_DBTP = "-16", "-1"
FILTERS = "highpass=f=80:p=2,highpass=f=80:p=2,deesser,acompressor=threshold=-20dB:ratio=2:attack=10:release=200"


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
    """A job without noise reduction."""
    _enhance(source, folder, NoiseReduction.off)


def denoise(source: Path, folder: Path) -> None:
    """A job as the preset has it."""
    _enhance(source, folder, NoiseReduction.db18)


def denoise_fully(source: Path, folder: Path) -> None:
    """A job with noise reduction at full strength."""
    _enhance(source, folder, NoiseReduction.full)


def _enhance(source: Path, folder: Path, reduction: NoiseReduction) -> None:
    # Imported here: the memory of decoding and encoding alone is not to be that of all.
    from mixdown.chain import effective_steps
    from mixdown.quality import Hearing, compare, is_spectral
    from mixdown.render import render

    steps = effective_steps(Enhance(preset=PRESET, noise_reduction=reduction))
    spectral = is_spectral(steps)
    listen = partial(Hearing, excerpts=spectral)
    rendered = render(source, steps, (MP3,), folder, name=source.name, listen=listen)
    if rendered.heard is None:
        raise RuntimeError("nothing was heard")
    before, (after,) = rendered.heard
    give_back()
    edited = any(isinstance(step, EDITS) for step in steps)
    compare(before, after, speech_scores=spectral, edited=edited)


OURS: dict[str, Callable[[Path, Path], None]] = {
    "codec alone": transcode,
    "enhance": enhance,
    "enhance, noise 18 dB": denoise,
    "enhance, noise full": denoise_fully,
}


def steps_in_words() -> str:
    """The steps of the preset, noise reduction left out."""
    from mixdown.chain import effective_steps

    return ", ".join(
        step.kind for step in effective_steps(Enhance(preset=PRESET, noise_reduction=NoiseReduction.off))
    )


# -- others: command lines ------------------------------------------------------------------------


def others(source: Path, folder: Path) -> dict[str, list[str]]:
    """What others call the same work: to MP3 at the bitrate we would choose, on one thread."""
    found = probe(source, name=source.name, limits=LIMITS)
    rate_hz = encodable_rate_hz(MP3.format, found.sample_rate_hz)
    kbps = bitrate_kbps(MP3, sample_rate_hz=rate_hz, channels=min(found.channels, 2))
    encoder = ["-c:a", "libmp3lame", "-b:a", f"{kbps}k", "-ar", str(rate_hz)]
    decode = ["ffmpeg", "-v", "error", "-y", "-threads", "1", "-i", str(source), "-map", "0:a:0"]
    levels = ["-t", TARGET_LUFS, "-tp", CEILING_DBTP, "-prf", FILTERS]
    return {
        "ffmpeg alone": [*decode, *encoder, "-threads", "1", str(folder / "ffmpeg.mp3")],
        "ffmpeg-normalize": ["ffmpeg-normalize", str(source), *levels, *encoder, "-o", str(folder / "norm.mp3")],
    }


# -- measuring ------------------------------------------------------------------------------------


def tell(name: str, source: Path) -> None:
    """Print what one of ours takes, measured in this process, which must be fresh."""
    with tempfile.TemporaryDirectory() as scratch:
        folders = [Path(scratch, purpose) for purpose in ("warm-up", "work")]
        for folder in folders:
            folder.mkdir()
        excerpt = _excerpt(source, Path(scratch))
        costs.tell(lambda: OURS[name](source, folders[1]), lambda: OURS[name](excerpt, folders[0]))


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


def main() -> None:
    """Compare all, or measure one for the comparison."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, metavar="FILE", help="a recording of some minutes")
    parser.add_argument("--only", choices=OURS, help="measure one of ours, and print JSON")
    arguments = parser.parse_args()
    source = arguments.file
    if arguments.only:
        tell(arguments.only, source)
        return
    console = Console()
    found: dict[str, costs.Cost] = {}
    with tempfile.TemporaryDirectory() as scratch:
        commands = others(source, Path(scratch))
        absent = [command[0] for command in commands.values() if not shutil.which(command[0])]
        if "ffmpeg" in absent:
            sys.exit("ffmpeg is not installed: it is what all others are held against.")
        for name, command in commands.items():
            if command[0] not in absent:
                found[name] = costs.of_command(command)
        for name in OURS:
            found[name] = costs.of_ours(__file__, name, source)
    duration_s = probe(source, name=source.name, limits=LIMITS).duration_s or 0.0
    costs.show(f"{source.name}, {duration_s / 60:.1f} min, to MP3", found, "ffmpeg alone", duration_s, console)
    if absent:
        console.print(f"Not installed: {', '.join(absent)}.", style="dim")
    console.print(
        f"Enhance: the preset {PRESET} ({steps_in_words()}), measured on the delivered bytes and compared with the"
        f" source. Ours after {WARM_UP_S} s of the file as a warm-up. Alone: decode and encode, nothing between."
        f" ffmpeg-normalize: two passes, with {FILTERS}.",
        style="dim",
    )


if __name__ == "__main__":
    main()
