"""Nothing that a file names is ever opened, and no name that a stranger gives reaches a shell."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mixdown.codec.decode import open_audio
from mixdown.errors import PermanentError
from mixdown.model import Limits
from tests.services.raw_server import Connection, raw_server

ROOT = Path(__file__).parent.parent.parent

#: Files that point at others, `{url}` and `{path}`; what they call themselves is another matter.
POINTING = {
    "hls": "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{url}\n#EXT-X-ENDLIST\n",
    "hls-file": "#EXTM3U\n#EXTINF:10,\nfile://{path}\n#EXT-X-ENDLIST\n",
    "hls-key": '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{url}"\n#EXTINF:1,\n{path}\n#EXT-X-ENDLIST\n',
    "concat": "ffconcat version 1.0\nfile '{path}'\n",
    "concat-bare": "file '{path}'\nduration 10\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{url}</BaseURL></MPD>',
    "smooth": '<SmoothStreamingMedia MajorVersion="2"><StreamIndex Url="{url}"/></SmoothStreamingMedia>',
    "svg": '<svg xmlns="http://www.w3.org/2000/svg"><image href="{url}"/></svg>',
    "xml": '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file://{path}">]><a>&b;</a>',
    "xspf": '<playlist version="1"><trackList><track><location>{url}</location></track></trackList></playlist>',
    "asx": '<asx version="3"><entry><ref href="{url}"/></entry></asx>',
    "pls": "[playlist]\nFile1={url}\nNumberOfEntries=1\n",
    "cue": 'FILE "{path}" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n',
    "sdp": "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 5004 RTP/AVP 0\r\n",
    "qt-reference": "[Reference]\nRef1={url}\n",
    "url": "{url}\n",
    "imf": '<AssetMap xmlns="http://www.smpte-ra.org/schemas/429-9/2007/AM"><Path>{path}</Path></AssetMap>',
}


@pytest.mark.parametrize("name", ["talk.mp3", "talk.wav", "talk.m4a", "talk.m3u8", "talk"])
@pytest.mark.parametrize("kind", sorted(POINTING))
def test_a_file_that_points_elsewhere_is_refused_and_nothing_is_asked(kind: str, name: str, tmp_path: Path) -> None:
    """Whatever it is called, a list is no recording: it is refused, and what it names is left alone."""
    with raw_server(_sound) as (url, connections):
        (tmp_path / "other.wav").write_bytes(b"RIFF")
        text = POINTING[kind].format(url=f"{url}/x.mp3", path=tmp_path / "other.wav")
        (tmp_path / name).write_text(text)

        with pytest.raises(PermanentError) as caught, open_audio(tmp_path / name, name=name, limits=Limits()):
            pass

        assert caught.value.code in ("unsupported_format", "unreadable_audio")
        assert connections == []


def test_no_program_is_run_by_a_shell_and_no_pickle_is_read() -> None:
    """No line of ours hands text to a shell or evaluates it: a file's name can be anything."""
    forbidden = re.compile(
        r"shell=True|os\.system\(|os\.popen\(|\bpickle\.loads?\(|(?<![.\w])(?:eval|exec)\(|yaml\.load\((?!.*Loader=yaml\.BaseLoader\))"
    )
    folders = [folder for name in ("mixdown", "flows", "tasks", "blocks") if (folder := ROOT / name).is_dir()]
    files = [file for folder in folders for file in folder.rglob("*.py")]

    found = [
        f"{file}:{n}"
        for file in files
        for n, line in enumerate(file.read_text().splitlines(), 1)
        if forbidden.search(line)
    ]

    assert len(files) > 100
    assert found == []


def _sound(connection: Connection) -> None:
    connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
