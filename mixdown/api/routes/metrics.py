"""What Prometheus reads: the ledger in numbers, and the requests of this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine

from mixdown.api.desk import Reader
from mixdown.errors import DatabaseUnavailable
from mixdown.jobs import gauges

router = APIRouter(tags=["health"])

_MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

#: The ledger is looked at this often, however many ask.
_FRESH_S = 2.0


def registry_of(engine: Engine) -> CollectorRegistry:
    """The metrics of one app."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Ledger(engine))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


@router.get(
    "/metrics",
    summary="Numbers for Prometheus",
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/plain": {"example": 'mixdown_jobs{status="queued"} 12.0\n'}}}},
)
def metrics(request: Request, _: Reader) -> Response:
    """Of everybody's jobs, in numbers only; request counts are of the process that answers."""
    registry: CollectorRegistry = request.app.state.registry
    return Response(generate_latest(registry), media_type=_MEDIA_TYPE)


class _Ledger(Collector):
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._seen: tuple[float, gauges.Gauges | None] | None = None

    def collect(self) -> Iterator[Metric]:
        found = self._look()
        yield _number("mixdown_database_up", "Whether the database answers.", float(found is not None))
        if found is None:
            return
        yield _by("mixdown_jobs", "Jobs.", "status", {status.value: n for status, n in found.jobs.items()})
        yield _number("mixdown_queue_age_seconds", "Age of the oldest job that could begin.", found.queue_age_s)
        yield _number("mixdown_batches_open", "Batches that have not ended.", found.batches_open)
        yield _number("mixdown_batches_paused", "Those of them that are paused.", found.batches_paused)
        yield _number("mixdown_deliveries_waiting", "Notifications to be sent.", found.deliveries_waiting)
        late = "For how long the most overdue of them has been."
        yield _number("mixdown_deliveries_late_seconds", late, found.deliveries_late_s)
        yield _by("mixdown_outages", "What does not serve and is waited for.", "kind", found.outages)
        yield _number("mixdown_processes_at_work", "Processes signed in to work on jobs.", found.at_work)

    def _look(self) -> gauges.Gauges | None:
        with self._lock:
            now_s = time.monotonic()
            if self._seen is None or now_s - self._seen[0] > _FRESH_S:
                try:
                    found = gauges.look(self._engine)
                except DatabaseUnavailable:
                    found = None
                self._seen = (time.monotonic(), found)
            return self._seen[1]


def _number(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _by(name: str, text: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for each, value in values.items():
        family.add_metric([each], value)
    return family
