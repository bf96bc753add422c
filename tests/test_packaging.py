"""The wheel is what users get: it is built, installed elsewhere and used from elsewhere."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel in it, and our dependencies but not this checkout."""
    home = tmp_path_factory.mktemp("clean")
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    interpreter = home / "bin" / "python"
    subprocess.run(
        [str(interpreter), "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel)], check=True
    )
    # A path in a .pth file is searched, but the .pth files in it are not read: no editable install gets in.
    site = next((home / "lib").glob("python*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return interpreter


def _run(python: Path, folder: Path, program: str) -> str:
    done = subprocess.run([str(python), "-c", program], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_module_is_in_the_wheel(wheel: Path) -> None:
    """What lies in the checkout's packages is in the wheel, data files included."""
    inside = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        path.relative_to(ROOT).as_posix()
        for package in ("mixdown", "flows", "tasks", "blocks")
        for path in (ROOT / package).rglob("*")
        if path.suffix in {".py", ".toml", ".mako", ".html", ".j2", ".typed", ".bin"}
    }

    assert wanted <= inside
    assert {"flows/prefect.yaml", "flows/limits.yaml"} <= inside


def test_every_module_imports_from_elsewhere(wheel: Path, python: Path, tmp_path: Path) -> None:
    """No module depends on the folder it is started from."""
    modules = sorted(
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in zipfile.ZipFile(wheel).namelist()
        if name.endswith(".py") and "/versions/" not in name and not name.endswith("db/env.py")
    )

    said = _run(
        python,
        tmp_path,
        f"import importlib; print([importlib.import_module(name).__file__ for name in {modules}])",
    )

    assert str(ROOT) not in said


def test_every_entrypoint_loads_from_elsewhere(python: Path, tmp_path: Path) -> None:
    """Each deployment of prefect.yaml names a flow that Prefect finds by its module."""
    entrypoints = [
        each["entrypoint"] for each in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    ]

    said = _run(
        python,
        tmp_path,
        "from prefect.flows import load_flow_from_entrypoint as load\n"
        f"print([load(name).name for name in {entrypoints}])",
    )

    assert said.strip() == str(
        [
            *("process-audio", "process-batch", "transform-audio", "generate-audio", "generate-batch"),
            "analyze-audio",
            *("continue-batch", "continue-batch", "watch-inbox", "housekeeping", "deliver-notifications"),
        ]
    )


def test_the_command_is_installed(python: Path, tmp_path: Path) -> None:
    """`mixdown --help` works from the wheel and lists Prefect's commands too."""
    done = subprocess.run(
        [str(python.parent / "mixdown"), "--help"], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert all(name in done.stdout for name in ("process", "watch", "probe", "jobs", "serve", "demo", "deploy"))
