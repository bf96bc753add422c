"""A script, its engine and its chunks: what a `generate` job is to say, planned the same way wherever it is asked.

Nothing of the plan is written down but its size: script, request and engine decide it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from mixdown.errors import NoSuchEngine
from mixdown.findings import SpeechPlan
from mixdown.model import Generate, Line, Script
from mixdown.settings import Settings
from mixdown.speech.choice import Opened, installed, open_engine
from mixdown.speech.cloud import cloud_engines
from mixdown.speech.lexicon import read_lexicon
from mixdown.speech.plan import Chunk, chunks_of, groups_of
from mixdown.speech.port import Engine
from mixdown.speech.script import read_script

#: With fewer parts than this a job is made in one go: its neighbors keep the other processes busy.
_FEWEST_PARTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme:
    """All that is to be said, and by whom."""

    script: Script
    engine: Engine
    chunks: tuple[Chunk, ...]
    plan: SpeechPlan

    def part(self, number: int) -> tuple[Chunk, ...]:
        """The chunks of one of its parts."""
        return groups_of(self.chunks)[number]


def planned(
    settings: Settings, work: Generate, body: bytes, lexicon: tuple[str, bytes] | None, *, name: str
) -> Programme:
    """What a script comes to with the engine that its job asks for.

    Raises
    ------
    InvalidScript, UnknownVoice, UnknownLanguage
    NoSuchEngine
        It is not installed, or not set up.
    """
    script = _read(work, body, lexicon, name)
    opened = _opened(settings, work.quality, script)
    engine = opened.engine
    chunks = chunks_of(script, engine, voice=work.voice, cast=work.cast, rate=work.rate)
    parts = len(groups_of(chunks))
    plan = SpeechPlan(
        quality=_local_qualities(settings.effective_voices).get(engine.name, engine.name),
        engine=engine.name,
        identity=engine.identity,
        origin=engine.origin,
        # What a server is asked for is always asked in a part: there its limit is kept.
        parts=parts if parts >= _FEWEST_PARTS or engine.origin else 0,
        chunks=len(chunks),
        characters=sum(len(chunk.utterance.text) for chunk in chunks),
        warnings=(*script.warnings, *opened.warnings),
    )
    return Programme(script=script, engine=engine, chunks=tuple(chunks), plan=plan)


def as_planned(
    settings: Settings,
    work: Generate,
    plan: SpeechPlan,
    body: bytes,
    lexicon: tuple[str, bytes] | None,
    *,
    name: str,
) -> Programme:
    """The programme again, with the engine that was chosen for it then.

    Raises
    ------
    NoSuchEngine
        This machine has another one: its samples would not be those that the result is filed under.
    """
    programme = planned(settings, work.model_copy(update={"quality": plan.quality}), body, lexicon, name=name)
    if programme.plan.identity != plan.identity:
        raise NoSuchEngine(f"The voices of {plan.engine} here are not those that “{name}” was planned with.")
    return replace(programme, plan=plan)


def _read(work: Generate, body: bytes, lexicon: tuple[str, bytes] | None, name: str) -> Script:
    return read_script(
        body,
        name=name,
        form=work.form,
        language=work.language,
        lexicon=read_lexicon(lexicon[1], name=lexicon[0]) if lexicon else None,
    )


@cache
def _local_qualities(models_folder: Path) -> dict[str, str]:
    """The quality of each engine that speaks here: files are looked at, and every script asks."""
    return {each.name: each.quality for each in installed(models_folder)}


@cache
def _cloud(config: str | None) -> Mapping[str, Callable[[], Engine]]:
    """Engines elsewhere, each opened once."""
    return cloud_engines(config)


def _opened(settings: Settings, quality: str, script: Script) -> Opened:
    config = settings.speech_engines.get_secret_value() if settings.speech_engines else None
    models_folder = settings.effective_voices
    others = sorted({item.language for item in script.items if isinstance(item, Line) and item.language})
    return open_engine(
        quality, language=script.language, models_folder=models_folder, cloud=_cloud(config), others=others
    )
