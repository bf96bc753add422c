"""What came of a look at an inbox, in words."""

from __future__ import annotations

from mixdown.inbox.filing import Tally
from mixdown.inbox.port import Left
from mixdown.inbox.sweeping import Swept
from mixdown.wording import recordings_words

_NAMED = 5


def left_words(left: Left) -> str:
    """Why something is left where it lies."""
    name = "".join(char if char.isprintable() else "\ufffd" for char in left.name)
    return f"{name}: {left.why}"


def swept_words(swept: Swept, tally: Tally) -> str:
    """One look at an inbox, and what came of the recordings, in a sentence or two."""
    done, failed = swept.done + tally.done, swept.failed + tally.failed
    if not (swept.taken or done or failed or swept.left_count):
        return "Nothing new."
    said = f"{recordings_words(swept.taken)} taken in; {done:,} done, {failed:,} failed."
    if not swept.left_count:
        return said
    named = "; ".join(left_words(left) for left in swept.left[:_NAMED])
    more = f"; and {swept.left_count - _NAMED:,} more" if swept.left_count > _NAMED else ""
    return f"{said} Left where they are: {named}{more}."
