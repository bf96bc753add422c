"""Webhooks: what is said, how it is signed, when it is said again."""

from __future__ import annotations

import base64
import json
import math
from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from mixdown.errors import InvalidRequest
from mixdown.model import Status
from mixdown.webhooks import Answer, WebhookNotifier, payload_for, retry_at, sign
from tests.services.webhook_samples import LEVELS, NOW, RECORD, RESULT, SECRET, delivery

NOT_YET = Answer(ok=False, summary="500")


# -- what is said ---------------------------------------------------------------------------------


def test_a_success_names_its_masters() -> None:
    """The message has all that a receiver needs to fetch and check the masters."""
    assert json.loads(payload_for(RECORD)) == {
        "type": "job.succeeded",
        "timestamp": "2026-11-22T12:00:00Z",
        "data": {
            "job_id": "00000000-0000-0000-0000-000000000007",
            "batch_id": "00000000-0000-0000-0000-000000000008",
            "status": "succeeded",
            "filename": "Übung 1 😀.wav",
            "error": None,
            "masters": [
                {
                    "uri": "s3://results/masters/0.mp3",
                    "delivered_uri": "file:///out/talk.mp3",
                    "sha256": "a" * 64,
                    "size_bytes": 977,
                    "format": "mp3",
                    "integrated_lufs": -16.0,
                    "true_peak_dbtp": -1.23,
                }
            ],
        },
    }


def test_a_failure_names_its_error() -> None:
    """The message has the code for programs and the sentence for people, and no masters."""
    failed = replace(
        RECORD,
        status=Status.failed,
        batch_id=None,
        result=None,
        error_code="empty_file",
        error_detail="talk.wav is empty.",
    )

    message = json.loads(payload_for(failed))

    assert message["type"] == "job.failed"
    assert message["data"]["error"] == {"code": "empty_file", "message": "talk.wav is empty."}
    assert (message["data"]["masters"], message["data"]["batch_id"]) == ([], None)


def test_equal_records_give_equal_bytes() -> None:
    """The payload is stable, whatever zone its times are in: it is signed, and sent more than once."""
    elsewhere = replace(RECORD, finished_at=NOW.astimezone(timezone(timedelta(hours=5))))

    assert payload_for(RECORD) == payload_for(replace(RECORD)) == payload_for(elsewhere)
    assert payload_for(RECORD).isascii()


def test_the_level_of_silence_is_null() -> None:
    """JSON has no infinity."""
    silence = replace(LEVELS, integrated_lufs=-math.inf, true_peak_dbtp=-math.inf)
    result = replace(RESULT, renditions=(replace(RESULT.renditions[0], after=silence),))

    [master] = json.loads(payload_for(replace(RECORD, result=result)))["data"]["masters"]

    assert (master["integrated_lufs"], master["true_peak_dbtp"]) == (None, None)


@pytest.mark.parametrize("status", [Status.queued, Status.running])
def test_a_job_under_way_has_nothing_to_say(status: Status) -> None:
    """A message about a job that has not ended is a bug of the caller's."""
    with pytest.raises(ValueError, match="has not ended"):
        payload_for(replace(RECORD, status=status))


# -- how it is signed -----------------------------------------------------------------------------


def test_a_signature_holds() -> None:
    """Standard Webhooks' own library accepts what we sign, and nothing that was changed on the way."""
    message = delivery("https://example.org/hook")
    headers = sign(SECRET, message)

    Webhook(SECRET).verify(message.payload, headers)
    for changed in (
        {**headers, "webhook-id": "another"},
        {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)},
        {**headers, "webhook-signature": "v1," + base64.b64encode(bytes(32)).decode()},
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(message.payload, changed)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(message.payload + " ", headers)


def test_a_signature_is_reproducible() -> None:
    """The same attempt at the same moment has the same headers, told in any zone."""
    message = delivery("https://example.org/hook", payload='{"a":1}')
    headers = sign(SECRET, message, at=NOW)

    assert headers == {
        "webhook-id": "00000000-0000-0000-0000-000000000009",
        "webhook-timestamp": "1795348800",
        "webhook-signature": headers["webhook-signature"],
    }
    assert headers == sign(SECRET, message, at=NOW.astimezone(timezone(timedelta(hours=-8))))


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "changeme", "whsec_not base64!", "whsec_c2hvcnQ=", "whsec_" + "A" * 96, "whsec_ü"]
)
def test_a_weak_secret_is_refused(secret: str) -> None:
    """A secret that is no key is found when it is configured, and not shown."""
    with pytest.raises(InvalidRequest) as caught:
        WebhookNotifier(secret)

    assert "24 to 64 bytes" in caught.value.message
    assert len(secret) < 7 or secret not in caught.value.message


@pytest.mark.parametrize("key", [bytes(24), bytes(32), bytes(64)])
def test_a_key_may_be_written_in_several_ways(key: bytes) -> None:
    """With and without prefix and padding: what the library takes for the same secret is the same here."""
    text = base64.b64encode(key).decode()
    message = delivery("https://example.org/hook")

    for secret in (text, "whsec_" + text, "whsec_" + text.rstrip("=")):
        assert sign(secret, message, at=NOW) == sign(text, message, at=NOW)
        Webhook(secret).verify(message.payload, sign(secret, message))


# -- trying again ---------------------------------------------------------------------------------


def test_the_schedule_is_that_of_standard_webhooks() -> None:
    """At once, after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h; then it is given up."""
    waits_s = [(at - NOW).total_seconds() for n in range(10) if (at := retry_at(n, NOW, NOT_YET))]

    assert waits_s == [0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]
    assert retry_at(10, NOW, NOT_YET) is None
    assert retry_at(99, NOW, NOT_YET) is None


def test_waits_are_spread() -> None:
    """Jobs that failed in one moment come back over a fifth of the wait, none of them early."""
    moments = [NOW + timedelta(microseconds=microsecond) for microsecond in (0, 250_000, 999_999)]
    waits_s = [(at - moment).total_seconds() for moment in moments if (at := retry_at(2, moment, NOT_YET))]

    assert waits_s[0] == 300 < waits_s[1] < waits_s[2] < 360


def test_what_is_delivered_is_not_sent_again() -> None:
    """Delivered is the end of it."""
    assert retry_at(1, NOW, Answer(ok=True, summary="200 OK")) is None
