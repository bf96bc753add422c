"""The second stage: masters, or an analysis, made from what was taken in and staged with their proof."""

from __future__ import annotations

import time
from pathlib import Path

from mixdown.chain import effective_steps
from mixdown.findings import Processed, Validated, completed
from mixdown.intake import fetched_into
from mixdown.model import Claim, JobRecord, Rendition, Source, Stage, StoredObject
from mixdown.render import Master, Rendered, render
from mixdown.report import report_json
from mixdown.retry import POLICIES
from mixdown.storage import staged_key
from mixdown.studio import Studio


def make(studio: Studio, claim: Claim) -> None:
    """Make what was asked for and stage it under the job's own prefix."""
    record = studio.jobs.get(claim.job_id)
    validated = Validated.of(record.work["validated"])
    if completed(record, Stage.process) or validated.already_made:
        return
    started_s = time.monotonic()
    with studio.workspace() as folder:
        rendered = _rendered(studio, claim, record, validated, folder)
        report = report_json(record.spec, validated, rendered)
        processed = Processed(
            steps=rendered.steps,
            before=rendered.before,
            renditions=tuple(_stage(studio, claim, index, master) for index, master in enumerate(rendered.masters)),
            report=studio.objects.put_bytes(
                report, staged_key(claim.job_id, "report.json"), media_type="application/json"
            ),
            picture=studio.objects.put_bytes(
                rendered.picture, staged_key(claim.job_id, "waveform.png"), media_type="image/png"
            ),
            warnings=rendered.warnings,
            notes=rendered.notes,
            elapsed_s=round(time.monotonic() - started_s, 3),
        )
    studio.jobs.advance(claim, Stage.process, processed=processed.as_work())


def _rendered(studio: Studio, claim: Claim, record: JobRecord, validated: Validated, folder: Path) -> Rendered:
    spec = record.spec
    return render(
        _local_file(studio, validated.source, folder / "source", staged=validated.staged),
        effective_steps(spec.work),
        spec.outputs,
        folder,
        name=spec.filename,
        limits=studio.settings.limits,
        materials=_materials(studio, validated, folder),
        providers=studio.settings.onnx_providers.split(","),
        progress=studio.progress_of(claim, within_s=POLICIES[Stage.process].timeout_s),
    )


def _materials(studio: Studio, validated: Validated, folder: Path) -> dict[str, Path]:
    """The other recordings that the chain needs as local files, by their address."""
    return {
        material.asked.uri: _local_file(
            studio, material.object, folder / f"material-{index}", staged=material.staged
        )
        for index, material in enumerate(validated.materials)
    }


def _local_file(studio: Studio, stored: StoredObject, path: Path, *, staged: bool) -> Path:
    """A source as a local file, its bytes the ones that were validated."""
    if not staged:
        return fetched_into(studio, Source(uri=stored.uri, sha256=stored.sha256), path).path
    local = studio.objects.local_path(stored.uri) or path
    if not local.exists():
        studio.objects.download(stored, local)
    return local


def _stage(studio: Studio, claim: Claim, index: int, master: Master) -> Rendition:
    stored = studio.objects.put_file(
        master.path,
        staged_key(claim.job_id, f"{index}{master.output.format.suffix}"),
        media_type=master.output.format.media_type,
    )
    return Rendition(
        output=master.output,
        object=stored,
        after=master.after,
        target_lufs=master.target_lufs,
        ceiling_dbtp=master.ceiling_dbtp,
        target_rms_dbfs=master.target_rms_dbfs,
        title=master.title,
    )
