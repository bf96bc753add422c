"""Errors to Sentry, traces to an OpenTelemetry collector: each only where a setting names one, without secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mixdown import __version__
from mixdown.errors import InvalidRequest
from mixdown.logs import masked
from mixdown.settings import Settings

#: How long what waits may take to go out in the end.
_FLUSH_S = 2.0

#: Of a request, what may be told to others.
_OF_REQUESTS = ("method", "url")


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

    def close(self) -> None:
        """Send what waits."""
        if self._tracers is not None:
            self._tracers.force_flush(int(_FLUSH_S * 1000))
            self._tracers.shutdown()
        if self._sentry is not None:
            self._sentry.flush(_FLUSH_S)


def start(settings: Settings, *, service: str) -> Telemetry:
    """Begin to tell whom the settings name; InvalidRequest where what that takes is not installed."""
    return Telemetry(_traces(settings, service), _errors(settings, service))


def _errors(settings: Settings, service: str) -> Any:
    if settings.sentry_dsn is None:
        return None
    try:
        import sentry_sdk
    except ModuleNotFoundError as error:
        raise InvalidRequest("For MIXDOWN_SENTRY_DSN, install mixdown[sentry].") from error
    sentry_sdk.init(
        dsn=settings.sentry_dsn.get_secret_value(),
        release=f"mixdown@{__version__}",
        server_name=service,
        send_default_pii=False,
        include_local_variables=False,  # they hold signed addresses
        max_request_body_size="never",
        max_breadcrumbs=20,
        before_send=_clean,
        auto_session_tracking=False,
    )
    return sentry_sdk


def _traces(settings: Settings, service: str) -> Any:
    if not settings.otlp_url:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        raise InvalidRequest("For MIXDOWN_OTLP_URL, install mixdown[telemetry].") from error
    tracers = TracerProvider(resource=Resource({"service.name": service, "service.version": __version__}))
    exporter = OTLPSpanExporter(f"{settings.otlp_url.rstrip('/')}/v1/traces")
    tracers.add_span_processor(BatchSpanProcessor(exporter))
    return tracers


def _clean(event: Any, _: Any) -> Any:
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
