"""Recordings in, masters out: the main job, for one recording and mapped over a batch."""

from __future__ import annotations

from prefect import flow
from prefect.runtime import flow_run
from prefect.states import Completed

from flows.form import AS_PRESET, PODCAST, NoiseChoice, PresetName, StepLine, chosen
from flows.orchestrate import run_to_end
from mixdown.errors import JobFailed
from mixdown.model import JobRecord, NeverWorse, OutputSpec, Source, Status
from mixdown.submission import enhance_specs, only
from mixdown.submission import sources as expand
from mixdown.wording import delivered_words, recordings_words
from tasks.studio import preset_folder


def named_after_its_source() -> str:
    """The file name of the source: an address may carry a signature, which is nobody's business."""
    return Source(uri=flow_run.parameters["source"]).name


@flow(name="process-audio", flow_run_name=named_after_its_source, persist_result=False)
def process_audio(
    source: str,
    preset: PresetName = PODCAST,
    noise_reduction: NoiseChoice = AS_PRESET,
    outputs: list[OutputSpec] = [],  # noqa: B006 - never changed; Prefect shows it as the default
    deliver_to: str = "",
    notify_url: str = "",
    edits: list[StepLine] = [],  # noqa: B006
    never_worse: NeverWorse = NeverWorse.report,
    own_preset: str = "",
    steps: list[StepLine] = [],  # noqa: B006
) -> JobRecord:
    """Clean one recording, even it out and bring it to its loudness.

    Args:
        source: The recording: a path on the worker, or a file://, s3:// or https:// address.
        preset: What the master is for. It decides the chain, the loudness and the ceiling.
        noise_reduction: How far noise is turned down, in dB; “preset” means as the preset says.
        outputs: The files to make, each in its own format. Empty means as the preset says, for most an mp3.
        deliver_to: A folder or s3:// prefix that also gets a copy, named like the recording. May stay empty.
        notify_url: An address that is sent a signed webhook when the job has ended. May stay empty.
        edits: Steps before the loudness, each a line such as: fade out_s=2 (see mixdown steps). May stay empty.
        never_worse: Compare what is delivered with what came in: report it, gate (made again with less), or off.
        own_preset: The name of a preset of your own, instead. May stay empty.
        steps: For experts: a chain of your own instead of the preset's, step by step. It ends with: loudness.
    """
    specs = enhance_specs(
        [only(expand([source]))],
        own_preset or preset,
        chosen(noise_reduction),
        outputs,
        deliver_to,
        notify_url,
        steps,
        edits,
        never_worse,
        preset_folder(),
    )
    [record] = run_to_end(specs, title=specs[0].filename)
    if record.status is not Status.succeeded:
        raise JobFailed(record.error_code or record.status.value, record.error_detail or "No result.")
    return record


@flow(name="process-batch", persist_result=False)
def process_batch(
    sources: list[str],
    preset: PresetName = PODCAST,
    noise_reduction: NoiseChoice = AS_PRESET,
    outputs: list[OutputSpec] = [],  # noqa: B006 - never changed; Prefect shows it as the default
    deliver_to: str = "",
    notify_url: str = "",
    edits: list[StepLine] = [],  # noqa: B006
    never_worse: NeverWorse = NeverWorse.report,
    own_preset: str = "",
    steps: list[StepLine] = [],  # noqa: B006
) -> list[JobRecord]:
    """Master many recordings; one that fails never stops its neighbors.

    Args:
        sources: Recordings, or folders of them: paths on the worker, s3:// or https:// addresses.
        preset: What the masters are for. It decides the chain, the loudness and the ceiling.
        noise_reduction: How far noise is turned down, in dB; “preset” means as the preset says.
        outputs: The files to make of each recording. Empty means as the preset says, for most an mp3.
        deliver_to: A folder or s3:// prefix that also gets copies, named like the recordings. May stay empty.
        notify_url: An address that is sent a signed webhook for each job that has ended. May stay empty.
        edits: Steps before the loudness, each a line such as: fade out_s=2 (see mixdown steps). May stay empty.
        never_worse: Compare what is delivered with what came in: report it, gate (made again with less), or off.
        own_preset: The name of a preset of your own, instead. May stay empty.
        steps: For experts: a chain of your own instead of the preset's, step by step. It ends with: loudness.
    """
    specs = enhance_specs(
        expand(sources, deliver_to=deliver_to),
        own_preset or preset,
        chosen(noise_reduction),
        outputs,
        deliver_to,
        notify_url,
        steps,
        edits,
        never_worse,
        preset_folder(),
    )
    records = run_to_end(specs, title=recordings_words(len(specs)))
    return Completed(message=delivered_words(records), data=records)  # type: ignore[return-value]
