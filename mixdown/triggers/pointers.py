"""JSON pointers (RFC 6901)."""

from __future__ import annotations

import re
from typing import Any

#: There is nothing at a place.
NOTHING = object()

_INDEX = re.compile("0|[1-9][0-9]{0,8}")


def at(pointer: str, value: Any) -> Any:
    """What is at a place in a JSON value; `NOTHING` where it has no such place."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and _INDEX.fullmatch(name) and int(name) < len(value):
            value = value[int(name)]
        else:
            return NOTHING
    return value
