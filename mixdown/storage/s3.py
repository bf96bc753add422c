"""S3 through s3fs, with the settings that were found to hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import s3fs
from aiobotocore.httpsession import AIOHTTPSession  # type: ignore[import-untyped]
from aiohttp import ClientConnectorError, ClientError
from botocore.exceptions import BotoCoreError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError
from fsspec.exceptions import FSTimeoutError

from mixdown.storage.bucket import S3Options

#: What s3fs raises when S3 cannot.
FOREIGN_ERRORS: tuple[type[Exception], ...] = (OSError, BotoCoreError, ClientError, FSTimeoutError)

_PART_BYTES = 16 << 20


class EndpointUnreachable(OSError):
    """Nobody answers at the endpoint."""


class PromptSession(AIOHTTPSession):
    """Gives up at once where nobody listens or answers, so that ten patient attempts are kept for 5xx."""

    async def send(self, request: Any) -> Any:
        """Send a request; EndpointUnreachable is not among the errors that botocore tries again."""
        try:
            return await super().send(request)
        except (ConnectTimeoutError, ReadTimeoutError) as error:
            raise EndpointUnreachable("no answer in time") from error
        except EndpointConnectionError as error:
            if isinstance(error.__context__, ClientConnectorError):
                raise EndpointUnreachable("nobody listens there") from error
            raise


def connect(options: S3Options) -> s3fs.S3FileSystem:
    """A file system for these options."""
    return s3fs.S3FileSystem(
        key=options.key,
        secret=options.secret,
        endpoint_url=options.endpoint_url,
        client_kwargs={"region_name": options.region} if options.region else {},
        config_kwargs={
            "signature_version": "s3v4",
            "retries": {"mode": "standard", "max_attempts": 10},
            "connect_timeout": 5,
            "read_timeout": 30,
            "http_session_cls": PromptSession,
        },
        # A cached listing answers from the past, and fsspec's own cache of instances outlives a fork.
        use_listings_cache=False,
        skip_instance_cache=True,
        max_concurrency=2,
    )


def upload(fs: s3fs.S3FileSystem, path: Path, target: str, *, media_type: str, replace: bool) -> None:
    """Upload a finished file, as parts where it is large; memory stays under three parts."""
    fs.put_file(
        str(path),
        target,
        chunksize=_PART_BYTES,
        mode="overwrite" if replace else "create",
        ContentType=media_type,
    )
