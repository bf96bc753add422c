"""What every test shares: a clean environment and the real services."""

import os

import pytest

pytest_plugins = ["tests.services.postgres_server", "tests.services.s3_server"]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test."""
    for name in os.environ:
        if name.startswith("MIXDOWN_") and not name.startswith("MIXDOWN_TEST_"):
            monkeypatch.delenv(name)
