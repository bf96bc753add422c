"""Everything that can go wrong, as one tree.

* MixdownError
  x PermanentError              trying again cannot help; HTTP 4xx
    + InvalidRequest            invalid_request
      - UnknownPreset           unknown_preset
      - UnknownChannel          unknown_channel
      - InvalidPreset           invalid_preset
      - InvalidTrigger          invalid_trigger
      - IdempotencyMismatch     idempotency_mismatch
      - InvalidScript           invalid_script
      - UnknownVoice            unknown_voice
      - UnknownLanguage         unknown_language
      - UnknownSound            unknown_sound
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
    + NoSuchEngine              no_such_engine
    + EngineRefused             engine_refused
    + TooExpensive              too_expensive
    + BadSpeech                 bad_speech
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
    + EngineUnavailable         engine_unavailable
  x Interrupted                 the work was stopped; the job is queued again

A foreign error is translated once, in the adapter that met it, with its cause kept. An error that is
not in this tree is a bug: the job it met fails with the code ``internal``, loudly.

A retryable error says what did not serve, its ``dependency``: what is down for one job is down for others.
Every error here survives pickling, its cause left behind: they cross processes.

Codes are stable: programs may rely on them. A message is one sentence for a person; it names the
recording as its owner knows it, never a temporary path, a secret or a signed URL.
"""

from mixdown.errors.asked import (
    BatchCancelled,
    BatchNotFound,
    ClaimLost,
    DeliveryNotFound,
    EndpointNotFound,
    FileNotFound,
    HookRefused,
    IdempotencyMismatch,
    IllegalTransition,
    InvalidPreset,
    InvalidRequest,
    InvalidTrigger,
    JobFailed,
    JobNotFound,
    KeyNotFound,
    NoResult,
    NoSigningSecret,
    TriggerNotFound,
    UnknownChannel,
    UnknownPreset,
)
from mixdown.errors.down import (
    ClusterUnavailable,
    CorruptObject,
    DatabaseUnavailable,
    DeliveryFailed,
    HandDied,
    PrefectUnavailable,
    ScratchFull,
    SourceUnavailable,
    StorageUnavailable,
)
from mixdown.errors.recordings import (
    AddressRefused,
    AudioError,
    BadHeader,
    BeyondTheEnd,
    DecompressionBomb,
    EmptyFile,
    InvalidSamples,
    KeepsCrashing,
    NeedsTooMuchMemory,
    NoAudioStream,
    NoChapters,
    NotARegularFile,
    NothingLeft,
    SilentAudio,
    SourceChanged,
    SourceError,
    SourceForbidden,
    SourceNotFound,
    SourceTooLarge,
    TimedOut,
    TooLong,
    TooManyChannels,
    TooManyParts,
    UnavailableProvider,
    UnreadableAudio,
    UnreadablePicture,
    UnsupportedFormat,
    UnsupportedSampleRate,
)
from mixdown.errors.speaking import (
    BadSpeech,
    EngineRefused,
    EngineUnavailable,
    InvalidScript,
    NoSuchEngine,
    TooExpensive,
    UnknownLanguage,
    UnknownSound,
    UnknownVoice,
)
from mixdown.errors.tree import (
    INTERNAL,
    Interrupted,
    MixdownError,
    PermanentError,
    RetryableError,
)

__all__ = [
    "INTERNAL",
    "AddressRefused",
    "AudioError",
    "BadHeader",
    "BadSpeech",
    "BatchCancelled",
    "BatchNotFound",
    "BeyondTheEnd",
    "ClaimLost",
    "ClusterUnavailable",
    "CorruptObject",
    "DatabaseUnavailable",
    "DecompressionBomb",
    "DeliveryFailed",
    "DeliveryNotFound",
    "EmptyFile",
    "EndpointNotFound",
    "EngineRefused",
    "EngineUnavailable",
    "FileNotFound",
    "HandDied",
    "HookRefused",
    "IdempotencyMismatch",
    "IllegalTransition",
    "Interrupted",
    "InvalidPreset",
    "InvalidRequest",
    "InvalidSamples",
    "InvalidScript",
    "InvalidTrigger",
    "JobFailed",
    "JobNotFound",
    "KeepsCrashing",
    "KeyNotFound",
    "MixdownError",
    "NeedsTooMuchMemory",
    "NoAudioStream",
    "NoChapters",
    "NoResult",
    "NoSigningSecret",
    "NoSuchEngine",
    "NotARegularFile",
    "NothingLeft",
    "PermanentError",
    "PrefectUnavailable",
    "RetryableError",
    "ScratchFull",
    "SilentAudio",
    "SourceChanged",
    "SourceError",
    "SourceForbidden",
    "SourceNotFound",
    "SourceTooLarge",
    "SourceUnavailable",
    "StorageUnavailable",
    "TimedOut",
    "TooExpensive",
    "TooLong",
    "TooManyChannels",
    "TooManyParts",
    "TriggerNotFound",
    "UnavailableProvider",
    "UnknownChannel",
    "UnknownLanguage",
    "UnknownPreset",
    "UnknownSound",
    "UnknownVoice",
    "UnreadableAudio",
    "UnreadablePicture",
    "UnsupportedFormat",
    "UnsupportedSampleRate",
]
