"""Something does not serve just now; trying again may help."""

from __future__ import annotations

import socket
from uuid import UUID

from mixdown.errors.tree import RetryableError


class SourceUnavailable(RetryableError):
    """The source could not be reached."""

    code = "source_unavailable"


class StorageUnavailable(RetryableError):
    """The object store could not be reached."""

    code = "storage_unavailable"


class DatabaseUnavailable(RetryableError):
    """The database could not be reached."""

    code = "database_unavailable"

    def __init__(
        self, message: str | None = None, *, dependency: str = "database", retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, dependency=dependency, retry_after_s=retry_after_s)


class CorruptObject(RetryableError):
    """What the object store holds is not what was written."""

    code = "corrupt_object"


class ScratchFull(RetryableError):
    """The scratch disk is full."""

    code = "scratch_full"

    def __init__(
        self, message: str | None = None, *, dependency: str = "", retry_after_s: float | None = None
    ) -> None:
        ours = f"scratch:{socket.gethostname()}"  # a disk is full on the machine that says so
        super().__init__(message, dependency=dependency or ours, retry_after_s=retry_after_s)


class DeliveryFailed(RetryableError):
    """The receiver of a notification did not take it."""

    code = "delivery_failed"


class PrefectUnavailable(RetryableError):
    """Prefect's server could not be started or reached."""

    code = "prefect_unavailable"


class HandDied(RetryableError):
    """The process that worked on these jobs has died."""

    code = "hand_died"
    job_id: UUID | None = None  #: the job that it was at work on


class ClusterUnavailable(RetryableError):
    """The Dask or Ray cluster cannot be reached."""

    code = "cluster_unavailable"
