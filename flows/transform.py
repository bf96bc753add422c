"""Recordings converted, cut, joined, stretched, mixed or labelled."""

from __future__ import annotations

from prefect import flow
from prefect.states import Completed

from flows.form import MP3, StepLine
from flows.orchestrate import run_to_end
from mixdown.model import JobRecord, OutputSpec, Transform
from mixdown.submission import job_specs
from mixdown.submission import sources as expand
from mixdown.wording import delivered_words, recordings_words


@flow(name="transform-audio", persist_result=False)
def transform_audio(
    sources: list[str],
    steps: list[StepLine] = [],  # noqa: B006 - never changed; Prefect shows it as the default
    outputs: list[OutputSpec] = [MP3],  # noqa: B006
    deliver_to: str = "",
    notify_url: str = "",
) -> list[JobRecord]:
    """Convert, cut, join, stretch, mix or label recordings; one that fails never stops its neighbors.

    Args:
        sources: Recordings, or folders of them: paths on the worker, s3:// or https:// addresses.
        steps: What is done, each a line such as: trim start_s=3 end_s=9 (see mixdown steps). None: only converted.
        outputs: The files to make of each recording, each in its own format.
        deliver_to: A folder or s3:// prefix that also gets copies, named like the recordings. May stay empty.
        notify_url: An address that is sent a signed webhook for each job that has ended. May stay empty.
    """
    recordings = expand(sources, deliver_to=deliver_to)
    specs = job_specs(recordings, Transform(steps=tuple(steps)), outputs, deliver_to, notify_url)
    records = run_to_end(specs, title=recordings_words(len(specs)))
    return Completed(message=delivered_words(records), data=records)  # type: ignore[return-value]
