"""What goes wrong while a script becomes audio."""

from __future__ import annotations

from mixdown.errors.asked import InvalidRequest
from mixdown.errors.tree import PermanentError, RetryableError


class InvalidScript(InvalidRequest):
    """The script cannot be read."""

    code = "invalid_script"


class UnknownVoice(InvalidRequest):
    """The engine has no such voice."""

    code = "unknown_voice"


class UnknownLanguage(InvalidRequest):
    """The engine does not speak this language."""

    code = "unknown_language"


class UnknownSound(InvalidRequest):
    """There is no bed or sound of this name."""

    code = "unknown_sound"


class NoSuchEngine(PermanentError):
    """The engine that was asked for is not installed or not set up."""

    code = "no_such_engine"


class EngineRefused(PermanentError):
    """The engine refuses what it was asked for."""

    code = "engine_refused"


class TooExpensive(PermanentError):
    """The job would cost more than it may."""

    code = "too_expensive"


class BadSpeech(PermanentError):
    """A sentence sounds wrong, however often it is made."""

    code = "bad_speech"


class EngineUnavailable(RetryableError):
    """The engine does not serve."""

    code = "engine_unavailable"
