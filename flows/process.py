"""Recordings in, masters out: the main job, for one recording and mapped over a batch."""

from __future__ import annotations

from prefect import flow
from prefect.runtime import flow_run

from flows.asked import enhancing, found_at, the_one
from flows.form import AS_PRESET, PODCAST, NoiseChoice, PresetName, StepLine
from flows.orchestrate import call_off, ended, run_to_end
from mixdown.channels import of_batch
from mixdown.ended import Ended
from mixdown.errors import JobFailed
from mixdown.items import requests_of
from mixdown.model import JobRecord, NeverWorse, OutputSpec, Priority, Source, Status
from mixdown.wording import sources_words


def named_after_its_source() -> str:
    """The file name of the source: an address may carry a signature, which is nobody's business."""
    return Source(uri=flow_run.parameters["source"]).name


@flow(name="process-audio", flow_run_name=named_after_its_source, persist_result=False, on_cancellation=[call_off])
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
    defaults = enhancing(
        own_preset or preset, noise_reduction, outputs, deliver_to, notify_url, steps, edits, never_worse
    )
    batch = run_to_end(
        requests_of([the_one(source)], defaults), title=Source(uri=source).name, priority=Priority.urgent
    )
    [record] = batch
    if record.status is Status.cancelled:
        return ended(batch)  # type: ignore[return-value]
    if record.status is not Status.succeeded:
        raise JobFailed(record.error_code or record.status.value, record.error_detail or "No result.")
    return record


@flow(name="process-batch", persist_result=False, on_cancellation=[call_off])
def process_batch(
    sources: list[str] = [],  # noqa: B006 - never changed; Prefect shows it as the default
    manifest: str = "",
    preset: PresetName = PODCAST,
    noise_reduction: NoiseChoice = AS_PRESET,
    outputs: list[OutputSpec] = [],  # noqa: B006 - never changed; Prefect shows it as the default
    deliver_to: str = "",
    notify_url: str = "",
    edits: list[StepLine] = [],  # noqa: B006
    never_worse: NeverWorse = NeverWorse.report,
    own_preset: str = "",
    steps: list[StepLine] = [],  # noqa: B006
    title: str = "",
) -> Ended:
    """Master many recordings; one that fails never stops its neighbors.

    Args:
        sources: Recordings, folders, patterns: paths on the worker, s3:// prefixes or https:// addresses.
        manifest: A CSV, JSONL or JSON file with a recording a row and settings of its own. May stay empty.
        preset: What the masters are for. It decides the chain, the loudness and the ceiling.
        noise_reduction: How far noise is turned down, in dB; “preset” means as the preset says.
        outputs: The files to make of each recording. Empty means as the preset says, for most an mp3.
        deliver_to: A folder or s3:// prefix that also gets copies, named like the recordings. May stay empty.
        notify_url: An address that is sent a signed webhook for each job, or a channel told of all. May stay empty.
        edits: Steps before the loudness, each a line such as: fade out_s=2 (see mixdown steps). May stay empty.
        never_worse: Compare what is delivered with what came in: report it, gate (made again with less), or off.
        own_preset: The name of a preset of your own, instead. May stay empty.
        steps: For experts: a chain of your own instead of the preset's, step by step. It ends with: loudness.
        title: What people call this batch. May stay empty.
    """
    each_to, all_to = of_batch(notify_url)
    defaults = enhancing(
        own_preset or preset, noise_reduction, outputs, deliver_to, each_to or "", steps, edits, never_worse
    )
    found = found_at(sources, manifest, deliver_to, defaults)
    called = title or sources_words(sources, manifest)
    return ended(run_to_end(requests_of(found, defaults), title=called, notify=all_to))
