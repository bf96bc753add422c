"""The sounds of a text from the program `espeak-ng`, where it is installed. Its code is not linked: it is asked."""

from __future__ import annotations

import re
import shutil
import subprocess
import unicodedata
from collections.abc import Mapping, Sequence

from mixdown.errors import EngineRefused, EngineUnavailable, NoSuchEngine
from mixdown.speech.engines.sounds import pieces_of

PROGRAM = "espeak-ng"

_ANSWERS_S = 30.0
_VOICE = re.compile(r"[a-z]{2,4}([-+][A-Za-z0-9]+)*")

# It leaves out marks, which decide the melody: clauses are asked for by themselves, and get theirs back. A full
# stop within a sentence is that of an abbreviation, which it knows better.
_CLAUSE = re.compile(r"""(.*?)((?:[,;:!?]|\.{2,})+["')]*(?=\s|$)|\.+["')]*$|$)""", re.DOTALL)
_MARKS = str.maketrans(
    {"…": "...", "—": ", ", "–": "-", "’": "'", "‘": "'", "“": '"', "”": '"', "[": " ", "]": " "}
)

# How it tells that a word is of another language: (fr)mot(en).
_SWITCH = re.compile(r"\([a-z]{2,3}(?:-[a-z0-9]+)*\)")


def is_there() -> bool:
    """Whether the program is on the path."""
    return shutil.which(PROGRAM) is not None


class Espeak:
    """The program, as it was found; a process for each utterance.

    Raises
    ------
    NoSuchEngine
        It is not there, or does not answer.
    """

    def __init__(self) -> None:
        program = shutil.which(PROGRAM)
        if program is None:
            raise NoSuchEngine(f"The program {PROGRAM} is not installed.")
        self._program = program
        try:
            found = re.search(r"\d+(\.\d+)+\S*", self._answer(["--version"], ""))
        except (EngineRefused, EngineUnavailable) as error:
            raise NoSuchEngine(f"The program {PROGRAM} does not run here.") from error
        self.version = found[0] if found else "unknown"

    def ipa_of(self, text: str, voice: str, given: Mapping[str, str]) -> str:
        """The sounds of a text, with its marks, decomposed; words that have theirs given keep them."""
        if not _VOICE.fullmatch(voice):
            raise NoSuchEngine(f"A voice asks {PROGRAM} for {voice[:40]!r}, which is no name of a language.")
        clauses: list[tuple[str, str, str]] = []  # text, its sounds if they are given, the mark behind it
        for piece in pieces_of(" ".join(text.translate(_MARKS).split()), given):
            if piece.ipa:
                clauses.append(("", piece.ipa, ""))
                continue
            for found in _CLAUSE.finditer(piece.text):
                clauses.append((found[1] if any(map(str.isalnum, found[1])) else "", "", found[2][:1]))
        asked = [clause.strip() for clause, _, _ in clauses if clause]
        answers = iter(self._sounds_of(asked, voice) if asked else [])
        parts = [(next(answers) if clause else sounds, mark) for clause, sounds, mark in clauses]
        joined = ""
        for sounds, mark in parts:
            joined += f" {sounds}" if sounds else ""
            joined += mark if joined and not joined.endswith(mark or " ") else ""
        return unicodedata.normalize("NFD", joined.strip())

    def _sounds_of(self, clauses: Sequence[str], voice: str) -> list[str]:
        lines = self._lines(clauses, voice)
        if len(lines) != len(clauses):  # it cut one of them in two
            lines = [" ".join(self._lines([clause], voice)) for clause in clauses]
        return lines

    def _lines(self, clauses: Sequence[str], voice: str) -> list[str]:
        said = self._answer(["-q", "--ipa", "-b", "1", "-v", voice], "\n".join(clauses) + "\n")
        return [line for each in said.splitlines() if (line := _SWITCH.sub("", each).strip())]

    def _answer(self, options: Sequence[str], text: str) -> str:
        try:
            done = subprocess.run(  # noqa: S603 - a program by its full path; texts go through its stdin
                [self._program, *options],
                input=text.encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=_ANSWERS_S,
                check=True,
            )
        except subprocess.TimeoutExpired as error:
            raise EngineUnavailable(f"{PROGRAM} does not answer.", dependency=PROGRAM) from error
        except subprocess.CalledProcessError as error:
            raise EngineRefused(f"{PROGRAM} fails over “{text[:60].strip()}”.") from error
        except OSError as error:
            raise EngineUnavailable(f"{PROGRAM} cannot be started now.", dependency=PROGRAM) from error
        return done.stdout.decode(errors="replace")
