"""What a process tells Sentry and an OpenTelemetry collector, as they hear it."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from uuid import UUID

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from mixdown import telemetry
from mixdown.errors import InvalidRequest
from mixdown.hands import Hands
from mixdown.model import JobRecord, JobSpec, Source, Stage
from mixdown.runner import run_jobs
from mixdown.settings import Settings
from mixdown.studio import open_studio
from mixdown.submission import submit
from tests.signals import recording

#: An app with a bug in it, in a process of its own: what Sentry patches stays patched.
_PROGRAM = """
from fastapi.testclient import TestClient
from mixdown import telemetry
from mixdown.api import create_app
from mixdown.settings import Settings
from mixdown.studio import open_studio

settings = Settings()
told = telemetry.start(settings, service="mixdown-api")
app = create_app(open_studio(settings), open_to_all=True, telemetry=told)

@app.get("/bug/{number}")
def bug(number: int) -> None:
    address = "https://s3.example/a.wav?X-Amz-Signature=very-secret"
    raise RuntimeError(f"odd: {address}")

headers = {
    "authorization": "Bearer very-secret",
    "x-api-key": "very-secret",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}
with TestClient(app, raise_server_exceptions=False) as client:
    print(client.get("/bug/7?token=very-secret", headers=headers).status_code)
told.close()
"""


class Sink:
    """Both of them: keeps what is sent."""

    def __init__(self, server: HTTPServer) -> None:
        self.envelopes: list[str] = []
        self.traces: list[ExportTraceServiceRequest] = []
        self.port = server.port
        server.expect_request("/api/1/envelope/").respond_with_handler(self._hear_sentry)
        server.expect_request("/v1/traces").respond_with_handler(self._hear_traces)

    def _hear_sentry(self, request: Request) -> Response:
        self.envelopes.append(_body(request).decode())
        return Response("{}", content_type="application/json")

    def _hear_traces(self, request: Request) -> Response:
        self.traces.append(ExportTraceServiceRequest.FromString(_body(request)))
        return Response(b"", content_type="application/x-protobuf")

    @property
    def events(self) -> list[str]:
        """What Sentry was told of; it also hears how much was not told."""
        return [each for each in self.envelopes if '"type":"event"' in each.replace(" ", "")]

    def spans(self, job_id: UUID | None = None) -> list[Span]:
        """What was traced; of one job."""
        resources = [each for request in self.traces for each in request.resource_spans]
        spans = [span for each in resources for scope in each.scope_spans for span in scope.spans]
        return [span for span in spans if job_id is None or span.trace_id == job_id.bytes]


def span_values(span: Span) -> dict[str, str]:
    """The words among its attributes."""
    return {each.key: each.value.string_value for each in span.attributes}


def _body(request: Request) -> bytes:
    body = request.get_data()
    return gzip.decompress(body) if request.headers.get("content-encoding") == "gzip" else body


@pytest.fixture
def sink(httpserver: HTTPServer) -> Sink:
    """Sentry and a collector on this machine."""
    return Sink(httpserver)


def _run(folder: Path, **settings: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MIXDOWN_", "OTEL_"))}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env={**clean, "MIXDOWN_HOME": str(folder / "home"), **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_bug_is_told_to_sentry_without_secrets(sink: Sink, tmp_path: Path) -> None:
    """Which error and where; no query, header, body or local variable."""
    assert _run(tmp_path, MIXDOWN_SENTRY_DSN=f"http://public@127.0.0.1:{sink.port}/1") == "500"

    told = "".join(sink.envelopes)
    assert "RuntimeError" in told
    assert "/bug/7" in told
    assert "very-secret" not in told
    assert sink.traces == []


def test_requests_are_traced(sink: Sink, tmp_path: Path) -> None:
    """A span for each request, within the trace of who asks, by its route."""
    assert _run(tmp_path, MIXDOWN_OTLP_URL=f"http://127.0.0.1:{sink.port}") == "500"

    [resource] = [each for request in sink.traces for each in request.resource_spans]
    [span] = [span for scope in resource.scope_spans for span in scope.spans]
    values = {each.key: each.value.string_value or each.value.int_value for each in span.attributes}
    assert span.name == "GET /bug/{number}"
    assert span.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    assert values == {"http.request.method": "GET", "http.route": "/bug/{number}", "http.response.status_code": 500}
    assert "very-secret" not in str(sink.traces)
    assert sink.envelopes == []


def test_hands_tell_for_themselves(sink: Sink, tmp_path: Path) -> None:
    """A span for each stage, those of a job in one trace that has its id; a bug once, with where it is."""
    talk = recording(tmp_path / "talk.wav", 1)
    (tmp_path / "letter.wav").write_text("This is a letter, not a song.")
    settings = Settings(
        home=tmp_path / "home",
        otlp_url=f"http://127.0.0.1:{sink.port}",
        sentry_dsn=SecretStr(f"http://public@127.0.0.1:{sink.port}/1"),
    )
    studio = open_studio(settings)
    hands = Hands(settings)
    names = [str(talk), str(tmp_path / "letter.wav"), f"{talk.as_uri()}"]
    good, broken, never_taken_in = submit(studio, [JobSpec(source=Source(uri=name)) for name in names])
    try:
        run_jobs(studio, [good.id, broken.id], bench=hands)
        with studio.at_work() as shift:
            claim = studio.claim(never_taken_in.id, shift.owner)
            assert claim is not None
            hands(shift).run(Stage.process, [claim])
    finally:
        hands.close()
    until_s = time.monotonic() + 60
    while len(sink.spans()) < 5 and time.monotonic() < until_s:
        time.sleep(0.05)

    def kinds(job: JobRecord) -> list[tuple[str, str]]:
        return sorted((span.name, span_values(span).get("error.type", "")) for span in sink.spans(job.id))

    assert kinds(good) == [("process", ""), ("store", ""), ("validate", "")]
    assert kinds(broken) == [("validate", "unsupported_format")]
    assert kinds(never_taken_in) == [("process", "internal")]
    [told] = sink.events
    assert "KeyError" in told
    assert "mixdown-hand" in told


@pytest.mark.parametrize(
    ("package", "settings", "extra"),
    [
        ("sentry_sdk", {"sentry_dsn": "http://public@127.0.0.1:9/1"}, "mixdown[sentry]"),
        (
            "opentelemetry.exporter.otlp.proto.http.trace_exporter",
            {"otlp_url": "http://127.0.0.1:9"},
            "mixdown[telemetry]",
        ),
    ],
)
def test_what_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, package: str, settings: dict[str, str], extra: str
) -> None:
    """A setting that takes more than is there is refused with what to install."""
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(InvalidRequest) as refused:
        telemetry.start(Settings(**settings), service="test")  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match=re.escape(extra)):
        telemetry.check(Settings(**settings))  # type: ignore[arg-type]

    assert extra in refused.value.message


@pytest.mark.parametrize("command", ["serve", "warm"])
def test_who_begins_others_says_what_is_missing(tmp_path: Path, command: str) -> None:
    """Said once, and nothing is begun: each process would end at once, and be begun again, without end."""
    (tmp_path / "sentry_sdk.py").write_text("raise ModuleNotFoundError('sentry_sdk')")
    env = {**os.environ, "PYTHONPATH": str(tmp_path), "HOME": str(tmp_path), "MIXDOWN_HOME": str(tmp_path / "home")}
    env["MIXDOWN_SENTRY_DSN"] = "http://public@127.0.0.1:9/1"

    done = subprocess.run(
        [Path(sys.executable).with_name("mixdown"), command], env=env, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 2
    assert "invalid_request: For MIXDOWN_SENTRY_DSN, install mixdown[sentry]." in done.stderr
