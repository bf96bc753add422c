"""People are told by e-mail, chat or phone: a channel is a name that the operator gives to an apprise address."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus, urlsplit

from pydantic import SecretStr

from mixdown.errors import InvalidRequest, UnknownChannel
from mixdown.messages import Words, words_of
from mixdown.model import ChannelTarget, Delivery, Target, WebhookTarget
from mixdown.webhooks import Answer

if TYPE_CHECKING:
    from apprise import Apprise, NotifyBase

_NAME = re.compile("[a-z0-9][a-z0-9-]{0,62}")

#: Parts of an address that are no shorter are taken for secrets: tokens, passwords, numbers of phones and chats.
_SECRET_CHARACTERS = 5

_ANSWER_CHARACTERS = 200
_PATIENCE = re.compile(r'"retry_after"\s*:\s*(\d{1,6}(?:\.\d+)?)')  # Telegram's and Discord's, in seconds
_PARTS = re.compile(r"[/?&=@:;,#\s]+")

#: Where apprise's plugins keep the address of the service they speak to.
_SERVICE_ADDRESSES = ("notify_url", "webhook_url", "api_url")


@dataclass(frozen=True, slots=True)
class Channel:
    """How some people are reached."""

    url: SecretStr  #: as apprise takes it: `tgram://token/chat`, `mailtos://…`, `slack://…`
    gateway: str | None = None  #: asked in place of the service itself, as a Telegram Bot API server of one's own


def target_of(name: str) -> Target:
    """Whom a name stands for: an address, or a channel."""
    if "://" in name:
        return WebhookTarget(url=name)
    if not _NAME.fullmatch(name):
        raise InvalidRequest("Whom to notify is an https:// address, or the name of a channel.")
    return ChannelTarget(channel=name)


def refuse_unknown(targets: Iterable[Target], known: Collection[str]) -> None:
    """UnknownChannel where one of these is a channel that is not set up: told at once, not in silence later."""
    for target in targets:
        if isinstance(target, ChannelTarget) and target.channel not in known:
            there = f"there are {', '.join(sorted(known))}" if known else "none is set up"
            raise UnknownChannel(f"There is no channel “{target.channel}” here: {there}.")


def refuse_unknown_name(name: str | None, known: Collection[str]) -> None:
    """UnknownChannel where whom a name stands for is a channel that is not set up."""
    refuse_unknown((target_of(name),) if name else (), known)


def of_batch(name: str | None) -> tuple[str | None, tuple[Target, ...]]:
    """Who is told of each job of a batch, and who of the batch as a whole: people get one message."""
    if not name or "://" in name:
        return name or None, ()
    return None, (target_of(name),)


def channels_from(text: str | None) -> dict[str, Channel]:
    """The channels of `{"name": "url"}` or `{"name": {"url": …, "gateway": …}}`; else InvalidRequest."""
    if not text:
        return {}
    try:
        named = json.loads(text)
    except ValueError as error:
        raise InvalidRequest("The channels are not JSON: an object of names and addresses.") from error
    if not isinstance(named, dict):
        raise InvalidRequest("The channels are not a JSON object of names and addresses.")
    return {name: _channel(name, value) for name, value in named.items()}


def _channel(name: str, value: Any) -> Channel:
    if not _NAME.fullmatch(name):
        raise InvalidRequest("The name of a channel is made of lower-case letters, digits and dashes.")
    fields = {"url": value} if isinstance(value, str) else value
    if not isinstance(fields, dict) or not fields.keys() <= {"url", "gateway"}:
        raise InvalidRequest(f"The channel “{name}” has a `url`, and perhaps a `gateway`.")
    url, gateway = fields.get("url"), fields.get("gateway")
    if not isinstance(url, str) or "://" not in url:
        raise InvalidRequest(f"The channel “{name}” has no address such as `tgram://token/chat`.")
    if gateway is not None and not (isinstance(gateway, str) and gateway.startswith(("http://", "https://"))):
        raise InvalidRequest(f"The gateway of the channel “{name}” begins with https:// or http://.")
    return Channel(SecretStr(url), gateway)


class ChannelNotifier:
    """Tells people what has ended, in a line or two."""

    def __init__(self, channels: Mapping[str, Channel]) -> None:
        self._channels = dict(channels)
        self._opened: dict[str, Apprise | None] = {}
        self._opening = threading.Lock()

    @property
    def names(self) -> list[str]:
        """The channels there are."""
        return sorted(self._channels)

    def deliver(self, delivery: Delivery) -> Answer:
        """Tell the people of a channel once; no failure is final, as the operator may mend the channel."""
        if not isinstance(delivery.target, ChannelTarget):
            raise ValueError("this delivery goes to no channel")
        name = delivery.target.channel
        if name not in self._channels:
            return Answer(ok=False, summary=f"There is no channel “{name}” here.")
        opened = self._open(name)
        if opened is None:
            return Answer(ok=False, summary=f"The address of the channel “{name}” is not one that apprise knows.")
        with _CONFIDANT.listening() as said:
            arrived = _tell(opened, words_of(delivery.payload), self._channels[name])
        if arrived:
            return Answer(ok=True, summary="sent")
        return self._refusal(name, said)

    def _open(self, name: str) -> Apprise | None:
        with self._opening:
            if name not in self._opened:
                self._opened[name] = _opened(self._channels[name])
            return self._opened[name]

    def _refusal(self, name: str, said: list[logging.LogRecord]) -> Answer:
        loud = [each.getMessage() for each in said if each.levelno >= logging.WARNING]
        quiet = "\n".join(each.getMessage() for each in said if each.levelno < logging.WARNING)
        patience = _PATIENCE.search(quiet.replace("\\n", " "))
        summary = _without_secrets(loud[-1] if loud else "Not sent.", self._channels[name].url.get_secret_value())
        return Answer(ok=False, summary=summary, retry_after_s=float(patience[1]) if patience else None)


def _tell(opened: Apprise, words: Words, channel: Channel) -> bool:
    from apprise import NotifyFormat, NotifyType

    kind = NotifyType.SUCCESS if words.well else NotifyType.FAILURE
    # WhatsApp refuses line breaks in the parameters of a template.
    whole = channel.url.get_secret_value().lower().startswith("whatsapp:")
    title, body = ("", words.in_a_line) if whole else (words.title, words.body)
    return bool(opened.notify(body, title, kind, body_format=NotifyFormat.TEXT))


def _opened(channel: Channel) -> Apprise | None:
    """The service behind an address; None if apprise does not know it. apprise is loaded when it is needed."""
    from apprise import Apprise, AppriseAsset

    asset = AppriseAsset(app_id="Mixdown", app_desc="Mixdown", app_url="", image_url_mask="", image_url_logo="")
    with _CONFIDANT.listening():
        service = Apprise.instantiate(channel.url.get_secret_value(), asset=asset, suppress_exceptions=True)
    if service is None:
        return None
    if channel.gateway:
        _redirect(service, channel.gateway.rstrip("/"))
    opened = Apprise(asset=asset)
    opened.add(service)
    return opened


def _redirect(service: NotifyBase, gateway: str) -> None:
    """Have a gateway asked in place of the service's own host."""
    for name in _SERVICE_ADDRESSES:
        address = getattr(service, name, None)
        if isinstance(address, str) and address.startswith("https://"):
            own = urlsplit(address)
            setattr(service, name, gateway + address.removeprefix(f"{own.scheme}://{own.netloc}"))


def _without_secrets(text: str, url: str) -> str:
    """What a service said, on one line, without anything that its address holds."""
    parts = {part for part in _PARTS.split(unquote_plus(url)) if len(part) >= _SECRET_CHARACTERS}
    parts |= {part for part in _PARTS.split(url) if len(part) >= _SECRET_CHARACTERS}
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, "…")
    return "".join(filter(str.isprintable, " ".join(text.split())))[:_ANSWER_CHARACTERS]


class _Confidant(logging.Handler):
    """Hears what apprise logs, for the thread that asked: it is the only way in which apprise tells why.

    What it logs holds addresses with tokens in them, so it reaches no other log.
    """

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._heard: dict[int, list[logging.LogRecord]] = {}

    @contextmanager
    def listening(self) -> Iterator[list[logging.LogRecord]]:
        """What is logged by this thread meanwhile."""
        logger = logging.getLogger("apprise")
        logger.addHandler(self)  # nothing happens if it is there
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)  # it would log paths with tokens
        heard: list[logging.LogRecord] = []
        self._heard[threading.get_ident()] = heard
        try:
            yield heard
        finally:
            del self._heard[threading.get_ident()]

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line for whoever asked."""
        heard = self._heard.get(record.thread or 0)
        if heard is not None:
            heard.append(record)


_CONFIDANT = _Confidant()
