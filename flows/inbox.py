"""An inbox: one look at a hot folder or an S3 prefix, and everything that was taken in done and filed away."""

from __future__ import annotations

from prefect import flow
from prefect.states import Completed

from flows.asked import enhancing
from flows.catch_up import CatchUp, superseded
from flows.form import AS_PRESET, PODCAST, NoiseChoice, PresetName, StepLine
from flows.orchestrate import call_off, this_run_id, work_to_end
from mixdown.channels import refuse_unknown_name
from mixdown.inbox import Swept, filing, open_inbox, sweep, swept_words
from mixdown.model import NeverWorse, OutputSpec
from tasks.studio import studio


@flow(name="watch-inbox", persist_result=False, on_cancellation=[call_off])
def watch_inbox(
    inbox: str,
    preset: PresetName = PODCAST,
    noise_reduction: NoiseChoice = AS_PRESET,
    outputs: list[OutputSpec] = [],  # noqa: B006 - never changed; Prefect shows it as the default
    deliver_to: str = "",
    notify_url: str = "",
    edits: list[StepLine] = [],  # noqa: B006
    never_worse: NeverWorse = NeverWorse.report,
    own_preset: str = "",
    steps: list[StepLine] = [],  # noqa: B006
    settle_s: float = 10.0,
    catch_up: CatchUp = CatchUp.latest,
) -> Swept:
    """Take in what lies in an inbox, master it, and move it to “done” or “failed” with a report beside it.

    Args:
        inbox: A folder on the worker, or an s3:// prefix. Recordings in its folders count too.
        preset: What the masters are for. It decides the chain, the loudness and the ceiling.
        noise_reduction: How far noise is turned down, in dB; “preset” means as the preset says.
        outputs: The files to make of each recording. Empty means as the preset says, for most an mp3.
        deliver_to: A folder or s3:// prefix that also gets copies, named like the recordings. May stay empty.
        notify_url: An address that is sent a signed webhook for each job that has ended. May stay empty.
        edits: Steps before the loudness, each a line such as: fade out_s=2 (see mixdown steps). May stay empty.
        never_worse: Compare what is delivered with what came in: report it, gate (made again with less), or off.
        own_preset: The name of a preset of your own, instead. May stay empty.
        steps: For experts: a chain of your own instead of the preset's, step by step. It ends with: loudness.
        settle_s: Seconds for which a file must not have changed: what is still being written is left.
        catch_up: Of several runs that are late, the latest works, all do, or none.
    """
    if late := superseded(catch_up):
        return late  # type: ignore[return-value]
    defaults = enhancing(
        own_preset or preset, noise_reduction, outputs, deliver_to, notify_url, steps, edits, never_worse
    )
    opened = studio()
    refuse_unknown_name(notify_url, opened.channels)
    place = open_inbox(inbox, opened, deliver_to=deliver_to or None, settle_s=settle_s)
    swept = sweep(opened, place, defaults, batch_id=this_run_id(), patience_s=settle_s + 1)
    with filing(opened, place) as tally:
        for batch_id in swept.open_batches:
            work_to_end(opened, batch_id)
    return Completed(message=swept_words(swept, tally), data=swept)  # type: ignore[return-value]
