"""The four stages of a job. Each reads what it needs from the ledger and leaves its findings there.

A stage may be run again at any time: what it has completed under a claim it does not do twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from mixdown.errors import (
    INTERNAL,
    ClaimLost,
    Interrupted,
    PermanentError,
    RetryableError,
    SourceChanged,
)
from mixdown.findings import Processed, Validated
from mixdown.intake import take_in
from mixdown.making import make
from mixdown.model import (
    Claim,
    Delivery,
    JobRecord,
    JobResult,
    Rendition,
    Stage,
    Status,
    StoredObject,
)
from mixdown.storage import master_key, safe_stem, staged_key
from mixdown.studio import Studio
from mixdown.webhooks import payload_for, retry_at

logger = logging.getLogger(__name__)


# -- one stage over some jobs ---------------------------------------------------------------------


def run_stage(stage: Stage, studio: Studio, claims: Iterable[Claim], *, last_try: bool) -> list[Claim]:
    """Run a stage for each claimed job; returns the claims that live on.

    A permanent error ends its job, with a code, and touches no neighbor. A retryable one is raised
    when all others are done, for the caller to try again, unless this was the last try.

    Raises
    ------
    RetryableError
        Some jobs could not be completed now. Running the stage again does only those.
    Interrupted
        `Studio.stopping` was set.
    """
    alive: list[Claim] = []
    to_retry: RetryableError | None = None
    for claim in claims:
        try:
            _STAGES[stage](studio, claim)
            alive.append(claim)
        except ClaimLost:
            logger.info("job %s is no longer ours: it has ended or another process has it", claim.job_id)
        except Interrupted:
            raise
        except PermanentError as error:
            _give_up(studio, claim, stage, error.code, error.message)
        except RetryableError as error:
            if last_try:
                _give_up(studio, claim, stage, error.code, error.message)
            else:
                logger.warning("job %s: %s; it will be tried again", claim.job_id, error.message)
                to_retry = error
        except Exception:
            # The one named place for a broad except: a bug met by one job must not take its neighbors along.
            logger.exception("job %s met a bug in %s", claim.job_id, stage.value)
            _give_up(studio, claim, stage, INTERNAL, "Mixdown has a bug here; its log has the details.")
    if to_retry is not None:
        raise to_retry
    return alive


def _give_up(studio: Studio, claim: Claim, stage: Stage, code: str, message: str) -> None:
    """End a job with an error code, and note whom to tell."""
    if stage is Stage.notify:
        logger.error("job %s has ended, but its notification has not left: %s", claim.job_id, message)
        return
    now = datetime.now(UTC)
    record = replace(
        studio.jobs.get(claim.job_id),
        status=Status.failed,
        error_code=code,
        error_detail=message,
        failed_stage=stage,
        finished_at=now,
    )
    with suppress(ClaimLost):
        studio.jobs.fail(claim, code=code, detail=message, stage=stage, deliveries=deliveries_for(record, now))
    studio.objects.delete_prefix(staged_key(claim.job_id, ""))
    logger.info("job %s failed in %s: %s (%s)", claim.job_id, stage.value, message, code)


# -- store ----------------------------------------------------------------------------------------


def store(studio: Studio, claim: Claim) -> None:
    """Promote the staged objects to their final keys, verified, and end the job in one transaction."""
    record = studio.jobs.get(claim.job_id)
    if record.status is Status.succeeded:
        return
    validated = Validated.of(record.work["validated"])
    result = _earlier(studio, validated) if validated.already_made else _promoted(studio, record, validated)
    result = replace(result, renditions=tuple(_named(studio, record, master) for master in result.renditions))
    now = datetime.now(UTC)
    ended = replace(record, status=Status.succeeded, result=result, finished_at=now)
    studio.jobs.succeed(claim, result, deliveries_for(ended, now))
    studio.objects.delete_prefix(staged_key(claim.job_id, ""))


def _earlier(studio: Studio, validated: Validated) -> JobResult:
    """The result of the job that made it first, without that job's named copies."""
    earlier = studio.jobs.find_result(validated.result_key)
    if earlier is None or not studio.intact(earlier):
        raise SourceChanged("An earlier result was deleted while it was about to be used again; try again.")
    masters = tuple(replace(master, delivered_uri=None) for master in earlier.renditions)
    return replace(earlier, renditions=masters, reused=True)


def _promoted(studio: Studio, record: JobRecord, validated: Validated) -> JobResult:
    processed = Processed.of(record.work["processed"])

    def promote(staged: StoredObject, name: str) -> StoredObject:
        return studio.objects.promote(staged, master_key(validated.result_key, name))

    return JobResult(
        result_key=validated.result_key,
        source_sha256=validated.source.sha256,
        steps=processed.steps,
        before=processed.before,
        renditions=tuple(
            replace(master, object=promote(master.object, f"{index}{master.output.format.suffix}"))
            for index, master in enumerate(processed.renditions)
        ),
        attachments=tuple(replace(each, object=promote(each.object, each.name)) for each in processed.attachments),
        notes=processed.notes,
        comparisons=processed.comparisons,
        report=promote(processed.report, "report.json"),
        picture=promote(processed.picture, "waveform.png"),
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


def delivered_name(filename: str, master: Rendition) -> str:
    """What a delivered file is called: as the recording, and its part where it was split."""
    stem = safe_stem(filename)
    return (f"{stem} - {safe_stem(master.title)}" if master.title else stem) + master.output.format.suffix


# -- notify ---------------------------------------------------------------------------------------


def notify(studio: Studio, claim: Claim) -> None:
    """Tell whoever asked to be told. A receiver that does not answer stays in the outbox."""
    record = studio.jobs.get(claim.job_id)
    logger.info("job %s (%s) %s", record.id, record.spec.filename, record.status.value)
    for delivery in studio.jobs.deliveries(record.id):
        if delivery.next_attempt_at is not None:
            deliver(studio, delivery)


def deliver(studio: Studio, delivery: Delivery) -> bool:
    """Try one delivery and write down what came of it; returns whether it was taken."""
    answer = studio.notifier.deliver(delivery)
    now = datetime.now(UTC)
    again_at = None if answer.ok else retry_at(delivery.attempts + 1, now, answer)
    studio.jobs.record_attempt(delivery.id, delivered=answer.ok, answer=answer.summary, next_attempt_at=again_at)
    return answer.ok


def deliveries_for(record: JobRecord, now: datetime) -> list[Delivery]:
    """The outbox rows of a job that has ended. The same end of the same claim gives the same ids."""
    return [
        Delivery(
            id=uuid5(NAMESPACE_URL, f"{record.id}/{record.fence}/{target.url}"),
            job_id=record.id,
            target=target,
            payload=payload_for(record),
            next_attempt_at=now,
        )
        for target in record.spec.notify
    ]


_STAGES: dict[Stage, Callable[[Studio, Claim], None]] = {
    Stage.validate: take_in,
    Stage.process: make,
    Stage.store: store,
    Stage.notify: notify,
}
