"""Whether the same input gives the same bytes: python benchmarks/repeat.py FILE

Presets and a transform are run over the file into every format, in two fresh processes that differ in the seed
of Python's hashes and in how many threads numerical libraries may use. Printed for each format: the SHA-256 of
both files, equal or not. The exit code is 1 where any differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mixdown.chain import effective_steps
from mixdown.model import AudioFormat, Enhance, OutputSpec, Pitch, Stretch, Transform, Work

WORKS: dict[str, Work] = {
    "podcast": Enhance(preset="podcast"),
    "music-gentle": Enhance(preset="music-gentle"),
    "stretch and pitch": Transform(steps=(Stretch(factor=1.1), Pitch(semitones=-2.0))),
}

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_WORLDS = (
    {"PYTHONHASHSEED": "1", **dict.fromkeys(_THREADS, "1")},
    {"PYTHONHASHSEED": "2", **dict.fromkeys(_THREADS, "2")},
)

#: Of each work and format, in hexadecimal.
Digests = dict[str, dict[str, str]]


def digests(source: Path, done: Callable[[str], None]) -> Digests:
    """What comes of a file, made in this process."""
    from mixdown.render import render  # imported in the process that renders only

    found: Digests = {}
    for name, work in WORKS.items():
        outputs = [OutputSpec(format=each) for each in AudioFormat]
        with tempfile.TemporaryDirectory() as folder:
            rendered = render(source, effective_steps(work), outputs, Path(folder), name=source.name)
            found[name] = {
                master.output.format.value: hashlib.sha256(master.path.read_bytes()).hexdigest()
                for master in rendered.masters
            }
        done(name)
    return found


def digests_in(world: dict[str, str], source: Path) -> Digests:
    """What comes of a file, made in a fresh process with these variables."""
    command = [sys.executable, __file__, str(source), "--only"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env={**os.environ, **world})
    found: Digests = json.loads(done.stdout)
    return found


def main() -> None:
    """Compare two runs, or be one of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--only", action="store_true", help="run once, and print the hashes as JSON")
    asked = parser.parse_args()
    if asked.only:
        print(json.dumps(digests(asked.file, lambda name: print(f"{name}: done", file=sys.stderr, flush=True))))
        return
    console = Console()
    first, second = (digests_in(world, asked.file) for world in _WORLDS)
    table = Table("", "format", "first", "second", "", title=asked.file.name, title_justify="left")
    different = 0
    for name, of_formats in first.items():
        for wanted, digest in of_formats.items():
            other = second[name][wanted]
            different += digest != other
            table.add_row(name, wanted, digest[:12], other[:12], "equal" if digest == other else "DIFFERENT")
        table.add_section()
    console.print(table)
    raise SystemExit(1 if different else 0)


if __name__ == "__main__":
    main()
