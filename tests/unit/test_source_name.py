"""What messages call a source."""

import pytest

from mixdown.model import Source


@pytest.mark.parametrize(
    ("uri", "filename", "name"),
    [
        ("https://user:secret@example.org/a/My%20talk.mp3?sig=secret", None, "My talk.mp3"),
        ("https://user:secret@example.org/?sig=secret", None, "example.org"),
        ("https://user:secret@example.org", None, "example.org"),
        ("https://user:secret@example.org#secret", None, "example.org"),
        ("HTTPS://example.org/a%2Fb.wav", None, "b.wav"),
        ("s3://bucket/a b/c%20d?.wav", None, "c%20d?.wav"),
        ("/recordings/why? #1 a%20b.wav", None, "why? #1 a%20b.wav"),
        ("file:///recordings/a%20b.wav", None, "a b.wav"),
        ("/recordings/two\nlines\x1b[31m.wav", None, "two\ufffdlines\ufffd[31m.wav"),
        ("https://example.org/x", "Interview.wav", "Interview.wav"),
        ("https://example.org/x", "../../Interview.wav", "Interview.wav"),
        ("/recordings/folder/", None, "folder"),
        ("/", None, "the recording"),
    ],
)
def test_a_source_is_called_by_its_name(uri: str, filename: str | None, name: str) -> None:
    """A message names the file; never a folder, a credential, a query or a control character."""
    assert Source(uri=uri, filename=filename).name == name
