"""What Auphonic delivers, writes on it, and puts around it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mixdown.presets.findings import Fate, Finding, Settings

#: Formats of Auphonic, as ours.
_FORMATS: dict[str, dict[str, Any]] = {
    "mp3": {"format": "mp3"},
    "aac": {"format": "m4a"},
    "vorbis": {"format": "ogg"},
    "opus": {"format": "opus"},
    "flac": {"format": "flac", "bit_depth": 24},
    "wav": {"format": "wav", "bit_depth": 16},
    "wav-24bit": {"format": "wav", "bit_depth": 24},
}

#: Formats that become another one, which keeps as much.
_SUBSTITUTES: dict[str, tuple[dict[str, Any], str]] = {
    "mp3-vbr": ({"format": "mp3"}, "mp3, of constant bitrate"),
    "alac": ({"format": "flac", "bit_depth": 24}, "flac, which is lossless too"),
}

#: Metadata of Auphonic, as tags.
_TAGS = {
    **{name: name for name in ("title", "artist", "album", "track", "genre", "publisher")},
    "year": "date",
    "summary": "comment",
    "license": "copyright",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a preset, and what became of its settings."""

    fields: dict[str, Any] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def output(given: Any) -> Part:
    """What is delivered: the first file of a kind we make. A preset has one; more are asked for when it is used."""
    part = Part()
    for index, each in enumerate(given if _is_list_of_tables(given) else ()):
        settings = Settings(each, f"output_files[{index}].")
        made = _output(settings)
        if made is None:
            settings.note_rest("this kind of file is not made here")
        elif part.fields:
            settings.note("format", Fate.lost, f"a preset delivers one file; ask for it: --format {made['format']}")
            settings.note_rest("with its file")
        else:
            part.fields.update(made)
            _details(settings, part.fields)
        part.findings.extend(settings.findings())
    return part


def _output(settings: Settings) -> dict[str, Any] | None:
    word = settings.word("format")
    if word in _FORMATS:
        settings.note("format", Fate.taken, _FORMATS[word]["format"])
        return dict(_FORMATS[word])
    if word in _SUBSTITUTES:
        fields, here = _SUBSTITUTES[word]
        settings.note("format", Fate.nearly, here)
        return dict(fields)
    return None


def _details(settings: Settings, fields: dict[str, Any]) -> None:
    asked = settings.number("bitrate")
    if fields["format"] in ("flac", "wav"):
        settings.note("bitrate", Fate.ignored, "lossless")
    elif asked is not None and asked > 0:
        fields["bitrate_kbps"] = round(min(max(asked, 24), 512))
        same = fields["bitrate_kbps"] == asked
        settings.note("bitrate", Fate.taken if same else Fate.nearly, f"{fields['bitrate_kbps']} kbit/s")
    if settings.word("bitrate_mode") == "cbr":
        settings.note("bitrate_mode", Fate.taken, "constant")
    if settings.is_on("mono_mixdown"):
        fields["channels"] = 1
        settings.note("mono_mixdown", Fate.taken, "channels = 1")
    depth = settings.number("bitdepth")
    if fields["format"] in ("flac", "wav") and depth in (16.0, 24.0):
        fields["bit_depth"] = round(depth or 0)
        settings.note("bitdepth", Fate.taken, f"{depth:.0f} bit")
    # The file ending of a format says nothing that the format does not.
    settings.note("ending", Fate.ignored, "by its format")
    if settings.is_on("split_on_chapters"):
        settings.note("split_on_chapters", Fate.lost, "use a step: kind = “split”, at_chapters = true")
    for key in ("filename", "suffix"):
        if settings.get(key):
            settings.note(key, Fate.lost, "masters are named after their recording")
    if settings.get("outgoing_services"):
        settings.note("outgoing_services", Fate.lost, "say where masters go with --out")


def label(metadata: Settings) -> list[dict[str, Any]]:
    """Tags that every master gets. What is given for one recording only should not stay in a preset."""
    tags: dict[str, str] = {}
    for key, ours in _TAGS.items():
        value = metadata.get(key)
        text = str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
        if text:
            tags[ours] = text
            metadata.note(key, Fate.taken, f"label, tag “{ours}”, on every master")
    if isinstance(metadata.get("tags"), list) and metadata.get("tags"):
        metadata.note("tags", Fate.lost, "keywords are not written here")
    if metadata.get("append_chapters"):
        metadata.note("append_chapters", Fate.lost, "chapters are kept as chapters")
    for key in ("subtitle", "url", "license_url", "location"):
        if _says_something(metadata.get(key)):
            metadata.note(key, Fate.lost, "there is no such tag here")
        else:
            metadata.note(key, Fate.ignored, "off or empty")
    return [{"kind": "label", "tags": tags}] if tags else []


def _says_something(value: Any) -> bool:
    """Whether there is anything in it, at any depth."""
    return any(map(_says_something, value.values())) if isinstance(value, dict) else bool(value)


def intro_and_outro(given: Any) -> Part:
    """What is put before and after; only what lies at an address of its own can be had from here."""
    part = Part()
    for index, each in enumerate(given if _is_list_of_tables(given) else ()):
        settings = Settings(each, f"multi_input_files[{index}].")
        kind, place = settings.word("type"), settings.get("input_file")
        if (
            kind in ("intro", "outro")
            and isinstance(place, str)
            and place.lower().startswith(("http://", "https://"))
        ):
            step: dict[str, Any] = {"kind": kind, "source": {"uri": place}}
            settings.note("type", Fate.taken, kind)
            settings.note("input_file", Fate.taken, f"{kind}, source")
            offset = settings.number("offset")
            if offset:
                step["overlap_s"] = min(abs(offset), 60.0)
                settings.note("offset", Fate.nearly, f"overlap_s = {step['overlap_s']:g}")
            part.steps.append(step)
        else:
            _not_here(settings, kind)
        part.findings.extend(settings.findings())
    return part


def _not_here(settings: Settings, kind: str) -> None:
    if kind in ("intro", "outro"):
        settings.note("type", Fate.lost, f"it lies with Auphonic: use a step, kind = “{kind}”, with a source")
        settings.note_rest("it lies with Auphonic")
    else:
        settings.note_rest("there is one track here")


def _is_list_of_tables(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)
