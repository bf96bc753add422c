"""Scripts in, finished audio out: for one, and mapped over the rows of a table."""

from __future__ import annotations

from prefect import flow

from flows.asked import rows_of, script_of, speaking
from flows.form import PODCAST, PresetName
from flows.orchestrate import call_off, ended, run_to_end
from mixdown.channels import of_batch
from mixdown.ended import Ended
from mixdown.errors import JobFailed
from mixdown.model import JobRecord, OutputSpec, Priority, Status
from mixdown.scripts import row_requests, script_requests
from mixdown.wording import sources_words


@flow(name="generate-audio", persist_result=False, on_cancellation=[call_off])
def generate_audio(
    script: str = "",
    text: str = "",
    quality: str = "auto",
    voice: str = "",
    language: str = "",
    cast: list[str] = [],  # noqa: B006 - never changed; Prefect shows it as the default
    rate: float = 1.0,
    lexicon: str = "",
    music: str = "",
    preset: PresetName = PODCAST,
    outputs: list[OutputSpec] = [],  # noqa: B006
    deliver_to: str = "",
    notify_url: str = "",
    max_cost: float = 0.0,
) -> JobRecord:
    """Make audio from a script: speech, over music if wanted, with chapters and captions.

    Args:
        script: The script: a path on the worker, or a file://, s3:// or https:// address. Or give text.
        text: A script, in so many words.
        quality: auto means the best installed: draft, standard, studio, or cloud:NAME of an engine that was set up.
        voice: A voice of that quality (mixdown voices). Empty: its own for the language.
        language: Such as en-GB or de. Empty: as the script says, else English.
        cast: Voices of speakers, each a line such as: HOST=en-GB. May stay empty.
        rate: How fast is spoken, from 0.5 to 2.
        lexicon: How words are said: a CSV, YAML or PLS file. May stay empty.
        music: A bed under all of it (mixdown sounds), or a recording. May stay empty.
        preset: What it is for. It decides the loudness and the ceiling.
        outputs: The files to make, each in its own format. Empty means as the preset says, for most an mp3.
        deliver_to: A folder or s3:// prefix that also gets a copy, named like the script. May stay empty.
        notify_url: An address that is sent a signed webhook when the job has ended. May stay empty.
        max_cost: What it may cost at a paid engine. 0 means as the settings say.
    """
    source = script_of(script, text)
    defaults = speaking(
        quality, voice, language, cast, rate, lexicon, music, preset, outputs, deliver_to, notify_url, max_cost
    )
    batch = run_to_end(script_requests([source], defaults), title=source.name, priority=Priority.urgent)
    [record] = batch
    if record.status is Status.cancelled:
        return ended(batch)  # type: ignore[return-value]
    if record.status is not Status.succeeded:
        raise JobFailed(record.error_code or record.status.value, record.error_detail or "No result.")
    return record


@flow(name="generate-batch", persist_result=False, on_cancellation=[call_off])
def generate_batch(
    rows: str,
    template: str,
    quality: str = "auto",
    voice: str = "",
    language: str = "",
    rate: float = 1.0,
    lexicon: str = "",
    music: str = "",
    preset: PresetName = PODCAST,
    outputs: list[OutputSpec] = [],  # noqa: B006 - never changed; Prefect shows it as the default
    deliver_to: str = "",
    notify_url: str = "",
    max_cost: float = 0.0,
    title: str = "",
) -> Ended:
    """Make audio from each row of a table; one that fails never stops its neighbors.

    Args:
        rows: A CSV or JSONL file on the worker, a script for each row.
        template: How a row becomes a script: a Jinja2 template, in so many words or as a file on the worker.
        quality: auto means the best installed: draft, standard, studio, or cloud:NAME of an engine that was set up.
        voice: A voice of that quality (mixdown voices). Empty: its own for the language.
        language: Such as en-GB or de. Empty: as the script says, else English.
        rate: How fast is spoken, from 0.5 to 2.
        lexicon: How words are said: a CSV, YAML or PLS file. May stay empty.
        music: A bed under all of it (mixdown sounds), or a recording. May stay empty.
        preset: What it is for. It decides the loudness and the ceiling.
        outputs: The files to make of each row. Empty means as the preset says, for most an mp3.
        deliver_to: A folder or s3:// prefix that also gets copies. May stay empty.
        notify_url: An address that is sent a signed webhook for each job, or a channel told of all. May stay empty.
        max_cost: What a row may cost at a paid engine. 0 means as the settings say.
        title: What people call this batch. May stay empty.
    """
    each_to, all_to = of_batch(notify_url)
    defaults = speaking(
        quality, voice, language, [], rate, lexicon, music, preset, outputs, deliver_to, each_to or "", max_cost
    )
    requests = row_requests(rows_of(rows, template), defaults)
    return ended(run_to_end(requests, title=title or sources_words([rows]), notify=all_to))
