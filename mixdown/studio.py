"""The composition root: everything a stage needs, opened once and handed over."""

from __future__ import annotations

import math
import shutil
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeVar
from uuid import UUID, uuid4

from mixdown.channels import ChannelNotifier, channels_from
from mixdown.endpoints import Endpoints
from mixdown.errors import DatabaseUnavailable, Interrupted, TimedOut
from mixdown.jobs import JobStore, migrate, open_engine
from mixdown.logs import about
from mixdown.model import Claim, JobResult, StoredObject
from mixdown.owner import APART, is_alive, this_process
from mixdown.progress import Progress
from mixdown.reach import Reach
from mixdown.receivers import Receivers
from mixdown.scratch import new_workspace, sweep
from mixdown.settings import Settings
from mixdown.storage import ObjectStore, S3Options
from mixdown.webhooks import Notifier

AnyKey = TypeVar("AnyKey", bound=Hashable)

#: How often a job's progress is written down at most.
_PROGRESS_EVERY_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Studio:
    """The ports of a process. Tests hand over their own."""

    settings: Settings
    jobs: JobStore
    objects: ObjectStore
    notifier: Notifier
    s3: S3Options  #: how S3 is reached, for sources too
    stopping: threading.Event = field(default_factory=threading.Event)  #: set it to stop all work soon
    at: Callable[[UUID], None] = lambda _: None  #: told of each job that work is begun on

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """An empty scratch folder, gone afterwards; one left by a killed process is swept by `sweep`."""
        folder = new_workspace(self.settings.effective_scratch)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @cached_property
    def channels(self) -> frozenset[str]:
        """The names by which people can be told."""
        named = self.settings.channels.get_secret_value() if self.settings.channels else None
        return frozenset(channels_from(named))

    def sweep(self) -> int:
        """Delete what processes that are gone left in the scratch folder; returns how many it were."""
        return sweep(self.settings.effective_scratch)

    @contextmanager
    def at_work(
        self, batch_id: UUID | None = None, flow_run_id: UUID | None = None, *, apart: bool = False
    ) -> Iterator[AtWork]:
        """A shift: an owner for claims, its heart beating; what it still holds afterwards is queued again.

        With `apart`, the work is done by children: when this process dies, no job of its is to blame.
        """
        at_work = AtWork(
            owner=this_process(uuid4().hex[:8]) + (APART if apart else ""),
            batch_id=batch_id,
            flow_run_id=flow_run_id,
            studio=replace(self, stopping=threading.Event()),
        )
        self.jobs.begin_shift(at_work.owner, batch_id=batch_id, flow_run_id=flow_run_id)
        done = threading.Event()
        beat = threading.Thread(target=self._beat, args=(at_work, done), name="heartbeat", daemon=True)
        beat.start()
        try:
            with about(batch=batch_id, flow_run=flow_run_id):
                yield at_work
        finally:
            done.set()
            beat.join()
            with suppress(DatabaseUnavailable):  # others find out that this shift is over
                self.jobs.release_all(at_work.owner)
                self.jobs.end_shift(at_work.owner)

    def claim(self, job_id: UUID, owner: str) -> Claim | None:
        """The right to work on a job; None where it has ended or somebody else works on it."""
        return self.jobs.claim(job_id, owner=owner, lease_s=self.settings.lease_s, is_alive=is_alive)

    def progress_of(self, claim: Claim, *, within_s: float | None) -> Progress:
        """A progress callback that writes to the ledger now and then, and is where work can be stopped.

        It raises Interrupted when the studio is stopping, TimedOut when `within_s` have passed.
        """
        last_written_s = time.monotonic()  # thousands of jobs that take less than that are written about never
        deadline_s = math.inf if within_s is None else time.monotonic() + within_s

        def progress(fraction: float) -> None:
            nonlocal last_written_s
            self.check()
            if time.monotonic() > deadline_s:
                raise TimedOut(f"Given up after {within_s} s of work on it.")
            if time.monotonic() - last_written_s >= _PROGRESS_EVERY_S:
                last_written_s = time.monotonic()
                self.jobs.progress(claim, fraction)

        return progress

    def check(self) -> None:
        """Raise Interrupted when the studio is stopping: called wherever work can be stopped."""
        if self.stopping.is_set():
            raise Interrupted

    def intact(self, result: JobResult) -> bool:
        """Whether everything a result promises still lies where it says."""
        return not self.damaged({"": result})

    def damaged(self, results: Mapping[AnyKey, JobResult]) -> set[AnyKey]:
        """Those of many results of which something no longer lies where it says."""
        uris = {
            key: [
                *(stored.uri for stored in objects_of(result)),
                *(master.delivered_uri for master in result.renditions if master.delivered_uri),
            ]
            for key, result in results.items()
        }
        foreign = {
            key for key, result in results.items() if not all(self.objects.owns(o.uri) for o in objects_of(result))
        }
        missing = self.objects.missing(uri for key in uris.keys() - foreign for uri in uris[key])
        return foreign | {key for key in uris.keys() - foreign if not missing.isdisjoint(uris[key])}

    def _beat(self, shift: AtWork, done: threading.Event) -> None:
        while not done.wait(self.settings.lease_s / 4):
            # A database that is away for a moment is met by the stages, which know how to try again.
            with suppress(DatabaseUnavailable):
                # Whoever was silent for too long has been signed out, and is still there.
                self.jobs.begin_shift(shift.owner, batch_id=shift.batch_id, flow_run_id=shift.flow_run_id)
                self.jobs.heartbeat(shift.owner)


@dataclass(frozen=True, kw_only=True)
class AtWork:
    """A shift of this process."""

    owner: str  #: signs its claims
    batch_id: UUID | None
    flow_run_id: UUID | None
    studio: Studio  #: the ports, with a `stopping` of its own

    def stop(self) -> None:
        """Have all work of this shift stop soon."""
        self.studio.stopping.set()


def objects_of(result: JobResult) -> list[StoredObject]:
    """Every object of a result."""
    masters = [master.object for master in result.renditions]
    return [*masters, *(each.object for each in result.attachments), result.report, result.picture]


def s3_options(settings: Settings) -> S3Options:
    """The S3 part of the settings."""
    return S3Options(
        endpoint_url=settings.s3_endpoint_url,
        key=settings.s3_key,
        secret=settings.s3_secret.get_secret_value() if settings.s3_secret else None,
        region=settings.s3_region,
        public_url=settings.s3_public_url,
    )


def open_receivers(settings: Settings, jobs: JobStore) -> Receivers:
    """Whoever can be told, as the settings name them."""
    secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else None
    named = settings.channels.get_secret_value() if settings.channels else None
    return Receivers(
        secret=secret,
        channels=ChannelNotifier(channels_from(named)),
        endpoints=Endpoints(jobs.engine),
        guard=Reach(settings.allow_internal_webhooks).transport,
    )


def open_jobs(url: str, *, supabase: Literal["auto", "on", "off"] = "auto") -> JobStore:
    """The ledger at this database address, its tables made or brought up to date."""
    engine = open_engine(url)
    migrate(engine, supabase_mode=supabase)
    return JobStore(engine)


def open_studio(
    settings: Settings,
    *,
    jobs: JobStore | None = None,
    objects: ObjectStore | None = None,
    notifier: Notifier | None = None,
    s3: S3Options | None = None,
    stopping: threading.Event | None = None,
    at: Callable[[UUID], None] = lambda _: None,
) -> Studio:
    """Everything the settings name, opened; what is handed over takes the place of a setting."""
    settings.home.mkdir(parents=True, exist_ok=True)
    reach = s3 or s3_options(settings)
    ledger = jobs or open_jobs(settings.effective_database_url, supabase=settings.supabase)
    return Studio(
        settings=settings,
        jobs=ledger,
        objects=objects or ObjectStore(settings.effective_results_url, s3=reach),
        notifier=notifier or open_receivers(settings, ledger),
        s3=reach,
        stopping=stopping or threading.Event(),
        at=at,
    )
