"""Jobs that have ended, as the tests of the front door find them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from uuid import UUID, uuid4

from mixdown.jobs import Asked
from mixdown.model import Attachment, JobRecord, JobSpec, Rendition, Source, Stage, StoredObject
from mixdown.storage import master_key
from mixdown.studio import Studio
from tests.services.ledger_samples import claimed, result

MASTER = bytes(range(256)) * 40


def submitted(
    studio: Studio,
    name: str = "talk.wav",
    *,
    batch_id: UUID | None = None,
    key_id: UUID | None = None,
    **more: object,
) -> JobRecord:
    """A job that waits."""
    spec = JobSpec(source=Source(uri=f"/recordings/{name}"), **more)
    asked = Asked(spec=spec, key=uuid4().hex, key_id=key_id, size_bytes=1000)
    return studio.jobs.accept([asked], batch_id=batch_id).records[0]


def succeeded(studio: Studio, name: str = "talk.wav", *, key_id: UUID | None = None) -> JobRecord:
    """A job that has delivered, its files in the store."""
    job = submitted(studio, name, key_id=key_id)
    key = hashlib.sha256(job.id.bytes).hexdigest()

    def put(filename: str, body: bytes, media_type: str) -> StoredObject:
        return studio.objects.put_bytes(body, master_key(key, filename), media_type=media_type)

    usual = result(key)
    masters: list[Rendition] = [
        replace(master, object=put(f"talk.{number}.mp3", MASTER, "audio/mpeg"))
        for number, master in enumerate(usual.renditions)
    ]
    made = replace(
        usual,
        renditions=tuple(masters),
        report=put("report.json", b"{}", "application/json"),
        picture=put("picture.png", b"\x89PNG", "image/png"),
        attachments=(Attachment(name="report.html", object=put("report.html", b"<p>fine", "text/html")),),
    )
    claim = claimed(studio.jobs, job)
    return studio.jobs.succeed(claim, made)


def failed(
    studio: Studio, *, code: str = "unreadable_audio", batch_id: UUID | None = None, key_id: UUID | None = None
) -> JobRecord:
    """A job that has failed."""
    job = submitted(studio, batch_id=batch_id, key_id=key_id)
    claim = claimed(studio.jobs, job)
    return studio.jobs.fail(claim, code=code, detail="It is no audio.", stage=Stage.validate)
