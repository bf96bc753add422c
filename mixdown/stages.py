"""The four stages of a job. Each reads what it needs from the ledger; what came of it is written there.

The jobs of a shard are read together and written together. A stage may be run again at any time: what it
has completed under a claim it does not do twice.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from mixdown import telemetry
from mixdown.errors import (
    INTERNAL,
    ClaimLost,
    CorruptObject,
    DatabaseUnavailable,
    Interrupted,
    NeedsTooMuchMemory,
    PermanentError,
    RetryableError,
)
from mixdown.fetch import origin_of
from mixdown.findings import Processed, Validated, completed
from mixdown.intake import take_in
from mixdown.making import make
from mixdown.model import (
    Advanced,
    Claim,
    Deferred,
    Failed,
    Generate,
    JobRecord,
    JobResult,
    Outage,
    Outcome,
    Rendition,
    Stage,
    Status,
    Succeeded,
)
from mixdown.notices import deliveries_for, notify
from mixdown.owner import host
from mixdown.retry import POLICIES, decide
from mixdown.storage import master_key, safe_stem, staged_key
from mixdown.studio import Studio
from mixdown.verdict import failed

logger = logging.getLogger(__name__)

#: How long finished work waits in memory for its neighbors, before it is written down, in seconds.
_WRITE_EVERY_S = 2.0

#: Attachments that are delivered with a master.
_CAPTIONS = (".srt", ".vtt")

#: How long finished work is kept while the database is away, in seconds: to make it again may take longer.
_HOLD_S = 120.0


# -- one stage over some jobs ---------------------------------------------------------------------


def run_stage(stage: Stage, studio: Studio, claims: Sequence[Claim]) -> list[Claim]:
    """Run a stage for each claimed job; returns the claims that live on.

    A permanent error ends its job, with a code, and touches no neighbor. After a retryable one the job goes
    back into the queue until its time comes, or has failed when that was its last try.

    Raises
    ------
    DatabaseUnavailable
        The ledger cannot be read or written. Running the stage again does what is not written down.
    Interrupted
        `Studio.stopping` was set.
    """
    if stage is Stage.notify:  # whoever is told of the end of a job needs no right to it
        notify(studio, [claim.job_id for claim in claims])
        return list(claims)
    run = _Run(stage, studio)
    held = {claim.job_id: claim for claim in claims}
    for record in studio.jobs.read(list(held)):
        if record.status is Status.running and record.fence == held[record.id].fence:
            with telemetry.ours().stage(stage.value, record.id):
                run.do(record, held[record.id])
    run.write()
    return run.alive


@dataclass
class _Run:
    """A stage on its way through a shard."""

    stage: Stage
    studio: Studio
    alive: list[Claim] = field(default_factory=list)
    unwritten: list[Outcome] = field(default_factory=list)
    written_s: float = field(default_factory=time.monotonic)
    down: dict[str, Outage] = field(default_factory=dict)  #: found out in this very shard
    outages: frozenset[str] | None = None  #: what was down before it

    def do(self, record: JobRecord, claim: Claim) -> None:
        """Run the stage for one job, and note what came of it."""
        self.studio.at(record.id)
        try:
            work = _STAGES[self.stage] if claim.part is None else _speak_part
            outcome = self._waits(record, claim) or work(self.studio, record, claim)
        except ClaimLost:
            logger.info("job %s is no longer ours: it has ended or another process has it", record.id)
            return
        except (Interrupted, DatabaseUnavailable):
            self.write()
            raise
        except PermanentError as error:
            outcome = self._failed(record, claim, error.code, error.message)
        except RetryableError as error:
            outcome = self._not_served(record, claim, error)
        except MemoryError:  # of what its process may have; see `hand`
            message = f"“{record.spec.filename}” needs more memory than there is for one job."
            outcome = self._failed(record, claim, NeedsTooMuchMemory.code, message)
        except Exception:
            # The one named place for a broad except: a bug met by one job must not take its neighbors along.
            logger.exception("job %s met a bug in %s", record.id, self.stage.value)
            outcome = self._failed(record, claim, INTERNAL, "Mixdown has a bug here; its log has the details.")
        else:
            self._served(record)
        if not isinstance(outcome, Failed | Deferred):
            self.alive.append(_with_parts(claim, record, outcome) if self.stage is Stage.validate else claim)
        if outcome is not None:
            self.unwritten.append(outcome)
        if time.monotonic() - self.written_s > _WRITE_EVERY_S:
            self.write()

    def write(self) -> None:
        """Write down what came of the jobs so far. A database that is away for a while is waited for."""
        outcomes, self.unwritten = self.unwritten, []
        if outcomes:
            lost = _persistently(self.studio, outcomes)
            self.alive = [claim for claim in self.alive if claim not in lost]
            ended = [each.claim for each in outcomes if isinstance(each, Succeeded | Failed)]
            over = [claim.job_id for claim in ended if claim not in lost]
            self.studio.objects.delete_prefixes([staged_key(job_id, "") for job_id in over])
        self.written_s = time.monotonic()

    def _failed(self, record: JobRecord, claim: Claim, code: str, message: str) -> Failed:
        """The end of a job with an error code, and whom to tell."""
        logger.info("job %s failed in %s: %s (%s)", record.id, self.stage.value, message, code)
        telemetry.ours().went_wrong(code)
        return failed(record, claim, self.stage, code, message)

    def _not_served(self, record: JobRecord, claim: Claim, error: RetryableError) -> Outcome:
        """What becomes of a job after an error that trying again may mend."""
        outage = None
        if error.dependency:
            outage = self.studio.jobs.not_served(error.dependency, record.id, code=error.code, detail=error.message)
            if outage.next_probe_at is not None:
                self.down[error.dependency] = outage
        again = decide(
            POLICIES[self.stage],
            error,
            tries=record.tries,
            outage=outage,
            held=error.dependency in (record.origin, *_ours()),
            patience_s=self.studio.settings.outage_patience_s,
            now=datetime.now(UTC),
            chance=random.random(),  # noqa: S311 - no secret
        )
        if again is None:
            return self._failed(record, claim, error.code, error.message)
        logger.warning("job %s: %s; it will be tried again", record.id, error.message)
        telemetry.ours().went_wrong(error.code)
        return Deferred(
            claim=claim,
            code=error.code,
            detail=error.message,
            until=again.at,
            counts=again.counts,
            from_start=again.from_start,
        )

    def _waits(self, record: JobRecord, claim: Claim) -> Deferred | None:
        """Put a job off that needs what jobs before it have just found to be down."""
        down = next((self.down[each] for each in self._needs(record) if each in self.down), None)
        if down is None:
            return None
        until = down.next_probe_at or datetime.now(UTC)
        return Deferred(claim=claim, code=down.code, detail=down.detail, until=until, counts=False)

    def _served(self, record: JobRecord) -> None:
        """What was down and has just served a job is back."""
        if self.outages is None:
            self.outages = frozenset(outage.dependency for outage in self.studio.jobs.outages())
        back = self._needs(record) & (self.outages | self.down.keys())
        if back:
            self.studio.jobs.served(back)
            self.outages -= back
            for dependency in back & self.down.keys():
                del self.down[dependency]

    def _needs(self, record: JobRecord) -> frozenset[str]:
        """What this stage cannot do without."""
        if self.stage is Stage.validate:  # an engine, which the origin may also be, is not asked yet
            return frozenset({record.origin} & {origin_of(record.spec.source)})
        speech = Validated.of(record.work["validated"]).speech if "validated" in record.work else None
        return frozenset({*_ours(), *((speech.origin,) if speech and speech.origin else ())})


def _ours() -> tuple[str, str]:
    """What no job that is being worked on here can do without."""
    return "results", f"scratch:{host()}"


def _speak_part(studio: Studio, record: JobRecord, claim: Claim) -> None:
    from mixdown.speaking import speak_part  # here: most jobs have nothing to say

    speak_part(studio, record, claim)


def _with_parts(claim: Claim, record: JobRecord, outcome: Outcome | None) -> Claim:
    """The claim of a job that is validated now, with the parts in which its speech may be made."""
    work = outcome.work if isinstance(outcome, Advanced) else record.work
    validated = Validated.of(work["validated"])
    over = validated.already_made or completed(record, Stage.process)
    if over or validated.speech is None:
        return claim
    speech = validated.speech
    return replace(claim, parts=speech.parts, engine=speech.engine if speech.origin else "")


def _persistently(studio: Studio, outcomes: Sequence[Outcome]) -> list[Claim]:
    """Write outcomes down, again and again while the database is away, for a while."""
    give_up_s = time.monotonic() + _HOLD_S
    wait_s = 0.2
    while True:
        try:
            return studio.jobs.write(outcomes)
        except DatabaseUnavailable:
            if time.monotonic() + wait_s > give_up_s:
                raise
            time.sleep(wait_s)
            wait_s = min(2 * wait_s, 5.0)


# -- store ----------------------------------------------------------------------------------------


def store(studio: Studio, record: JobRecord, claim: Claim) -> Succeeded:
    """Promote the staged objects to their final keys, verified: with that the job has ended."""
    validated = Validated.of(record.work["validated"])
    result = _earlier(studio, validated) if validated.already_made else _promoted(studio, record, validated)
    result = replace(result, renditions=tuple(_named(studio, record, master) for master in result.renditions))
    _deliver_captions(studio, record, result)
    now = datetime.now(UTC)
    ended = replace(record, status=Status.succeeded, result=result, finished_at=now)
    return Succeeded(claim=claim, result=result, deliveries=tuple(deliveries_for(ended, now)))


def _earlier(studio: Studio, validated: Validated) -> JobResult:
    """The result of the job that made it first, without that job's named copies."""
    earlier = studio.jobs.find_result(validated.result_key)
    if earlier is None or not studio.intact(earlier):
        raise CorruptObject("An earlier result was deleted while it was about to be used again.")
    masters = tuple(replace(master, delivered_uri=None) for master in earlier.renditions)
    return replace(earlier, renditions=masters, reused=True)


def _promoted(studio: Studio, record: JobRecord, validated: Validated) -> JobResult:
    processed = Processed.of(record.work["processed"])

    names = {
        "report": (processed.report, "report.json"),
        "picture": (processed.picture, "waveform.png"),
        **{
            f"master-{index}": (master.object, f"{index}{master.output.format.suffix}")
            for index, master in enumerate(processed.renditions)
        },
        **{f"attachment-{each.name}": (each.object, each.name) for each in processed.attachments},
    }
    staged = [(obj, master_key(validated.result_key, name)) for obj, name in names.values()]
    final = dict(zip(names, studio.objects.promote_all(staged), strict=True))
    return JobResult(
        result_key=validated.result_key,
        source_sha256=validated.source.sha256,
        steps=processed.steps,
        before=processed.before,
        renditions=tuple(
            replace(master, object=final[f"master-{index}"]) for index, master in enumerate(processed.renditions)
        ),
        attachments=tuple(replace(e, object=final[f"attachment-{e.name}"]) for e in processed.attachments),
        notes=processed.notes,
        comparisons=processed.comparisons,
        report=final["report"],
        picture=final["picture"],
        warnings=processed.warnings,
        elapsed_s=processed.elapsed_s,
    )


def _named(studio: Studio, record: JobRecord, master: Rendition) -> Rendition:
    """The master with a copy under the recording's own name, where one was asked for."""
    if record.spec.deliver_to is None:
        return master
    filename = delivered_name(record.spec.filename, master)
    uri = studio.objects.copy_out(master.object, record.spec.deliver_to, filename)
    return replace(master, delivered_uri=uri)


def _deliver_captions(studio: Studio, record: JobRecord, result: JobResult) -> None:
    """Captions beside the master, under the script's own name, where a copy was asked for: players look there."""
    if record.spec.deliver_to is not None and isinstance(record.spec.work, Generate):
        for each in result.attachments:
            suffix = Path(each.name).suffix
            if suffix in _CAPTIONS:
                name = safe_stem(record.spec.filename) + suffix
                studio.objects.copy_out(each.object, record.spec.deliver_to, name)


def delivered_name(filename: str, master: Rendition) -> str:
    """What a delivered file is called: as the recording, and its part where it was split."""
    stem = safe_stem(filename)
    return (f"{stem} - {safe_stem(master.title)}" if master.title else stem) + master.output.format.suffix


_STAGES: dict[Stage, Callable[[Studio, JobRecord, Claim], Outcome | None]] = {
    Stage.validate: take_in,
    Stage.process: make,
    Stage.store: store,
}
