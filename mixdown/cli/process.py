"""`mixdown process`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer

from mixdown import presets
from mixdown.cli.shared import (
    AsJson,
    BitrateKbps,
    Files,
    Formats,
    Mono,
    Notify,
    document,
    err,
    in_sentences,
    out,
    print_json,
    studio,
)
from mixdown.model import AudioFormat, JobRecord, JobSpec, NeverWorse, NoiseReduction, OutputSpec, Status
from mixdown.settings import Settings

#: More than this many rows is a wall, not a table: only what needs attention is then listed.
_MOST_ROWS = 60


def process(
    files: Files,
    preset: Annotated[
        str,
        typer.Option(
            "--preset", "-p", metavar="NAME", help=f"What the masters are for: {', '.join(presets.names())}."
        ),
    ] = "podcast",
    deliver_to: Annotated[
        str, typer.Option("--out", "-o", metavar="DIR|s3://…", help="Where the masters go.")
    ] = "masters",
    formats: Formats = None,
    bitrate_kbps: BitrateKbps = None,
    mono: Mono = False,
    noise_reduction: Annotated[
        NoiseReduction | None,
        typer.Option(
            "--denoise", metavar="DB", help="Noise reduction: off, 12, 18, 24 or full; instead of the preset's."
        ),
    ] = None,
    edits: Annotated[
        list[str] | None,
        typer.Option(
            "--step",
            metavar="'KIND NAME=VALUE…'",
            help="An edit before the loudness; see mixdown steps.",
        ),
    ] = None,
    never_worse: Annotated[
        NeverWorse,
        typer.Option(
            "--never-worse",
            metavar="MODE",
            help="Masters are compared with their source: report it, gate (make again with less), or off.",
        ),
    ] = NeverWorse.report,
    notify: Notify = None,
    as_json: AsJson = False,
) -> None:
    """Master recordings: cleaned, evened out, at their loudness.

    What is done already is not done again. After Ctrl-C or a crash, run the same command again to go on.
    """
    from mixdown.step_text import parse_steps
    from mixdown.submission import enhance_specs, sources

    with in_sentences():
        folder = Settings().effective_presets
        usual = presets.load(preset, folder=folder).output or OutputSpec()
        specs = enhance_specs(
            sources(files, deliver_to=deliver_to),
            preset=preset,
            noise_reduction=noise_reduction,
            outputs=asked_outputs(usual, formats, bitrate_kbps, mono=mono),
            deliver_to=deliver_to,
            notify_url=notify,
            edits=parse_steps(edits or ()),
            never_worse=never_worse,
            preset_folder=folder,
        )
        records = work_through(specs, quiet=as_json)
    finish(records, deliver_to, as_json=as_json)


def asked_outputs(
    usual: OutputSpec, formats: Sequence[AudioFormat] | None, bitrate_kbps: int | None, *, mono: bool
) -> list[OutputSpec]:
    """The files that options ask for, in everything else as usual."""
    asked: dict[str, Any] = {"bitrate_kbps": bitrate_kbps} if bitrate_kbps else {}
    if mono:
        asked["channels"] = 1
    usual = usual.model_copy(update=asked)
    return [usual.model_copy(update={"format": each}) for each in dict.fromkeys(formats or [usual.format])]


def finish(records: Sequence[JobRecord], deliver_to: str, *, as_json: bool, failed: bool = False) -> NoReturn:
    """Print what came of the jobs, and leave with 0 where all is well, and nothing had `failed` before."""
    if as_json:
        print_json([document(record) for record in records])
    else:
        print_results(records, deliver_to)
    well = not failed and all(record.status is Status.succeeded for record in records)
    raise typer.Exit(0 if well else 1)


def work_through(specs: Sequence[JobSpec], *, quiet: bool) -> list[JobRecord]:
    """Accept jobs and work on those that are not done, with bars; all of them as they ended."""
    from mixdown.channels import refuse_unknown
    from mixdown.submission import submit

    opened = studio()
    refuse_unknown(specs[0].notify if specs else (), opened.channels)  # they are all alike
    opened.sweep()
    more = f" and {len(specs) - 1:,} more" if len(specs) > 1 else ""
    batch_id = opened.jobs.open_batch(f"{specs[0].filename}{more}", attached=True)
    records = submit(opened, specs, batch_id=batch_id)
    left = {record.id for record in records if not record.status.ended}
    done = len({record.id for record in records} - left)
    if done and not quiet:
        err.print(f"{done} of {len(records)} already done.", highlight=False)
    if not left:
        return records
    from mixdown.batch_watch import live
    from mixdown.runner import run_batch  # brings in all of the sound: seconds that a finished batch does not need

    try:
        with live(None if quiet else err, opened.jobs, batch_id):
            run_batch(opened, batch_id)
    except KeyboardInterrupt:
        err.print("Stopped. Nothing is lost: run the same command again to go on.")
        raise typer.Exit(130) from None
    return opened.jobs.read([record.id for record in records])


def print_results(records: Sequence[JobRecord], folder: str) -> None:
    """A table of jobs, and why some failed."""
    from mixdown.console import reasons, results_table
    from mixdown.wording import delivered_words

    shown = records if len(records) <= _MOST_ROWS else [r for r in records if r.status is not Status.succeeded]
    if shown:
        out.print(results_table(shown[:_MOST_ROWS]))
    for line in reasons(shown[:_MOST_ROWS]):
        out.print(line, highlight=False)
    out.print(f"\n{delivered_words(records)} to {folder}", markup=False, highlight=False)
