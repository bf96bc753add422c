"""Requests become jobs: the same request about the same bytes gives the same job back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import UUID

from mixdown.chain import effective_steps
from mixdown.errors import InvalidRequest
from mixdown.fetch import source_version
from mixdown.model import (
    Enhance,
    JobRecord,
    JobSpec,
    NoiseReduction,
    OutputSpec,
    Source,
    Step,
    WebhookTarget,
    digest,
)
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
    outputs: Sequence[OutputSpec] = (OutputSpec(),),
    deliver_to: str | None = None,
    notify_url: str | None = None,
    steps: Sequence[Step] | None = None,
) -> list[JobSpec]:
    """A request for each recording, all alike; UnknownPreset if there is no such preset."""
    work = Enhance(preset=str(preset), steps=tuple(steps) if steps else None, noise_reduction=noise_reduction)
    effective_steps(work)
    return [
        JobSpec(
            source=recording,
            work=work,
            outputs=tuple(outputs),
            deliver_to=_absolute(deliver_to) if deliver_to else None,
            notify=(WebhookTarget(url=notify_url),) if notify_url else (),
        )
        for recording in recordings
    ]


def _absolute(place: str) -> str:
    """A folder from the root on, as its name must mean the same everywhere; an address as it is."""
    return place if "://" in place else str(Path(place).expanduser().resolve())


def submission_key(studio: Studio, spec: JobSpec) -> str:
    """Hash of a request, of the present state of its source, and of where results go."""
    version = source_version(spec.source, studio.s3)
    return digest(spec.model_dump(mode="json"), version, studio.objects.root)


def sources(names: Sequence[str]) -> list[Source]:
    """Sources for what a person names: files, folders (every recording below them) and addresses.

    Raises
    ------
    InvalidRequest
        A folder holds no recording.
    """
    return [source for name in names for source in _sources_at(name)]


def only(found: Sequence[Source]) -> Source:
    """The one source where one was asked for; InvalidRequest if a folder gave several."""
    if len(found) != 1:
        raise InvalidRequest("This is a folder: run process-batch for the recordings in it.")
    return found[0]


def _sources_at(name: str) -> list[Source]:
    scheme = urlsplit(name).scheme.lower()
    if scheme in ("s3", "http", "https"):
        return [Source(uri=name)]
    path = Path(unquote(urlsplit(name).path) if scheme == "file" else name).expanduser()
    if not path.is_dir():
        # A link is followed here, where a person named it, and nowhere later.
        return [Source(uri=str(path.resolve()), filename=path.name)]
    found = sorted(file for file in path.rglob("*") if file.suffix.lower() in RECORDING_SUFFIXES)
    if not found:
        raise InvalidRequest(f"There is no recording in the folder “{path.name}”.")
    return [Source(uri=str(file.resolve()), filename=file.name) for file in found]


def size_hint_bytes(source: Source) -> int:
    """Size of a local source, for planning; 0 where finding out would cost a request or is not possible."""
    if urlsplit(source.uri).scheme in ("s3", "http", "https"):
        return 0
    path = Path(source.uri)
    return path.stat().st_size if path.is_file() else 0
