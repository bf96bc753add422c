"""The trunk of the tree: what may be tried again, and what may not."""

from __future__ import annotations

from typing import ClassVar

#: The code of a failure that is a bug of ours.
INTERNAL = "internal"


class MixdownError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())

    @property
    def message(self) -> str:
        """The sentence for a person."""
        return str(self.args[0])


class PermanentError(MixdownError):
    """Trying again cannot help."""


class RetryableError(MixdownError):
    """Trying again may help."""

    def __init__(
        self, message: str | None = None, *, dependency: str = "", retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        #: What did not serve: `https://host`, `s3://bucket`, `results`, `scratch:host`, `database`; "": unknown.
        self.dependency = dependency
        #: It asked to be left alone for this long.
        self.retry_after_s = retry_after_s


class Interrupted(MixdownError):
    """The work was stopped; the job waits to be taken up again."""

    code = "interrupted"
