"""Webhooks: what is said, how it is signed, and what receivers do."""

from __future__ import annotations

import base64
import json
import logging
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import httpx
import pytest
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook, WebhookVerificationError
from werkzeug import Request, Response

from mixdown.errors import InvalidRequest
from mixdown.model import (
    Delivery,
    JobRecord,
    JobResult,
    JobSpec,
    LevelReport,
    OutputSpec,
    Rendition,
    Source,
    Status,
    StoredObject,
    WebhookTarget,
)
from mixdown.webhooks import Answer, LogNotifier, WebhookNotifier, payload_for, retry_at, sign
from tests.services.raw_server import Connection, raw_server

SECRET = "whsec_" + base64.b64encode(bytes(range(24))).decode()
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NOT_YET = Answer(ok=False, summary="500")

LEVELS = LevelReport(
    integrated_lufs=-16.004,
    range_lu=5.0,
    momentary_max_lufs=-12.0,
    short_term_max_lufs=-14.0,
    true_peak_dbtp=-1.234,
    sample_peak_dbfs=-1.5,
    duration_s=61.0,
    sample_rate_hz=48_000,
    channels=2,
)
REPORT = StoredObject(uri="file:///results/report.json", sha256="b" * 64, size_bytes=10)
RESULT = JobResult(
    result_key="c" * 64,
    source_sha256="d" * 64,
    before=LEVELS,
    steps=(),
    renditions=(
        Rendition(
            output=OutputSpec(),
            object=StoredObject(uri="s3://results/masters/0.mp3", sha256="a" * 64, size_bytes=977),
            after=LEVELS,
            target_lufs=-16.0,
            ceiling_dbtp=-1.0,
            delivered_uri="file:///out/talk.mp3",
        ),
    ),
    report=REPORT,
    picture=REPORT,
)
RECORD = JobRecord(
    id=UUID(int=7),
    idempotency_key="key",
    spec=JobSpec(source=Source(uri="/recordings/talk.wav", filename="Übung 1 😀.wav")),
    status=Status.succeeded,
    batch_id=UUID(int=8),
    result=RESULT,
    created_at=NOW,
    finished_at=NOW,
)


def delivery(url: str, payload: str = payload_for(RECORD)) -> Delivery:
    """A notification for a receiver."""
    return Delivery(id=UUID(int=9), job_id=RECORD.id, target=WebhookTarget(url=url), payload=payload)


def sent(url: str, *, timeout_s: float = 10) -> Answer:
    """What becomes of one attempt."""
    return WebhookNotifier(SECRET, timeout_s=timeout_s).deliver(delivery(url))


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


# -- what receivers do ----------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_a_receiver_gets_what_was_signed(httpserver: HTTPServer, status: int) -> None:
    """The exact bytes arrive as JSON with headers that verify; any 2xx is a delivery."""
    seen: list[Request] = []

    def receive(request: Request) -> Response:
        Webhook(SECRET).verify(request.get_data(), dict(request.headers))
        seen.append(request)
        return Response(status=status)

    httpserver.expect_request("/hook", method="POST").respond_with_handler(receive)
    answer = sent(httpserver.url_for("/hook"))

    assert answer.ok
    assert answer.summary.startswith(str(status))
    assert seen[0].get_data().decode() == payload_for(RECORD)
    assert seen[0].headers["content-type"] == "application/json"
    assert seen[0].headers["webhook-id"] == str(UUID(int=9))


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 403, 404, 429, 500, 503])
def test_anything_else_is_tried_again(httpserver: HTTPServer, status: int) -> None:
    """The answer is recorded: its status and the start of what was said, on one line."""
    elsewhere = {"location": httpserver.url_for("/elsewhere")}
    httpserver.expect_request("/hook").respond_with_data(
        "no\n\x1b[31m" + "x" * 999, status=status, headers=elsewhere
    )

    answer = sent(httpserver.url_for("/hook"))

    assert not answer.ok
    assert not answer.final
    assert answer.summary.startswith(f"{status} ")
    assert answer.summary.endswith("no [31m" + "x" * 193)
    assert retry_at(1, NOW, answer) is not None


def test_gone_is_final(httpserver: HTTPServer) -> None:
    """A receiver that answers 410 does not want to be asked again."""
    httpserver.expect_request("/hook").respond_with_data("", status=410)

    answer = sent(httpserver.url_for("/hook"))

    assert (answer.ok, answer.final, answer.summary) == (False, True, "410 GONE")
    assert retry_at(1, NOW, answer) is None


def test_a_redirect_is_not_followed(httpserver: HTTPServer) -> None:
    """What was meant for one address is never posted to another."""
    seen: list[Request] = []
    httpserver.expect_request("/elsewhere").respond_with_handler(lambda request: seen.append(request) or Response())
    httpserver.expect_request("/hook").respond_with_data(
        status=307, headers={"location": httpserver.url_for("/elsewhere")}
    )

    assert not sent(httpserver.url_for("/hook")).ok
    assert seen == []


@pytest.mark.timeout(30)
@pytest.mark.parametrize("part", ["silence", "header", "body"])
def test_a_slow_receiver_meets_the_deadline(part: str) -> None:
    """A receiver cannot hold us by answering a byte at a time."""

    def answer(connection: Connection) -> None:
        if part == "header":
            connection.send(b"HTTP/1.1 200 OK\r\nx-slow: ")
        if part == "body":
            connection.send(b"HTTP/1.1 500 Slow\r\nContent-Length: 1000\r\n\r\n")
        connection.drip(b"x" * 1000, every_s=60 if part == "silence" else 0.05)

    with raw_server(answer) as (url, _):
        result = sent(url, timeout_s=0.5)

    assert not result.ok
    assert not result.final
    assert result.summary.startswith("500 Slow: xx" if part == "body" else "No answer within 0.5 s.")


def test_no_more_of_an_answer_is_read_than_is_recorded() -> None:
    """A receiver that answers without end does not keep us."""

    def answer(connection: Connection) -> None:
        connection.send(b"HTTP/1.1 500 Endless\r\n\r\n")
        while connection.send(b"y" * 65_536):
            pass

    with raw_server(answer) as (url, connections):
        assert sent(url).summary == "500 Endless: " + "y" * 200

    assert connections[0].sent_bytes < 16 << 20


def test_a_receiver_that_is_not_there_is_tried_again() -> None:
    """Nobody there, nobody known, nonsense, a hang-up: recorded in a few words, without the address."""
    answers = [sent("http://user:secret@127.0.0.1:1/?token=secret"), sent("http://nowhere.invalid/secret")]
    for said in (b"220 mail.example.org ESMTP\r\n", b""):
        with raw_server(lambda connection, said=said: connection.send(said)) as (url, _):
            answers.append(sent(url + "/?token=secret"))

    for answer in answers:
        assert (answer.ok, answer.final) == (False, False)
        assert answer.summary.startswith("Not reached")
        assert "secret" not in answer.summary


def test_an_address_that_is_none_is_final() -> None:
    """Trying again does not make an address valid."""
    for url in ("http://", "http:///hook", "http://a:port/"):
        answer = sent(url)
        assert (answer.ok, answer.final) == (False, True)


def test_nothing_is_sent_unsigned() -> None:
    """Without a secret the receiver hears nothing, and the delivery says why."""
    asked: list[httpx.Request] = []

    def receive(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200)

    notifier = WebhookNotifier(None, transport=httpx.MockTransport(receive))
    answer = notifier.deliver(delivery("https://example.org/hook"))

    assert (answer.ok, answer.final) == (False, True)
    assert "MIXDOWN_WEBHOOK_SECRET" in answer.summary
    assert asked == []


def test_no_proxy_of_the_machine_is_asked(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment says about proxies is not for us."""
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    httpserver.expect_request("/hook").respond_with_data("")

    assert sent(httpserver.url_for("/hook")).ok


def test_the_log_always_works(caplog: pytest.LogCaptureFixture) -> None:
    """A line says which job ended, and how."""
    with caplog.at_level(logging.INFO):
        answer = LogNotifier().deliver(delivery("https://example.org/hook"))

    assert answer.ok
    assert f"{RECORD.id}: job.succeeded" in caplog.text


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


@pytest.mark.parametrize(
    ("header", "wait_s"), [("60", 60), ("1", 5), ("999999999", 86_400), ("9" * 500, 86_400), ("soon", 5), ("-5", 5)]
)
def test_a_receiver_may_ask_for_patience(httpserver: HTTPServer, header: str, wait_s: float) -> None:
    """Retry-After makes a wait longer, up to a day, and never shorter."""
    httpserver.expect_request("/hook").respond_with_data("", status=429, headers={"retry-after": header})

    assert retry_at(1, NOW, sent(httpserver.url_for("/hook"))) == NOW + timedelta(seconds=wait_s)


def test_what_is_delivered_is_not_sent_again() -> None:
    """Delivered is the end of it."""
    assert retry_at(1, NOW, Answer(ok=True, summary="200 OK")) is None
