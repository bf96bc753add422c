"""Presets: named chains, each a data file in this folder."""

from __future__ import annotations

import tomllib
from importlib import resources

from mixdown.errors import UnknownPreset
from mixdown.model import Preset


def names() -> list[str]:
    """Names of the shipped presets, sorted."""
    files = resources.files(__name__).iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def load(name: str) -> Preset:
    """The preset of this name; UnknownPreset says which there are."""
    if name not in names():
        raise UnknownPreset(f"There is no preset “{name}”. There are: {', '.join(names())}.")
    text = resources.files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return Preset.model_validate({"name": name, **tomllib.loads(text)})
