"""The front door over a real socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from mixdown.api import create_app
from mixdown.api.patience import PatientProtocol
from mixdown.studio import Studio

#: Long enough for any machine: nothing here is measured.
PATIENCE_S = 60.0


@contextmanager
def served(studio: Studio) -> Iterator[str]:
    """The address of a real server in a thread."""
    app = create_app(studio, open_to_all=True)
    config = uvicorn.Config(app, http=PatientProtocol, log_level="error", timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            app.state.events.close()
            server.should_exit = True
            thread.join(PATIENCE_S)
