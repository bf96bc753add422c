"""What the golden tests share: the example recordings, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from mixdown.examples import make_examples


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The example recordings, by name."""
    return {path.name: path for path in make_examples(tmp_path_factory.mktemp("examples"))}
