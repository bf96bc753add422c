"""What `mixdown serve` answers the HTTP API with, over what operators keep in blocks: see `flows.supervisor`."""

from __future__ import annotations

import typer

from mixdown import telemetry
from mixdown.api.serve import serve
from mixdown.cli import in_sentences
from mixdown.settings import Settings
from tasks.studio import studio


def main(host: str, port: int) -> None:
    """Answer until told to stop."""
    with in_sentences():
        telemetry.begin(Settings(), service="mixdown-api")
        serve(studio(), host=host, port=port)


if __name__ == "__main__":
    typer.run(main)
