"""Inboxes: a folder or an S3 prefix whose recordings are taken in, worked on and filed away, each once."""

from mixdown.inbox.filing import Tally, filing
from mixdown.inbox.opening import open_inbox
from mixdown.inbox.port import Arrival, Drawer, Filed, Held, Inbox, Left
from mixdown.inbox.sweeping import Swept, file_away, sweep
from mixdown.inbox.words import left_words, swept_words

__all__ = [
    "Arrival",
    "Drawer",
    "Filed",
    "Held",
    "Inbox",
    "Left",
    "Swept",
    "Tally",
    "file_away",
    "filing",
    "left_words",
    "open_inbox",
    "sweep",
    "swept_words",
]
