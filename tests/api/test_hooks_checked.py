"""The file of triggers is looked over when it is read: by the API at its start, and by `mixdown triggers list`."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
import yaml
from typer.testing import CliRunner

from mixdown.api import create_app
from mixdown.cli.triggers import app
from mixdown.errors import InvalidTrigger
from mixdown.keys import KeyStore
from mixdown.settings import Settings
from mixdown.studio import Studio, open_studio

SECRETS = '{"token": "a-token-of-some-length"}'
STEPS = [{"kind": "join", "sources": [{"uri": "/etc/intro.wav"}]}]


def named(tmp_path: Path, **fields: object) -> Studio:
    """Ports over SQLite and a folder, with a trigger."""
    trigger = {"kind": "s3", "signature": {"kind": "token", "secret": "token"}, **fields}
    path = tmp_path / "triggers.yaml"
    path.write_text(yaml.safe_dump({"triggers": {"new": trigger}}))
    return open_studio(Settings(home=tmp_path / "home", triggers=path, trigger_secrets=SECRETS))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"parameters": {"preset": "nope"}}, "no preset"),
        ({"parameters": {"presets": ["podcast"]}}, "presets"),
        ({"parameters": {"noise_reduction": "loud"}}, "noise_reduction"),
        ({"parameters": {"kind": "dance"}}, "kind"),
        ({"parameters": {"deliver_to": "/etc"}}, "new is wrong in its parameters"),
        ({"parameters": {"kind": "transform", "steps": STEPS}}, "new is wrong in its parameters"),
        ({"parameters": {"notify": [{"kind": "channel", "channel": "team"}]}}, "no channel “team”"),
        ({"key_id": str(UUID(int=7))}, "no API key with the id 00000000-0000-0000-0000-000000000007"),
        ({"kind": "json", "source": "/url", "from_message": {"presset": "/p"}}, "no parameter presset"),
    ],
)
def test_what_cannot_be_had_is_refused_at_once(tmp_path: Path, fields: dict[str, object], said: str) -> None:
    """In a sentence that names the trigger, rather than to each sender."""
    with pytest.raises(InvalidTrigger, match="The trigger new") as refused:
        create_app(named(tmp_path, **fields))

    assert said in refused.value.message
    assert "\n" not in refused.value.message


def test_what_only_a_message_tells_is_waited_for(tmp_path: Path) -> None:
    """Where it says what is to be done, the parameters of that are no mistake."""
    fields = {"kind": "json", "source": "/url", "from_message": {"kind": "/kind"}, "parameters": {"music": False}}

    assert create_app(named(tmp_path, **fields)).state.triggers.named


def test_a_key_that_is_there_is_taken(tmp_path: Path) -> None:
    """The jobs of the trigger are those of this key."""
    key, _ = KeyStore(named(tmp_path).jobs.engine).create("bucket")

    assert create_app(named(tmp_path, key_id=str(key.id))).state.triggers.get("new").key_id == key.id


def test_the_command_says_it_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`mixdown triggers list` shows what is fine, and says what is not."""
    monkeypatch.setenv("MIXDOWN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MIXDOWN_TRIGGERS", str(tmp_path / "triggers.yaml"))
    monkeypatch.setenv("MIXDOWN_TRIGGER_SECRETS", SECRETS)

    named(tmp_path)
    fine = CliRunner().invoke(app, ["list"])
    named(tmp_path, parameters={"preset": "nope"})
    wrong = CliRunner().invoke(app, ["list"])

    assert (fine.exit_code, wrong.exit_code) == (0, 2)
    assert "/v1/hooks/new" in fine.output
    assert "invalid_trigger: The trigger new is wrong in its parameters" in wrong.output
    assert "Traceback" not in wrong.output
