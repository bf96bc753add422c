"""The second stage: masters, or an analysis, made from what was taken in and staged with their proof."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mixdown import presets
from mixdown.accelerator import providers_of
from mixdown.analysis import analysis_files, analyze
from mixdown.analysis.attachments import MEDIA_TYPES
from mixdown.chain import effective_steps
from mixdown.findings import Processed, Validated, completed
from mixdown.heap import give_back
from mixdown.materials import Materials
from mixdown.model import (
    EDITS,
    Advanced,
    Analyze,
    Attachment,
    Claim,
    Comparison,
    Enhance,
    Generate,
    JobRecord,
    NeverWorse,
    Rendition,
    Stage,
    Step,
    StoredObject,
)
from mixdown.progress import Progress, part
from mixdown.quality import Hearing, compare, is_spectral, never_worse
from mixdown.render import Master, Rendered, render
from mixdown.report import report_json
from mixdown.retry import POLICIES
from mixdown.storage import staged_key
from mixdown.studio import Studio


def make(studio: Studio, record: JobRecord, claim: Claim) -> Advanced | None:
    """Make what was asked for and stage it under the job's own prefix."""
    validated = Validated.of(record.work["validated"])
    if completed(record, Stage.process) or validated.already_made:
        return None
    progress = studio.progress_of(claim, within_s=POLICIES[Stage.process].timeout_s)
    with studio.workspace() as folder:
        job = _Job(studio, record, validated, folder, progress)
        match record.spec.work:
            case Analyze():
                processed = job.analyzed()
            case Generate():
                processed = job.generated()
            case _:
                processed = job.mastered()
    return Advanced(claim=claim, stage=Stage.process, work={"processed": processed.as_work()})


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What came of running a chain, and how it compares with the source."""

    rendered: Rendered
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True)
class _Job:
    """One job at work in a folder of its own."""

    studio: Studio
    record: JobRecord
    validated: Validated
    folder: Path
    progress: Progress

    def mastered(self) -> Processed:
        """The masters, their report and their picture."""
        started_s = time.monotonic()
        work = self.record.spec.work
        mode = work.never_worse if isinstance(work, Enhance) else NeverWorse.off
        source, materials = self._materials.source(), self._materials.beside()

        def attempt(steps: tuple[Step, ...]) -> _Attempt:
            return self._attempt(source, materials, steps, compared=mode is not NeverWorse.off)

        settled = never_worse(attempt, effective_steps(work), mode)
        rendered, comparisons = settled.tried.rendered, settled.tried.comparisons
        warnings = (*rendered.warnings, *settled.sentences)
        report = report_json(self.record.spec, self.validated, rendered, comparisons, warnings)
        return Processed(
            steps=rendered.steps,
            before=rendered.before,
            renditions=tuple(self._staged_master(index, each) for index, each in enumerate(rendered.masters)),
            report=self._staged_bytes("report.json", report),
            picture=self._staged_bytes("waveform.png", rendered.picture),
            warnings=warnings,
            notes=rendered.notes,
            comparisons=comparisons,
            elapsed_s=round(time.monotonic() - started_s, 3),
        )

    def _attempt(
        self, source: Path, materials: dict[str, Path], steps: Sequence[Step], *, compared: bool
    ) -> _Attempt:
        settings, spec = self.studio.settings, self.record.spec
        # A chain without a network neither loads ONNX Runtime nor minds what it is set to.
        providers = providers_of(settings) if is_spectral(steps) else ()
        rendered = render(
            source,
            steps,
            spec.outputs,
            self.folder,
            name=spec.filename,
            limits=settings.limits,
            materials=materials,
            providers=providers,
            listen=partial(Hearing, excerpts=is_spectral(steps)) if compared else None,
            progress=self.progress,
        )
        if rendered.heard is None:
            return _Attempt(rendered, ())
        before, after = rendered.heard
        give_back()  # scoring speech takes most of a job's memory
        edited = any(isinstance(step, EDITS) for step in steps)
        # Speech is scored once: what the outputs differ by is the codec, which it is nearly deaf to.
        comparisons = tuple(
            compare(
                before,
                heard,
                providers=providers,
                speech_scores=index == 0 and is_spectral(steps),
                edited=edited,
            )
            for index, heard in enumerate(after)
        )
        return _Attempt(rendered, comparisons)

    def generated(self) -> Processed:
        """A script, said and mastered, with its captions."""
        from mixdown.generating import generate  # here: most jobs have nothing to say

        started_s = time.monotonic()
        made = generate(self.studio, self.record, self.validated, self.folder, part(self.progress, 0.0, 0.9))
        rendered = render(
            made.audio,
            effective_steps(self.record.spec.work),
            self.record.spec.outputs,
            self.folder,
            name=self.record.spec.filename,
            limits=self.studio.settings.limits,
            progress=part(self.progress, 0.9, 1.0),
        )
        warnings = (*made.warnings, *rendered.warnings)
        report = report_json(self.record.spec, self.validated, rendered, warnings=warnings, speech=made.facts)
        return Processed(
            steps=rendered.steps,
            before=rendered.before,
            renditions=tuple(self._staged_master(index, each) for index, each in enumerate(rendered.masters)),
            report=self._staged_bytes("report.json", report),
            picture=self._staged_bytes("waveform.png", rendered.picture),
            attachments=tuple(
                Attachment(name=name, object=self._staged_bytes(name, text.encode()))
                for name, text in made.attachments.items()
            ),
            warnings=warnings,
            notes=(*made.notes, *rendered.notes),
            elapsed_s=round(time.monotonic() - started_s, 3),
        )

    def analyzed(self) -> Processed:
        """The analysis, with all that goes with it."""
        started_s = time.monotonic()
        settings, work = self.studio.settings, self.record.spec.work
        asked = work.presets if isinstance(work, Analyze) else ()
        found = analyze(
            self._materials.source(),
            name=self.record.spec.filename,
            limits=settings.limits,
            presets=[presets.load(name, folder=settings.effective_presets) for name in asked or presets.names()],
            music=not isinstance(work, Analyze) or work.music,
            providers=providers_of(settings),
            progress=self.progress,
        )
        staged = {path.name: self._staged_file(path) for path in analysis_files(found, self.folder)}
        return Processed(
            steps=(),
            before=found.levels,
            renditions=(),
            report=staged.pop("analysis.json"),
            picture=staged.pop("waveform.png"),
            attachments=tuple(Attachment(name=name, object=stored) for name, stored in staged.items()),
            warnings=found.warnings,
            notes=tuple(verdict.text for verdict in found.verdicts),
            elapsed_s=round(time.monotonic() - started_s, 3),
        )

    # -- what goes out ------------------------------------------------------------------------------

    @property
    def _materials(self) -> Materials:
        return Materials(self.studio, self.validated, self.folder)

    def _staged_bytes(self, name: str, body: bytes) -> StoredObject:
        key = staged_key(self.record.id, name)
        return self.studio.objects.put_bytes(body, key, media_type=MEDIA_TYPES[Path(name).suffix], durable=False)

    def _staged_file(self, path: Path) -> StoredObject:
        key = staged_key(self.record.id, path.name)
        return self.studio.objects.put_file(path, key, media_type=MEDIA_TYPES[path.suffix], durable=False)

    def _staged_master(self, index: int, master: Master) -> Rendition:
        suffix = master.output.format.suffix
        key = staged_key(self.record.id, f"{index}{suffix}")
        return Rendition(
            output=master.output,
            object=self.studio.objects.put_file(
                master.path, key, media_type=master.output.format.media_type, durable=False, check=self.studio.check
            ),
            after=master.after,
            target_lufs=master.target_lufs,
            ceiling_dbtp=master.ceiling_dbtp,
            target_rms_dbfs=master.target_rms_dbfs,
            title=master.title,
        )
