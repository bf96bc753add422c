"""Inboxes: a folder or an S3 prefix whose recordings are taken in, worked on and filed away, each once."""

from mixdown.inbox.opening import open_inbox
from mixdown.inbox.port import Arrival, Drawer, Filed, Held, Inbox, Left
from mixdown.inbox.sweeping import Swept, file_away, sweep

__all__ = ["Arrival", "Drawer", "Filed", "Held", "Inbox", "Left", "Swept", "file_away", "open_inbox", "sweep"]
