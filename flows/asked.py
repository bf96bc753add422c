"""What the parameters of a run ask for, in the words of the core."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flows.form import NoiseChoice, chosen
from mixdown.errors import InvalidRequest
from mixdown.items import Defaults, Item, items_of
from mixdown.model import NeverWorse, OutputSpec, Step
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
