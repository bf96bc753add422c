"""The documentation is true: what there is is documented, and what is documented runs."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mixdown import presets
from mixdown.errors import INTERNAL, MixdownError
from mixdown.settings import Settings
from mixdown.step_text import step_kinds
from tests.signals import recording

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in ROOT.glob("docs/**/*.md")}
MIXDOWN = [str(Path(sys.executable).parent / "mixdown")]


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def _commands(text: str) -> list[list[str]]:
    """Every `mixdown …` line of the shell blocks, as words."""
    lines = [line for block in _blocks(text, "(?:sh|bash|console)") for line in block.splitlines()]
    plain = [line.strip().removeprefix("$ ").split(" #")[0] for line in lines]
    return [shlex.split(line) for line in plain if line.startswith("mixdown ")]


def _errors(root: type[MixdownError] = MixdownError) -> Iterator[type[MixdownError]]:
    for kind in root.__subclasses__():
        yield kind
        yield from _errors(kind)


def _help(*words: str) -> str:
    clean = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.run(
        [*MIXDOWN, *words, "--help"], capture_output=True, text=True, check=True, env=clean
    ).stdout


@pytest.fixture
def desk(tmp_path: Path) -> dict[str, str]:
    """A user's folder with the recordings that the README speaks of; returns the environment to use it in."""
    (tmp_path / "story.md").write_text("# The keys\n\nNobody knows where they have gone.\n")
    (tmp_path / "products.csv").write_text("sku,name\nA1,Lamp\n")
    (tmp_path / "product.j2").write_text("{{ name }} is new.")
    for name in ("talk.wav", "interview.wav", "recordings/one.wav", "recordings/two.wav"):
        recording(tmp_path / name, seconds=1.0, seed=len(name))
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MIXDOWN_", "PREFECT_"))}
    return {**clean, "MIXDOWN_HOME": str(tmp_path / "home"), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_is_in_the_readme(name: str) -> None:
    """A setting that is not in the table cannot be found."""
    assert f"| `MIXDOWN_{name.upper()}` |" in README


def test_every_setting_of_the_readme_exists() -> None:
    """A setting in the table is one that is read."""
    documented = set(re.findall(r"^\| `MIXDOWN_(\w+)`", README, flags=re.MULTILINE))

    assert documented == {name.upper() for name in Settings.model_fields}


def test_every_error_code_is_documented() -> None:
    """The page of error codes lists each one there is, and no other."""
    codes = {kind.code for kind in _errors() if "code" in vars(kind)} | {INTERNAL}
    documented = set(re.findall(r"^\| `(\w+)` \|", PAGES["docs/reference/errors.md"], flags=re.MULTILINE))

    assert documented == codes


def _listed(text: str) -> list[str]:
    """The commands that a help text lists."""
    return re.findall(r"^│ ([a-z]+)  ", text.partition("Commands")[2], flags=re.MULTILINE)


def test_every_command_has_help_and_is_documented() -> None:
    """Each command of `mixdown --help`, and of its groups, is on the page of commands with all of its options."""
    page = PAGES["docs/reference/commands.md"]
    commands = _listed(_help())

    assert len(commands) >= 7
    for command in commands:
        section = re.search(rf"^## mixdown {command}\n(.*?)(?=^## |\Z)", page, flags=re.MULTILINE | re.DOTALL)
        assert section, command
        text = _help(command)
        of_group = {each: _help(command, each) for each in _listed(text)}
        for each in of_group:
            assert f"`mixdown {command} {each}" in section[1], f"{command} {each}"
        for option in set(re.findall(r"(--[a-z-]+)", "".join([text, *of_group.values()]))) - {"--help"}:
            assert f"`{option}`" in section[1], f"{command} {option}"


def test_every_step_is_documented() -> None:
    """Each kind of step has a section, with a row for each of its parameters, and there is no other."""
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", PAGES["docs/reference/steps.md"], re.M | re.S))
    documented = {kind: set(re.findall(r"^\| `(\w+)` \|", text, re.M)) for kind, text in sections.items()}

    assert documented == {kind: set(model.model_fields) - {"kind"} for kind, model in step_kinds().items()}


def test_every_deployment_and_preset_is_in_the_readme() -> None:
    """What can be run, and for what purpose, can be read in one place."""
    described = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]

    assert {each["entrypoint"].split(".")[-1].replace("_", "-") for each in described} <= set(
        re.findall(r"[a-z]+(?:-[a-z]+)+|housekeeping", README)
    )
    assert all(f"`{name}`" in README for name in presets.names())


def test_every_link_leads_somewhere() -> None:
    """A relative link in a page names a file that is there."""
    broken = [
        f"{page}: {target}"
        for page, text in {"README.md": README, **PAGES}.items()
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", text)
        if not (ROOT / page).parent.joinpath(target).exists()
    ]

    assert broken == []


@pytest.mark.parametrize("words", _commands(README), ids=" ".join)
def test_every_command_of_the_readme_runs(words: list[str], desk: dict[str, str], tmp_path: Path) -> None:
    """What the README tells a user to type works; servers and addresses elsewhere are checked up to there."""
    if words[1] in {"serve", "deploy", "demo", "watch"} or any(word.startswith("s3://") for word in words):
        options = {word for word in words if word.startswith("--")}
        assert options <= set(re.findall(r"--[a-z-]+", _help(words[1])))
        return

    done = subprocess.run(
        [*MIXDOWN, *words[1:]], cwd=tmp_path, env=desk, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("program", _blocks(README, "python"), ids=lambda program: program.splitlines()[-1])
def test_every_python_example_of_the_readme_runs(program: str, desk: dict[str, str], tmp_path: Path) -> None:
    """An example is a program: it is run as it stands; one that needs a server is only compiled."""
    compile(program, "README.md", "exec")
    if "run_deployment" in program:
        return

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=desk, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
