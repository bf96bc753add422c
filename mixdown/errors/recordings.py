"""A recording cannot be used."""

from __future__ import annotations

from mixdown.errors.tree import PermanentError


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
