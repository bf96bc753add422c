"""FFmpeg's libraries through PyAV, with everything shut that a stranger's file could reach for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import av
import av.error
from av.audio.stream import AudioStream
from av.container import InputContainer

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
}

#: Decoders that may run. Video and exotic audio are never decoded.
_DECODERS = frozenset(
    "aac aac_latm ac3 adpcm_ima_qt adpcm_ima_wav adpcm_ms alac amrnb amrwb eac3 flac gsm_ms mp1float mp2float"
    " mp3float mp3 mp2 mp1 opus vorbis pcm_alaw pcm_mulaw pcm_f32be pcm_f32le pcm_f64be pcm_f64le pcm_s16be"
    " pcm_s16le pcm_s24be pcm_s24le pcm_s32be pcm_s32le pcm_s8 pcm_u8 pcm_s8_planar pcm_s16be_planar"
    " pcm_s16le_planar wavpack speex".split()
)


@contextmanager
def open_container(fd: int, container: Container, *, name: str) -> Iterator[InputContainer]:
    """Demux what a descriptor holds, as this container and nothing else; the descriptor stays open.

    No path reaches FFmpeg, no protocol is allowed, no external reference is followed, and only the decoders
    of `_DECODERS` may run, also while FFmpeg looks at the streams.

    Raises
    ------
    UnreadableAudio
        The demuxer does not understand it.
    """
    os.lseek(fd, 0, os.SEEK_SET)
    with os.fdopen(os.dup(fd), "rb", buffering=0) as file:
        try:
            opened = av.open(
                file,
                format=_DEMUXERS[container],
                container_options={
                    "protocol_whitelist": "none",
                    "format_whitelist": _DEMUXERS[container],
                    "codec_whitelist": ",".join(sorted(_DECODERS)),
                },
                metadata_errors="replace",
            )
        except (av.error.FFmpegError, ValueError) as error:
            raise UnreadableAudio(
                f"{name} is damaged or incomplete: it cannot be opened as {container}."
            ) from error
        with opened:
            yield opened


def audio_stream(opened: InputContainer, *, name: str) -> AudioStream:
    """The audio to take: the first stream marked default, else the first.

    Raises
    ------
    NoAudioStream
    UnsupportedFormat
        Its codec is none that may be decoded.
    """
    streams = opened.streams.audio
    if not streams:
        raise NoAudioStream(f"{name} holds no audio.")
    stream = next((s for s in streams if s.disposition & type(s.disposition).default), streams[0])
    codec = stream.codec_context
    if codec is None or codec.name not in _DECODERS:
        raise UnsupportedFormat(f"The audio of {name} is in a codec that is not accepted.")
    codec.thread_count = 1
    return stream
