"""Scripts: plain text, Markdown, dialogue or SSML becomes sentences, pauses, chapters and cues."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

from mixdown.errors import InvalidScript
from mixdown.model import Line, Script, ScriptForm
from mixdown.speech.lexicon import Lexicon
from mixdown.speech.script import dialogue, markdown, plain, ssml
from mixdown.speech.script.dialogue import Speakers, is_dialogue
from mixdown.speech.script.front_matter import FrontMatter, front_matter
from mixdown.speech.script.sheet import Notes, Sheet
from mixdown.speech.text import decoded

__all__ = ["MOST_CHARACTERS", "read_script"]

MOST_CHARACTERS = 2_000_000

_SUFFIXES = {
    **dict.fromkeys(("md", "markdown", "mdown", "mkd"), ScriptForm.markdown),
    **dict.fromkeys(("ssml", "xml"), ScriptForm.ssml),
}
_XML = re.compile(r"\s*(<\?xml[^>]*\?>\s*)?(<!--.*?-->\s*)*<([\w-]+:)?speak[\s>/]", re.DOTALL)
_LANGUAGE = re.compile(
    r"""<([\w-]+:)?speak\b[^<>]*?\sxml:lang\s*=\s*["']([A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*)["']"""
)
#: Signs of Markdown that hardly stand in plain text by chance: a heading with a text around it, a fence, a link.
_MARKDOWN = re.compile(
    r"^(#{1,6} \S.*\n|```|\S.*\n(?:={3,}|-{3,})[ \t]*\n)|\[[^\]\n]+\]\(\S+?\)|\*\*\S[^*\n]*\*\*", re.M
)


def read_script(
    body: bytes,
    *,
    name: str = "",
    form: ScriptForm = ScriptForm.auto,
    language: str = "",
    lexicon: Lexicon | None = None,
    cast: Collection[str] = (),
    voice_language: str = "",
    most_characters: int = MOST_CHARACTERS,
) -> Script:
    """A script from its file.

    Parameters
    ----------
    body : bytes
        The file: UTF-8, or UTF-16 with its mark.
    name : str
        What it is called; its suffix tells the form.
    form : ScriptForm
        How it is written.
    language : str
        BCP 47. "": as the script says, else `voice_language`, else en.
    lexicon : Lexicon, optional
        How words are said.
    cast : collection of str
        Speakers that whoever asks has given voices to, besides those of the script.
    voice_language : str
        Language of the voice that was asked for, if one was.
    most_characters : int
        A longer script is refused.

    Returns
    -------
    Script
        Whatever was passed over is in its warnings.

    Raises
    ------
    InvalidScript
        It is no text, too long, or not written as it says.
    """
    if len(body) > 4 * most_characters + 4:
        raise InvalidScript(f"The script has more than {most_characters:,} characters.")
    text = decoded(body)
    if len(text) > most_characters:
        raise InvalidScript(f"The script has more than {most_characters:,} characters.")
    notes = Notes()
    front = FrontMatter()
    if form is not ScriptForm.ssml and not _XML.match(text):
        front, text = front_matter(text, notes)
    form = _form(name, text, front, cast) if form is ScriptForm.auto else form
    own_language = _of_ssml(text) if form is ScriptForm.ssml else front.language
    spoken = (language or own_language or voice_language or "en").replace("_", "-")

    sheet = Sheet(language=spoken, lexicon=lexicon, notes=notes)
    _take_down(text, form, front, cast, sheet)
    items = tuple(_with_voice(item, front.voice) if isinstance(item, Line) else item for item in sheet.items)
    return Script(
        items=items,
        language=spoken,
        title=front.title or next((item.text for item in items if isinstance(item, Line) and item.heading), ""),
        cast={name: voice for name, voice in front.cast.items() if voice},
        tags=front.tags,
        warnings=(*(lexicon.warnings if lexicon else ()), *notes.sentences),
    )


def _take_down(text: str, form: ScriptForm, front: FrontMatter, cast: Collection[str], sheet: Sheet) -> None:
    first_line, known = front.lines + 1, (*front.cast, *cast)
    match form:
        case ScriptForm.ssml:
            ssml.read(text, sheet)
        case ScriptForm.markdown:
            markdown.read(text, first_line, sheet, Speakers(known, anybody=False))
        case ScriptForm.dialogue:
            dialogue.read(text, first_line, sheet, Speakers(known, anybody=not known or is_dialogue(text)))
        case _:
            plain.read(text, first_line, sheet)


def _form(name: str, text: str, front: FrontMatter, cast: Collection[str]) -> ScriptForm:
    """How a script is written, by its suffix and its first lines."""
    if _XML.match(text):
        return ScriptForm.ssml
    suffix = name.lower().rpartition(".")[2] if "." in name else ""
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    if front.cast or cast or is_dialogue(text):
        return ScriptForm.dialogue
    return ScriptForm.markdown if suffix != "txt" and _MARKDOWN.search(text[:20_000]) else ScriptForm.plain


def _of_ssml(text: str) -> str:
    found = _LANGUAGE.search(text[:5000])
    return found[2] if found else ""


def _with_voice(line: Line, voice: str) -> Line:
    """A sentence that nobody is named for is said by the voice of the front matter."""
    return line if line.speaker or line.voice or not voice else replace(line, voice=voice)
