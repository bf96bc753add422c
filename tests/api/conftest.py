"""The front door over an empty ledger and a results folder, without a socket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from mixdown.api import create_app
from mixdown.settings import Settings
from mixdown.studio import Studio, open_studio


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    """Ports over SQLite and a folder."""
    return open_studio(Settings(home=tmp_path / "home"))


@pytest.fixture
def client(studio: Studio) -> Iterator[TestClient]:
    """A client on this machine, where no keys are asked for."""
    with TestClient(create_app(studio, open_to_all=True), raise_server_exceptions=False) as client:
        yield client
