"""The compose file says what there is: commands, settings, and nothing open to others."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from mixdown.settings import Settings

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "deployments" / "compose"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
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
