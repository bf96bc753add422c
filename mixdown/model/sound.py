"""What is known of a recording: limits, header, levels, and where its bytes lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: Metadata that survives mastering: title, artist, album, date, genre, comment, track … (lower case).
Tags = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Mark:
    """A chapter mark."""

    start_s: float
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """All that is written on a file beside its sound."""

    tags: Tags = field(default_factory=dict)
    cover: bytes | None = None  #: a JPEG or PNG picture
    marks: tuple[Mark, ...] = ()  #: chapters, in order


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an installation accepts from strangers."""

    source_bytes: int = 8 * 2**30
    duration_s: float = 6 * 3600.0
    channels: int = 16
    min_sample_rate_hz: int = 4_000
    max_sample_rate_hz: int = 384_000
    containers: frozenset[str] | None = None  #: kinds of file, as `ProbedAudio.container` has them; None: all


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """Bytes that are safely in the object store."""

    uri: str
    sha256: str
    size_bytes: int
    media_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbedAudio:
    """A recording by its header. Headers lie: nothing is allotted or promised by these figures."""

    container: str  #: wav, aiff, flac, mp3, ogg, mp4, matroska, adts
    codec: str  #: pcm_s16le, mp3, vorbis, opus, aac …
    sample_rate_hz: int
    channels: int
    duration_s: float | None  #: as declared; None where the format does not say
    bit_depth: int | None = None  #: of linear audio
    bitrate_kbps: float | None = None
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelReport:
    """Measurements of a signal. Levels of silence are ``-inf``."""

    integrated_lufs: float  #: BS.1770-4, gated
    range_lu: float  #: LRA, EBU Tech 3342
    momentary_max_lufs: float
    short_term_max_lufs: float
    true_peak_dbtp: float  #: BS.1770-4 Annex 2
    sample_peak_dbfs: float
    duration_s: float
    sample_rate_hz: int
    channels: int
    rms_dbfs: float | None = None  #: of the whole signal, ungated; None in reports from before it was measured
