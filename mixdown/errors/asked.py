"""What was asked for cannot be done."""

from __future__ import annotations

from mixdown.errors.tree import PermanentError


class InvalidRequest(PermanentError):
    """The request does not make sense."""

    code = "invalid_request"


class UnknownPreset(InvalidRequest):
    """There is no preset of this name."""

    code = "unknown_preset"


class UnknownChannel(InvalidRequest):
    """There is no channel of this name to tell people through."""

    code = "unknown_channel"


class InvalidPreset(InvalidRequest):
    """The file of a preset does not make sense."""

    code = "invalid_preset"


class InvalidTrigger(InvalidRequest):
    """The file of triggers does not make sense."""

    code = "invalid_trigger"


class IdempotencyMismatch(InvalidRequest):
    """Another request was made under this name before."""

    code = "idempotency_mismatch"


class JobNotFound(PermanentError):
    """There is no job of this id."""

    code = "job_not_found"


class BatchNotFound(PermanentError):
    """There is no batch of this id."""

    code = "batch_not_found"


class KeyNotFound(PermanentError):
    """There is no such API key."""

    code = "key_not_found"


class TriggerNotFound(PermanentError):
    """There is no trigger of this name."""

    code = "trigger_not_found"


class HookRefused(PermanentError):
    """The message is not signed by whom this trigger knows, or not within the last five minutes."""

    code = "hook_refused"


class EndpointNotFound(PermanentError):
    """There is no webhook endpoint of this id."""

    code = "endpoint_not_found"


class DeliveryNotFound(PermanentError):
    """There is no delivery of this id."""

    code = "delivery_not_found"


class NoSigningSecret(PermanentError):
    """There is no secret here to sign webhooks with."""

    code = "no_signing_secret"


class NoResult(PermanentError):
    """The job has delivered nothing."""

    code = "no_result"


class FileNotFound(PermanentError):
    """There is no such file in this result."""

    code = "file_not_found"


class BatchCancelled(PermanentError):
    """The batch has been called off."""

    code = "batch_cancelled"


class IllegalTransition(PermanentError):
    """The job is not in a state that allows this."""

    code = "illegal_transition"


class ClaimLost(PermanentError):
    """Another process has taken this job over."""

    code = "claim_lost"


class JobFailed(PermanentError):
    """The job ended without a result; carries the job's own code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.job_code = code

    def __reduce__(self) -> tuple[type[JobFailed], tuple[str, str]]:
        return (type(self), (self.job_code, self.message))
