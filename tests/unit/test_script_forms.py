"""Scripts as they are written: plain text, Markdown, dialogue, SSML."""

from __future__ import annotations

import pytest

from mixdown.errors import InvalidScript
from mixdown.model import ChapterStart, EffectCue, Gap, Line, MusicCue, Pause, Script, ScriptForm
from mixdown.speech.script import read_script


def _read(text: str, **more: object) -> Script:
    return read_script(text.encode(), **more)  # type: ignore[arg-type]


def _texts(script: Script) -> list[str]:
    return [line.text for line in script.lines]


# -- plain text -----------------------------------------------------------------------------------


def test_paragraphs_become_sentences_with_their_lines() -> None:
    """Lines of a paragraph belong together; abbreviations end no sentence."""
    script = _read("Hello, Dr. Smith. How are\nyou at 3.50 p.m. today?\n\nWell.")

    assert _texts(script) == ["Hello, Dr. Smith.", "How are you at 3.50 p.m. today?", "Well."]
    assert [line.gap for line in script.lines] == [Gap.paragraph, Gap.sentence, Gap.paragraph]
    assert [line.line_number for line in script.lines] == [1, 1, 4]


def test_captions_show_what_is_written_and_engines_get_what_is_said() -> None:
    """Abbreviations and addresses of the web are said in full."""
    (line,) = _read("See https://www.example.com/a, e.g. Mr. Fox, Dr. No etc.").lines

    assert line.text == "See https://www.example.com/a, e.g. Mr. Fox, Dr. No etc."
    assert line.said == "See example.com/a, for example Mister Fox, Doctor No et cetera."


def test_sentences_end_as_the_language_has_it() -> None:
    """A date is no end of a sentence in German."""
    script = _read("Am 3. Oktober kam z. B. Prof. Müller. Er ging.", language="de_DE")

    assert script.language == "de-DE"
    assert [line.said for line in script.lines] == [
        "Am 3. Oktober kam zum Beispiel Professor Müller.",
        "Er ging.",
    ]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Ask Dr. No and Mr. Fox of Acme Inc. at approx. 5 p.m. (cf. p. 3), e.g. in Fig. 2."),
        ("de", "Hr. Müller, Dr. Ende und die Fa. Bosch kamen am 1. Mai um ca. 5 Uhr."),
        ("fr", "M. Dupont et Mme. Durand sont là, p. ex. ici."),
        ("es", "El Sr. Pérez y la Sra. Gómez viven aquí."),
        ("it", "Il sig. Rossi e il dott. Bianchi sono qui."),
    ],
)
def test_abbreviations_end_no_sentence(language: str, text: str) -> None:
    """Titles, dates, pages: each language has its own."""
    assert _texts(_read(f"{text} Yes.", language=language)) == [text, "Yes."]


def test_sentences_in_quotes_are_sentences() -> None:
    """With a space before the sign that ends them, too."""
    script = _read("Bon ! « Oui. » Non.", language="fr")

    assert [(line.text, line.gap) for line in script.lines][1:] == [
        ("« Oui. »", Gap.sentence),
        ("Non.", Gap.sentence),
    ]


def test_lists_and_rules_are_heard_as_such() -> None:
    """Each item is a sentence, with its number and without its bullet; a rule is a pause."""
    script = _read("1. Wash. Well.\n2. Cut\n\n- this\n- that\n\n* * *\n\nThe end")

    assert _texts(script) == ["1. Wash.", "Well.", "2. Cut", "this", "that", "The end"]
    assert Pause(1.5) in script.items


def test_text_that_only_looks_like_a_list_is_none() -> None:
    """A line may begin with a number or a dash because the one before was full."""
    script = _read("Wir kamen am\n5. Dezember an\n– und\n– nun ja – blieben.", language="de")

    assert _texts(script) == ["Wir kamen am 5. Dezember an – und – nun ja – blieben."]


def test_signs_without_a_sound_are_no_sentences() -> None:
    """They are shown with the sentence before them."""
    script = _read("Well. … 🙂\n\n???")

    assert _texts(script) == ["Well. … 🙂 ???"]


# -- directives -----------------------------------------------------------------------------------


def test_directives_are_followed_where_they_stand() -> None:
    """Pauses, music, sounds and chapters; a sentence goes on behind them."""
    script = _read(
        "[chapter The start]\n[music bed=Warm level=-12] Wait [pause 800ms] for it. [pause 2] [music off]"
        "[sfx tone hz=440 s=1] [sfx https://example.com/a.wav gain=-3]"
    )

    assert [item if not isinstance(item, Line) else (item.text, item.gap) for item in script.items] == [
        ChapterStart("The start"),
        MusicCue("warm", -12.0),
        ("Wait", Gap.paragraph),
        Pause(0.8),
        ("for it.", Gap.none),
        Pause(2.0),
        MusicCue(""),
        EffectCue(name="tone", parameters={"hz": "440", "s": "1"}),
        EffectCue(uri="https://example.com/a.wav", parameters={"gain": "-3"}),
    ]
    assert script.warnings == ()


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("[laughs]", "Line 3: there is no directive [laughs]"),
        ("[pause long]", "Line 3: [pause long] was left out: a pause is a number of seconds"),
        ("[pause 61]", "up to 60"),
        ("[pause -1]", "a pause is a number"),
        ("[pause 1 2]", "2 is too much"),
        ("[music]", "music takes the name of a bed, or off"),
        ("[music warm level=loud]", "was left out"),
        ("[music warm tempo=3]", "music has no tempo"),
        ("[sfx ../x]", "sfx takes the name of a sound"),
    ],
)
def test_directives_that_make_no_sense_are_left_out_with_a_warning(written: str, told: str) -> None:
    """What is said stays as it is, and the warning names the line."""
    script = _read(f"One.\n\nTwo {written} three.")

    assert _texts(script) == ["One.", "Two three."] or _texts(script) == ["One.", "Two", "three."]
    assert len(script.items) == len(script.lines)
    assert len(script.warnings) == 1
    assert told in script.warnings[0]


def test_brackets_can_be_written_nevertheless() -> None:
    """With a backslash before them, and with numbers within."""
    assert _texts(_read("See \\[pause 1\\] and [12].")) == ["See [pause 1] and [12]."]
    assert _texts(_read("See \\[pause 1\\] here.", form=ScriptForm.markdown)) == ["See [pause 1] here."]


# -- Markdown -------------------------------------------------------------------------------------


def test_markdown_is_read_as_somebody_would_read_it_aloud() -> None:
    """Headings are chapters; marks of all kinds are not said; code is left out with a warning."""
    script = _read(
        "# The *show*\n\nSome **bold** [link](https://x.y) and `code`.  \nA new line ~~gone~~ ![a cat](c.png)\n\n"
        "- one\n- two\n  - three\n\n3. [ ] Wash\n4. Cut\n\n| a | b |\n|---|---|\n| 1 | **2** |\n| | 3 |\n\n"
        "```py\nprint()\n```\n\n<div>html <b>text</b><script>no</script></div>\n\n"
        "> A quote.[^1]\n\n[^1]: Not said.\n\n"
        "Sub\n---\n<!-- no -->\n\nFish &amp; [pause 1] chips.",
        name="x.md",
    )

    assert script.title == "The show"
    assert _texts(script) == [
        "The show",
        "Some bold link and code.",
        "A new line a cat",
        *("one", "two", "three", "3. Wash", "4. Cut"),
        *("a, b", "1, 2", "3"),
        "html text",
        "A quote.",
        "Sub",
        *("Fish &", "chips."),
    ]
    assert [item.title for item in script.items if isinstance(item, ChapterStart)] == ["The show", "Sub"]
    assert [line.text for line in script.lines if line.heading] == ["The show", "Sub"]
    assert [line.gap for line in script.lines][:3] == [Gap.heading, Gap.heading, Gap.sentence]
    assert len(script.warnings) == 3
    assert "block of code" in " ".join(script.warnings)


def test_markdown_with_a_cast_has_speakers() -> None:
    """As in a dialogue, whatever the emphasis of who speaks."""
    script = _read(
        "---\ncast: {Host: amy, Guest: bob}\n---\n# One\n\n**HOST:** Hi.\n*Guest*: Hello.\nWell.\n\n# Two\n\nText.",
        name="x.md",
    )

    assert [(line.speaker, line.text) for line in script.lines] == [
        ("", "One"),
        ("Host", "Hi."),
        ("Guest", "Hello."),
        ("Guest", "Well."),
        ("", "Two"),
        ("", "Text."),
    ]
    assert [line.line_number for line in script.lines] == [4, 6, 7, 8, 10, 12]


# -- dialogue and front matter --------------------------------------------------------------------


def test_a_dialogue_has_the_cast_of_its_front_matter() -> None:
    """Who speaks goes on until somebody else does; who is not in the cast is text, with a warning."""
    script = _read(
        "---\ntitle: The show\nlanguage: en-GB\ncast:\n  HOST: amy\n  Guest: bob\ntags: {artist: Me}\nauthor: I\n"
        "mood: good\n---\n# Intro\nHOST: Welcome. Sit down.\n\nDo.\nguest (laughing): Thanks!\nBOB: No.\n"
    )

    assert script.title == "The show"
    assert script.language == "en-GB"
    assert script.cast == {"HOST": "amy", "Guest": "bob"}
    assert script.tags == {"title": "The show", "author": "I", "artist": "Me"}
    assert [(line.speaker, line.text, line.gap) for line in script.lines] == [
        ("", "Intro", Gap.heading),
        ("HOST", "Welcome.", Gap.heading),
        ("HOST", "Sit down.", Gap.sentence),
        ("HOST", "Do.", Gap.paragraph),
        ("Guest", "Thanks!", Gap.speaker),
        ("Guest", "BOB: No.", Gap.sentence),
    ]
    assert [warning.split(":")[0] for warning in script.warnings] == [
        "The front matter says something of “mood”, which means nothing here.",
        "Line 15",
        "Line 16",
    ]


def test_a_dialogue_is_known_by_its_pattern() -> None:
    """Without a cast, where nearly every line begins with who speaks, and they do so again."""
    talk = _read("ANNA: Hi.\nBen: Hello.\nANNA: So?\nBen: Yes: so.")
    recipe = _read("Ingredients: eggs.\n\nPreparation: fry them.\n\nTime: an hour.\n\nPrice: low.")

    assert [line.speaker for line in talk.lines] == ["ANNA", "Ben", "ANNA", "Ben"]
    assert {line.speaker for line in recipe.lines} == {""}
    assert _texts(recipe)[0] == "Ingredients: eggs."


def test_the_cast_of_the_job_makes_speakers() -> None:
    """Names are theirs whoever gave them voices."""
    script = _read("Anna: Hi.\nNote: this is no speaker.", cast=["ANNA"])

    assert [(line.speaker, line.text) for line in script.lines] == [
        ("ANNA", "Hi."),
        ("ANNA", "Note: this is no speaker."),
    ]


def test_the_voice_of_the_front_matter_is_for_those_who_have_no_name() -> None:
    """Speakers have voices of their own."""
    script = _read("---\nvoice: joe\ncast: [HOST]\n---\nText.\nHOST: Hi.")

    assert [(line.speaker, line.voice) for line in script.lines] == [("", "joe"), ("HOST", "")]


def test_a_text_between_rules_is_no_front_matter() -> None:
    """It is said."""
    assert _texts(_read("---\nJust text.\n---\nMore.")) == ["Just text.", "More."]


@pytest.mark.parametrize(
    "front", ["title: [", "language: nonsense!", "cast: {a: [b]}", "cast: 3", "tags: {a: {b: c}}"]
)
def test_front_matter_that_makes_no_sense_is_refused(front: str) -> None:
    """A cast that is passed over would be heard only at the end."""
    with pytest.raises(InvalidScript, match="front matter"):
        _read(f"---\n{front}\n---\nText.")


# -- SSML -----------------------------------------------------------------------------------------


def _ssml(inner: str, language: str = "en-GB") -> Script:
    return _read(f'<?xml version="1.0" encoding="ISO-8859-1"?>\n<speak xml:lang="{language}">{inner}</speak>')


def test_ssml_is_performed() -> None:
    """Paragraphs, sentences, breaks, marks, voices, rates, languages and recordings."""
    script = _ssml(
        '<mark name="One"/><p><s>A. B.</s><s>Three <break time="300ms"/> four</s></p>'
        '<p><prosody rate="90%">Slow.</prosody> <voice name="bob">Hi.</voice> <lang xml:lang="de">Tag.</lang>'
        '<audio src="https://x.y/z.wav"><desc>bell</desc>a bell</audio><break strength="none"/></p>'
    )

    assert script.language == "en-GB"
    assert [
        (item.text, item.gap, item.voice, item.language, item.rate) if isinstance(item, Line) else item
        for item in script.items
    ] == [
        ChapterStart("One"),
        ("A. B.", Gap.paragraph, "", "", 1.0),
        ("Three", Gap.sentence, "", "", 1.0),
        Pause(0.3),
        ("four", Gap.none, "", "", 1.0),
        ("Slow.", Gap.paragraph, "", "", 0.9),
        ("Hi.", Gap.speaker, "bob", "", 1.0),
        ("Tag.", Gap.speaker, "", "de", 1.0),
        EffectCue(uri="https://x.y/z.wav"),
    ]
    assert script.warnings == ()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('<sub alias="World Wide Web Consortium">W3C</sub>', "World Wide Web Consortium"),
        (
            '<say-as interpret-as="date">2026-11-23</say-as>',
            "the twenty-third of November, twenty twenty-six",
        ),
        ('<say-as interpret-as="date" format="mdy">5-1-1999</say-as>', "the first of May, nineteen ninety-nine"),
        ('<say-as interpret-as="date">3/4/1905</say-as>', "the third of April, nineteen oh five"),
        ('<say-as interpret-as="time">14:05</say-as>', "fourteen oh five"),
        ('<say-as interpret-as="telephone">+49 30-12</say-as>', "plus 4 9, 3 0, 1 2"),
        ('<say-as interpret-as="characters">abc</say-as>', "A B C"),
        (
            '<say-as interpret-as="cardinal">-1,234.5</say-as>',
            "minus one thousand two hundred thirty-four point five",
        ),
        ('<say-as interpret-as="ordinal">42nd</say-as>', "forty-second"),
    ],
)
def test_say_as_and_sub_say_it_otherwise(written: str, said: str) -> None:
    """Captions show what is written."""
    (line,) = _ssml(f"It is {written} now").lines

    assert line.said == f"It is {said} now"
    assert line.text != line.said


@pytest.mark.parametrize(
    ("kind", "written", "said"),
    [
        ("cardinal", "1.234.501", "eine Million zweihundertvierunddreißigtausendfünfhunderteins"),
        ("cardinal", "3,1", "drei Komma eins"),
        ("ordinal", "103.", "einhundertdritte"),
        ("date", "23.11.2026", "23. November 2026"),
        ("time", "14:30", "vierzehn Uhr dreißig"),
    ],
)
def test_say_as_speaks_german(kind: str, written: str, said: str) -> None:
    """Numbers are written otherwise there, too."""
    (line,) = _ssml(f'Es ist <say-as interpret-as="{kind}">{written}</say-as> hier.', "de").lines

    assert line.said == f"Es ist {said} hier."


def test_sounds_of_words_are_kept() -> None:
    """For engines that take them."""
    (line,) = _ssml('A <phoneme alphabet="ipa" ph="təˈmɑːtəʊ">tomato</phoneme>.').lines

    assert line.ipa == {"tomato": "təˈmɑːtəʊ"}


def test_unknown_tags_are_warned_of_and_their_text_is_said() -> None:
    """Once for each tag."""
    script = _read(
        '<speak xmlns:m="urn:m"><p><m:express style="x">One.</m:express>\n<m:express>Two.</m:express> '
        '<emphasis>Three.</emphasis> <prosody pitch="high">Four.</prosody></p></speak>'
    )

    assert _texts(script) == ["One.", "Two.", "Three.", "Four."]
    assert len(script.warnings) == 3
    assert script.warnings[0].startswith("Line 1: <express> is not known")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('<!DOCTYPE a [<!ENTITY b "c">]><speak>&b;</speak>', "document type or entities"),
        ("<speak>\n<p>One</speak>", "Line 2 of the SSML is no XML"),
        ("<p>One</p>", "does not begin with <speak>"),
        ("<speak>" + "<p>" * 300 + "</p>" * 300 + "</speak>", "nested too deeply"),
        ("<speak>&nbsp;</speak>", "no XML"),
    ],
)
def test_what_is_no_ssml_is_refused(text: str, told: str) -> None:
    """And so is what would blow up, or read files."""
    with pytest.raises(InvalidScript, match=told):
        _read(text, form=ScriptForm.ssml)
