"""The file of triggers, pointers into messages, and the command that tries them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from mixdown.cli.triggers import app
from mixdown.errors import InvalidTrigger
from mixdown.settings import Settings
from mixdown.studio import open_jobs
from mixdown.triggers import HookMessages, read_triggers
from mixdown.triggers.pointers import NOTHING, at
from mixdown.triggers.s3_events import created

SECRETS = '{"one": "a-token-of-some-length"}'
GOOD = "triggers: {one: {kind: s3, signature: {kind: token, secret: one}}}"

#: The examples of RFC 6901, section 5.
DOCUMENT = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "m~n": 8, " ": 7}


def settings(tmp_path: Path, text: str, secrets: str = SECRETS) -> Settings:
    """Settings that name a file of triggers."""
    path = tmp_path / "triggers.yaml"
    path.write_text(text)
    return Settings(home=tmp_path, triggers=path, trigger_secrets=secrets)


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", DOCUMENT),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/m~0n", 8),
        ("/ ", 7),
        ("/foo/2", NOTHING),
        ("/foo/-1", NOTHING),
        ("/foo/01", NOTHING),
        ("/foo/0/x", NOTHING),
        ("/nowhere", NOTHING),
    ],
)
def test_pointers(pointer: str, value: Any) -> None:
    """They find what RFC 6901 says, and nothing where there is nothing."""
    assert at(pointer, DOCUMENT) == value


@pytest.mark.parametrize("version", ["2.0", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6"])
@pytest.mark.parametrize("name", ["ObjectCreated:Put", "s3:ObjectCreated:CompleteMultipartUpload"])
def test_versions_of_s3_events(version: str, name: str) -> None:
    """S3's and MinIO's are understood; the first writing of a key is told from the second."""
    record = {"eventVersion": version, "eventName": name}
    stored = [{"key": "%C3%A4+%2B.wav", "eTag": "e", "sequencer": each} for each in ("01", "02")]

    first, second = created(
        {"Records": [{**record, "s3": {"bucket": {"name": "shows"}, "object": each}} for each in stored]}
    )

    assert first.uri == second.uri == "s3://shows/ä +.wav"
    assert first.version != second.version


@pytest.mark.parametrize(
    ("text", "secrets", "said"),
    [
        ("[", SECRETS, "no YAML"),
        ("one: {}", SECRETS, "triggers:"),
        (GOOD.replace("one: {kind", "One!: {kind"), SECRETS, "name of a trigger"),
        (GOOD.replace("kind: s3", "kind: ftp"), SECRETS, "trigger one is wrong"),
        (GOOD.replace("kind: s3", "kind: s3, prefixes: x"), SECRETS, "prefixes"),
        (GOOD.replace("kind: token", "kind: none"), SECRETS, "signature"),
        (GOOD, "{}", "not in MIXDOWN_TRIGGER_SECRETS"),
        (GOOD, '{"one": "short"}', "fewer than 16"),
        (GOOD, "hush-hush", "JSON of names"),
        (GOOD.replace("kind: token", "kind: standard"), SECRETS, "whsec_"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(tmp_path: Path, text: str, secrets: str, said: str) -> None:
    """In one sentence that says where, without a secret in it."""
    with pytest.raises(InvalidTrigger) as refused:
        read_triggers(settings(tmp_path, text, secrets))

    assert said in refused.value.message
    assert "hush" not in refused.value.message
    assert "a-token" not in refused.value.message


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    """Printing the triggers, or the settings, shows no secret."""
    named = settings(tmp_path, GOOD)
    triggers = read_triggers(named)

    assert triggers.secrets(triggers.get("one")) == ("a-token-of-some-length",)
    assert "a-token" not in repr(triggers) + repr(named)


def test_messages_are_forgotten_in_time(tmp_path: Path) -> None:
    """A message is known until it is swept, and noted once."""
    seen, batch_id = HookMessages(open_jobs(f"sqlite:///{tmp_path / 'ledger.db'}").engine), uuid4()

    assert seen.note("one", ["a", "b"], batch_id)
    assert not seen.note("one", ["b", "a"], uuid4())
    assert seen.known("one", ["a", "c"]) == {"a": batch_id}
    assert seen.known("other", ["a"]) == {}
    assert seen.sweep() == 0
    assert seen.sweep(timedelta(seconds=-1)) == 2
    assert seen.known("one", ["a"]) == {}


def test_the_command_tells_what_a_message_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a signature, and without writing anything down."""
    named = settings(tmp_path, GOOD.replace("kind: s3", "kind: form"))
    monkeypatch.setenv("MIXDOWN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MIXDOWN_TRIGGERS", str(named.triggers))
    monkeypatch.setenv("MIXDOWN_TRIGGER_SECRETS", SECRETS)
    message = tmp_path / "message"
    message.write_text("input_file=https%3A%2F%2Fexample.com%2Fa.wav&title=x\n")

    tried = CliRunner().invoke(app, ["test", "one", str(message), "--json"])
    unknown = CliRunner().invoke(app, ["test", "two", str(message)])

    assert json.loads(tried.stdout) == [{"source": {"uri": "https://example.com/a.wav"}, "parameters": {}}]
    assert unknown.exit_code == 1
    assert not (tmp_path / "home").exists()
