"""Lines of the log: for people, or JSON for machines, each with the job, batch and flow run that it is about."""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Literal
from uuid import UUID

import structlog
from structlog.typing import EventDict

#: What must not be written down: our keys and secrets, signatures and tokens in addresses, passwords before a host.
_SECRETS = re.compile(
    r"(?P<key>\b(?:mxd_|whsec_)[A-Za-z0-9+/=_-]{8,})"
    r"|(?P<name>\b(?:X-Amz-(?:Signature|Credential|Security-Token)|Signature|AWSAccessKeyId|token|access_token|key|sig)=)"
    r"[^&\s\"'<>]+"
    r"|(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@\"']*:)[^\s/@\"']+(?=@)"
    r"|(?P<bearer>\bBearer\s+)[^\s\"',]+",
    re.IGNORECASE,
)

#: How lines name their job, wherever they come from: a hand, a crew, a webhook.
_JOB = re.compile(r"\bjob ([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\b")

#: What Prefect calls what it adds to a record, and what we do.
_NAMES = {"flow_run_id": "flow_run", "task_run_id": "task_run", "job_id": "job", "batch_id": "batch"}

#: The message again: coloured, by uvicorn; as another formatter left it. And whether a hand has told Sentry of it.
_UNWANTED = ("color_message", "message", "asctime", "told")

#: What the shifts of this process are about.
_shifts: list[dict[str, str]] = []
_changing = threading.Lock()


def masked(text: str) -> str:
    """The text without what looks like a secret."""
    return _SECRETS.sub(lambda found: f"{found['name'] or found['scheme'] or found['bearer'] or ''}***", text)


@contextmanager
def about(**ids: UUID | str | None) -> Iterator[None]:
    """Lines of the block are about these; those of other threads too, while nothing else is done here."""
    named = {name: str(value) for name, value in ids.items() if value is not None}
    with _changing:
        _shifts.append(named)
    try:
        with structlog.contextvars.bound_contextvars(**named):
            yield
    finally:
        with _changing:
            _shifts.remove(named)


def configure(form: Literal["text", "json"], *, level: int = logging.INFO, to: IO[str] | None = None) -> None:
    """Have every logger of this process write such lines, to stderr if not told otherwise."""
    handler = logging.StreamHandler(to or sys.stderr)
    handler.setLevel(level)
    handler.setFormatter(JsonLines() if form == "json" else PlainLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for chatty in ("uvicorn", "httpx", "httpcore", "alembic", "botocore", "urllib3"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


class PlainLines(logging.Formatter):
    """For people: when, how bad, what."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        return masked(super().format(record))


class JsonLines(structlog.stdlib.ProcessorFormatter):
    """For machines: an object a line. Prefect makes one by name, with what any formatter is given."""

    def __init__(self, fmt: str | None = None, datefmt: str | None = None, style: str = "%") -> None:
        super().__init__(
            foreign_pre_chain=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.ExtraAdder(),
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _named,
                _without_secrets,
                structlog.processors.JSONRenderer(default=str),
            ],
        )


def _named(_: Any, __: str, line: EventDict) -> EventDict:
    """The job, batch and flow run under their names, from wherever they are known."""
    for theirs, ours in _NAMES.items():
        if theirs in line:
            line[ours] = str(line.pop(theirs))
    found = _JOB.search(str(line.get("event", "")))
    if found:
        line.setdefault("job", found[1])
    shifts = list(_shifts)
    if len(shifts) == 1:
        for name, value in shifts[0].items():
            line.setdefault(name, value)
    for name in _UNWANTED:
        line.pop(name, None)
    return line


def _without_secrets(_: Any, __: str, line: EventDict) -> EventDict:
    return {name: masked(value) if isinstance(value, str) else value for name, value in line.items()}
