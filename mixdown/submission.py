"""Requests become jobs: the same request about the same bytes gives the same job back."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from mixdown import presets
from mixdown.chain import effective_steps, requirements_of, sources_beside, tool_versions
from mixdown.channels import refuse_unknown, target_of
from mixdown.errors import InvalidRequest
from mixdown.fetch import origin_of, source_version
from mixdown.items import Item, absolute, address_of, in_a_sentence, items_of, versions_of
from mixdown.jobs import Asked, Submitted
from mixdown.model import (
    Analyze,
    Enhance,
    Generate,
    JobRecord,
    JobSpec,
    NeverWorse,
    NoiseReduction,
    OutputSpec,
    Source,
    Step,
    Work,
    digest,
    with_sources,
)
from mixdown.storage import path_of
from mixdown.studio import Studio

#: Requests written down in one transaction.
_CHUNK = 1000

#: Different requests, but for their source, that are kept in mind.
_REMEMBERED = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What became of requests when they were written down."""

    new: int = 0
    again: int = 0  #: failed before, called off, or their result is gone: tried again
    waiting: int = 0  #: asked for before, not ended yet
    done: int = 0

    @property
    def total(self) -> int:
        """Requests, each counted once."""
        return self.new + self.again + self.waiting + self.done


def accept(
    studio: Studio,
    requests: Iterable[tuple[JobSpec, Item]],
    *,
    batch_id: UUID,
    share: bool = False,
    told: Callable[[Accepted], None] = lambda _: None,
) -> Accepted:
    """Write requests down as jobs of a batch, chunk by chunk: nothing is lost when this is cut off.

    What is done is found and not done again. With `share`, local files are copied into the store, so that any
    machine may work on them. `told` is called after each chunk.
    """
    accepted, key_of = Accepted(), Keys(studio)
    requests = iter(requests)
    while chunk := list(islice(requests, _CHUNK)):
        versions = versions_of([item for _, item in chunk], studio.s3)
        asked = [
            asked_of(studio, spec, item, key_of(spec, version))
            for (spec, item), version in zip(chunk, versions, strict=True)
        ]
        if share:
            asked = _shared(studio, asked)
        accepted = _add(accepted, _submitted(studio, asked, batch_id))
        told(accepted)
    return accepted


def accept_keyed(
    studio: Studio, requests: Iterable[tuple[JobSpec, Item, str]], *, batch_id: UUID, share: bool = False
) -> list[JobRecord]:
    """Write a few requests down under keys of the caller's, who knows a job by something else than its request."""
    asked = [asked_of(studio, spec, item, key) for spec, item, key in requests]
    return studio.jobs.submit(_shared(studio, asked) if share else asked, batch_id=batch_id)


def submit(studio: Studio, specs: Sequence[JobSpec], *, batch_id: UUID | None = None) -> list[JobRecord]:
    """Write jobs down, in order; asking again for what is done gives the finished job.

    A job that failed is queued again, and so is one whose result has since been deleted.
    """
    key_of = Keys(studio)
    items = [Item(source=spec.source, size_bytes=size_hint_bytes(spec.source)) for spec in specs]
    asked = [asked_of(studio, spec, item, key_of(spec)) for spec, item in zip(specs, items, strict=True)]
    return _submitted(studio, asked, batch_id).records


def asked_of(studio: Studio, spec: JobSpec, item: Item, key: str, key_id: UUID | None = None) -> Asked:
    """A request as the ledger takes it, under a key, with what is known of its source."""
    refuse_unknown(spec.notify, studio.channels)
    origin = _origin(studio, spec.source) or _engine_origin(studio, spec.work)
    return Asked(spec=spec, key=key, size_bytes=item.size_bytes, origin=origin, key_id=key_id)


def _origin(studio: Studio, source: Source) -> str:
    """Whom a source is fetched from; "" where every process that may work on it can read it where it lies."""
    origin = origin_of(source)
    if not origin.startswith("file:"):
        return origin
    return "" if studio.objects.is_local or studio.settings.is_shared(path_of(source.uri)) else origin


def _engine_origin(studio: Studio, work: Work) -> str:
    """Whom the speech of a script is bought from; "" where nobody has to serve for it."""
    if not isinstance(work, Generate) or not work.quality.startswith("cloud:"):
        return ""
    from mixdown.speech.cloud import origins_of

    engines = studio.settings.speech_engines
    with suppress(InvalidRequest):  # its job tells
        return origins_of(engines.get_secret_value() if engines else None).get(
            work.quality.removeprefix("cloud:"), ""
        )
    return ""


def _shared(studio: Studio, asked: Sequence[Asked]) -> list[Asked]:
    """The same, with local files that nobody has asked for before within reach of every machine."""
    from mixdown.sharing import share  # here: hashing and uploading is not for everyone

    known = studio.jobs.find([each.key for each in asked])
    local = [each for each in asked if each.key not in known and path_of(each.spec.source.uri) is not None]
    copies = share(studio, [each.spec.source for each in local])
    shared = {
        each.key: replace(each, spec=each.spec.model_copy(update={"source": copy}), origin=_origin(studio, copy))
        for each, copy in zip(local, copies, strict=True)
        if copy is not each.spec.source  # one that cannot be read stays what it is: its job tells
    }
    return [shared.get(each.key, each) for each in asked]


def _submitted(studio: Studio, asked: Sequence[Asked], batch_id: UUID | None) -> Submitted:
    """The jobs; those whose result was lost are queued again."""
    submitted = studio.jobs.accept(asked, batch_id=batch_id)
    results = {record.id: record.result for record in submitted.records if record.result is not None}
    damaged = studio.damaged(results)
    if not damaged:
        return submitted
    for job_id in damaged:
        studio.jobs.forget_result(results[job_id].result_key)
    lost = [each for each, record in zip(asked, submitted.records, strict=True) if record.id in damaged]
    again = {record.id: record for record in studio.jobs.accept(lost, batch_id=batch_id).records}
    records = [again.get(record.id, record) for record in submitted.records]
    return Submitted(records=records, made=submitted.made, again=submitted.again | again.keys())


def _add(accepted: Accepted, submitted: Submitted) -> Accepted:
    old = {record.id: record for record in submitted.records if record.id not in submitted.made}
    waiting = sum(not record.status.ended for record in old.values()) - len(submitted.again)
    return Accepted(
        new=accepted.new + len(submitted.made),
        again=accepted.again + len(submitted.again),
        waiting=accepted.waiting + waiting,
        done=accepted.done + sum(record.status.ended for record in old.values()),
    )


def known(studio: Studio, specs: Sequence[JobSpec]) -> list[JobRecord | None]:
    """The job of each request, where it was asked for before; nothing is written."""
    key_of = Keys(studio)
    keys = [key_of(spec) for spec in specs]
    found = studio.jobs.find(keys)
    return [found.get(key) for key in keys]


def enhance_specs(
    recordings: Sequence[Source],
    preset: str,
    noise_reduction: NoiseReduction | None = None,
    outputs: Sequence[OutputSpec] = (),
    deliver_to: str | None = None,
    notify_url: str | None = None,
    steps: Sequence[Step] | None = None,
    edits: Sequence[Step] = (),
    never_worse: NeverWorse = NeverWorse.report,
    preset_folder: Path | None = None,
) -> list[JobSpec]:
    """A request to enhance each recording, all alike; UnknownPreset if there is no such preset.

    A preset of the user's own is written into the request, step by step: whoever works on it needs no such file.
    """
    work = Enhance(
        preset=str(preset),
        steps=tuple(steps) if steps else None,
        noise_reduction=noise_reduction,
        edits=tuple(edits),
        never_worse=never_worse,
    )
    if not steps and not outputs:
        usual = presets.load(str(preset), folder=preset_folder).output
        outputs = (usual,) if usual else ()
    return job_specs(recordings, presets.settled(work, preset_folder), outputs, deliver_to, notify_url)


def job_specs(
    recordings: Sequence[Source],
    work: Work,
    outputs: Sequence[OutputSpec] = (),
    deliver_to: str | None = None,
    notify_url: str | None = None,
) -> list[JobSpec]:
    """A request for each recording, all alike; InvalidRequest where the work makes no sense."""
    work = _with_places(work)
    effective_steps(work)
    with in_a_sentence("a webhook address"):
        notify = (target_of(notify_url),) if notify_url else ()
    return [
        JobSpec(
            source=recording,
            work=work,
            outputs=tuple(outputs) or (OutputSpec(),),
            deliver_to=_absolute(deliver_to) if deliver_to else None,
            notify=notify,
        )
        for recording in recordings
    ]


def _absolute(place: str) -> str:
    """A folder from the root on, as its name must mean the same everywhere; an address as it is."""
    scheme = place.partition("://")[0].lower() if "://" in place else ""
    if scheme not in ("", "file", "memory", "s3"):
        raise InvalidRequest(f"Masters cannot be delivered to {scheme}://: name a folder or an s3:// prefix.")
    return place if "://" in place else address_of(os.path.realpath(absolute(place)))


def _with_places(work: Work) -> Work:
    """The work with the other recordings it needs named so that their names mean the same everywhere."""

    def placed(source: Source) -> Source:
        return only(sources([source.uri])).model_copy(update=source.model_dump(exclude={"uri"}, exclude_none=True))

    if isinstance(work, Analyze):
        return work
    if isinstance(work, Generate):
        return _with_places_of_script(work, placed)
    changed: dict[str, Any] = {}
    if work.steps is not None:
        changed["steps"] = tuple(with_sources(step, placed) for step in work.steps)
    if isinstance(work, Enhance):
        changed["edits"] = tuple(with_sources(step, placed) for step in work.edits)
    return work.model_copy(update=changed)


def _with_places_of_script(work: Generate, placed: Callable[[Source], Source]) -> Generate:
    music = work.music
    if music and music.source:
        music = music.model_copy(update={"source": placed(music.source)})
    lexicon = placed(work.lexicon) if work.lexicon else None
    return work.model_copy(update={"music": music, "lexicon": lexicon})


def submission_key(studio: Studio, spec: JobSpec, version: str | None = None) -> str:
    """Hash of a request, of the present state of its sources, of where results go, and of what makes them.

    `version` is the state of its source, where that is known already.
    """
    return Keys(studio)(spec, version)


class Keys:
    """Keys of many requests: what they share is hashed once."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._shared: dict[tuple[object, ...], tuple[str, JobSpec]] = {}

    def __call__(self, spec: JobSpec, version: str | None = None) -> str:
        # By identity: requests of one batch are copies that share all but their source.
        mark = (id(spec.work), id(spec.outputs), spec.deliver_to, id(spec.notify), spec.from_outside)
        if mark not in self._shared:
            if len(self._shared) >= _REMEMBERED:  # rows with parameters of their own share nothing
                self._shared.clear()
            self._shared[mark] = (
                self._digest(spec),
                spec,
            )  # the request is kept, so that no other gets its identity
        if version is None:
            version = source_version(spec.source, self._studio.s3)
        return digest(self._shared[mark][0], spec.source.model_dump(mode="json"), version)

    def _digest(self, spec: JobSpec) -> str:
        steps = effective_steps(spec.work)
        return digest(
            spec.model_dump(mode="json", exclude={"source"}),
            [step.model_dump(mode="json") for step in steps],
            [source_version(source, self._studio.s3) for source in sources_beside(spec.work, steps)],
            requirements_of(spec.work, self._studio.settings.effective_presets),
            tool_versions(),
            self._studio.objects.root,
        )


def sources(names: Sequence[str], *, deliver_to: str | None = None) -> list[Source]:
    """Sources for what a person names; see `items.items_of`, which gives them one by one."""
    return [item.source for item in items_of(names, deliver_to=deliver_to)]


def only(found: Sequence[Source]) -> Source:
    """The one source where one was asked for; InvalidRequest if a folder gave several."""
    if len(found) != 1:
        raise InvalidRequest("This is a folder: run process-batch for the recordings in it.")
    return found[0]


def size_hint_bytes(source: Source) -> int:
    """Size of a local source, for planning; 0 where finding out would cost a request or is not possible."""
    path = path_of(source.uri)
    with suppress(OSError):
        return path.stat().st_size if path is not None and path.is_file() else 0
    return 0
