"""Errors to Sentry, traces to an OpenTelemetry collector: each only where a setting names one, without secrets.

Every process tells for itself: the API, those that run flows, and each hand.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from mixdown import __version__
from mixdown.errors import InvalidRequest, MixdownError
from mixdown.logs import masked
from mixdown.settings import Settings

#: How long what waits may take to go out in the end.
_FLUSH_S = 2.0

#: Of a request, what may be told to others.
_OF_REQUESTS = ("method", "url")

#: The trace that begins next; 0: any.
_TRACE_ID: ContextVar[int] = ContextVar("_TRACE_ID", default=0)


class Telemetry:
    """What a process tells of itself."""

    def __init__(self, tracers: Any = None, sentry: Any = None) -> None:
        self._tracers = tracers  #: of OpenTelemetry
        self._tracer = tracers.get_tracer("mixdown", __version__) if tracers else None
        self._sentry = sentry

    @contextmanager
    def request(self, method: str, headers: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """A span around a request; what the block puts into the dictionary is told of it."""
        told: dict[str, Any] = {}
        if self._tracer is None:
            yield told
            return
        from opentelemetry import trace
        from opentelemetry.propagate import extract

        with self._tracer.start_as_current_span(
            method,
            context=extract(headers),
            kind=trace.SpanKind.SERVER,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield told
            finally:
                span.set_attributes({"http.request.method": method, **told})
                span.update_name(f"{method} {told.get('http.route', '')}".strip())
                if told.get("http.response.status_code", 500) >= 500:
                    span.set_status(trace.StatusCode.ERROR)

    @contextmanager
    def stage(self, name: str, job_id: UUID) -> Iterator[None]:
        """A span around a stage of a job. Its stages are one trace, whoever does them: its id is the job's."""
        if self._tracer is None:
            yield
            return
        from opentelemetry.context import Context

        whose = _TRACE_ID.set(job_id.int)
        try:
            span = self._tracer.start_span(name, context=Context(), attributes={"mixdown.job": str(job_id)})
        finally:
            _TRACE_ID.reset(whose)
        from opentelemetry import trace

        with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            yield

    def went_wrong(self, code: str) -> None:
        """Say of the stage under way how it ends."""
        if self._tracer is None:
            return
        from opentelemetry import trace

        span = trace.get_current_span()
        span.set_attribute("error.type", code)
        span.set_status(trace.StatusCode.ERROR)

    def flush(self) -> None:
        """Send what waits."""
        if self._tracers is not None:
            self._tracers.force_flush(int(_FLUSH_S * 1000))
        if self._sentry is not None:
            self._sentry.flush(_FLUSH_S)

    def close(self) -> None:
        """Send what waits, and tell no more."""
        self.flush()
        if self._tracers is not None:
            self._tracers.shutdown()
        with _beginning:
            if self in _of_this_process:
                _of_this_process.remove(self)


_beginning = threading.Lock()
_of_this_process: list[Telemetry] = []  #: one at most


def begin(settings: Settings, *, service: str) -> Telemetry:
    """Have this process tell whom the settings name; whoever says it first says what the process is called.

    InvalidRequest where what that takes is not installed.
    """
    with _beginning:
        if not _of_this_process:
            _of_this_process.append(start(settings, service=service))
        return _of_this_process[0]


def ours() -> Telemetry:
    """What this process tells; nothing, where it has not begun to."""
    with _beginning:
        return _of_this_process[0] if _of_this_process else Telemetry()


def check(settings: Settings) -> None:
    """InvalidRequest where what the settings name takes more than is installed.

    For who begins other processes, each of which would only find out for itself.
    """
    if settings.sentry_dsn is not None:
        _sentry()
    if settings.otlp_url:
        _exporter()


def start(settings: Settings, *, service: str) -> Telemetry:
    """Begin to tell whom the settings name; InvalidRequest where what that takes is not installed."""
    return Telemetry(_traces(settings, service), _errors(settings, service))


def _errors(settings: Settings, service: str) -> Any:
    if settings.sentry_dsn is None:
        return None
    sentry = _sentry()
    sentry.init(
        dsn=settings.sentry_dsn.get_secret_value(),
        release=f"mixdown@{__version__}",
        server_name=service,
        send_default_pii=False,
        include_local_variables=False,  # they hold signed addresses
        max_request_body_size="never",
        max_breadcrumbs=20,
        before_send=_to_be_told,
        auto_session_tracking=False,
    )
    return sentry


def _sentry() -> Any:
    try:
        import sentry_sdk
    except ModuleNotFoundError as error:
        raise InvalidRequest("For MIXDOWN_SENTRY_DSN, install mixdown[sentry].") from error
    return sentry_sdk


def _traces(settings: Settings, service: str) -> Any:
    if not settings.otlp_url:
        return None
    exporter = _exporter()(f"{settings.otlp_url.rstrip('/')}/v1/traces")
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class Ids(RandomIdGenerator):
        def generate_trace_id(self) -> int:
            return _TRACE_ID.get() or super().generate_trace_id()

    about = Resource({"service.name": service, "service.version": __version__})
    tracers = TracerProvider(resource=about, id_generator=Ids())
    tracers.add_span_processor(BatchSpanProcessor(exporter))
    return tracers


def _exporter() -> Any:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ModuleNotFoundError as error:
        raise InvalidRequest("For MIXDOWN_OTLP_URL, install mixdown[telemetry].") from error
    return OTLPSpanExporter


def _to_be_told(event: Any, hint: Any) -> Any:
    """The event of a bug, cleaned; None of what a hand has told itself, and of errors of ours: they are no bugs."""
    record, exception = hint.get("log_record"), (hint.get("exc_info") or (None, None))[1]
    if getattr(record, "told", False) or isinstance(exception, MixdownError):
        return None
    if record is not None and record.name.startswith("prefect.") and exception is None:
        return None  # how a run ended
    return _clean(event)


def _clean(event: Any) -> Any:
    """An event without queries, headers, bodies, and anything that looks like a secret."""
    request = event.get("request")
    if request:
        kept = {name: value for name, value in request.items() if name in _OF_REQUESTS}
        event["request"] = kept | {"url": str(kept.get("url", "")).partition("?")[0]}
    return _masked(event)


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, Mapping):
        return {name: _masked(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(each) for each in value]
    return value
