"""What people are told of a job or a batch: a title and a line or two, for e-mail, chats and phones alike."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

#: A title has to fit into a notification on a phone.
_TITLE_CHARACTERS = 120

_NAMED_MASTERS = 8
_BEGINNINGS = {"succeeded": "Done", "failed": "Failed", "rejected": "Rejected", "cancelled": "Cancelled"}


@dataclass(frozen=True, slots=True)
class Words:
    """A message to people."""

    title: str
    body: str
    well: bool  #: whether it is good news

    @property
    def in_a_line(self) -> str:
        """All of it without a line break."""
        return " · ".join([self.title, *self.body.split("\n")])


def words_of(payload: str) -> Words:
    """The message of a payload, in words."""
    message = json.loads(payload)
    data = message["data"]
    match message["type"].partition("."):
        case ("job", _, status):
            return _of_job(status, data)
        case ("batch", _, _):
            return _of_batch(data)
        case _:
            return Words("Mixdown", _plain(str(data.get("message", "A test."))), True)


def _of_job(status: str, data: dict[str, Any]) -> Words:
    title = f"{_BEGINNINGS.get(status, status.capitalize())}: {data['filename']}"
    lines = [_of_master(master) for master in data["masters"][:_NAMED_MASTERS]]
    if more := len(data["masters"]) - len(lines):
        lines.append(f"and {more} more")
    if data["error"]:
        lines.append(f"{data['error']['message']} ({data['error']['code']})")
    return _words(title, [*lines, f"Job {data['job_id'][:8]}"], status == "succeeded")


def _of_master(master: dict[str, Any]) -> str:
    loudness = _level(master["integrated_lufs"], "LUFS")
    peak = _level(master["true_peak_dbtp"], "dBTP")
    size_mb = f"{master['size_bytes'] / 1e6:.1f} MB"
    return ", ".join([str(master["format"]).upper(), size_mb, loudness, peak])


def _level(value: float | None, unit: str) -> str:
    return "silence" if value is None else f"{value:.1f} {unit}".replace("-", "−")


def _of_batch(data: dict[str, Any]) -> Words:
    counts = {status: count for status, count in data["counts"].items() if count}
    done = counts.pop("succeeded", 0)
    parts = [f"{done:,} of {data['jobs']:,} done", *(f"{count:,} {status}" for status, count in counts.items())]
    title = f"{data['title'] or 'Batch'}: {', '.join(parts)}"
    lines = []
    for failure in data["failures"]:
        example = failure["examples"][0]
        lines.append(f"{failure['jobs']:,} × {failure['code']}: {example['filename']}: {example['message']}")
    return _words(title, [*lines, f"Batch {data['batch_id'][:8]}"], done == data["jobs"])


def _words(title: str, lines: list[str], well: bool) -> Words:
    title = _plain(title)
    if len(title) > _TITLE_CHARACTERS:
        title = f"{title[: _TITLE_CHARACTERS - 1]}…"
    return Words(title, "\n".join(map(_plain, lines)), well)


def _plain(text: str) -> str:
    """One line that every service can take: names of files may hold what is no text."""
    return "".join(filter(str.isprintable, text.encode(errors="replace").decode()))
