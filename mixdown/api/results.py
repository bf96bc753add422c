"""What a job delivered, and how a client gets at it: links to the store where it signs such, else to this API."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self
from urllib.parse import quote
from uuid import UUID

from pydantic import Field

from mixdown.api.views import LevelsView, View, job_url
from mixdown.model import Attachment, JobRecord, JobResult, Rendition, StoredObject
from mixdown.storage import ObjectStore, path_of, safe_stem

#: How long a signed link works.
LINK_S = 3600

_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


class FileView(View):
    """A file of a result."""

    name: str = Field(description="Its name below `/files/`.", examples=["talk.9f86d081.mp3"])
    url: str = Field(
        description="Where it is fetched from: signed and good until `expires_at`, or a path of this API.",
        examples=["/v1/jobs/b3a1c2d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d/files/talk.9f86d081.mp3"],
    )
    expires_at: datetime | None = Field(default=None, description="Null: the address stays good.")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", examples=[_SHA256])
    size_bytes: int = Field(examples=[28824000])
    media_type: str = Field(examples=["audio/mpeg"])


class MasterView(FileView):
    """A delivered file, measured on its own bytes."""

    filename: str = Field(description="As its owner would call it.", examples=["talk.mp3"])
    format: str = Field(examples=["mp3"])
    title: str | None = Field(default=None, description="Of a part, where the recording was split.")
    target_lufs: float | None = Field(examples=[-16.0])
    target_rms_dbfs: float | None = Field(default=None)
    ceiling_dbtp: float | None = Field(examples=[-1.0])
    after: LevelsView
    delivered_uri: str | None = Field(default=None, description="The copy at the place that was asked for.")


class ResultsView(View):
    """What a job delivered."""

    job_id: UUID
    source_sha256: str = Field(examples=[_SHA256])
    reused: bool = Field(description="An earlier job had made it.", examples=[False])
    elapsed_s: float = Field(description="Processing time.", examples=[9.7])
    before: LevelsView
    masters: list[MasterView]
    report: FileView = Field(description="The proof, as JSON: what was done, and measured.")
    picture: FileView = Field(description="The waveform before and after.")
    attachments: list[FileView]
    notes: list[str] = Field(description="What the steps found.")
    warnings: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of a result, and what it is called when somebody keeps it."""

    object: StoredObject
    filename: str

    @property
    def name(self) -> str:
        """The last part of its address, which no other file of the result has."""
        path = path_of(self.object.uri)
        return path.name if path is not None else self.object.uri.rpartition("/")[2]

    @classmethod
    def of_master(cls, record: JobRecord, master: Rendition) -> Self:
        """A master, under the name of its recording."""
        stem = safe_stem(record.spec.filename)
        title = f" - {safe_stem(master.title)}" if master.title else ""
        return cls(object=master.object, filename=stem + title + master.output.format.suffix)

    @classmethod
    def of_attachment(cls, attachment: Attachment) -> Self:
        """What goes with the masters, under its own name."""
        return cls(object=attachment.object, filename=attachment.name)


def files_of(record: JobRecord, result: JobResult) -> Iterator[File]:
    """Every file of a result."""
    yield from (File.of_master(record, master) for master in result.renditions)
    yield File(object=result.report, filename="report.json")
    yield File(object=result.picture, filename="picture.png")
    yield from map(File.of_attachment, result.attachments)


class Links:
    """Makes the addresses of the files of one job."""

    def __init__(self, objects: ObjectStore, job_id: UUID) -> None:
        self._objects = objects
        self._job_id = job_id
        self._expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=LINK_S)

    def results(self, record: JobRecord, result: JobResult) -> ResultsView:
        """The view of a result."""
        return ResultsView(
            job_id=record.id,
            source_sha256=result.source_sha256,
            reused=result.reused,
            elapsed_s=result.elapsed_s,
            before=LevelsView.of(result.before),
            masters=[self._master(record, master) for master in result.renditions],
            report=self.file(File(object=result.report, filename="report.json")),
            picture=self.file(File(object=result.picture, filename="picture.png")),
            attachments=[self.file(File.of_attachment(each)) for each in result.attachments],
            notes=list(result.notes),
            warnings=list(result.warnings),
        )

    def file(self, file: File) -> FileView:
        """The view of a file."""
        signed = self.signed(file)
        return FileView(
            name=file.name,
            url=signed or f"{job_url(self._job_id)}/files/{quote(file.name, safe='')}",
            expires_at=self._expires_at if signed else None,
            sha256=file.object.sha256,
            size_bytes=file.object.size_bytes,
            media_type=file.object.media_type,
        )

    def signed(self, file: File) -> str | None:
        """An address at the store itself; None where it signs none, or holds no such thing."""
        if not self._objects.owns(file.object.uri):
            return None
        return self._objects.signed_url(file.object, filename=file.filename, expires_s=LINK_S)

    def _master(self, record: JobRecord, master: Rendition) -> MasterView:
        file = File.of_master(record, master)
        return MasterView(
            **dict(self.file(file)),
            filename=file.filename,
            format=master.output.format.value,
            title=master.title,
            target_lufs=master.target_lufs,
            target_rms_dbfs=master.target_rms_dbfs,
            ceiling_dbtp=master.ceiling_dbtp,
            after=LevelsView.of(master.after),
            delivered_uri=master.delivered_uri,
        )
