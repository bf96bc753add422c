"""Recordings converted, cut, joined, stretched, mixed or labelled."""

from __future__ import annotations

from prefect import flow

from flows.asked import found_at
from flows.form import MP3, StepLine
from flows.orchestrate import call_off, ended, run_to_end
from mixdown.channels import of_batch
from mixdown.ended import Ended
from mixdown.items import Defaults, requests_of
from mixdown.model import OutputSpec, Transform
from mixdown.wording import sources_words


@flow(name="transform-audio", persist_result=False, on_cancellation=[call_off])
def transform_audio(
    sources: list[str],
    steps: list[StepLine] = [],  # noqa: B006 - never changed; Prefect shows it as the default
    outputs: list[OutputSpec] = [MP3],  # noqa: B006
    deliver_to: str = "",
    notify_url: str = "",
) -> Ended:
    """Convert, cut, join, stretch, mix or label recordings; one that fails never stops its neighbors.

    Args:
        sources: Recordings, or folders of them: paths on the worker, s3:// or https:// addresses.
        steps: What is done, each a line such as: trim start_s=3 end_s=9 (see mixdown steps). None: only converted.
        outputs: The files to make of each recording, each in its own format.
        deliver_to: A folder or s3:// prefix that also gets copies, named like the recordings. May stay empty.
        notify_url: An address that is sent a signed webhook for each job, or a channel told of all. May stay empty.
    """
    each_to, all_to = of_batch(notify_url)
    defaults = Defaults(
        work=Transform(steps=tuple(steps)),
        outputs=tuple(outputs),
        deliver_to=deliver_to or None,
        notify_url=each_to,
    )
    found = found_at(sources, "", deliver_to, defaults)
    return ended(run_to_end(requests_of(found, defaults), title=sources_words(sources), notify=all_to))
