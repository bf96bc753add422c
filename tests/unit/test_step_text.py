"""Steps as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mixdown.errors import InvalidRequest
from mixdown.model import (
    Bed,
    Chapter,
    Concatenate,
    Denoise,
    Fade,
    Label,
    NoiseReduction,
    Silence,
    Source,
    Split,
    Step,
    Trim,
)
from mixdown.step_text import parse_step, read_steps, step_kinds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("trim start_s=3 end_s=90.5", Trim(start_s=3, end_s=90.5)),
        ("fade", Fade()),
        ("fade in_s=1 curve=linear", Fade(in_s=1, curve="linear")),
        ("split at_s=10,20.5", Split(at_s=(10, 20.5))),
        ("split at_silences=yes", Split(at_silences=True)),
        ("silence trim=no shorten_to_s=0.8", Silence(trim=False, shorten_to_s=0.8)),
        ("denoise reduction=24", Denoise(reduction=NoiseReduction.db24)),
        ("bed source='my music.mp3' duck_db=20", Bed(source=Source(uri="my music.mp3"), duck_db=20)),
        ("concatenate sources=b.wav,c.wav", Concatenate(sources=(Source(uri="b.wav"), Source(uri="c.wav")))),
        ("label tags.title='A talk' cover=me.jpg", Label(tags={"title": "A talk"}, cover=Source(uri="me.jpg"))),
    ],
)
def test_a_line_is_a_step(text: str, expected: Step) -> None:
    """A kind and what is not to be as usual; lists are parted by commas, quotes keep blanks."""
    assert parse_step(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no step"),
        ("trim 'oops", "is no step"),
        ("echo", "There is no step “echo”. There are: dc_removal"),
        ("trim 3", "“3” in the step “trim” is no name=value."),
        ("trim start_s=soon", "“trim”, start_s: input should be a valid number"),
        ("trim begin_s=3", "“trim”, begin_s: extra inputs are not permitted"),
        ("gain", "“gain”, gain_db: field required"),
        ("split", "needs exactly one of"),
        ("split every_s=10 at_silences=yes", "needs exactly one of"),
    ],
)
def test_what_is_no_step_is_said_in_a_sentence(text: str, said: str) -> None:
    """The sentence names the step, the parameter and what is wrong with it."""
    with pytest.raises(InvalidRequest) as refused:
        parse_step(text)

    assert said in refused.value.message
    assert refused.value.message.endswith(".")
    assert "\n" not in refused.value.message


def test_every_kind_of_step_can_be_written() -> None:
    """The kinds are those of the model, each under its own name."""
    kinds = step_kinds()

    assert len(kinds) == 29
    assert all(model.model_fields["kind"].default == name for name, model in kinds.items())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cut.toml", '[[steps]]\nkind = "trim"\nstart_s = 3\n\n[[steps]]\nkind = "fade"\nout_s = 2.0\n'),
        ("cut.json", '[{"kind": "trim", "start_s": 3}, {"kind": "fade", "out_s": 2}]'),
        ("cut.JSON", '{"steps": [{"kind": "trim", "start_s": 3}, {"kind": "fade", "out_s": 2}]}'),
    ],
)
def test_steps_are_read_from_a_file(name: str, text: str, tmp_path: Path) -> None:
    """TOML as presets are written, or JSON."""
    (tmp_path / name).write_text(text)

    assert read_steps(tmp_path / name) == (Trim(start_s=3), Fade(out_s=2))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("no.toml", None),
        ("broken.toml", b"[[steps"),
        ("bytes.json", b"\xff\xfe\x00"),
        ("number.json", b"7"),
        ("wrong.json", b'[{"kind": "trim", "start_s": -1}]'),
    ],
)
def test_a_file_without_steps_is_refused(name: str, content: bytes | None, tmp_path: Path) -> None:
    """By its name, without its path, in one sentence."""
    if content is not None:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(InvalidRequest) as refused:
        read_steps(tmp_path / name)

    assert name in refused.value.message
    assert str(tmp_path) not in refused.value.message


def test_chapters_are_steps_of_a_file_only(tmp_path: Path) -> None:
    """What has no place on a line has one in a file."""
    (tmp_path / "label.json").write_text('[{"kind": "label", "chapters": [{"start_s": 2, "title": "Two"}]}]')

    assert read_steps(tmp_path / "label.json") == (Label(chapters=(Chapter(start_s=2, title="Two"),)),)
