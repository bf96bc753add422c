"""Triggers are looked over when their file is read: what they ask for each time must make sense."""

from __future__ import annotations

from fastapi.exceptions import RequestValidationError

from mixdown.api.asking import spec_of
from mixdown.api.bodies import checked
from mixdown.api.desk import Desk
from mixdown.api.requested import Parameters
from mixdown.errors import InvalidTrigger, PermanentError
from mixdown.keys import KeyStore
from mixdown.triggers import Trigger, Triggers
from mixdown.triggers.model import S3Trigger


def check_triggers(desk: Desk, triggers: Triggers) -> None:
    """InvalidTrigger where what a trigger always asks for cannot be had, or its key is none."""
    named = [each for each in triggers.named.items() if each[1].key_id is not None]
    keys = {key.id for key in KeyStore(desk.studio.jobs.engine).list()} if named else set()
    for name, trigger in named:
        if trigger.key_id not in keys:
            raise InvalidTrigger(f"The trigger {name}: there is no API key with the id {trigger.key_id}.")
    for name, trigger in triggers.named.items():
        _check_parameters(desk, name, trigger)


def _check_parameters(desk: Desk, name: str, trigger: Trigger) -> None:
    said = {} if isinstance(trigger, S3Trigger) else trigger.from_message
    if "kind" in said:  # what the others mean is known when a message comes
        return
    try:
        parameters = checked(Parameters, trigger.parameters)
        spec_of(desk, parameters)
    except RequestValidationError as error:
        [first, *_] = error.errors()
        place = ", ".join(map(str, first["loc"][1:]))  # behind the kind
        reason = first["msg"][:1].lower() + first["msg"][1:]
        raise InvalidTrigger(f"The trigger {name} is wrong in its parameters, {place}: {reason}.") from error
    except PermanentError as error:
        raise InvalidTrigger(f"The trigger {name} is wrong in its parameters: {error.message}") from error
    unknown = sorted(said.keys() - type(parameters).model_fields.keys())
    if unknown:
        raise InvalidTrigger(f"The trigger {name} is wrong in from_message: there is no parameter {unknown[0]}.")
