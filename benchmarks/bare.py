"""The stages of Mixdown without its ledger and without Prefect: what everybody's pool or queue would call."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from mixdown.intake import take_in
from mixdown.making import make
from mixdown.model import (
    Advanced,
    AudioFormat,
    Claim,
    JobRecord,
    JobSpec,
    NeverWorse,
    NoiseReduction,
    OutputSpec,
    Stage,
    Status,
    Succeeded,
)
from mixdown.settings import Settings
from mixdown.stages import store
from mixdown.step_text import parse_steps
from mixdown.storage import ObjectStore, staged_key
from mixdown.studio import Studio, s3_options
from mixdown.submission import enhance_specs, sources
from mixdown.webhooks import LogNotifier

#: What is asked of each clip.
MASTERED = "mastered"  #: the podcast chain without noise reduction, as flac
CHEAPEST = "cheapest"  #: brought to its loudness, nothing else, not compared with its source
OUTPUTS = [OutputSpec(format=AudioFormat.flac)]

#: The same as parameters of the flows.
ASKED: dict[str, dict[str, Any]] = {
    MASTERED: {"preset": "podcast", "noise_reduction": NoiseReduction.off, "outputs": OUTPUTS},
    CHEAPEST: {"steps": ["loudness"], "never_worse": NeverWorse.off, "outputs": OUTPUTS},
}


def specs_of(paths: list[str], kind: str) -> list[JobSpec]:
    """The request for each clip."""
    asked = {"preset": "podcast", **ASKED[kind]}
    if "steps" in asked:
        asked["steps"] = parse_steps(asked["steps"])
    return enhance_specs(sources(paths), **asked)


class NoLedger:
    """Knows nothing, keeps nothing."""

    def find_result(self, result_key: str) -> None:
        """There is no earlier result."""

    def progress(self, claim: Claim, fraction: float) -> None:
        """Nobody looks."""


@lru_cache(maxsize=1)
def studio() -> Studio:
    """The ports of this process."""
    settings = Settings()
    settings.home.mkdir(parents=True, exist_ok=True)
    return Studio(
        settings=settings,
        jobs=NoLedger(),  # type: ignore[arg-type]
        objects=ObjectStore(settings.effective_results_url),
        notifier=LogNotifier(),
        s3=s3_options(settings),
    )


def validated(path: str, kind: str) -> dict[str, Any]:
    """The first stage: fetched, hashed, probed."""
    return _advanced(take_in, path, kind, {})


def processed(path: str, kind: str, work: dict[str, Any]) -> dict[str, Any]:
    """The second stage: rendered, measured, staged."""
    return _advanced(make, path, kind, work)


def stored(path: str, kind: str, work: dict[str, Any]) -> str:
    """The third stage: under its final name, verified; the hash of the master."""
    record, claim = _record(path, kind, work)
    ended = store(studio(), record, claim)
    assert isinstance(ended, Succeeded)
    studio().objects.delete_prefix(staged_key(record.id, ""))
    return ended.result.renditions[0].object.sha256


def whole(path: str, kind: str) -> str:
    """All stages, one after the other."""
    work = validated(path, kind)
    work |= processed(path, kind, work)
    return stored(path, kind, work)


def clips_in(folder: Path) -> list[str]:
    """The clips, in order."""
    return sorted(os.fspath(path) for path in folder.iterdir())


def _record(path: str, kind: str, work: dict[str, Any]) -> tuple[JobRecord, Claim]:
    job_id = uuid5(NAMESPACE_URL, path)
    record = JobRecord(
        id=job_id,
        idempotency_key=path,
        spec=specs_of([path], kind)[0],
        status=Status.running,
        stage=list(Stage)[len(work) - 1] if work else None,
        work=work,
        created_at=datetime.now(UTC),
    )
    return replace(record, fence=1, attempts=1), Claim(job_id=job_id, fence=1)


def _advanced(stage: Any, path: str, kind: str, work: dict[str, Any]) -> dict[str, Any]:
    record, claim = _record(path, kind, work)
    outcome = stage(studio(), record, claim)
    assert isinstance(outcome, Advanced)
    return dict(outcome.work)
