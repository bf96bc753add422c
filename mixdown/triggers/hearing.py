"""What a message asks for, going by its trigger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mixdown.errors import InvalidRequest
from mixdown.items.item import in_a_sentence
from mixdown.model import Source, digest
from mixdown.triggers.model import FormTrigger, JsonTrigger, S3Trigger
from mixdown.triggers.pointers import NOTHING, at
from mixdown.triggers.s3_events import created

_MOST_ITEMS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A recording that a message is about."""

    source: Source
    parameters: dict[str, Any]  #: as `POST /v1/jobs` takes them, not checked yet
    message: str  #: digest of what makes it the same event when it comes again


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a message asks for."""

    mentions: tuple[Mention, ...]


def parsed(body: bytes) -> Any:
    """The JSON of a body; InvalidRequest where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("The body is no JSON.") from error


def heard(trigger: S3Trigger | FormTrigger | JsonTrigger, message: Any, message_id: str | None = None) -> Heard:
    """What a message asks for; `message_id` is what its sender calls it, signed.

    Raises
    ------
    InvalidRequest
        It has not the shape that the trigger expects.
    """
    if isinstance(trigger, S3Trigger):
        return Heard(mentions=tuple(_of_s3(trigger, message)))
    if any(not _equal(at(pointer, message), value) for pointer, value in trigger.when.items()):
        return Heard(mentions=())
    own = at(trigger.id, message) if trigger.id is not None else NOTHING
    if message_id is not None:
        mark = digest("id", message_id)
    else:
        mark = digest("all", message) if own is NOTHING else digest("own", own)
    items = [message]
    if isinstance(trigger, JsonTrigger) and trigger.items is not None:
        items = at(trigger.items, message)
        if not isinstance(items, list) or len(items) > _MOST_ITEMS:
            raise InvalidRequest(f"There is no list of at most {_MOST_ITEMS:,} recordings at {trigger.items}.")
    return Heard(mentions=tuple(_mapped(trigger, item, digest(mark, n)) for n, item in enumerate(items)))


def _of_s3(trigger: S3Trigger, message: Any) -> Iterator[Mention]:
    delivered = trigger.parameters.get("deliver_to")
    for each in created(message):
        if not each.key.startswith(trigger.prefix):
            continue
        if isinstance(delivered, str) and each.uri.startswith(f"{delivered.rstrip('/')}/"):
            continue  # our own master, told of by its bucket
        with in_a_sentence("the address of a recording"):
            source = Source(uri=each.uri)
        yield Mention(
            source=source,
            parameters=trigger.parameters,
            message=digest("s3", each.bucket, each.key, each.version),
        )


def _mapped(trigger: FormTrigger | JsonTrigger, item: Any, mark: str) -> Mention:
    address = at(trigger.source, item)
    if not isinstance(address, str):
        raise InvalidRequest(f"There is no address of a recording at {trigger.source}.")
    name = at(trigger.filename, item) if trigger.filename is not None else NOTHING
    with in_a_sentence("the address of a recording"):
        source = Source(uri=address, filename=name if isinstance(name, str) and name else None)
    said = {name: at(pointer, item) for name, pointer in trigger.from_message.items()}
    said = {name: value for name, value in said.items() if value is not NOTHING and value is not None}
    return Mention(source=source, parameters={**trigger.parameters, **said}, message=mark)


def _equal(found: Any, wanted: Any) -> bool:
    """Whether it is the value; forms know texts only."""
    return bool(found == wanted) or (isinstance(found, str) and found == str(wanted))
