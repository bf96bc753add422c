"""The tree of errors."""

import pickle
from collections.abc import Iterator

import pytest

from mixdown.errors import (
    DatabaseUnavailable,
    JobFailed,
    MixdownError,
    RetryableError,
    ScratchFull,
    SourceUnavailable,
)
from mixdown.owner import host


def every_error(parent: type[MixdownError] = MixdownError) -> Iterator[type[MixdownError]]:
    """The class and all that come from it."""
    yield parent
    for child in parent.__subclasses__():
        yield from every_error(child)


@pytest.mark.parametrize("kind", sorted({*every_error()} - {JobFailed}, key=str))
def test_errors_cross_processes(kind: type[MixdownError]) -> None:
    """Every error comes out of a pickle as what it was, its sentence kept."""
    came_out = pickle.loads(pickle.dumps(kind("The disk of Otto's recording is full.")))

    assert type(came_out) is kind
    assert came_out.message == "The disk of Otto's recording is full."


def test_failed_job_crosses_processes() -> None:
    """A failed job keeps the job's own code in a pickle."""
    came_out = pickle.loads(pickle.dumps(JobFailed("too_long", "a.wav is too long.")))

    assert (came_out.job_code, came_out.message) == ("too_long", "a.wav is too long.")


def test_what_did_not_serve_crosses_processes() -> None:
    """What is known for trying again comes out of a pickle with the error."""
    error = SourceUnavailable("Busy.", dependency="https://a.example", retry_after_s=7.5)

    came_out = pickle.loads(pickle.dumps(error))

    assert (came_out.dependency, came_out.retry_after_s, str(came_out)) == ("https://a.example", 7.5, "Busy.")


def test_what_is_always_the_same_need_not_be_said() -> None:
    """A full scratch disk is this machine's, and the database is the database."""
    assert ScratchFull().dependency == f"scratch:{host()}"
    assert DatabaseUnavailable("It is busy.").dependency == "database"
    assert pickle.loads(pickle.dumps(ScratchFull(dependency="scratch:other"))).dependency == "scratch:other"


def test_retryable_error_knows_nothing_unless_told() -> None:
    """An error raised without a word on it has its own sentence, no dependency and no wait."""
    error = RetryableError()

    assert (error.message, error.dependency, error.retry_after_s) == ("Trying again may help.", "", None)
