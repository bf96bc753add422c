"""What the process of a run tells Sentry and an OpenTelemetry collector."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.settings import get_current_settings
from pytest_httpserver import HTTPServer

from tests.services.test_telemetry import Sink, span_values

#: A run whose job fails, and one that meets a bug, in a process of their own: what Sentry patches stays patched.
_PROGRAM = """
import sys
from prefect import flow
from flows.process import process_audio
from mixdown import telemetry
from tasks.studio import studio

@flow
def buggy():
    studio()
    raise RuntimeError("odd: https://s3.example/a.wav?X-Amz-Signature=very-secret")

print(process_audio(sys.argv[1], return_state=True).type.value)
print(buggy(return_state=True).type.value)
telemetry.ours().close()
"""


@pytest.fixture
def sink(httpserver: HTTPServer) -> Sink:
    """Sentry and a collector on this machine."""
    return Sink(httpserver)


def test_runs_tell_of_bugs_and_trace_stages(sink: Sink, tmp_path: Path) -> None:
    """A bug in a flow is told, without secrets; a job that failed is none, but its stage is in the trace."""
    letter = tmp_path / "letter.wav"
    letter.write_text("This is a letter, not a song.")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MIXDOWN_", "OTEL_"))}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(letter)],
        env={
            **clean,
            **get_current_settings().to_environment_variables(exclude_unset=True),
            "MIXDOWN_HOME": str(tmp_path / "home"),
            "MIXDOWN_SENTRY_DSN": f"http://public@127.0.0.1:{sink.port}/1",
            "MIXDOWN_OTLP_URL": f"http://127.0.0.1:{sink.port}",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.stdout.split() == ["FAILED", "FAILED"], done.stderr

    [told] = sink.events
    assert "RuntimeError" in told
    assert "mixdown-flow" in told
    assert "very-secret" not in told
    assert [(span.name, span_values(span)["error.type"]) for span in sink.spans()] == [
        ("validate", "unsupported_format")
    ]
