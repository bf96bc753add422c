"""`mixdown batch plan` and `mixdown batch submit`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from mixdown import presets
from mixdown.cli.process import asked_outputs
from mixdown.cli.shared import (
    AsJson,
    BitrateKbps,
    Formats,
    Mono,
    Notify,
    err,
    in_sentences,
    out,
    print_json,
    studio,
)
from mixdown.errors import InvalidRequest
from mixdown.model import JobSpec, NeverWorse, NoiseReduction, OutputSpec, Priority, Source, Status

if TYPE_CHECKING:
    from mixdown.items import Item
    from mixdown.studio import Studio
    from mixdown.submission import Accepted

_SHORT_ID_CHARS = 8

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME…]",
        help="Recordings: files, folders, patterns such as 'in/**/*.wav', s3:// prefixes, https:// addresses.",
        show_default=False,
    ),
]
Manifest = Annotated[
    str | None,
    typer.Option(
        "--manifest", "-m", metavar="FILE", help="A list with parameters: CSV or JSON; a path, an address or -."
    ),
]
PresetOption = Annotated[
    str,
    typer.Option("--preset", "-p", metavar="NAME", help=f"What the masters are for: {', '.join(presets.names())}."),
]
Out = Annotated[str, typer.Option("--out", "-o", metavar="DIR|s3://…", help="Where the masters go.")]
Denoise = Annotated[
    NoiseReduction | None,
    typer.Option(
        "--denoise", metavar="DB", help="Noise reduction: off, 12, 18, 24 or full; instead of the preset's."
    ),
]
Steps = Annotated[
    list[str] | None,
    typer.Option("--step", metavar="'KIND NAME=VALUE…'", help="An edit before the loudness; see mixdown steps."),
]
NeverWorseMode = Annotated[
    NeverWorse,
    typer.Option(
        "--never-worse",
        metavar="MODE",
        help="Masters are compared with their source: report it, gate (make again with less), or off.",
    ),
]


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What the options of both commands ask for, found but for the rest of the list."""

    studio: Studio
    requests: Iterator[tuple[JobSpec, Item]]


def plan(
    names: Names = None,
    manifest: Manifest = None,
    preset: PresetOption = "podcast",
    deliver_to: Out = "masters",
    formats: Formats = None,
    bitrate_kbps: BitrateKbps = None,
    mono: Mono = False,
    noise_reduction: Denoise = None,
    edits: Steps = None,
    never_worse: NeverWorseMode = NeverWorse.report,
    notify: Notify = None,
    as_json: AsJson = False,
) -> None:
    """Tell what a batch would do: how many are new, done or unreadable, and how long it would take."""
    from mixdown.channels import of_batch, refuse_unknown_name
    from mixdown.plan_view import plan_screen
    from mixdown.planning import plan as planned

    with in_sentences(), err.status("Looking") as line:
        asked = _asked(
            names,
            manifest,
            preset,
            deliver_to,
            asked_files(preset, formats, bitrate_kbps, mono=mono),
            noise_reduction,
            edits,
            never_worse,
            of_batch(notify)[0],
        )
        refuse_unknown_name(notify, asked.studio.channels)
        found = planned(
            asked.studio, asked.requests, progress=lambda what, count: line.update(f"{what}: {count:,}")
        )
    if as_json:
        print_json({**asdict(found), "to_do": found.to_do, "sampled": found.sampled})
        return
    out.print(plan_screen(found, place=deliver_to), highlight=False)
    if found.to_do:
        out.print(
            "\nNothing was written. To go ahead: mixdown batch submit, with the same options.", highlight=False
        )


def submit(
    names: Names = None,
    manifest: Manifest = None,
    preset: PresetOption = "podcast",
    deliver_to: Out = "masters",
    formats: Formats = None,
    bitrate_kbps: BitrateKbps = None,
    mono: Mono = False,
    noise_reduction: Denoise = None,
    edits: Steps = None,
    never_worse: NeverWorseMode = NeverWorse.report,
    notify: Notify = None,
    title: Annotated[str | None, typer.Option("--title", metavar="TEXT", help="What the batch is called.")] = None,
    urgent: Annotated[bool, typer.Option("--urgent", help="Goes before other batches.")] = False,
    share: Annotated[
        bool, typer.Option("--share", help="Copy local files into the store, for other machines to work on.")
    ] = False,
    here: Annotated[bool, typer.Option("--here", help="Work on it in this process, at once.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a batch down, to be worked on by whoever is there. What is done already is not done again."""
    from mixdown.channels import of_batch, refuse_unknown

    with in_sentences():
        each_to, all_to = of_batch(notify)
        asked = _asked(
            names,
            manifest,
            preset,
            deliver_to,
            asked_files(preset, formats, bitrate_kbps, mono=mono),
            noise_reduction,
            edits,
            never_worse,
            each_to,
        )
        refuse_unknown(all_to, asked.studio.channels)
        batch_id = asked.studio.jobs.open_batch(
            title or _title(names or [], manifest),
            priority=Priority.urgent if urgent else Priority.normal,
            attached=here,
            notify=all_to,
        )
        # What works on it is not this machine: local files would wait for it in vain.
        elsewhere = "://" in asked.studio.settings.cluster
        accepted = _accept(asked, batch_id, share=share or elsewhere)
        if accepted.total == accepted.done:
            asked.studio.jobs.close_batch(batch_id)  # nobody comes for it; who is to be told of its end is
        elif here:
            if not as_json:
                _say_accepted(batch_id, accepted)
            _work_here(asked.studio, batch_id, quiet=as_json)
        taken_up = any(shift.batch_id is None for shift in asked.studio.jobs.shifts())
        counts = asked.studio.jobs.counts(batch_id)
    if as_json:
        print_json(
            {
                "batch_id": batch_id,
                "accepted": {**asdict(accepted), "total": accepted.total},
                "taken_up": taken_up and not here,
                "counts": counts,
            }
        )
    elif here:
        done = counts[Status.succeeded]
        out.print(f"{done:,} of {sum(counts.values()):,} succeeded.", highlight=False)
    else:
        _say_accepted(batch_id, accepted)
        for sentence in _what_next(batch_id, accepted, taken_up=taken_up):
            out.print(sentence, highlight=False)
    if here and counts[Status.succeeded] < sum(counts.values()):
        raise typer.Exit(1)


def asked_files(preset: str, formats: Formats, bitrate_kbps: BitrateKbps, *, mono: bool) -> tuple[OutputSpec, ...]:
    """The files that options ask for; none where each preset is to say."""
    if not formats and not bitrate_kbps and not mono:
        return ()
    from mixdown.settings import Settings

    usual = presets.load(preset, folder=Settings().effective_presets).output or OutputSpec()
    return tuple(asked_outputs(usual, formats, bitrate_kbps, mono=mono))


def _asked(
    names: list[str] | None,
    manifest: str | None,
    preset: str,
    deliver_to: str,
    outputs: tuple[OutputSpec, ...],
    noise_reduction: NoiseReduction | None,
    edits: list[str] | None,
    never_worse: NeverWorse,
    notify: str | None,
) -> _Asked:
    from mixdown.items import Defaults, items_of, requests_of
    from mixdown.step_text import parse_steps

    opened = studio()
    defaults = Defaults(
        preset=preset,
        noise_reduction=noise_reduction,
        outputs=outputs,
        deliver_to=deliver_to,
        notify_url=notify,
        edits=parse_steps(edits or ()),
        never_worse=never_worse,
        preset_folder=opened.settings.effective_presets,
    )
    items = items_of(
        names or [],
        manifest=manifest,
        s3=opened.s3,
        deliver_to=deliver_to,
        left_out=[opened.settings.effective_results_url],
        defaults=defaults,
    )
    requests = requests_of(items, defaults)
    first = next(requests, None)  # what makes no sense is refused before a batch is opened
    if first is None:
        raise InvalidRequest("There is no recording.")
    return _Asked(studio=opened, requests=chain((first,), requests))


def _accept(asked: _Asked, batch_id: UUID, *, share: bool) -> Accepted:
    from mixdown.submission import Accepted, accept

    sofar = Accepted()

    def told(now: Accepted) -> None:
        nonlocal sofar
        sofar = now
        line.update(f"Accepted {now.total:,}")

    with err.status("Accepting") as line:
        try:
            return accept(asked.studio, asked.requests, batch_id=batch_id, share=share, told=told)
        except KeyboardInterrupt:
            line.stop()
            err.print(
                f"Stopped. {sofar.total:,} recordings are accepted, as batch {_short(batch_id)}, and stay so.\n"
                "The same command again takes the others; what is done is not done twice.",
                highlight=False,
            )
            raise typer.Exit(130) from None


def _work_here(opened: Studio, batch_id: UUID, *, quiet: bool) -> None:
    from mixdown.batch_watch import live
    from mixdown.runner import run_batch

    try:
        with live(None if quiet else err, opened.jobs, batch_id):
            run_batch(opened, batch_id)
    except KeyboardInterrupt:
        err.print(f"Stopped. Nothing is lost: mixdown batch run {_short(batch_id)} goes on.", highlight=False)
        raise typer.Exit(130) from None


def _say_accepted(batch_id: UUID, accepted: Accepted) -> None:
    parts = [
        (accepted.new, "new"),
        (accepted.again, "tried again"),
        (accepted.waiting, "waiting already"),
        (accepted.done, "done already"),
    ]
    words = ", ".join(f"{count:,} {what}" for count, what in parts if count)
    out.print(f"Batch [bold]{_short(batch_id)}[/]: {words}.", highlight=False)


def _what_next(batch_id: UUID, accepted: Accepted, *, taken_up: bool) -> Iterator[str]:
    if accepted.total == accepted.done:
        yield "Nothing is left to do."
    elif taken_up:
        yield f"It is taken up now. Watch it: mixdown batch watch {_short(batch_id)}"
    else:
        yield "Nobody is at work yet. Start: mixdown serve"
        yield f"Or work on it here:     mixdown batch run {_short(batch_id)}"


def _title(names: list[str], manifest: str | None) -> str:
    """What a batch is called that nobody has named: after what was handed in, without where it lies."""
    given = [*names, *([manifest] if manifest and manifest != "-" else [])]
    if not given:
        return "from stdin"
    first = Source(uri=given[0][:4096]).name
    return first if len(given) == 1 else f"{first} and {len(given) - 1:,} more"


def _short(batch_id: UUID) -> str:
    return batch_id.hex[:_SHORT_ID_CHARS]
