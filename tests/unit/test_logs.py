"""Lines of the log."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from mixdown import logs
from mixdown.settings import Settings
from mixdown.studio import open_studio


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What JSON lines go to; loggers are afterwards as they were."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    to = io.StringIO()
    logs.configure("json", to=to)
    yield to
    root.handlers, root.level = handlers, level


def _lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_line_is_an_object(written: io.StringIO) -> None:
    """When, who, how bad, what; what is added to a record is part of it."""
    logging.getLogger("mixdown.crew").warning("%d jobs\nwait", 3, extra={"status": 7})

    [line] = _lines(written)

    assert line.pop("at").endswith("Z")
    assert line == {"event": "3 jobs\nwait", "level": "warning", "logger": "mixdown.crew", "status": 7}


def test_an_exception_is_within_its_line(written: io.StringIO) -> None:
    """A traceback takes no lines of its own."""
    try:
        raise ValueError("odd")
    except ValueError:
        logging.getLogger("mixdown").exception("a bug")

    [line] = _lines(written)

    assert "ValueError: odd" in line["exception"]


def test_a_line_names_its_job_its_batch_and_its_flow_run(written: io.StringIO) -> None:
    """The job from its words, the rest from what the process is at work on, in any of its threads."""
    job_id, batch_id, flow_run_id = uuid4(), uuid4(), uuid4()
    with logs.about(batch=batch_id, flow_run=flow_run_id):
        line = threading.Thread(target=logging.getLogger("mixdown").info, args=("job %s failed in decode", job_id))
        line.start()
        line.join()
    logging.getLogger("mixdown").info("alone")

    about, alone = _lines(written)

    assert (about["job"], about["batch"], about["flow_run"]) == (str(job_id), str(batch_id), str(flow_run_id))
    assert not {"job", "batch", "flow_run"} & alone.keys()


def test_a_shift_says_what_it_is_about(written: io.StringIO, tmp_path: Path) -> None:
    """What a process logs while it is at work on a batch names the batch and its flow run."""
    studio = open_studio(Settings(home=tmp_path))
    batch_id, flow_run_id = studio.jobs.open_batch(), uuid4()

    with studio.at_work(batch_id, flow_run_id):
        logging.getLogger("mixdown.crew").warning("It is waited for.")

    [line] = [each for each in _lines(written) if each["logger"] == "mixdown.crew"]
    assert (line["batch"], line["flow_run"]) == (str(batch_id), str(flow_run_id))


def test_threads_that_are_about_different_batches_do_not_mix(written: io.StringIO) -> None:
    """With several at work, a line is about that of its own thread, and about none where it is not known."""
    one, two = uuid4(), uuid4()

    def other() -> None:
        with logs.about(batch=two):
            logging.getLogger("mixdown").info("two")
            stranger = threading.Thread(target=logging.getLogger("mixdown").info, args=("whose",))
            stranger.start()
            stranger.join()

    with logs.about(batch=one):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        logging.getLogger("mixdown").info("one")

    assert [(line["event"], line.get("batch")) for line in _lines(written)] == [
        ("two", str(two)),
        ("whose", None),
        ("one", str(one)),
    ]


def test_what_prefect_knows_is_called_as_ours(written: io.StringIO) -> None:
    """Its loggers add `flow_run_id`: the line says `flow_run`."""
    logging.getLogger("prefect.flow_runs").warning("Beginning", extra={"flow_run_id": "1a2b"})

    assert _lines(written)[0]["flow_run"] == "1a2b"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("mxd_abcDEF123456-_ was used", "*** was used"),
        ("signed with whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "signed with ***"),
        (
            "https://s3.example/a.wav?X-Amz-Date=1&X-Amz-Signature=deadbeef&x=1",
            "https://s3.example/a.wav?X-Amz-Date=1&X-Amz-Signature=***&x=1",
        ),
        ("postgresql://mixdown:hunter2@db/x", "postgresql://mixdown:***@db/x"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("talk at 12:30, see https://host:8000/a", "talk at 12:30, see https://host:8000/a"),
    ],
)
@pytest.mark.parametrize("form", ["text", "json"])
def test_secrets_are_not_written_down(written: io.StringIO, form: str, said: str, kept: str) -> None:
    """Keys, signatures and passwords are left out, and nothing else."""
    logs.configure("json" if form == "json" else "text", to=written)

    logging.getLogger("mixdown").warning("%s", said)

    [line] = written.getvalue().splitlines()
    assert (json.loads(line)["event"] == kept) if form == "json" else line.endswith(kept)


def test_it_is_written_to_stderr(capsys: pytest.CaptureFixture[str], written: io.StringIO) -> None:
    """Unless somebody says where, out of the way of what programs read."""
    logs.configure("text")

    logging.getLogger("mixdown").info("hello")
    sys.stderr.flush()

    assert "hello" in capsys.readouterr().err
