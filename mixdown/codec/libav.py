"""FFmpeg's libraries through PyAV, with everything shut that a stranger's file could reach for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import av
import av.error
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Discard, Disposition

from mixdown.codec.byte_range import ByteRange
from mixdown.codec.sniff import Container
from mixdown.errors import NoAudioStream, UnreadableAudio, UnsupportedFormat

#: The one demuxer a container may be read with. Guessing is how a playlist gets in.
_DEMUXERS = {
    Container.wav: "wav",
    Container.aiff: "aiff",
    Container.flac: "flac",
    Container.mp3: "mp3",
    Container.ogg: "ogg",
    Container.mp4: "mov",
    Container.matroska: "matroska",
    Container.adts: "aac",
    Container.caf: "caf",
    Container.w64: "w64",
    Container.au: "au",
    Container.amr: "amr",
}

#: Decoders that may run. Video, pictures and exotic audio are never decoded, not even to look at them.
_DECODERS = frozenset(
    {
        *("aac", "aac_latm", "ac3", "alac", "amrnb", "amrwb", "eac3", "flac", "opus", "speex", "vorbis"),
        *("mp1float", "mp2float", "mp3float", "mp1", "mp2", "mp3"),
        *("adpcm_ima_qt", "adpcm_ima_wav", "adpcm_ms", "gsm_ms", "pcm_alaw", "pcm_mulaw"),
        *("pcm_f32be", "pcm_f32le", "pcm_f64be", "pcm_f64le", "pcm_s8", "pcm_u8"),
        *("pcm_s16be", "pcm_s16le", "pcm_s24be", "pcm_s24le", "pcm_s32be", "pcm_s32le"),
    }
)


@contextmanager
def open_container(fd: int, container: Container, *, name: str, start: int, end: int) -> Iterator[InputContainer]:
    """Demux a range of a file as this container and nothing else.

    No path reaches FFmpeg, no protocol is allowed, no external reference is followed, and only the decoders
    of `_DECODERS` may run, also while FFmpeg looks at the streams.

    Parameters
    ----------
    fd : int
        Read by offset: its position does not matter, and it stays open.
    container : Container
    name : str
        What its owner calls the file.
    start, end : int
        The range, in bytes.

    Raises
    ------
    UnreadableAudio
        The demuxer does not understand it.
    """
    demuxer = _DEMUXERS[container]
    try:
        opened = av.open(
            ByteRange(fd, start, end),
            format=demuxer,
            container_options={
                "protocol_whitelist": "none",
                "format_whitelist": demuxer,
                "codec_whitelist": ",".join(sorted(_DECODERS)),
            },
            metadata_errors="replace",
        )
    except (av.error.FFmpegError, ValueError) as error:  # ValueError: names of streams that are no text
        raise UnreadableAudio(f"{name} is damaged or incomplete: it cannot be opened as {container}.") from error
    with opened:
        yield cast(InputContainer, opened)


def audio_stream(opened: InputContainer, *, name: str) -> AudioStream:
    """The audio to take: the first stream marked default, else the first. All others are skipped over.

    Raises
    ------
    NoAudioStream
    UnsupportedFormat
        Its codec is none that may be decoded.
    """
    streams = opened.streams.audio
    if not streams:
        raise NoAudioStream(f"{name} holds no audio.")
    stream = next((each for each in streams if each.disposition & Disposition.default), streams[0])
    if stream.codec_context is None or stream.codec_context.name not in _DECODERS:
        raise UnsupportedFormat(f"The audio of {name} is in a codec that is not accepted.")
    for other in opened.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    stream.codec_context.thread_count = 1  # jobs run side by side; a second thread for one gains nothing
    return stream
