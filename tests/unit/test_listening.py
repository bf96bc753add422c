"""Where the API listens."""

from __future__ import annotations

import socket

from mixdown.listening import listening


def test_an_answer_in_two_parts_does_not_wait_for_the_first_to_be_acknowledged() -> None:
    """Connections that are taken send at once (asyncio sees to that only for sockets that name their protocol)."""
    with (
        listening("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
    ):
        taken, _ = listener.accept()
        with taken:
            assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
