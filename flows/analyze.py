"""Recordings measured and drawn."""

from __future__ import annotations

from prefect import flow
from prefect.states import Completed

from flows.orchestrate import run_to_end
from mixdown.model import Analyze, JobRecord
from mixdown.submission import job_specs
from mixdown.submission import sources as expand
from mixdown.wording import delivered_words, recordings_words


@flow(name="analyze-audio", persist_result=False)
def analyze_audio(
    sources: list[str],
    presets: list[str] = [],  # noqa: B006 - never changed; Prefect shows it as the default
    music: bool = True,
    notify_url: str = "",
) -> list[JobRecord]:
    """Measure recordings and draw them: a report for each, no new audio.

    Args:
        sources: Recordings, or folders of them: paths on the worker, s3:// or https:// addresses.
        presets: Presets whose requirements they are held against. Empty means every shipped one.
        music: Find tempo, beats, key and onsets as well.
        notify_url: An address that is sent a signed webhook for each job that has ended. May stay empty.
    """
    work = Analyze(presets=tuple(presets), music=music)
    specs = job_specs(expand(sources), work, notify_url=notify_url)
    records = run_to_end(specs, title=recordings_words(len(specs)))
    return Completed(message=delivered_words(records), data=records)  # type: ignore[return-value]
