"""TLS in front of a PostgreSQL server that has none, as its protocol has it; and certificates of one's own."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: What a client sends that wants TLS: a length, and a number that is no version.
_SSL_REQUEST = bytes.fromhex("0000000804d2162f")


def authority(folder: Path, name: str) -> Path:
    """A certificate authority; returns its certificate."""
    _openssl(folder, "-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", f"/CN={name}")
    return folder / f"{name}.crt"


def context_of(folder: Path, by: Path, host: str) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate for this host."""
    signed = ["-CA", by.name, "-CAkey", by.with_suffix(".key").name, "-addext", f"subjectAltName=DNS:{host}"]
    _openssl(folder, "-keyout", "server.key", "-out", "server.crt", "-subj", f"/CN={host}", *signed)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    return context


def _openssl(folder: Path, *words: str) -> None:
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    subprocess.run([*new, *words], cwd=folder, check=True, capture_output=True)


@contextmanager
def tls_in_front(of_port: int, context: ssl.SSLContext) -> Iterator[tuple[int, list[str]]]:
    """Listens for clients that want TLS and passes them on; yields the port, and the versions that were spoken."""
    spoken: list[str] = []

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError, ssl.SSLError):
            while data := await source.read(65_536):
                sink.write(data)
                await sink.drain()
        sink.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ssl.SSLError, asyncio.IncompleteReadError):  # who does not trust us hangs up
            if await reader.readexactly(8) != _SSL_REQUEST:
                writer.close()
                return
            writer.write(b"S")
            await writer.start_tls(context)
            spoken.append(str(writer.get_extra_info("ssl_object").version()))
            from_server, to_server = await asyncio.open_connection("127.0.0.1", of_port)
            await asyncio.gather(pump(reader, to_server), pump(from_server, writer))

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1], spoken
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result(timeout=30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
