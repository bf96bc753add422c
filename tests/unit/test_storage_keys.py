"""Keys and names: nothing a stranger calls a file leads anywhere or breaks anything."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mixdown.storage import master_key, safe_name, safe_stem, source_key, staged_key
from mixdown.storage.keys import checked_key, names_beside

JOB = UUID(int=5)
RESULT_KEY = "ab" * 32


@pytest.mark.parametrize(
    ("filename", "stem"),
    [
        ("talk.wav", "talk"),
        ("talk.final.wav", "talk.final"),
        ("Episode 1.5", "Episode 1.5"),
        ("clip.3gp", "clip"),
        ("archive.tar.gz", "archive.tar"),
        ("no suffix", "no suffix"),
        ("What happened. And why", "What happened. And why"),
        ("Übung 日本語 😀.mp3", "Übung 日本語 😀"),
        ("e\u0301.wav", "é"),
        ("../../etc/passwd", "passwd"),
        ("C:\\My files\\talk.wav", "talk"),
        ("/absolute/talk.wav", "talk"),
        ("folder/", "folder"),
        ("-rf.wav", "rf"),
        (".hidden.wav", "hidden"),
        ("trailing dots... .wav", "trailing dots"),
        ("two\nlines\tand\x00controls\x1b[31m.wav", "two lines andcontrols[31m"),
        ("gpj\u202etalk.wav", "gpjtalk"),
        ('a*b?c"d<e>f|g:h.wav', "a_b_c_d_e_f_g_h"),
        ("  spaced   out  .wav", "spaced out"),
        ("surrogate\udcff.wav", "surrogate"),
        ("👩‍👩‍👧.wav", "👩‍👩‍👧"),
        ("", "recording"),
        ("...", "recording"),
        (".wav", "recording"),
        ("\u202e.wav", "recording"),
        ("x" * 300 + ".wav", "x" * 100),
        ("😀" * 300 + ".wav", "😀" * 40),
    ],
)
def test_a_stem_is_what_its_owner_would_recognise(filename: str, stem: str) -> None:
    """Names keep their letters and lose what a file system or a terminal may stumble over."""
    assert safe_stem(filename) == stem


@given(st.text(max_size=400))
@example("\u0345" * 200)
@example("ﷺ" * 100 + ".wav")
def test_every_stem_is_safe(filename: str) -> None:
    """Whatever a file is called, its stem is one short, visible, harmless part of a path."""
    stem = safe_stem(filename)

    assert 1 <= len(stem) <= 100
    assert len(stem.encode()) <= 160
    assert not set(stem) & set('/\\:*?"<>|\n\t\0')
    assert all(unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp") for character in stem)
    assert stem[0] not in "-. "
    assert stem[-1] not in ". "
    assert unicodedata.is_normalized("NFC", stem)


@given(st.text(max_size=200))
def test_a_stem_is_its_own_stem(filename: str) -> None:
    """Making a name safe twice changes nothing more, so that a job done again finds its file."""
    name = safe_name(filename)

    assert safe_name(name) == name
    assert PurePosixPath(name).name == name


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        ("talk.wav", "talk.wav"),
        ("Übung.MP3", "Übung.MP3"),
        ("../x.y/talk", "talk"),
        ("Episode 1.5", "Episode 1.5"),
        (".wav", "recording.wav"),
        ("a.b/c.wav", "c.wav"),
    ],
)
def test_a_name_keeps_its_suffix(filename: str, name: str) -> None:
    """A name is its safe stem and its suffix."""
    assert safe_name(filename) == name


def test_keys_say_whose_they_are() -> None:
    """What a job stages lies under one prefix; what a result keeps lies under its key."""
    assert staged_key(JOB, "0.mp3") == f"staged/{JOB}/0.mp3"
    assert staged_key(JOB, "../../0.mp3") == f"staged/{JOB}/0.mp3"
    assert staged_key(JOB, "") == f"staged/{JOB}/"
    assert source_key(JOB).startswith(staged_key(JOB, ""))
    assert master_key(RESULT_KEY, "report.json") == f"masters/ab/{RESULT_KEY}/report.json"
    assert master_key(RESULT_KEY, "../../x.mp3") == f"masters/ab/{RESULT_KEY}/x.mp3"


@given(st.text(max_size=200))
def test_every_key_is_within_the_store(filename: str) -> None:
    """No name makes a key that leads out of the store or is too long for S3."""
    for key in (staged_key(JOB, filename or "x"), master_key(RESULT_KEY, filename)):
        assert checked_key(key) == key
        assert len(key.encode()) <= 1024


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "../a", "a/../b", "a/.", "a\0b", "a\\b"])
def test_a_key_that_leads_elsewhere_is_a_bug(key: str) -> None:
    """Only the functions above make keys; anything that could climb is refused loudly."""
    with pytest.raises(ValueError, match="not an object key"):
        checked_key(key)


def test_names_beside_a_taken_one() -> None:
    """A different file of the same name gets more and more of its hash, and always the same names."""
    sha256 = "0123456789abcdef" * 4

    assert list(names_beside("a.b/talk.final.mp3", sha256)) == [
        "a.b/talk.final.mp3",
        "a.b/talk.final.01234567.mp3",
        f"a.b/talk.final.{sha256}.mp3",
    ]
    assert list(names_beside("talk", sha256)) == ["talk", "talk.01234567", f"talk.{sha256}"]
