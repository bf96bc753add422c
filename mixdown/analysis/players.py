"""A recording and its master to be heard in turn, at the same loudness."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mixdown.analysis.words import number_words
from mixdown.codec.decode import open_audio
from mixdown.codec.encode import encodable_rate_hz, open_writer
from mixdown.codec.remix import remix
from mixdown.dsp.loudness import LoudnessMeter
from mixdown.dsp.processor import Block
from mixdown.dsp.resample import Resampler
from mixdown.intermediate import Intermediate
from mixdown.model import Analysis, AudioFormat, Limits, OutputSpec

#: What is embedded of each: two minutes of it make 2.5 MB of a page.
MOST_S = 120.0
_KBPS = 128
_MOST_RATE_HZ = 48_000

#: Closer than this, people hear no difference in loudness.
_AUDIBLE_LU = 0.1


@dataclass(frozen=True, slots=True)
class Players:
    """The same stretch of a recording and of its master, equally loud."""

    recording: str  #: an address that holds the sound itself
    master: str
    start_s: float
    duration_s: float
    text: str  #: which was louder, and what was done about it


def level_matched(
    recording: tuple[Path, Analysis], master: tuple[Path, Analysis], folder: Path, *, limits: Limits
) -> Players | None:
    """The middle of both, the louder one turned down.

    Parameters
    ----------
    recording, master : tuple of Path and Analysis
    folder : Path
        Where there is room for two minutes of each, uncompressed; what is written there is removed.
    limits : Limits

    Returns
    -------
    Players or None
        None where one of them is silent there, or they do not overlap in time.
    """
    shared_s = min(recording[1].levels.duration_s, master[1].levels.duration_s)
    duration_s = min(MOST_S, shared_s)
    start_s = (shared_s - duration_s) / 2.0
    sounds = []
    for index, (path, analysis) in enumerate((recording, master)):
        kept = folder / f"excerpt-{index}.f32"
        sounds.append(_excerpt(path, analysis.name, kept, start_s, duration_s, limits=limits))
    first_lufs, second_lufs = (loudness for _, loudness in sounds)
    if not (math.isfinite(first_lufs) and math.isfinite(second_lufs)):
        return None
    louder_lu = second_lufs - first_lufs
    # Turned down, never up: what is turned up may clip.
    gains_db = (min(0.0, louder_lu), min(0.0, -louder_lu))
    addresses = [
        _address(audio, gain_db, folder / "excerpt.m4a")
        for (audio, _), gain_db in zip(sounds, gains_db, strict=True)
    ]
    return Players(addresses[0], addresses[1], start_s, duration_s, _text(louder_lu))


def _text(louder_lu: float) -> str:
    if abs(louder_lu) < _AUDIBLE_LU:
        return "Both are equally loud as they are."
    louder, quieter = ("master", "recording") if louder_lu > 0 else ("recording", "master")
    by = f"{number_words(abs(louder_lu), 1)} LU"
    return (
        f"The {louder} is {by} louder than the {quieter}; here it is turned down by that, as louder seems better."
    )


def _excerpt(
    path: Path, name: str, kept: Path, start_s: float, duration_s: float, *, limits: Limits
) -> tuple[Intermediate, float]:
    """A stretch of a recording on the scratch disk, and its loudness in LUFS."""
    with open_audio(path, name=name, limits=limits) as reader:
        channels = min(reader.channels, 2)
        rate_hz = encodable_rate_hz(AudioFormat.m4a, min(reader.sample_rate_hz, _MOST_RATE_HZ))
        meter = LoudnessMeter(rate_hz, channels, true_peak=False)
        resampler = Resampler(reader.sample_rate_hz, rate_hz, channels)

        def heard() -> Iterator[Block]:
            first = round(start_s * reader.sample_rate_hz)
            last = first + round(duration_s * reader.sample_rate_hz)
            position = 0
            for block in reader.blocks():
                part = block[max(0, first - position) : max(0, last - position)]
                position += len(block)
                if len(part):
                    yield resampler.process(remix(part, channels))
                if position >= last:
                    break
            yield resampler.flush()

        def measured() -> Iterator[Block]:
            for block in heard():
                meter.push(block)
                yield block

        audio = Intermediate(kept, sample_rate_hz=rate_hz, channels=channels)
        audio.fill(measured())
    return audio, meter.report().integrated_lufs


def _address(audio: Intermediate, gain_db: float, path: Path) -> str:
    """The sound as AAC, which every browser plays, in an address of its own."""
    output = OutputSpec(format=AudioFormat.m4a, bitrate_kbps=_KBPS if audio.channels == 2 else _KBPS // 2)
    gain = 10.0 ** (gain_db / 20.0)
    with open_writer(path, output, sample_rate_hz=audio.sample_rate_hz, channels=audio.channels) as writer:
        for block in audio.blocks():
            writer.write(block * block.dtype.type(gain))
    audio.discard()
    body = path.read_bytes()
    path.unlink()
    return f"data:audio/mp4;base64,{base64.b64encode(body).decode()}"
