"""The layout is the architecture: what may import what, and what a file may not contain."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("mixdown", "blocks", "tasks", "flows")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

#: Inside the core, what each part may import of the core, besides `model` and `errors`.
CORE_ORDER = {
    "dsp": {"dsp"},
    "codec": {"codec", "dsp"},
    "storage": {"storage", "owner"},
    "db": {"db"},
    "jobs": {"jobs", "db", "owner"},
    "presets": {"presets", "examples", "codec", "dsp"},
    "analysis": {"__version__", "analysis", "intermediate", "overlap", "progress", "wording", "codec", "dsp"},
    "quality": {"quality", "dsp"},
    "editing": {"editing", "intermediate", "codec", "dsp", "progress"},
    "music": {"music", "dsp", "codec"},
    "speech": {
        *("speech", "music", "editing", "dsp", "codec", "storage"),
        *("intermediate", "overlap", "progress", "web", "__version__"),
    },
    "inbox": {"inbox", "items", "report", "storage", "studio", "submission", "wording"},
    "render": {"render", "editing", "intermediate", "overlap", "progress", "picture", "codec", "dsp"},
}

#: The one place where a bug met by one job is kept from its neighbors.
BROAD_EXCEPTS = {"mixdown/stages.py"}

#: The settings; the commands, which set Prefect's before it is imported; and children, told whose they are.
READS_THE_ENVIRONMENT = {"mixdown/settings.py", "flows/commands.py", "flows/lifeline.py", "flows/server.py"}

#: No flow: what starts Prefect, watches it and puts it right meets the errors of its client.
KEEPS_PREFECT_RUNNING = {
    f"flows/{name}.py"
    for name in ("dispatch", "reconcile", "server", "server_process", "supervisor", "wake", "warm")
}


def _relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, at its top or anywhere in it."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("mixdown", {"prefect", "blocks", "tasks", "flows"}),
        ("blocks", {"tasks", "flows"}),
        ("tasks", {"flows"}),
    ],
)
def test_dependencies_run_one_way(package: str, forbidden: set[str]) -> None:
    """The core knows nothing of Prefect; blocks nothing of tasks; tasks nothing of flows."""
    offenders = {
        _relative(path): name
        for path in (ROOT / package).rglob("*.py")
        for name in _imports(path)
        if name.split(".")[0] in forbidden
    }

    assert offenders == {}


@pytest.mark.parametrize("part", sorted(CORE_ORDER))
def test_parts_of_the_core_depend_one_way(part: str) -> None:
    """Arrays know nothing of files, files nothing of jobs; only the model and the errors are everyone's."""
    allowed = CORE_ORDER[part] | {"model", "errors", "deadline"}
    offenders = {
        _relative(path): name
        for path in (ROOT / "mixdown" / part).rglob("*.py")
        for name in _imports(path)
        if name.startswith("mixdown.") and name.split(".")[1] not in allowed and name.count(".") >= 1
    }

    assert offenders == {}


def test_signal_processing_meets_no_files_clocks_or_logs() -> None:
    """Arrays in, arrays out."""
    forbidden = {"logging", "time", "datetime", "av", "soundfile", "lameenc", "tempfile", "shutil"}
    offenders = {
        _relative(path): name
        for path in (ROOT / "mixdown" / "dsp").rglob("*.py")
        for name in _imports(path)
        if name.split(".")[0] in forbidden
    }

    assert offenders == {}


def test_formats_are_met_in_one_place() -> None:
    """Only the codec package imports what reads and writes audio files."""
    offenders = {
        _relative(path): name
        for path in FILES
        for name in _imports(path)
        if name.split(".")[0] in {"av", "soundfile", "lameenc"} and not _relative(path).startswith("mixdown/codec/")
    }

    assert offenders == {}


def test_the_environment_is_read_in_one_place() -> None:
    """Settings come from `Settings`; nobody else asks the environment."""
    offenders = {
        _relative(path)
        for path in FILES
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    }

    assert offenders <= READS_THE_ENVIRONMENT


def test_broad_excepts_are_where_they_are_named() -> None:
    """`except Exception` swallows bugs: it stands in one named place."""
    found = {
        _relative(path)
        for path in FILES
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
    }

    assert found == BROAD_EXCEPTS


def test_product_code_has_no_asserts() -> None:
    """An assert is gone under `python -O`: what must hold is checked with an error."""
    found = [
        f"{_relative(path)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Assert)
    ]

    assert found == []


def test_files_stay_small() -> None:
    """A file over 400 lines does more than one thing."""
    long = {_relative(path): n for path in FILES if (n := path.read_text(encoding="utf-8").count("\n")) > 400}

    assert long == {}


def test_decorated_functions_are_a_policy_and_a_few_lines() -> None:
    """A task or flow is its signature, its policy and a few lines that call the core."""
    long = {
        f"{_relative(path)}:{node.name}": len(node.body)
        for path in FILES
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.FunctionDef)
        and any(ast.unparse(each).split("(")[0] in {"task", "flow"} for each in node.decorator_list)
        and sum(part.end_lineno - part.lineno + 1 for part in node.body[1:]) > 20
    }

    assert long == {}


def test_flows_and_tasks_do_not_catch() -> None:
    """In Prefect an exception is the report: flow and task files have no `try` around it."""
    found = {
        _relative(path)
        for package in ("flows", "tasks")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ExceptHandler)
    }

    assert found <= KEEPS_PREFECT_RUNNING


def test_the_core_makes_a_correct_file_without_prefect(tmp_path: Path) -> None:
    """Delete flows, tasks, blocks and Prefect itself: the command line still delivers."""
    (tmp_path / "mixdown").symlink_to(ROOT / "mixdown")
    program = textwrap.dedent("""
        import sys
        for name in ("prefect", "flows", "tasks", "blocks"):
            sys.modules[name] = None
        import numpy, soundfile
        noise = numpy.random.default_rng(1).standard_normal((96_000, 1)) * 0.05
        soundfile.write("noise.wav", noise, 48_000)
        sys.argv = ["mixdown", "process", "noise.wav", "--out", "out", "--format", "flac", "--json"]
        from mixdown.cli import main
        main()
    """)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MIXDOWN_", "PREFECT_"))}

    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**clean, "MIXDOWN_HOME": str(tmp_path / "home"), "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "out" / "noise.flac").stat().st_size > 10_000
