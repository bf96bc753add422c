"""The compose file says what there is: commands, settings, and nothing open to others."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import prefect.settings
import pytest
import yaml

from mixdown.settings import Settings

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "deployments" / "compose"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OF_PREFECT = sorted(name for name, each in SERVICES.items() if str(each.get("command", "")).startswith("prefect "))
CHECKED = sorted(name for name, each in SERVICES.items() if "healthcheck" in each)
OF_MIXDOWN = sorted(name for name, each in SERVICES.items() if str(each.get("command", "")).startswith("mixdown "))


def test_ports_are_open_to_this_machine_only() -> None:
    """What asks for a password or key over plain HTTP is reached by others through a proxy alone."""
    ports = [port for each in SERVICES.values() for port in each.get("ports", [])]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_secrets_come_from_outside() -> None:
    """Passwords are variables without a default; nothing starts without them, Prefect's server neither."""
    said = [f"{name}={value}" for each in SERVICES.values() for name, value in each["environment"].items()]
    values = [each for each in said if re.search("PASSWORD|AUTH|SECRET|://.*@", each)]

    assert values
    assert all("${" in value for value in values)
    assert SERVICES["prefect"]["environment"]["PREFECT_SERVER_API_AUTH_STRING"].endswith(":?}")
    example = (FOLDER / "env.example").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{(\w+)", str(COMPOSE))) == set(re.findall(r"^(\w+)=$", example, re.MULTILINE))


@pytest.mark.parametrize("name", OF_MIXDOWN)
def test_commands_and_settings_are_there(name: str) -> None:
    """Each command is documented with its options, and each variable of ours is a setting."""
    _, command, *options = shlex.split(SERVICES[name]["command"])
    page = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    section = re.search(rf"^## mixdown {command}\n(.*?)(?=^## |\Z)", page, flags=re.MULTILINE | re.DOTALL)
    ours = {each for each in SERVICES[name]["environment"] if each.startswith("MIXDOWN_")}

    assert section
    assert all(f"`{option}`" in section[1] for option in options if option.startswith("--"))
    assert ours
    assert ours <= {f"MIXDOWN_{field.upper()}" for field in Settings.model_fields}


def test_settings_of_prefect_are_there() -> None:
    """What is set for Prefect is a setting of the Prefect that is installed."""
    names = {name for each in SERVICES.values() for name in each["environment"] if name.startswith("PREFECT_")}

    assert names
    assert [name for name in names if not hasattr(prefect.settings, name)] == []


@pytest.mark.parametrize("name", OF_PREFECT)
def test_commands_of_prefect_are_there(name: str, tmp_path: Path) -> None:
    """Each is one that Prefect's own command line knows, with its options."""
    _, *words = shlex.split(SERVICES[name]["command"])
    group = words[:2]
    done = subprocess.run(
        [sys.executable, "-m", "prefect", *group, "--help"],
        env={**os.environ, "PREFECT_HOME": str(tmp_path), "NO_COLOR": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    assert f"prefect {' '.join(group)}" in done.stdout
    assert [word for word in words if word.startswith("--") and word not in done.stdout] == []


def test_images_have_a_version() -> None:
    """What is fetched is named with one; `mixdown` is built from the Dockerfile, whose own base has one too."""
    images = {each["image"] for each in SERVICES.values()} - {"mixdown"}
    dockerfile = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    images |= set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE))

    assert len(images) == 2
    assert [image for image in images if not re.search(r":\d", image)] == []


@pytest.mark.parametrize("name", CHECKED)
def test_health_checks_can_be_run_where_they_are(name: str) -> None:
    """By a program of the service's own image, against the port that the service listens to."""
    program, *words = shlex.split(SERVICES[name]["healthcheck"]["test"])
    if SERVICES[name]["image"].startswith("postgres:"):
        assert program == "pg_isready"
        return
    assert program == "python"
    assert words[0] == "-c"
    ast.parse(words[1])
    [url] = re.findall(r"http://[^']+", words[1])
    [port] = SERVICES[name]["ports"]
    assert port.endswith(f":{urlsplit(url).port}")
    assert urlsplit(url).path in ("/health/ready", "/api/health")  # without a key or password
