"""A chain run over a recording: the product in one function.

In constant memory: the recording is decoded once into an intermediate on the scratch disk, worked on
there in as few passes as the chain allows (`passes`), brought to its level and encoded (`delivery`).
Then every delivered file is decoded again and measured, and where the codec has moved its loudness or
its peaks, it is made again with that made up for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mixdown.codec.decode import open_audio
from mixdown.dsp.loudness import LoudnessMeter
from mixdown.model import LevelReport, Limits, Loudness, OutputSpec, ProbedAudio, RmsLevel, Step
from mixdown.overlap import ahead
from mixdown.picture import waveform
from mixdown.progress import Progress, part, ticker
from mixdown.render.chain_run import ChainRun, Ready
from mixdown.render.delivery import Delivered, Delivery, Ear, Listen, Master
from mixdown.render.rates import delivered_rate_hz

__all__ = ["Master", "Rendered", "measure", "render"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """All that came of rendering a recording."""

    source: ProbedAudio
    before: LevelReport
    steps: tuple[Step, ...]  #: those that were run
    masters: tuple[Master, ...]
    picture: bytes  #: waveform before and after, PNG
    warnings: tuple[str, ...]
    notes: tuple[str, ...] = ()  #: what the steps found
    heard: tuple[Any, tuple[Any, ...]] | None = None  #: what `listen` reported of the source and of each master


def render(
    source: Path,
    steps: Sequence[Step],
    outputs: Sequence[OutputSpec],
    workspace: Path,
    *,
    name: str,
    limits: Limits | None = None,
    materials: Mapping[str, Path] | None = None,
    providers: Sequence[str] = ("CPUExecutionProvider",),
    listen: Listen | None = None,
    progress: Progress = lambda _: None,
) -> Rendered:
    """Run a chain over one recording and deliver what comes of it.

    Parameters
    ----------
    source : file to read
    steps : chain; a `Loudness` or `RmsLevel` step, if any, is its last (see `chain.effective_steps`)
    outputs : files to make, of every part
    workspace : empty folder; takes the intermediates (4 bytes a sample) and the masters
    name : what its owner calls the recording, for messages
    limits : what is accepted; the defaults of `Limits`
    materials : the local files of other recordings that the steps need, by their address
    providers : ONNX Runtime execution providers
    listen : makes what listens to the decoded source and to each master, besides the meters
    progress : called with 0 to 1; may raise to stop the work

    Raises
    ------
    AudioError
        The recording cannot be used; SilentAudio where there is nothing to bring to a loudness.
    ScratchFull
        The workspace ran out of room.
    """
    chain = ChainRun(
        source,
        steps,
        outputs,
        workspace,
        name=name,
        limits=limits or Limits(),
        materials=materials or {},
        providers=tuple(providers),
        listen=listen,
    )
    ready = chain.run(part(progress, 0.0, 0.5))
    delivered = _delivered(ready, steps, outputs, workspace, name, listen, part(progress, 0.5, 1.0))
    progress(1.0)
    warnings = [*ready.warnings, *(warning for each in delivered for warning in each.warnings)]
    return Rendered(
        source=ready.probe,
        before=ready.before,
        steps=tuple(steps),
        masters=tuple(each.master for each in delivered),
        picture=waveform(ready.ear.peaks.peaks(), delivered[0].ear.peaks.peaks()),
        warnings=tuple(dict.fromkeys(warnings)),
        notes=ready.notes,
        heard=_heard(ready.ear, [each.ear for each in delivered]),
    )


def _delivered(
    ready: Ready,
    steps: Sequence[Step],
    outputs: Sequence[OutputSpec],
    workspace: Path,
    name: str,
    listen: Listen | None,
    progress: Progress,
) -> list[Delivered]:
    """Every output of every part."""
    level_step = steps[-1] if steps and isinstance(steps[-1], Loudness | RmsLevel) else None
    files = len(ready.recordings) * len(outputs)
    delivered: list[Delivered] = []
    for recording in ready.recordings:
        for output in outputs:
            index = len(delivered)
            delivery = Delivery(
                recording,
                output,
                rate_hz=delivered_rate_hz(ready.probe.sample_rate_hz, output),
                name=name,
                level=ready.level,
                listen=listen,
                progress=part(progress, index / files, (index + 1) / files),
            )
            path = workspace / f"master-{index}{output.format.suffix}"
            delivered.append(delivery.to_level(level_step, path) if level_step else delivery.as_it_is(path))
    for recording in ready.recordings:
        recording.audio.discard()  # parts may share one
    return delivered


def _heard(before: Ear, after: Sequence[Ear]) -> tuple[Any, tuple[Any, ...]] | None:
    if before.hearing is None:
        return None
    return before.hearing.report(), tuple(ear.hearing.report() for ear in after if ear.hearing is not None)


def measure(
    path: Path, *, name: str, limits: Limits | None = None, progress: Progress = lambda _: None
) -> tuple[ProbedAudio, LevelReport, tuple[str, ...]]:
    """What a file is and how loud it is, decoded from start to end, with the decoder's warnings."""
    with open_audio(path, name=name, limits=limits or Limits()) as reader:
        meter = LoudnessMeter(reader.sample_rate_hz, reader.channels)
        tick = ticker(progress, reader.probe.duration_s, reader.sample_rate_hz)
        for block in ahead(reader.blocks()):
            tick(len(block))
            meter.push(block)
        return reader.probe, meter.report(), tuple(reader.warnings)
