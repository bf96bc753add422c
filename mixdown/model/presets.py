"""Presets: named chains, and what a finished file has to meet."""

from __future__ import annotations

from pydantic import Field

from mixdown.model.chains import Step
from mixdown.model.requests import OutputSpec
from mixdown.model.steps import Request


class Requirement(Request):
    """One thing that a platform asks of a file."""

    measure: str = Field(description="What is measured, as the analysis names it: integrated_lufs, rms_dbfs …")
    at_least: float | None = None
    at_most: float | None = None


class Preset(Request):
    """A named chain for a purpose."""

    name: str
    title: str
    description: str
    steps: tuple[Step, ...]
    output: OutputSpec | None = Field(default=None, description="What to deliver where nothing else is asked for.")
    requirements: tuple[Requirement, ...] = ()
