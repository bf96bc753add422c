"""What a file is, by its first bytes. Nothing here decodes; the decoder is the judge of what is let through."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import puremagic

from mixdown.codec.mpeg_frame import adts_frame_bytes, mpeg_frame
from mixdown.errors import (
    EmptyFile,
    NotARegularFile,
    SourceForbidden,
    SourceNotFound,
    UnreadableAudio,
    UnsupportedFormat,
)

#: How much of the start of a file (and of what follows its ID3 tags) is looked at.
HEAD_BYTES = 64 * 1024

#: puremagic's confidence from which on its guess is worth telling.
_SURE = 0.3

#: What it says of files that begin like ours and then are not.
_OURS = ("audio/mpeg", "audio/aac", "audio/x-aac")


class Container(StrEnum):
    """Kinds of file that are accepted."""

    wav = "wav"
    aiff = "aiff"
    flac = "flac"
    mp3 = "mp3"
    ogg = "ogg"
    mp4 = "mp4"
    matroska = "matroska"
    adts = "adts"
    caf = "caf"
    w64 = "w64"
    au = "au"
    amr = "amr"


#: Bytes that no text holds.
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")

#: Texts that point at other files. Nothing they name is ever opened.
_PLAYLIST = re.compile(
    rb"#EXTM3U|#EXTINF|^\s*\[playlist\]|^\s*ffconcat|^\s*<asx|<playlist\b|<MPD\b|<SmoothStreamingMedia\b"
    rb"|^v=0\r?\no=|^\s*FILE\s+\S.*\r?\n\s*TRACK\s|^\s*\[Reference\]|^(?:https?|rtsp|rtmp|mms|file)://",
    re.IGNORECASE | re.MULTILINE,
)


def open_regular(path: Path, *, name: str, folder_fd: int | None = None) -> int:
    """Open a regular file for reading, without following a link at its last component or waiting on a pipe.

    Parameters
    ----------
    path : Path
    name : str
        What its owner calls it; the only name in a message.
    folder_fd : int or None
        The folder, opened, that a relative path starts from.

    Returns
    -------
    int
        A descriptor at offset 0, not inherited by child processes. The caller closes it.

    Raises
    ------
    SourceNotFound, SourceForbidden, NotARegularFile, EmptyFile
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder_fd)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceNotFound(f"{name} does not exist.") from error
    except PermissionError as error:
        raise SourceForbidden(f"{name} may not be read.") from error
    except OSError as error:  # ELOOP for a link, ENXIO for a socket or a device without a driver
        raise NotARegularFile(f"{name} is not a regular file.") from error
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        raise NotARegularFile(f"{name} is a {_kind(status.st_mode)}, not a file.")
    if status.st_size == 0:
        os.close(fd)
        raise EmptyFile(f"{name} is empty.")
    os.set_blocking(fd, True)
    return fd


def identify(fd: int, *, name: str) -> Container:
    """The kind of file behind a descriptor, by its content alone; the offset of the descriptor stays.

    Raises
    ------
    UnsupportedFormat
        Recognised, and not accepted: playlists, texts, pictures, archives.
    UnreadableAudio
        Not recognised.
    """
    head = os.pread(fd, HEAD_BYTES, 0)
    behind_tags = os.pread(fd, HEAD_BYTES, id3_end(fd))
    if (container := _by_signature(head) or _by_frames(behind_tags, at_start=True)) is not None:
        return container
    if _is_text(head):
        if _PLAYLIST.search(head):
            raise UnsupportedFormat(f"{name} is a playlist that points at other files, not a recording.")
        raise UnsupportedFormat(f"{name} is a text, not a recording.")
    if (foreign := _foreign(head)) is not None:
        raise UnsupportedFormat(f"{name} is no recording in an accepted format; it looks like: {foreign}.")
    if (container := _by_frames(behind_tags, at_start=False)) is not None:
        return container
    raise UnreadableAudio(f"{name} is not in any audio format known here.")


def id3_end(fd: int) -> int:
    """Offset of the first byte behind the ID3v2 tags a file starts with; 0 where there are none."""
    offset = 0
    for _ in range(16):
        header = os.pread(fd, 10, offset)
        if len(header) < 10 or header[:3] != b"ID3" or any(byte & 0x80 for byte in header[6:10]):
            break
        size = header[6] << 21 | header[7] << 14 | header[8] << 7 | header[9]
        offset += 10 + size + (10 if header[5] & 0x10 else 0)
    return offset


def _by_signature(head: bytes) -> Container | None:
    """The container that states itself in its first bytes."""
    if head[:4] in (b"RIFF", b"RF64", b"BW64", b"RIFX") and head[8:12] == b"WAVE":
        return Container.wav
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return Container.aiff
    if head[:4] == b"fLaC":
        return Container.flac
    if head[:4] == b"caff":
        return Container.caf
    if head[:4] == b"riff" and head[24:28] == b"wave":
        return Container.w64
    if head[:4] == b".snd":
        return Container.au
    if head[:5] == b"#!AMR":
        return Container.amr
    if head[:4] == b"OggS":
        return Container.ogg
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return Container.matroska
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"):
        return Container.mp4
    return None


def _by_frames(head: bytes, *, at_start: bool) -> Container | None:
    """MP3 and ADTS have no signature: frames that follow each other are one, at the start or behind junk."""
    if at_start and head[:4] == b"fLaC":  # behind ID3 tags
        return Container.flac
    start = 0 if at_start else head.find(b"\xff")
    while start != -1:
        if _frames_in_a_row(head, start, _mpeg_frame_bytes):
            return Container.mp3
        if _frames_in_a_row(head, start, adts_frame_bytes):
            return Container.adts
        start = -1 if at_start else head.find(b"\xff", start + 1)
    return None


def _mpeg_frame_bytes(header: bytes) -> int | None:
    frame = mpeg_frame(header)
    return frame.size_bytes if frame else None


def _frames_in_a_row(head: bytes, start: int, frame_bytes: Callable[[bytes], int | None]) -> bool:
    """Whether frames follow each other from ``start``: three of them, or nothing else up to the end."""
    offset, count = start, 0
    while count < 3 and (size := frame_bytes(head[offset : offset + 6])) is not None:
        offset, count = offset + size, count + 1
    return count == 3 or (start == 0 and (offset == len(head) or (count == 2 and offset > len(head))))


def _is_text(head: bytes) -> bool:
    """Whether a person could read this: UTF-16 by its mark, UTF-8, or Latin letters without control characters."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    if _CONTROL.search(head):
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        beyond_ascii = len(head.translate(None, bytes(range(128))))
        return error.start > len(head) - 4 or beyond_ascii < 0.3 * len(head)
    return True


def _foreign(head: bytes) -> str | None:
    """What a file of another kind is, as far as its signature tells."""
    if head.startswith(b"PK"):  # puremagic says Word
        return "ZIP archive or office document"
    try:
        best = puremagic.magic_string(head)[0]
    except puremagic.PureError:
        return None
    known = best.mime_type and best.mime_type not in _OURS and best.confidence >= _SURE
    return str(best.name) if known else None


def _kind(mode: int) -> str:
    """What a file that is not regular is, for a message."""
    if stat.S_ISDIR(mode):
        return "folder"
    return "pipe" if stat.S_ISFIFO(mode) else "device"
