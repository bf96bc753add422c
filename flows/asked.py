"""What the parameters of a run ask for, in the words of the core."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from flows.form import NoiseChoice, chosen
from mixdown.errors import InvalidRequest
from mixdown.items import Defaults, Item, items_of
from mixdown.model import NeverWorse, OutputSpec, Source, Step
from mixdown.scripts import cast_of, generate_of, music_of, rows_at, scripts_at, source_of_text
from mixdown.speech.rows import RowScript
from mixdown.submission import only
from tasks.studio import preset_folder, studio


def enhancing(
    preset: str,
    noise_reduction: NoiseChoice,
    outputs: Sequence[OutputSpec],
    deliver_to: str,
    notify_url: str,
    steps: Sequence[Step],
    edits: Sequence[Step],
    never_worse: NeverWorse,
) -> Defaults:
    """How recordings are mastered that say nothing else of themselves."""
    return Defaults(
        preset=preset,
        noise_reduction=chosen(noise_reduction),
        outputs=tuple(outputs),
        deliver_to=deliver_to or None,
        notify_url=notify_url or None,
        edits=tuple(edits),
        steps=tuple(steps) or None,
        never_worse=never_worse,
        preset_folder=preset_folder(),
    )


def found_at(sources: Sequence[str], manifest: str, deliver_to: str, defaults: Defaults) -> Iterator[Item]:
    """The recordings that are named."""
    return items_of(
        sources,
        manifest=manifest or None,
        s3=studio().s3,
        deliver_to=deliver_to or None,
        defaults=defaults,
    )


def the_one(source: str) -> Item:
    """The recording that is named; InvalidRequest where it is a folder of them."""
    found = list(items_of([source], s3=studio().s3))
    if len(found) != 1:
        raise InvalidRequest("These are several recordings: run process-batch for them.")
    return found[0]


def speaking(
    quality: str,
    voice: str,
    language: str,
    cast: Sequence[str],
    rate: float,
    lexicon: str,
    music: str,
    preset: str,
    outputs: Sequence[OutputSpec],
    deliver_to: str,
    notify_url: str,
    max_cost: float,
) -> Defaults:
    """How scripts are said that say nothing else of themselves."""
    work = generate_of(
        **{"quality": quality, "voice": voice, "language": language, "rate": rate, "preset": str(preset)},
        cast=cast_of(cast),
        lexicon=scripts_at([lexicon])[0] if lexicon else None,
        music=music_of(music),
        max_cost=max_cost or None,
    )
    return Defaults(
        work=work,
        outputs=tuple(outputs),
        deliver_to=deliver_to or None,
        notify_url=notify_url or None,
        preset_folder=preset_folder(),
    )


def rows_of(rows: str, template: str) -> Iterator[RowScript]:
    """A script for each row of a table on this machine; rows that cannot be used are logged."""
    return rows_at(Path(rows).expanduser(), template, logging.getLogger("mixdown.rows").warning)


def script_of(script: str, text: str) -> Source:
    """The one script that is named or given; InvalidRequest where it is neither or both."""
    if bool(script) == bool(text):
        raise InvalidRequest("Give a script, or a text: one of them.")
    return source_of_text(text) if text else only(scripts_at([script]))
