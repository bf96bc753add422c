"""The API in a process of its own: `python -m tests.api.app_process HOME`; prints its port."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import uvicorn

from mixdown.api import create_app
from mixdown.settings import Settings
from mixdown.studio import open_studio


def main(home: str, max_source_bytes: str) -> None:
    """Serve until killed."""
    settings = Settings(home=Path(home), max_source_bytes=int(max_source_bytes))
    app = create_app(open_studio(settings), open_to_all=True)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        print(listener.getsockname()[1], flush=True)
        server.run(sockets=[listener])


if __name__ == "__main__":
    main(*sys.argv[1:])
