"""What a completed stage leaves in the ledger for later ones: references and measurements, no samples."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict, TypeAdapter

from mixdown.model import (
    Attachment,
    Comparison,
    JobRecord,
    LevelReport,
    ProbedAudio,
    Rendition,
    Source,
    Stage,
    Step,
    StoredObject,
)

#: JSON has no infinity, and silence has a level of minus infinity: it travels as a string.
_INFINITY_AS_STRING = ConfigDict(ser_json_inf_nan="strings")


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Another recording or picture that a chain needs, and where it can be read from."""

    asked: Source  #: as the request names it
    object: StoredObject
    staged: bool  #: whether `object` is a copy of ours


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechPlan:
    """Who is to say a script, and in how many parts."""

    quality: str  #: draft, standard, studio or cloud:NAME
    engine: str
    identity: str  #: whatever decides its samples: every machine must have the same
    origin: str  #: what has to serve for it to speak: `https://host`; "": nothing
    parts: int  #: that are made apart, before the job is processed; 0: too little for that
    chunks: int
    characters: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Validated:
    """A source that can be read from any machine that may process it, and what it will become."""

    __pydantic_config__ = _INFINITY_AS_STRING

    source: StoredObject
    probe: ProbedAudio | None  #: None: it is a script
    result_key: str
    staged: bool  #: whether `source` is a copy of ours
    already_made: bool  #: whether an earlier job made this very result
    materials: tuple[Material, ...] = ()
    speech: SpeechPlan | None = None  #: of a script

    def as_work(self) -> dict[str, Any]:
        """Form for the ledger."""
        return _dump(_VALIDATED, self)

    @classmethod
    def of(cls, work: Mapping[str, Any]) -> Validated:
        """Read back what `as_work` wrote."""
        return _VALIDATED.validate_python(work)


@dataclass(frozen=True, slots=True, kw_only=True)
class Processed:
    """Masters that lie staged under the job's own prefix."""

    __pydantic_config__ = _INFINITY_AS_STRING

    steps: tuple[Step, ...]  #: those that were run
    before: LevelReport
    renditions: tuple[Rendition, ...]
    report: StoredObject
    picture: StoredObject
    warnings: tuple[str, ...]
    elapsed_s: float
    attachments: tuple[Attachment, ...] = ()
    notes: tuple[str, ...] = ()
    comparisons: tuple[Comparison, ...] = ()

    def as_work(self) -> dict[str, Any]:
        """Form for the ledger."""
        return _dump(_PROCESSED, self)

    @classmethod
    def of(cls, work: Mapping[str, Any]) -> Processed:
        """Read back what `as_work` wrote."""
        return _PROCESSED.validate_python(work)


def completed(record: JobRecord, stage: Stage) -> bool:
    """Whether this stage is behind the job."""
    order = list(Stage)
    return record.stage is not None and order.index(record.stage) >= order.index(stage)


def _dump(adapter: TypeAdapter[Any], value: object) -> dict[str, Any]:
    work: dict[str, Any] = json.loads(adapter.dump_json(value))
    return work


_VALIDATED: TypeAdapter[Validated] = TypeAdapter(Validated)
_PROCESSED: TypeAdapter[Processed] = TypeAdapter(Processed)
