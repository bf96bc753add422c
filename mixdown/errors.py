"""Everything that can go wrong, as one tree.

* MixdownError
  x PermanentError              trying again cannot help; HTTP 4xx
    + InvalidRequest            invalid_request
      - UnknownPreset           unknown_preset
      - InvalidPreset           invalid_preset
      - InvalidTrigger          invalid_trigger
      - IdempotencyMismatch     idempotency_mismatch
      - NotYetAvailable         not_yet_available
    + SourceError
      - SourceNotFound          source_not_found
      - SourceForbidden         source_forbidden
      - SourceChanged           source_changed
      - NotARegularFile         not_a_regular_file
      - EmptyFile               empty_file
      - SourceTooLarge          source_too_large
    + AudioError
      - UnreadableAudio         unreadable_audio
      - UnsupportedFormat       unsupported_format
      - NoAudioStream           no_audio_stream
      - BadHeader               bad_header
      - TooLong                 too_long
      - TooManyChannels         too_many_channels
      - UnsupportedSampleRate   unsupported_sample_rate
      - DecompressionBomb       decompression_bomb
      - InvalidSamples          invalid_samples
      - SilentAudio             silent_audio
      - NothingLeft             nothing_left
      - BeyondTheEnd            beyond_the_end
      - NoChapters              no_chapters
      - TooManyParts            too_many_parts
      - UnreadablePicture       unreadable_picture
    + AddressRefused            address_refused
    + UnavailableProvider       unavailable_provider
    + TimedOut                  timed_out
    + NeedsTooMuchMemory        needs_too_much_memory
    + KeepsCrashing             keeps_crashing
    + JobNotFound               job_not_found
    + BatchNotFound             batch_not_found
    + NoResult                  no_result
    + FileNotFound              file_not_found
    + KeyNotFound               key_not_found
    + EndpointNotFound          endpoint_not_found
    + TriggerNotFound           trigger_not_found
    + HookRefused               hook_refused
    + DeliveryNotFound          delivery_not_found
    + NoSigningSecret           no_signing_secret
    + BatchCancelled            batch_cancelled
    + IllegalTransition         illegal_transition
    + ClaimLost                 claim_lost
    + JobFailed                 (the code of the job)
  x RetryableError              trying again may help; HTTP 503
    + SourceUnavailable         source_unavailable
    + StorageUnavailable        storage_unavailable
    + DatabaseUnavailable       database_unavailable
    + CorruptObject             corrupt_object
    + ScratchFull               scratch_full
    + DeliveryFailed            delivery_failed
    + PrefectUnavailable        prefect_unavailable
    + HandDied                  hand_died
    + ClusterUnavailable        cluster_unavailable
  x Interrupted                 the work was stopped; the job is queued again

A foreign error is translated once, in the adapter that met it, with its cause kept. An error that is
not in this tree is a bug: the job it met fails with the code ``internal``, loudly.

A retryable error says what did not serve, its ``dependency``: what is down for one job is down for others.
Every error here survives pickling, its cause left behind: they cross processes.

Codes are stable: programs may rely on them. A message is one sentence for a person; it names the
recording as its owner knows it, never a temporary path, a secret or a signed URL.
"""

from __future__ import annotations

import socket
from typing import ClassVar
from uuid import UUID

#: The code of a failure that is a bug of ours.
INTERNAL = "internal"


class MixdownError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())

    @property
    def message(self) -> str:
        """The sentence for a person."""
        return str(self.args[0])


class PermanentError(MixdownError):
    """Trying again cannot help."""


class RetryableError(MixdownError):
    """Trying again may help."""

    def __init__(
        self, message: str | None = None, *, dependency: str = "", retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        #: What did not serve: `https://host`, `s3://bucket`, `results`, `scratch:host`, `database`; "": unknown.
        self.dependency = dependency
        #: It asked to be left alone for this long.
        self.retry_after_s = retry_after_s


class Interrupted(MixdownError):
    """The work was stopped; the job waits to be taken up again."""

    code = "interrupted"


# -- what was asked for ---------------------------------------------------------------------------


class InvalidRequest(PermanentError):
    """The request does not make sense."""

    code = "invalid_request"


class UnknownPreset(InvalidRequest):
    """There is no preset of this name."""

    code = "unknown_preset"


class InvalidPreset(InvalidRequest):
    """The file of a preset does not make sense."""

    code = "invalid_preset"


class InvalidTrigger(InvalidRequest):
    """The file of triggers does not make sense."""

    code = "invalid_trigger"


class IdempotencyMismatch(InvalidRequest):
    """Another request was made under this name before."""

    code = "idempotency_mismatch"


class NotYetAvailable(InvalidRequest):
    """This is not to be had yet."""

    code = "not_yet_available"


# -- the source -----------------------------------------------------------------------------------


class SourceError(PermanentError):
    """The source cannot be used."""


class SourceNotFound(SourceError):
    """There is nothing at this address."""

    code = "source_not_found"


class SourceForbidden(SourceError):
    """Access to this source was refused."""

    code = "source_forbidden"


class SourceChanged(SourceError):
    """The source is no longer what it was when the job was accepted."""

    code = "source_changed"


class NotARegularFile(SourceError):
    """This is a folder, a link, a device or a pipe, not a file."""

    code = "not_a_regular_file"


class EmptyFile(SourceError):
    """The file is empty."""

    code = "empty_file"


class SourceTooLarge(SourceError):
    """The file is larger than this installation accepts."""

    code = "source_too_large"


# -- the audio in it ------------------------------------------------------------------------------


class AudioError(PermanentError):
    """The audio cannot be used."""


class UnreadableAudio(AudioError):
    """No decoder here understands these bytes."""

    code = "unreadable_audio"


class UnsupportedFormat(AudioError):
    """This kind of file is not accepted."""

    code = "unsupported_format"


class NoAudioStream(AudioError):
    """The file holds no audio."""

    code = "no_audio_stream"


class BadHeader(AudioError):
    """The header describes audio that cannot exist."""

    code = "bad_header"


class TooLong(AudioError):
    """The recording is longer than this installation accepts."""

    code = "too_long"


class TooManyChannels(AudioError):
    """The recording has more channels than this installation accepts."""

    code = "too_many_channels"


class UnsupportedSampleRate(AudioError):
    """The sample rate is outside what this installation accepts."""

    code = "unsupported_sample_rate"


class DecompressionBomb(AudioError):
    """The file unpacks to far more audio than its size can hold."""

    code = "decompression_bomb"


class InvalidSamples(AudioError):
    """The audio holds values that are no sound: not-a-number, infinite or absurdly loud."""

    code = "invalid_samples"


class SilentAudio(AudioError):
    """The recording is silent from start to end, so it has no loudness to bring to a target."""

    code = "silent_audio"


class NothingLeft(AudioError):
    """Nothing of the recording would be left."""

    code = "nothing_left"


class BeyondTheEnd(AudioError):
    """A time lies beyond the end of the recording."""

    code = "beyond_the_end"


class NoChapters(AudioError):
    """The recording has no chapter marks to work at."""

    code = "no_chapters"


class TooManyParts(AudioError):
    """The recording would be split into more parts than are made."""

    code = "too_many_parts"


class UnreadablePicture(AudioError):
    """The picture is no JPEG or PNG, or too large."""

    code = "unreadable_picture"


class AddressRefused(PermanentError):
    """Strangers may not have this address connected to."""

    code = "address_refused"


class UnavailableProvider(PermanentError):
    """The networks cannot run on what the settings name."""

    code = "unavailable_provider"


class TimedOut(PermanentError):
    """The work took longer than this installation allows."""

    code = "timed_out"


class NeedsTooMuchMemory(PermanentError):
    """The work needs more memory than this installation allows."""

    code = "needs_too_much_memory"


class KeepsCrashing(PermanentError):
    """Every process that worked on this recording died over it."""

    code = "keeps_crashing"


# -- the ledger -----------------------------------------------------------------------------------


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


# -- the world around us --------------------------------------------------------------------------


class SourceUnavailable(RetryableError):
    """The source could not be reached."""

    code = "source_unavailable"


class StorageUnavailable(RetryableError):
    """The object store could not be reached."""

    code = "storage_unavailable"


class DatabaseUnavailable(RetryableError):
    """The database could not be reached."""

    code = "database_unavailable"

    def __init__(
        self, message: str | None = None, *, dependency: str = "database", retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, dependency=dependency, retry_after_s=retry_after_s)


class CorruptObject(RetryableError):
    """What the object store holds is not what was written."""

    code = "corrupt_object"


class ScratchFull(RetryableError):
    """The scratch disk is full."""

    code = "scratch_full"

    def __init__(
        self, message: str | None = None, *, dependency: str = "", retry_after_s: float | None = None
    ) -> None:
        ours = f"scratch:{socket.gethostname()}"  # a disk is full on the machine that says so
        super().__init__(message, dependency=dependency or ours, retry_after_s=retry_after_s)


class DeliveryFailed(RetryableError):
    """The receiver of a notification did not take it."""

    code = "delivery_failed"


class PrefectUnavailable(RetryableError):
    """Prefect's server could not be started or reached."""

    code = "prefect_unavailable"


class HandDied(RetryableError):
    """The process that worked on these jobs has died."""

    code = "hand_died"
    job_id: UUID | None = None  #: the job that it was at work on


class ClusterUnavailable(RetryableError):
    """The Dask or Ray cluster cannot be reached."""

    code = "cluster_unavailable"
