"""Requests become jobs: the same request about the same bytes gives the same job back."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from mixdown import presets
from mixdown.chain import effective_steps, materials_of, requirements_of
from mixdown.errors import InvalidRequest
from mixdown.fetch import source_version
from mixdown.model import (
    Analyze,
    Enhance,
    JobRecord,
    JobSpec,
    NeverWorse,
    NoiseReduction,
    OutputSpec,
    Source,
    Step,
    WebhookTarget,
    Work,
    digest,
    with_sources,
)
from mixdown.storage import path_of
from mixdown.studio import Studio

#: What is taken for a recording when a folder is handed in.
RECORDING_SUFFIXES = frozenset(
    f".{kind}"
    for kind in "aac aif aifc aiff flac m4a m4b mka mkv mov mp3 mp4 oga ogg opus wav webm".split()  # noqa: SIM905
)


def submit(studio: Studio, specs: Sequence[JobSpec], *, batch_id: UUID | None = None) -> list[JobRecord]:
    """Write jobs down, in order; asking again for what is done gives the finished job.

    A job that failed is queued again, and so is one whose result has since been deleted.
    """
    keyed = [(spec, submission_key(studio, spec)) for spec in specs]
    records = studio.jobs.submit(keyed, batch_id=batch_id)
    lost = [
        (pair, record.result)
        for pair, record in zip(keyed, records, strict=True)
        if record.result is not None and not studio.intact(record.result)
    ]
    if not lost:
        return records
    for _, result in lost:
        studio.jobs.forget_result(result.result_key)
    again = {record.id: record for record in studio.jobs.submit([pair for pair, _ in lost])}
    return [again.get(record.id, record) for record in records]


def known(studio: Studio, specs: Sequence[JobSpec]) -> list[JobRecord | None]:
    """The job of each request, where it was asked for before; nothing is written."""
    keys = [submission_key(studio, spec) for spec in specs]
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
        notify = (WebhookTarget(url=notify_url),) if notify_url else ()
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
    return place if "://" in place else _address(_followed(_expanded(place)))


def _with_places(work: Work) -> Work:
    """The work with the other recordings it needs named so that their names mean the same everywhere."""

    def placed(source: Source) -> Source:
        return only(sources([source.uri])).model_copy(update=source.model_dump(exclude={"uri"}, exclude_none=True))

    if isinstance(work, Analyze):
        return work
    changed: dict[str, Any] = {}
    if work.steps is not None:
        changed["steps"] = tuple(with_sources(step, placed) for step in work.steps)
    if isinstance(work, Enhance):
        changed["edits"] = tuple(with_sources(step, placed) for step in work.edits)
    return work.model_copy(update=changed)


def submission_key(studio: Studio, spec: JobSpec) -> str:
    """Hash of a request, of the present state of its sources, and of where results go."""
    needed = (spec.source, *materials_of(effective_steps(spec.work)))
    versions = [source_version(source, studio.s3) for source in needed]
    requirements = requirements_of(spec.work, studio.settings.effective_presets)
    return digest(spec.model_dump(mode="json"), versions, requirements, studio.objects.root)


def sources(names: Sequence[str], *, deliver_to: str | None = None) -> list[Source]:
    """Sources for what a person names: files, folders (every recording below them) and addresses.

    Where masters are delivered to a folder below one that was named, they are not taken for recordings.

    Raises
    ------
    InvalidRequest
        A folder holds no recording; a name is none.
    """
    masters = _followed(_expanded(deliver_to)) if deliver_to and "://" not in deliver_to else None
    return [source for name in names for source in _sources_at(name, masters)]


def only(found: Sequence[Source]) -> Source:
    """The one source where one was asked for; InvalidRequest if a folder gave several."""
    if len(found) != 1:
        raise InvalidRequest("This is a folder: run process-batch for the recordings in it.")
    return found[0]


def _sources_at(name: str, masters: Path | None) -> list[Source]:
    if not name or "\0" in name:
        raise InvalidRequest("A recording needs a name, without a NUL in it.")
    path = path_of(name) if "://" in name or name[:5].lower() == "file:" else _expanded(name)
    if path is None:  # an address; what is wrong with one is found out by who fetches it
        with in_a_sentence("the address of a recording"):
            return [Source(uri=name)]
    if not _is_folder(path):
        return [_local(path)]
    found = [file for file in _below(_followed(path), masters) if file.suffix.lower() in RECORDING_SUFFIXES]
    if not found:
        raise InvalidRequest(f"There is no recording in the folder “{path.name}”.")
    return [_local(file) for file in sorted(found)]


def _below(root: Path, masters: Path | None) -> Iterator[Path]:
    """Every file below a folder, but for those in a folder of masters that lies in it."""
    for name, folders, files in os.walk(root):
        folder = Path(name)
        folders[:] = [each for each in folders if folder / each != masters]
        yield from (folder / file for file in files)


def _local(path: Path) -> Source:
    """A local recording. A link is followed here, where a person named it, and nowhere later."""
    with in_a_sentence("the path of a recording"):
        return Source(uri=_address(_followed(path)), filename=os.fsencode(path.name).decode(errors="replace"))


def _expanded(name: str) -> Path:
    with suppress(RuntimeError):  # no such user: the tilde is a part of the name
        return Path(name).expanduser().absolute()
    return Path(name).absolute()


def _followed(path: Path) -> Path:
    """The path with links followed, as far as they lead anywhere."""
    with suppress(RuntimeError):  # links that go round in a circle
        return path.resolve()
    return path


def _is_folder(path: Path) -> bool:
    with suppress(OSError):  # a name that is too long
        return path.is_dir()
    return False


def _address(path: Path) -> str:
    """A path as text; where its bytes are no text, percent-encoded as a `file://` address."""
    readable = os.fsencode(path).decode(errors="replace")
    return readable if readable == str(path) else path.as_uri()


@contextmanager
def in_a_sentence(what: str) -> Iterator[None]:
    """Raise InvalidRequest for a value that the model refuses."""
    try:
        yield
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise InvalidRequest(f"This is not {what}: {reason[0].lower()}{reason[1:]}.") from error


def size_hint_bytes(source: Source) -> int:
    """Size of a local source, for planning; 0 where finding out would cost a request or is not possible."""
    path = path_of(source.uri)
    with suppress(OSError):
        return path.stat().st_size if path is not None and path.is_file() else 0
    return 0
