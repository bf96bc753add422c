"""How a master compares with its source: what was looked at, what was found, whether it is worse."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Aspect(StrEnum):
    """What a master is held against its source for."""

    speech_signal = "speech_signal"  #: DNSMOS: how natural the speech is
    speech_overall = "speech_overall"  #: DNSMOS: speech and background together
    clipping = "clipping"  #: samples cut off at full scale
    crest = "crest"  #: peaks flattened: what stands out of the level of loud passages
    bandwidth = "bandwidth"  #: the highest frequency that something is heard at
    duration = "duration"
    drift = "drift"  #: how far the end has moved against the start
    dropouts = "dropouts"  #: short holes in what was sound
    silence = "silence"  #: the longest silence where there was sound


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One aspect: what it was in the source, what it is in the master."""

    aspect: Aspect
    before: float
    after: float
    unit: str
    worse: bool
    sentence: str  #: for people


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentScores:
    """Speech scores (DNSMOS P.835, 1 to 5) of the same nine seconds of the source and of the master."""

    start_s: float
    signal_before: float
    signal_after: float
    background_before: float
    background_after: float
    overall_before: float
    overall_after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A master held against its source."""

    findings: tuple[Finding, ...]
    segments: tuple[SegmentScores, ...] = ()  #: those with speech; none where speech was not scored

    @property
    def worse(self) -> bool:
        """Whether anything is worse than it was."""
        return any(finding.worse for finding in self.findings)

    @property
    def complaints(self) -> tuple[str, ...]:
        """A sentence for everything that is worse."""
        return tuple(finding.sentence for finding in self.findings if finding.worse)
