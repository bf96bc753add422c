"""Example recordings, made by our own code: something to try Mixdown on, with nothing downloaded."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

#: Says which edition of the examples lies in a folder, and what each file was when it was made.
_MANIFEST = ".examples.json"
_EDITION = 1  # one more whenever a scene changes

_BROKEN = "broken.mp3"
_BROKEN_TEXT = """This file is called .mp3 and holds no audio at all: it is broken on purpose.

Mixdown refuses it with a code and a sentence, and goes on with its neighbours.
"""
_BLOCK_FRAMES = 65_536


def make_examples(folder: Path) -> list[Path]:
    """The example recordings in ``folder``; those that are not there as they should be are made.

    The same bytes on every run with the same libraries. One of them, `broken.mp3`, cannot be decoded.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = _known(folder)
    paths = [folder / name for name in known]
    if not known or any(_sha256(path) != known[path.name] for path in paths):
        paths = _make(folder)
        hashes = {path.name: _sha256(path) for path in paths}
        manifest = json.dumps({"edition": _EDITION, "sha256": hashes}, ensure_ascii=False, indent=1)
        (folder / _MANIFEST).write_text(manifest, encoding="utf-8")
    return paths


def _make(folder: Path) -> list[Path]:
    from mixdown.codec.encode import open_writer
    from mixdown.examples.scenes import SCENES
    from mixdown.examples.voices import speak
    from mixdown.model import Labels

    spoken = iter(speak([line for scene in SCENES for line in scene.lines]))
    paths = []
    for scene in SCENES:
        samples = scene.record([next(spoken) for _ in scene.lines])
        path = folder / scene.filename
        with open_writer(
            path,
            scene.output,
            sample_rate_hz=scene.sample_rate_hz,
            channels=samples.shape[1],
            labels=Labels(tags=scene.tags),
        ) as writer:
            for start in range(0, len(samples), _BLOCK_FRAMES):
                writer.write(samples[start : start + _BLOCK_FRAMES])
        paths.append(path)
    broken = folder / _BROKEN
    broken.write_text(_BROKEN_TEXT, encoding="utf-8")
    return [*paths, broken]


def _known(folder: Path) -> dict[str, str]:
    """SHA-256 of each example as it was made, if it was of this edition."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return dict(manifest["sha256"]) if manifest["edition"] == _EDITION else {}


def _sha256(path: Path) -> str | None:
    """Hash of a file; None if it is not there."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
