"""The process stage of a script: said, performed, heard by a recogniser, and mended where that tells of faults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mixdown.errors import BadSpeech
from mixdown.findings import Validated
from mixdown.jobs.spending import Spending
from mixdown.materials import Materials
from mixdown.model import Generate, JobRecord, Listening
from mixdown.performing import Performer
from mixdown.programme import Programme
from mixdown.progress import Progress, part, ticker
from mixdown.speaking import SPEECH_SHARE, Speaker, programme_of
from mixdown.speech.hearing import Fault, Judged
from mixdown.speech.joining import Performance
from mixdown.speech.listening import unheard
from mixdown.speech.recogniser import Ears, missing, recogniser
from mixdown.studio import Studio

#: Passes over the audio while it is performed, about: joined, scored, written, heard.
_PASSES = 4

_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """A script as audio, before its loudness."""

    audio: Path
    attachments: Mapping[str, str]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)  #: for the report


def generate(
    studio: Studio,
    record: JobRecord,
    validated: Validated,
    folder: Path,
    progress: Progress,
    ears: Callable[[], Ears] = recogniser,
) -> Generated:
    """Say a script and write it to one file; `ears` are asked for where it is listened to.

    Raises
    ------
    BadSpeech
        A sentence sounds wrong, or cannot be heard where a recogniser is asked for, however often it is made.
    TooExpensive, EngineRefused, NoSuchEngine, EngineUnavailable
    """
    work = record.spec.work
    if not isinstance(work, Generate):
        raise TypeError("only a script is spoken")
    materials = Materials(studio, validated, folder)
    programme = programme_of(record, validated, materials)
    speaker = Speaker(studio, record, programme, part(progress, 0.0, SPEECH_SHARE))
    speaker.say_all(programme.chunks)
    seconds = programme.plan.characters / 15.0 * _PASSES
    tick = ticker(part(progress, SPEECH_SHARE, 1.0), seconds, 24_000)
    performer = Performer(
        programme=programme,
        work=work,
        read=speaker.read,
        materials=materials.beside(),
        folder=folder,
        limits=studio.settings.limits,
        tick=tick,
        name=record.spec.filename,
    )
    performed = performer.perform()
    faults: list[Judged] = []
    if _listens(work, programme):
        for attempt in range(1, work.attempts + 1):
            faults = unheard(performed.audio, performed.lines, ears(), programme.script.language, tick)
            if not faults or attempt == work.attempts:
                break
            speaker.say_again([performed.lines[each.index].line for each in faults], attempt)
            performed = performer.perform()
    sentences = tuple(_sentence(performed, each) for each in faults)
    if sentences and work.listening is Listening.on:
        raise BadSpeech(f"{sentences[0]} It was made {work.attempts} times.")
    written = performer.write(performed)
    return Generated(
        audio=written.audio,
        attachments=written.attachments,
        warnings=(*programme.plan.warnings, *performed.warnings, *sentences),
        notes=_notes(programme),
        facts=_facts(studio, record, programme),
    )


def _listens(work: Generate, programme: Programme) -> bool:
    """Whether a recogniser is to hear it: the one that leaves nothing out is not listened to unasked."""
    if work.listening is Listening.auto:
        return programme.plan.quality != "draft" and not missing()
    return work.listening is Listening.on


def _sentence(performed: Performance, judged: Judged) -> str:
    line = performed.lines[judged.index].line
    text = line.text if len(line.text) <= _SHOWN else line.text[: _SHOWN - 1].rstrip() + "…"
    where = f" (line {line.line_number})" if line.line_number else ""
    what = "cannot be heard" if judged.fault is Fault.missing else "is heard twice"
    return f"“{text}”{where} {what}."


def _notes(programme: Programme) -> tuple[str, ...]:
    plan = programme.plan
    voices = sorted({chunk.utterance.voice for chunk in programme.chunks})
    return (f"{plan.characters:,} characters said by {plan.engine} ({', '.join(voices)})",)


def _facts(studio: Studio, record: JobRecord, programme: Programme) -> dict[str, Any]:
    plan = programme.plan
    facts: dict[str, Any] = {
        "engine": plan.engine,
        "identity": plan.identity,
        "voices": sorted({chunk.utterance.voice for chunk in programme.chunks}),
        "language": programme.script.language,
        "characters": plan.characters,
        "chunks": plan.chunks,
    }
    if programme.engine.price:
        spent = Spending(studio.jobs.engine).of(record.id)
        facts["cost"] = round(spent.cost, 6)
    return facts
