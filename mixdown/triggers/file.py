"""The file of triggers: YAML, read with care; and the secrets that it names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from mixdown.errors import InvalidRequest, InvalidTrigger, TriggerNotFound
from mixdown.settings import Settings
from mixdown.triggers.model import StandardSignature, Trigger
from mixdown.webhooks import key_of

_LARGEST_BYTES = 1 << 20
_NAME = re.compile("[a-z0-9][a-z0-9-]{0,62}")
_TRIGGER: TypeAdapter[Trigger] = TypeAdapter(Trigger)

#: Shorter tokens can be tried out.
_SHORTEST = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Triggers:
    """The triggers of an installation, and their secrets."""

    named: Mapping[str, Trigger]
    _secrets: Mapping[str, tuple[str, ...]] = field(repr=False)

    def get(self, name: str) -> Trigger:
        """The trigger of this name; TriggerNotFound if there is none."""
        if name not in self.named:
            raise TriggerNotFound
        return self.named[name]

    def secrets(self, trigger: Trigger) -> tuple[str, ...]:
        """What the senders of a trigger know; several while one takes the place of another."""
        return self._secrets[trigger.signature.secret]


def read_triggers(settings: Settings) -> Triggers:
    """The triggers that the settings name, none where they name none.

    Raises
    ------
    InvalidTrigger
        The file cannot be read, a trigger makes no sense, or its secret is not there: in one sentence.
    """
    if settings.triggers is None:
        return Triggers(named={}, _secrets={})
    secrets = _secrets(settings.trigger_secrets.get_secret_value() if settings.trigger_secrets else "{}")
    named = dict(_named(_content(settings.triggers)))
    for name, trigger in named.items():
        _refuse_weak(name, trigger, secrets.get(trigger.signature.secret, ()))
    return Triggers(named=named, _secrets=secrets)


def _content(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        raise InvalidTrigger(f"The file of triggers cannot be read: {error.strerror}.") from error
    if len(content) > _LARGEST_BYTES:
        raise InvalidTrigger("The file of triggers is far too long to be one.")
    try:
        return yaml.safe_load(content)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InvalidTrigger("The file of triggers is no YAML.") from error


def _named(content: Any) -> Iterator[tuple[str, Trigger]]:
    listed = content.get("triggers") if isinstance(content, dict) and set(content) == {"triggers"} else None
    if not isinstance(listed, dict):
        raise InvalidTrigger("The file of triggers is to have “triggers:”, with a name for each, and no more.")
    for name, fields in listed.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InvalidTrigger("The name of a trigger is made of small letters, digits and hyphens, 63 at most.")
        try:
            yield name, _TRIGGER.validate_python(fields)
        except ValidationError as error:
            first = error.errors()[0]
            place = ", ".join(str(each) for each in first["loc"][1:])
            reason = first["msg"][:1].lower() + first["msg"][1:]
            raise InvalidTrigger(
                f"The trigger {name} is wrong{f' in {place}' if place else ''}: {reason}."
            ) from error


def _secrets(text: str) -> dict[str, tuple[str, ...]]:
    """Each secret by its name; one or a list of them."""
    refusal = 'MIXDOWN_TRIGGER_SECRETS is to be JSON of names and secrets: {"github": "…"}.'
    try:
        found = json.loads(text)
    except ValueError:
        raise InvalidTrigger(refusal) from None  # its text would be in the traceback
    if not isinstance(found, dict):
        raise InvalidTrigger(refusal)
    listed = {name: each if isinstance(each, list) else [each] for name, each in found.items()}
    if not all(isinstance(each, str) for secrets in listed.values() for each in secrets):
        raise InvalidTrigger(refusal)
    return {name: tuple(secrets) for name, secrets in listed.items()}


def _refuse_weak(name: str, trigger: Trigger, secrets: tuple[str, ...]) -> None:
    if not secrets:
        raise InvalidTrigger(f"The secret of the trigger {name} is not in MIXDOWN_TRIGGER_SECRETS.")
    for secret in secrets:
        if not isinstance(trigger.signature, StandardSignature):
            if len(secret) < _SHORTEST:
                raise InvalidTrigger(f"The secret of the trigger {name} has fewer than {_SHORTEST} characters.")
            continue
        try:
            key_of(secret)
        except InvalidRequest as error:
            raise InvalidTrigger(f"The trigger {name}: {error.message}") from error
