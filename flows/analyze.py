"""Recordings measured and drawn."""

from __future__ import annotations

from prefect import flow

from flows.asked import found_at
from flows.orchestrate import call_off, ended, run_to_end
from mixdown.channels import of_batch
from mixdown.ended import Ended
from mixdown.items import Defaults, requests_of
from mixdown.model import Analyze
from mixdown.wording import sources_words


@flow(name="analyze-audio", persist_result=False, on_cancellation=[call_off])
def analyze_audio(
    sources: list[str],
    presets: list[str] = [],  # noqa: B006 - never changed; Prefect shows it as the default
    music: bool = True,
    notify_url: str = "",
) -> Ended:
    """Measure recordings and draw them: a report for each, no new audio.

    Args:
        sources: Recordings, or folders of them: paths on the worker, s3:// or https:// addresses.
        presets: Presets whose requirements they are held against. Empty means every shipped one.
        music: Find tempo, beats, key and onsets as well.
        notify_url: An address that is sent a signed webhook for each job, or a channel told of all. May stay empty.
    """
    each_to, all_to = of_batch(notify_url)
    defaults = Defaults(work=Analyze(presets=tuple(presets), music=music), notify_url=each_to)
    found = found_at(sources, "", "", defaults)
    return ended(run_to_end(requests_of(found, defaults), title=sources_words(sources), notify=all_to))
