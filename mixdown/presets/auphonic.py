"""Presets of Auphonic, as its JSON API gives and takes them, made presets of ours.

The names of its settings are those of https://auphonic.com/help/api/details.html and of
https://auphonic.com/api/info/algorithms.json.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from pydantic import ValidationError

from mixdown.errors import InvalidPreset, InvalidRequest
from mixdown.model import Preset
from mixdown.presets.auphonic_algorithms import ALGORITHMS, chain
from mixdown.presets.auphonic_files import intro_and_outro, label, output
from mixdown.presets.file import SUFFIX, is_name, written
from mixdown.presets.findings import Fate, Finding, Settings

__all__ = ["Fate", "Finding", "Imported", "imported", "save"]

#: What Auphonic notes down for itself.
_BOOKKEEPING = (
    *(
        "uuid",
        "creation_time",
        "change_time",
        "status",
        "status_string",
        "status_code",
        "error_code",
        "form_errors",
    ),
    *(
        "error_message",
        "error_status",
        "warning_message",
        "warning_status",
        "edit_page",
        "status_page",
        "thumbnail",
    ),
    *("change_allowed", "start_allowed", "waveform_image", "used_credits", "action", "reset_data"),
)

#: Settings of Auphonic that ask for what Mixdown does not do, or not in a preset.
_ELSEWHERE = {
    "outgoing_services": "say where masters go with --out",
    "webhook": "say who is told with --notify",
    "output_basename": "masters are named after their recording",
    "speech_recognition": "there is no speech recognition here",
    "chapters": "they are of one recording; a source's own chapters are kept",
    "service": "say what is worked on when you process it",
    "input_file": "say what is worked on when you process it",
    "image": "use a step: kind = “label”, with a cover",
    "review_before_publishing": "nothing is published here",
    "is_multitrack": "there is one track here",
}

#: What is done where the algorithms say nothing of it.
_IF_NOT_GIVEN = {
    ("leveler",): "not done",
    ("filtering", "hipfilter"): "not done",
    ("denoise",): "not done",
    ("loudnesstarget", "normloudness"): "−16 LUFS, −1 dBTP",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A preset made of a foreign one, and what became of each of its settings."""

    preset: Preset
    findings: tuple[Finding, ...]

    @property
    def text(self) -> str:
        """The file of the preset; what got lost stands above it as comments."""
        lost = [f"- {each.setting} = {each.value}: {each.here}" for each in self.findings if each.fate is Fate.lost]
        comments = [f"Imported from the Auphonic preset “{self.preset.title}”."]
        return written(self.preset, comments=[*comments, *(["Without counterpart here:", *lost] if lost else [])])


def imported(text: str, *, name: str | None = None) -> Imported:
    """The preset that a JSON text of Auphonic describes: a preset, or the algorithms of one.

    Raises
    ------
    InvalidPreset
        The text is no such JSON; the name is none; or a setting makes no sense.
    """
    given = _unwrapped(_document(text))
    settings = Settings(given)
    title = given.get("preset_name")
    title = title.strip()[:100] if isinstance(title, str) and title.strip() else "Auphonic"
    title = "".join(char if char.isprintable() else " " for char in title)
    settings.note("preset_name", Fate.taken, "title")
    algorithms = Settings(_table(given, "algorithms"), "algorithms.")
    metadata = Settings(_table(given, "metadata"), "metadata.")
    steps = chain(algorithms)
    around = intro_and_outro(given.get("multi_input_files"))
    labels = label(metadata)
    delivered = output(given.get("output_files"))
    steps = [*steps[:-1], *around.steps, *labels, steps[-1]]
    for key, here in _ELSEWHERE.items():
        if given.get(key) not in (None, False, "", [], {}):
            settings.note(key, Fate.lost, here)
    for key in _BOOKKEEPING:
        settings.note(key, Fate.ignored, "Auphonic's own")
    parts = [*algorithms.findings(), *metadata.findings(), *around.findings, *delivered.findings]
    spoken_for = {re.split(r"[.\[]", each.setting)[0] for each in parts}
    top = [each for each in settings.findings() if each.setting not in spoken_for]
    findings = [*top, *parts, *_left_open(algorithms)]
    fields = {
        "name": _name(name, title),
        "title": title,
        "description": f"From the Auphonic preset “{title}”.",
        "steps": steps,
        **({"output": delivered.fields} if delivered.fields else {}),
    }
    try:
        preset = Preset.model_validate(fields)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise InvalidPreset(f"The Auphonic preset cannot be taken over: {where}: {problem['msg']}.") from error
    return Imported(preset=preset, findings=tuple(findings))


def save(imported: Imported, folder: Path, *, force: bool = False) -> Path:
    """Write a preset into the folder of one's own; InvalidRequest where one is there and must not be replaced."""
    path = folder / f"{imported.preset.name}{SUFFIX}"
    part = folder / f".{imported.preset.name}.{uuid4().hex[:8]}.part"  # no preset, even if it stays
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists() and not force:
            raise InvalidRequest(
                f"You have a preset “{imported.preset.name}” already: say --force, or give another --name."
            )
        part.write_text(imported.text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise InvalidRequest(f"The preset cannot be written: {error.strerror}.") from error
    return path


def _document(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidPreset("This file is not JSON.") from error


def _unwrapped(document: Any) -> dict[str, Any]:
    """The preset in an answer of the API; algorithms alone become a preset of nothing else."""
    if isinstance(document, dict) and "data" in document and "status_code" in document:
        document = document["data"]
    if isinstance(document, list):
        if len(document) != 1:
            raise InvalidPreset(f"This file holds {len(document)} presets: give them one by one.")
        document = document[0]
    if isinstance(document, dict) and "algorithms" not in document and ALGORITHMS & document.keys():
        document = {"algorithms": document}
    if not isinstance(document, dict) or not isinstance(document.get("algorithms"), dict):
        raise InvalidPreset("This is no preset of Auphonic: there are no algorithms in it.")
    return document


def _table(given: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = given.get(key)
    return value if isinstance(value, dict) else {}


def _left_open(algorithms: Settings) -> Iterator[Finding]:
    """What the file says nothing of: Auphonic would do as it sees fit, and we do not."""
    for keys, here in _IF_NOT_GIVEN.items():
        if not any(key in algorithms.given for key in keys):
            yield Finding(setting=f"algorithms.{keys[0]}", value="not given", fate=Fate.ignored, here=here)


def _name(asked: str | None, title: str) -> str:
    """The name of the preset: the one asked for, or the title in small letters and hyphens."""
    if asked is not None:
        if not is_name(asked):
            raise InvalidPreset("The name of a preset is made of small letters, digits and hyphens.")
        return _unshipped(asked)
    plain = unicodedata.normalize("NFKD", title.replace("ß", "ss")).encode("ascii", "ignore").decode().lower()
    return _unshipped(re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:64].strip("-") or "auphonic")


def _unshipped(name: str) -> str:
    from mixdown.presets import names  # here, as that module reads files of this package

    if name in names():
        raise InvalidPreset(f"“{name}” is the name of a shipped preset: give another one with --name.")
    return name
