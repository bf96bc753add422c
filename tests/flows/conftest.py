"""Prefect for tests: one temporary server for the session, and a fresh studio for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import PREFECT_SERVER_ANALYTICS_ENABLED, temporary_settings
from prefect.testing.utilities import prefect_test_harness

from mixdown.studio import Studio
from tasks.studio import studio as studio_of_tasks


@pytest.fixture(scope="session", autouse=True)
def _prefect() -> Iterator[None]:
    quiet = {PREFECT_SERVER_ANALYTICS_ENABLED: False}  # no test speaks to anybody outside
    with temporary_settings(quiet), prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """The studio that the tasks of this test use: everything in its own folder."""
    monkeypatch.setenv("MIXDOWN_HOME", str(tmp_path / "home"))
    return studio_of_tasks()
