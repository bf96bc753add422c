"""Bytes that become scripts: encodings, limits, and whatever strangers send."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from mixdown.errors import InvalidScript
from mixdown.model import Gap, Line, ScriptForm
from mixdown.speech.lexicon import Entry, Lexicon, read_lexicon
from mixdown.speech.script import read_script

_FORMS = [form for form in ScriptForm if form is not ScriptForm.ssml]
_WORDS = some.text(alphabet="abcdefgäéñ", min_size=2, max_size=8)
#: None ends with what might be an abbreviation.
_SENTENCES = some.lists(_WORDS, min_size=2, max_size=12).map(lambda words: f"{' '.join(words).capitalize()} done.")
_PARAGRAPHS = some.lists(some.lists(_SENTENCES, min_size=1, max_size=4), min_size=1, max_size=5)


@pytest.mark.parametrize(
    "body",
    [
        "Grüße.\r\rEnde.".encode(),
        codecs.BOM_UTF8 + "Gru\u0308ße.\r\n\r\nEnde.".encode(),
        "Grüße.\n\nEnde.".encode("utf-16"),
        codecs.BOM_UTF16_BE + "Grüße.\u2028\u2028Ende.\x00\x1b".encode("utf-16-be"),
    ],
)
def test_text_is_read_whoever_saved_it(body: bytes) -> None:
    """Marks of order, ends of lines, decomposed letters and controls make no difference."""
    assert [line.text for line in read_script(body).lines] == ["Grüße.", "Ende."]


def test_what_is_no_text_is_refused() -> None:
    """The sentence says where, and what to do."""
    with pytest.raises(InvalidScript, match=r"line 2 is not\. Save it as UTF-8"):
        read_script(b"One.\nGr\xfc\xdfe.")


def test_a_script_has_a_limit() -> None:
    """Characters, and bytes before they are decoded."""
    assert read_script(b"a" * 100, most_characters=100).characters == 100
    for body in (b"a" * 101, b"\xff" * 500):
        with pytest.raises(InvalidScript, match="more than 100 characters"):
            read_script(body, most_characters=100)


def test_a_paragraph_of_markdown_has_a_limit() -> None:
    """Brackets without end would keep its parser busy for minutes."""
    with pytest.raises(InvalidScript, match="paragraph of the Markdown"):
        read_script(b"[" * 300_000, name="a.md")


def test_the_language_is_what_is_asked_for_else_what_the_script_says() -> None:
    """Else that of the voice, else English."""
    script = b"---\nlanguage: fr\n---\nBonjour."

    assert read_script(script, language="de").language == "de"
    assert read_script(script, voice_language="it").language == "fr"
    assert read_script(b"Ciao.", voice_language="it").language == "it"
    assert read_script(b"Hello.").language == "en"


def test_warnings_have_a_limit() -> None:
    """The others are counted."""
    warnings = read_script("\n".join(f"[oh{number}] a" for number in range(80)).encode()).warnings

    assert len(warnings) == 51
    assert warnings[-1] == "And 30 more of these."


@settings(deadline=None)
@given(paragraphs=_PARAGRAPHS, form=some.sampled_from(_FORMS))
def test_every_sentence_is_there_once_and_in_order(paragraphs: list[list[str]], form: ScriptForm) -> None:
    """Whatever the form, and with the gaps that stand between them."""
    text = "\n\n".join("\n".join(sentences) for sentences in paragraphs)

    lines = read_script(text.encode(), form=form).lines

    assert [line.text for line in lines] == [sentence for sentences in paragraphs for sentence in sentences]
    assert [line.gap for line in lines if line.gap is Gap.paragraph] == [Gap.paragraph] * len(paragraphs)


@settings(deadline=None)
@given(
    text=some.text(alphabet="ab .!?\"'()[]…:;,*_`#>-\n|<&~\\1", max_size=300),
    form=some.sampled_from([ScriptForm.plain, ScriptForm.dialogue]),
)
def test_no_word_is_lost(text: str, form: ScriptForm) -> None:
    """But what stands in brackets, and numbers of headings; every letter is in one sentence, in order."""
    without = text.replace("[", "(").replace(":", ";").replace("1", "c")

    lines = read_script(without.encode(), form=form, name="a.txt").lines

    said = "".join(char for line in lines for char in line.text if char.isalnum())
    assert said == "".join(char for char in without if char.isalnum())


@settings(deadline=None)
@given(body=some.binary(max_size=300), name=some.sampled_from(["", "a.md", "b.ssml", "c.txt"]))
def test_bytes_of_any_kind_are_a_script_or_refused(body: bytes, name: str) -> None:
    """Nothing else happens."""
    try:
        script = read_script(body, name=name)
    except InvalidScript:
        return
    assert all(line.said.strip() for line in script.lines)


@settings(deadline=None)
@given(
    text=some.text(alphabet="a B.\n[]()!*_~`#>-+|:<>/&;=\"'pause1musicfx^\\{}speak", max_size=200),
    form=some.sampled_from([*ScriptForm]),
)
def test_text_of_any_kind_is_a_script_or_refused(text: str, form: ScriptForm) -> None:
    """With all the signs that mean something in one form or another."""
    for script in (text, f"<speak>{text}</speak>", f"---\n{text}\n---\n{text}"):
        try:
            items = read_script(script.encode(), form=form).items
        except InvalidScript:
            continue
        assert all(line.said.strip() and line.line_number for line in items if isinstance(line, Line))


# -- lexicons -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("a.csv", "word,say,ipa\ngif,jif,\nNginx,engine x,ɛn\nNew York,Big Apple,\n"),
        ("a.csv", "\ufeffgif;jif\nNginx;engine x;ɛn\nNew York;Big Apple\n"),
        ("a.yaml", "gif: jif\nNginx: {say: engine x, ipa: /ɛn/}\nNew York: Big Apple\n"),
        (
            "a.pls",
            '<?xml version="1.0" encoding="UTF-16"?><lexicon version="1.0" alphabet="ipa" xml:lang="en"'
            ' xmlns="http://www.w3.org/2005/01/pronunciation-lexicon">'
            "<lexeme><grapheme>gif</grapheme><alias>jif</alias></lexeme>"
            "<lexeme><grapheme>Nginx</grapheme><phoneme>no</phoneme><phoneme prefer='true'>ɛn</phoneme>"
            "<alias>engine x</alias></lexeme>"
            "<lexeme><grapheme>New York</grapheme><alias>Big Apple</alias></lexeme></lexicon>",
        ),
    ],
)
def test_a_lexicon_says_how_words_are_said(name: str, body: str) -> None:
    """Words in small letters mean every spelling, others themselves; what is written stays in the captions."""
    lexicon = read_lexicon(body.encode(), name=name)

    (line,) = read_script(b"A GIF of nginx and Nginx in New\nYork, no gifs", lexicon=lexicon).lines

    assert line.text == "A GIF of nginx and Nginx in New York, no gifs"
    assert line.said == "A jif of nginx and engine x in Big Apple, no gifs"
    assert line.ipa == {"engine x": "ɛn"}


def test_words_of_a_lexicon_may_have_signs() -> None:
    """And the longest one goes first."""
    lexicon = Lexicon((Entry("c", "see"), Entry("C++", "C plus plus"), Entry(".net", "dot net"), Entry("e", "/x/")))

    said = [line.said for line in read_script(b"C++ and c in .NET", lexicon=lexicon).lines]

    assert said == ["C plus plus and see in dot net"]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("a.csv", b"gif\n"),
        ("a.csv", b"gif,\n"),
        ("a.csv", b'"gif,jif\n'),
        ("a.csv", b"word,sounds\na,b\n"),
        ("a.csv", b"a,b,c,d\n"),
        ("a.csv", b"gif," + b"x" * 300),
        ("a.yaml", b"- gif\n"),
        ("a.yaml", b"gif: {say: jif, as: x}\n"),
        ("a.yaml", b"{"),
        ("a.pls", b"<lexicon"),
        ("a.pls", b"<speak/>"),
        ("a.pls", b'<!DOCTYPE a [<!ENTITY b "c">]><lexicon>&b;</lexicon>'),
        ("a.csv", b"\xff\xff"),
    ],
)
def test_what_is_no_lexicon_is_refused(name: str, body: bytes) -> None:
    """A lexicon that is half read would be heard only at the end."""
    with pytest.raises(InvalidScript, match="lexicon"):
        read_lexicon(body, name=name)


def test_sounds_in_another_alphabet_are_passed_over() -> None:
    """With a warning that the script hands on."""
    body = b'<lexicon alphabet="x-sampa"><lexeme><grapheme>a</grapheme><phoneme>b</phoneme></lexeme></lexicon>'
    lexicon = read_lexicon(body, name="a.pls")

    assert "another alphabet" in read_script(b"A text.", lexicon=lexicon).warnings[0]
