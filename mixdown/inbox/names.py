"""Names in an inbox: what is looked at, what it is called when it is taken in and when it is filed away."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import PurePosixPath

from mixdown.inbox.port import PROCESSING, Drawer
from mixdown.items.item import is_recording

#: Names below an inbox that are its own.
OWN = (PROCESSING, *Drawer)

REPORT_SUFFIX = ".json"

#: File systems count bytes.
_MOST_BYTES = 255 - len(REPORT_SUFFIX)
_KEPT_BYTES = 160
_LONGEST_SUFFIX = 16
#: What programs call files that they have not finished, beside those that they hide.
_UNFINISHED = re.compile(r"^~|~$|\.(part|partial|filepart|crdownload|download|opdownload|tmp|temp)$", re.IGNORECASE)
_TAKEN = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8,12}")


def is_hidden(name: str) -> bool:
    """Whether it is nobody's business: it, or a folder it lies in, begins with a dot."""
    return any(part.startswith(".") for part in name.split("/"))


def unfit(name: str) -> str | None:
    """Why something of this name is not taken in; None: it is."""
    last = name.rpartition("/")[2]
    if _UNFINISHED.search(last):
        return "its name says that it is not finished"
    return None if is_recording(last) else "it is not a recording, going by its name"


def when_taken(at: datetime, digits: str) -> str:
    """The name of the folder below `processing` for what was taken in together."""
    return f"{at:%Y%m%d-%H%M%S}-{digits}"


def is_when_taken(name: str) -> bool:
    """Whether a folder below `processing` bears such a name."""
    return _TAKEN.fullmatch(name) is not None


def names_in_turn(name: str, tags: Sequence[str]) -> Iterator[str]:
    """The names that a recording may be filed under: its own, then `<stem>.<tag><suffix>` with each tag."""
    path = PurePosixPath(name)
    suffix = path.suffix if len(path.suffix) <= _LONGEST_SUFFIX else ""
    stem = path.name.removesuffix(suffix)
    if len(_in_bytes(path.name)) <= _MOST_BYTES:
        yield name
    for tag in tags:
        yield str(path.with_name(f"{_cut(stem)}.{tag}{suffix}"))


def _cut(stem: str) -> str:
    whole = _in_bytes(stem)
    return stem if len(whole) <= _KEPT_BYTES else whole[:_KEPT_BYTES].decode(errors="ignore")


def _in_bytes(name: str) -> bytes:
    return name.encode(errors="surrogateescape")
