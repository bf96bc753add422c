"""What is asked of an engine for a script: sentences packed into chunks, chunks into groups of about a minute."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from mixdown.errors import InvalidScript
from mixdown.model import Gap, Line, Script, digest
from mixdown.speech.dividing import divided
from mixdown.speech.port import Engine, Utterance

#: Speech in a group, and how much text that is, about.
GROUP_S = 60.0
CHARS_PER_S = 15.0
#: A script that makes fewer groups than this is cut finer, down to this length.
_MANY_GROUPS = 8
_SHORT_GROUP_S = 15.0

#: Raised by one whenever the same utterance gives other samples for reasons of ours.
_EDITION = 1

#: A chunk that is packed ends behind one sentence in so many, told by the sentence: an edit moves no other end.
_ONE_IN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """What an engine says at once: one sentence, or several of one speaker and paragraph."""

    lines: tuple[Line, ...]
    utterance: Utterance
    key: str  #: hash of everything that decides its samples; equal chunks, equal key, whatever the job
    item: int = 0  #: place of its first sentence among `Script.items`

    @property
    def expected_s(self) -> float:
        """How long it is, about."""
        return len(self.utterance.text) / CHARS_PER_S / self.utterance.rate


def chunks_of(script: Script, engine: Engine, *, voice: str = "", cast: dict[str, str], rate: float) -> list[Chunk]:
    """The chunks of a script, in order.

    Voices: that of the sentence, else that of its speaker (the script's cast before the job's), else that of the
    job, else the engine's own for the language; speakers without a voice each get another one of the engine's.

    Raises
    ------
    UnknownVoice, UnknownLanguage
        As the engine says.
    InvalidScript
        A sentence cannot be divided so that the engine takes it, or nothing is said at all.
    """
    voices = _Voices(script, engine, voice, {**cast, **script.cast})
    chunks = [_chunk(engine, lines, item, voices, rate) for item, lines in _packed(script, engine, voices)]
    if not chunks:
        raise InvalidScript("There is nothing to say in this script.")
    texts = ["", *(chunk.utterance.text for chunk in chunks), ""]
    return [
        replace(chunk, utterance=replace(chunk.utterance, before=texts[index], after=texts[index + 2]))
        for index, chunk in enumerate(chunks)
    ]


def groups_of(chunks: Sequence[Chunk]) -> list[tuple[Chunk, ...]]:
    """The chunks in groups of about the same length, at most `GROUP_S` or so; each key is in one of them only.

    What is longer than one group makes several: with few long ones a core would wait for another at the end.
    """
    distinct = list({chunk.key: chunk for chunk in chunks}.values())
    total_s = sum(chunk.expected_s for chunk in distinct)
    if total_s <= GROUP_S:
        return [tuple(distinct)]
    number = math.ceil(total_s / min(GROUP_S, max(_SHORT_GROUP_S, total_s / _MANY_GROUPS)))
    groups: dict[int, list[Chunk]] = {}
    at_s = 0.0
    for chunk in distinct:
        middle_s = at_s + chunk.expected_s / 2
        groups.setdefault(int(middle_s / total_s * number), []).append(chunk)
        at_s += chunk.expected_s
    return [tuple(group) for group in groups.values()]


class _Voices:
    """Who speaks with which voice."""

    def __init__(self, script: Script, engine: Engine, voice: str, cast: dict[str, str]) -> None:
        self._script, self._engine, self._voice = script, engine, voice
        self._cast = {name.strip().casefold(): asked for name, asked in cast.items()}
        self._found: dict[tuple[str, str], str] = {}
        self._given: dict[str, str] = {}  # to speakers that nobody gave one

    def language(self, line: Line) -> str:
        return line.language or self._script.language

    def of(self, line: Line) -> str:
        """The engine's name for the voice of a line."""
        language = self.language(line)
        asked = line.voice or self._cast.get(line.speaker.casefold(), "")
        if not asked and line.speaker:
            asked = self._own(line.speaker.casefold(), language)
        asked = asked or self._voice
        if (asked, language) not in self._found:
            self._found[asked, language] = self._engine.voice_for(asked, language)
        return self._found[asked, language]

    def _own(self, speaker: str, language: str) -> str:
        """A voice that no other speaker has, where the engine has enough of them; the first keeps the job's."""
        if speaker not in self._given:
            usual = self._engine.voice_for(self._voice, language)
            taken = {*self._given.values(), *self._cast.values()}
            spoken = language.partition("-")[0].casefold()
            others = [each.name for each in self._engine.voices if each.language.casefold().startswith(spoken)]
            free = [name for name in (usual, *others) if name not in taken]
            self._given[speaker] = free[0] if free else usual
        return self._given[speaker]


def _packed(script: Script, engine: Engine, voices: _Voices) -> Iterator[tuple[int, tuple[Line, ...]]]:
    """Runs of lines that are asked for at once, and the place of the first among the items."""
    packed: list[Line] = []
    first = 0
    for index, item in enumerate(script.items):
        lines = divided(item, engine.longest_chars) if isinstance(item, Line) else []
        if not lines and packed:
            yield first, tuple(packed)
            packed = []
        for line in lines:
            if packed and not _goes_on(packed, line, engine, voices):
                yield first, tuple(packed)
                packed = []
            first = first if packed else index
            packed.append(line)
            if engine.packs_chars and _ends_here(line):
                yield first, tuple(packed)
                packed = []
    if packed:
        yield first, tuple(packed)


def _goes_on(packed: Sequence[Line], line: Line, engine: Engine, voices: _Voices) -> bool:
    first = packed[0]
    length = sum(len(each.said) + 1 for each in packed) + len(line.said)
    return (
        length <= min(engine.packs_chars, engine.longest_chars)
        and line.gap in (Gap.sentence, Gap.none)
        and (voices.of(first), first.rate, voices.language(first))
        == (voices.of(line), line.rate, voices.language(line))
    )


def _ends_here(line: Line) -> bool:
    return hashlib.sha256(line.said.encode()).digest()[0] % _ONE_IN == 0


def _chunk(engine: Engine, lines: tuple[Line, ...], item: int, voices: _Voices, rate: float) -> Chunk:
    first = lines[0]
    ipa = {word: sounds for line in lines for word, sounds in line.ipa.items()}
    utterance = Utterance(
        text=" ".join(line.said for line in lines),
        voice=voices.of(first),
        language=voices.language(first),
        rate=round(min(2.0, max(0.5, rate * first.rate)), 3),
        ipa=ipa,
    )
    key = digest(
        _EDITION,
        engine.name,
        engine.identity,
        utterance.voice,
        utterance.language,
        utterance.rate,
        sorted(ipa.items()),
        utterance.text,
    )
    return Chunk(lines=lines, utterance=utterance, key=key, item=item)
