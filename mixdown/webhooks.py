"""Notifications: what is said, how it is signed (Standard Webhooks), sent, and tried again."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import httpx
from standardwebhooks import Webhook

from mixdown import __version__
from mixdown.deadline import Deadline
from mixdown.errors import AddressRefused, InvalidRequest
from mixdown.jobs.payloads import payload_for
from mixdown.model import ChannelTarget, Delivery
from mixdown.web import retry_after_s, tls, web_origin

__all__ = [
    "Answer",
    "LogNotifier",
    "Notifier",
    "WebhookNotifier",
    "key_of",
    "payload_for",
    "receiver_of",
    "retry_at",
    "sign",
]

log = logging.getLogger(__name__)

#: Waits before the first, second … attempt: the schedule that Standard Webhooks recommends, about three days.
_WAITS = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
_JITTER = 0.2  # of the wait, so that many jobs do not come back to a receiver in one moment
_ANSWER_CHARACTERS = 200
_GONE = 410

#: Answers of a receiver that has too much to do, and how long it is left alone unless it says so itself.
_BUSY, _BUSY_S = frozenset({429, 502, 504}), 60.0

_MIN_KEY_BYTES, _MAX_KEY_BYTES = 24, 64  # Standard Webhooks


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of one attempt to deliver."""

    ok: bool  #: the receiver has it
    summary: str  #: short, for the ledger and for people; no secrets
    final: bool = False  #: not delivered, and trying again is pointless
    gone: bool = False  #: the receiver wants no more messages at all
    retry_after_s: float | None = None  #: the receiver asked for this much patience


class Notifier(Protocol):
    """A way to tell someone that a job has ended."""

    def deliver(self, delivery: Delivery) -> Answer:
        """Try once; a failure is an answer, not an error."""
        ...


def sign(secret: str, delivery: Delivery, *others: str, at: datetime | None = None) -> dict[str, str]:
    """The Standard Webhooks headers of an attempt made at `at` (default: now), signed with each secret."""
    at = at or datetime.now(UTC)
    signatures = [
        Webhook(key_of(each)).sign(str(delivery.id), at.astimezone(UTC), delivery.payload)
        for each in (secret, *others)
    ]
    return {
        "webhook-id": str(delivery.id),
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def key_of(secret: str) -> bytes:
    """The key of a `whsec_…` secret; InvalidRequest where it is none."""
    text = secret.removeprefix("whsec_")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        key = b""
    # The library takes any text for base64 and leaves out what is none; "changeme" would pass for a secret.
    if not _MIN_KEY_BYTES <= len(key) <= _MAX_KEY_BYTES:
        raise InvalidRequest(
            f"The webhook secret is not `whsec_` and the base64 of {_MIN_KEY_BYTES} to {_MAX_KEY_BYTES} bytes."
        )
    return key


class WebhookNotifier:
    """Posts signed messages.

    Without a secret nothing is sent: a receiver could not tell our message from anyone else's, and one
    that was set up to verify would refuse it. The delivery records why, so that the operator sees it.
    Redirects are not followed: the address was given for this message, not for another one.
    """

    def __init__(
        self, secret: str | None, *, timeout_s: float = 15.0, transport: httpx.BaseTransport | None = None
    ) -> None:
        if secret is not None:
            key_of(secret)
        self._secret = secret
        self._timeout_s = timeout_s
        self._transport = transport

    def deliver(self, delivery: Delivery) -> Answer:
        """Post the message once. 2xx is delivered, 410 is final, all else may be tried again."""
        return self.post(delivery, delivery.target.address, [self._secret] if self._secret else [])

    def post(
        self, delivery: Delivery, url: str, secrets: Sequence[str], *, transport: httpx.BaseTransport | None = None
    ) -> Answer:
        """`deliver` to this address, signed with these secrets."""
        if not secrets:
            return Answer(
                ok=False,
                final=True,
                summary="Not sent: there is no webhook secret (MIXDOWN_WEBHOOK_SECRET) to sign it with.",
            )
        headers = {
            "content-type": "application/json",
            "user-agent": f"mixdown/{__version__}",
            **sign(secrets[0], delivery, *secrets[1:]),
        }
        try:
            with (
                Deadline(self._timeout_s) as deadline,
                httpx.Client(
                    transport=transport or self._transport,
                    timeout=self._timeout_s,
                    verify=tls(),
                    trust_env=False,
                    follow_redirects=False,
                ) as client,
                client.stream(
                    "POST",
                    url,
                    content=delivery.payload.encode(),
                    headers=headers,
                    extensions={"trace": deadline.trace},
                ) as response,
            ):
                return _answer(response)
        except AddressRefused as error:
            return Answer(ok=False, final=True, summary=error.message)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            return Answer(ok=False, final=True, summary="The address is not one that can be sent to.")
        except httpx.TimeoutException:
            return self._no_answer()
        except httpx.HTTPError as error:
            if deadline.passed:
                return self._no_answer()
            return Answer(ok=False, summary=f"Not reached ({type(error).__name__}).")

    def _no_answer(self) -> Answer:
        return Answer(ok=False, summary=f"No answer within {self._timeout_s:g} s.")


def _answer(response: httpx.Response) -> Answer:
    status = f"{response.status_code} {response.reason_phrase}".strip()
    if response.is_success:
        return Answer(ok=True, summary=status)
    excerpt = _excerpt(response)
    patience_s = retry_after_s(response.headers, datetime.now(UTC))
    if patience_s is None and response.status_code in _BUSY:
        patience_s = _BUSY_S
    gone = response.status_code == _GONE
    return Answer(
        ok=False,
        final=gone,
        gone=gone,
        summary=f"{status}: {excerpt}" if excerpt else status,
        retry_after_s=patience_s,
    )


def _excerpt(response: httpx.Response) -> str:
    """The first characters of a refusal, on one line; never more of it is read."""
    body = b""
    try:
        for chunk in response.iter_raw():
            body += chunk
            if len(body) >= 4 * _ANSWER_CHARACTERS:
                break
    except httpx.HTTPError:
        pass  # the status has said enough
    text = " ".join(body.decode(errors="replace").split())
    return "".join(filter(str.isprintable, text))[:_ANSWER_CHARACTERS]


def receiver_of(delivery: Delivery) -> str:
    """Who has to answer for a delivery to succeed: `webhook:https://host`, `channel:name`."""
    if isinstance(delivery.target, ChannelTarget):
        return delivery.target.address
    return f"webhook:{web_origin(delivery.target.url)}"


class LogNotifier:
    """Writes a line to the log: the notification that always works."""

    def deliver(self, delivery: Delivery) -> Answer:
        """Log that the job has ended."""
        log.info("job %s: %s", delivery.job_id, json.loads(delivery.payload)["type"])
        return Answer(ok=True, summary="logged")


def retry_at(
    attempts: int, now: datetime, answer: Answer, *, waits: Sequence[timedelta] = _WAITS
) -> datetime | None:
    """When to try again after `attempts` attempts, the last of them answered so; None: no more."""
    if answer.ok or answer.final or attempts >= len(waits):
        return None
    wait_s = waits[attempts].total_seconds()
    # The microseconds of the clock are as good as a random number, and leave this function pure.
    wait_s *= 1 + _JITTER * now.microsecond / 1e6
    asked_s = min(answer.retry_after_s or 0.0, waits[-1].total_seconds())
    return now + timedelta(seconds=max(wait_s, asked_s))
