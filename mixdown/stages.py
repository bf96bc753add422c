"""The four stages of a job. Each reads what it needs from the ledger and leaves its findings there.

A stage may be run again at any time: what it has completed under a claim it does not do twice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from mixdown.chain import effective_steps, result_key
from mixdown.codec.probe import probe
from mixdown.errors import (
    INTERNAL,
    ClaimLost,
    Interrupted,
    KeepsCrashing,
    PermanentError,
    RetryableError,
    SourceChanged,
)
from mixdown.fetch import Fetched, fetch
from mixdown.findings import Processed, Validated
from mixdown.model import (
    Claim,
    Delivery,
    JobRecord,
    JobResult,
    Rendition,
    Source,
    Stage,
    Status,
    StoredObject,
)
from mixdown.render import Master, render
from mixdown.report import report_json
from mixdown.retry import POLICIES
from mixdown.storage import master_key, safe_stem, source_key, staged_key
from mixdown.studio import Studio
from mixdown.webhooks import payload_for, retry_at

logger = logging.getLogger(__name__)

#: How many processes may die over a job before it is left alone.
MOST_ATTEMPTS = 5


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


# -- validate -------------------------------------------------------------------------------------


def validate(studio: Studio, claim: Claim) -> None:
    """Fetch the source, hash and probe it, refuse what is not accepted, and find out if it is done already."""
    record = studio.jobs.get(claim.job_id)
    if record.attempts > MOST_ATTEMPTS:
        raise KeepsCrashing(f"{MOST_ATTEMPTS} processes died over “{record.spec.filename}”; it is left alone now.")
    if _completed(record, Stage.validate):
        return
    spec = record.spec
    effective_steps(spec.work)  # a chain that makes no sense is refused before anything is fetched
    with studio.workspace() as folder:
        fetched = _fetch(studio, spec.source, folder)
        probed = probe(fetched.path, name=spec.filename, limits=studio.settings.limits)
        key = result_key(fetched.sha256, spec)
        earlier = studio.jobs.find_result(key)
        already_made = earlier is not None and studio.intact(earlier)
        source, staged = _reachable(studio, claim, spec.source, fetched, already_made=already_made)
    found = Validated(source=source, probe=probed, result_key=key, staged=staged, already_made=already_made)
    studio.jobs.advance(claim, Stage.validate, validated=found.as_work())


def _fetch(studio: Studio, source: Source, folder: Path) -> Fetched:
    return fetch(
        source,
        folder / "source",
        limits=studio.settings.limits,
        s3=studio.s3,
        timeout_s=studio.settings.fetch_timeout_s,
    )


def _reachable(
    studio: Studio, claim: Claim, source: Source, fetched: Fetched, *, already_made: bool
) -> tuple[StoredObject, bool]:
    """The source as every machine can read it, and whether that is a copy of ours.

    What lies in S3 stays there. A local file is read in place where the results are local too: then
    all work happens on this machine. Everything else is copied under the job's own prefix.
    """
    scheme = source.uri.partition("://")[0].lower()
    in_place = scheme == "s3" or (scheme not in ("http", "https") and studio.objects.is_local)
    if in_place or already_made:
        return StoredObject(uri=source.uri, sha256=fetched.sha256, size_bytes=fetched.size_bytes), False
    staged = studio.objects.put_file(fetched.path, source_key(claim.job_id), media_type="application/octet-stream")
    return staged, True


# -- process --------------------------------------------------------------------------------------


def process(studio: Studio, claim: Claim) -> None:
    """Render the masters and stage them, with their report and picture, under the job's own prefix."""
    record = studio.jobs.get(claim.job_id)
    validated = Validated.of(record.work["validated"])
    if _completed(record, Stage.process) or validated.already_made:
        return
    started_s = time.monotonic()
    spec = record.spec
    with studio.workspace() as folder:
        rendered = render(
            _source_file(studio, validated, folder),
            effective_steps(spec.work),
            spec.outputs,
            folder,
            name=spec.filename,
            limits=studio.settings.limits,
            providers=studio.settings.onnx_providers.split(","),
            progress=studio.progress_of(claim, within_s=POLICIES[Stage.process].timeout_s),
        )
        report = report_json(spec, validated, rendered)
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
            elapsed_s=round(time.monotonic() - started_s, 3),
        )
    studio.jobs.advance(claim, Stage.process, processed=processed.as_work())


def _source_file(studio: Studio, validated: Validated, folder: Path) -> Path:
    """The source as a local file, its bytes the ones that were validated."""
    source = validated.source
    if not validated.staged:
        return _fetch(studio, Source(uri=source.uri, sha256=source.sha256), folder).path
    path = studio.objects.local_path(source.uri) or folder / "source"
    if not path.exists():
        studio.objects.download(source, path)
    return path


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
    )


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
        report=promote(processed.report, "report.json"),
        picture=promote(processed.picture, "waveform.png"),
        warnings=processed.warnings,
        elapsed_s=processed.elapsed_s,
    )


def _named(studio: Studio, record: JobRecord, master: Rendition) -> Rendition:
    """The master with a copy under the recording's own name, where one was asked for."""
    if record.spec.deliver_to is None:
        return master
    filename = safe_stem(record.spec.filename) + master.output.format.suffix
    uri = studio.objects.copy_out(master.object, record.spec.deliver_to, filename)
    return replace(master, delivered_uri=uri)


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


def _completed(record: JobRecord, stage: Stage) -> bool:
    """Whether this stage is behind the job."""
    order = list(Stage)
    return record.stage is not None and order.index(record.stage) >= order.index(stage)


_STAGES: dict[Stage, Callable[[Studio, Claim], None]] = {
    Stage.validate: validate,
    Stage.process: process,
    Stage.store: store,
    Stage.notify: notify,
}
