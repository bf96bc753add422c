"""The proof that goes with a master: what came in, what was done, what went out, how to repeat it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mixdown import __version__, presets
from mixdown.chain import tool_versions
from mixdown.findings import Validated
from mixdown.model import Comparison, Enhance, JobRecord, JobSpec, LevelReport, Work

if TYPE_CHECKING:
    from mixdown.render import Rendered  # it loads all of the sound, and who shows a job needs none


def report_json(
    spec: JobSpec,
    validated: Validated,
    rendered: Rendered,
    comparisons: Sequence[Comparison] = (),
    warnings: Sequence[str] = (),
    speech: Mapping[str, Any] | None = None,
) -> bytes:
    """The report of a job as JSON. No times in it: the same work gives the same bytes."""
    source = {"filename": spec.filename, "sha256": validated.source.sha256, **asdict(rendered.source)}
    report = {
        "mixdown": __version__,
        "result_key": validated.result_key,
        "source": source,
        "work": {
            "kind": spec.work.kind,
            "preset": preset_of(spec.work),
            "steps": [step.model_dump(mode="json") for step in rendered.steps],
        },
        "before": levels(rendered.before),
        "masters": [
            {
                "output": master.output.model_dump(mode="json"),
                "title": master.title,
                "target_lufs": master.target_lufs,
                "target_rms_dbfs": master.target_rms_dbfs,
                "ceiling_dbtp": master.ceiling_dbtp,
                "after": levels(master.after),
            }
            for master in rendered.masters
        ],
        "notes": list(rendered.notes),
        "compared_with_the_source": [asdict(comparison) for comparison in comparisons],
        "warnings": list(warnings),
        "versions": tool_versions(),
    }
    if speech is not None:
        report["speech"] = dict(speech)
    return json.dumps(report, indent=2, ensure_ascii=False, default=str).encode()


def preset_of(work: Work) -> str | None:
    """The preset that a job goes by; None where it has steps of its own.

    Steps beside the name of no shipped preset are those of a preset of the user's.
    """
    if not isinstance(work, Enhance):
        return None
    return work.preset if work.steps is None or work.preset not in presets.names() else None


def levels(report: LevelReport) -> dict[str, float | int | None]:
    """A level report for JSON; a level of minus infinity (silence) becomes null."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else _short(value)
        for name, value in asdict(report).items()
    }


def _short(value: float | int) -> float | int:
    return round(value, 3) if isinstance(value, float) else value


def job_document(record: JobRecord) -> dict[str, Any]:
    """A job for programs: its state, its measurements, where its masters lie, or why there are none."""
    result = record.result
    error = {"code": record.error_code, "message": record.error_detail} if record.error_code else None
    attached = result.attachments if result else ()
    return {
        "id": str(record.id),
        "filename": record.spec.filename,
        "state": record.status.value,
        "error": error,
        "before": levels(result.before) if result else None,
        "masters": [
            {
                "uri": master.delivered_uri or master.object.uri,
                "object_uri": master.object.uri,
                "format": master.output.format.value,
                "sha256": master.object.sha256,
                "size_bytes": master.object.size_bytes,
                "title": master.title,
                "target_lufs": master.target_lufs,
                "target_rms_dbfs": master.target_rms_dbfs,
                "ceiling_dbtp": master.ceiling_dbtp,
                "after": levels(master.after),
            }
            for master in (result.renditions if result else ())
        ],
        "report_uri": result.report.uri if result else None,
        "picture_uri": result.picture.uri if result else None,
        "attachments": [{"name": each.name, "uri": each.object.uri} for each in attached],
        "notes": list(result.notes) if result else [],
        "warnings": list(result.warnings) if result else [],
        "reused": bool(result and result.reused),
        "elapsed_s": result.elapsed_s if result else None,
        "attempts": record.attempts,
        "created_at": record.created_at.isoformat(),
        "finished_at": record.finished_at.isoformat() if record.finished_at else None,
    }
