"""`mixdown api`: the front door as a process of its own."""

from __future__ import annotations

from typing import Annotated

import typer

from mixdown.cli.shared import in_sentences, out, studio

Host = Annotated[
    str, typer.Option("--host", help="Address to listen on. Others than this machine's own need an API key.")
]


def api(
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8000,
) -> None:
    """Answer the HTTP API until Ctrl-C. What is asked for is worked on by `mixdown serve` or `mixdown warm`."""
    from mixdown.api.serve import serve

    def ready(url: str) -> None:
        out.print(f"The API answers at {url}; {url}/docs describes it. Stop with Ctrl-C.", highlight=False)

    with in_sentences():
        serve(studio(), host=host, port=port, ready=ready)
