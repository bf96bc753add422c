"""Webhooks in: a named trigger knows who may send it messages, and which recordings a message is about."""

from mixdown.triggers.file import Triggers, read_triggers
from mixdown.triggers.hearing import Heard, Mention, heard
from mixdown.triggers.model import Trigger
from mixdown.triggers.seen import HookMessages
from mixdown.triggers.verify import verify

__all__ = ["Heard", "HookMessages", "Mention", "Trigger", "Triggers", "heard", "read_triggers", "verify"]
