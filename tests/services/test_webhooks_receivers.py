"""Webhooks: what receivers do."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from uuid import UUID

import httpx
import pytest
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook
from werkzeug import Request, Response

from mixdown.webhooks import Answer, LogNotifier, WebhookNotifier, payload_for, receiver_of, retry_at
from tests.services.raw_server import Connection, raw_server
from tests.services.webhook_samples import NOW, RECORD, SECRET, delivery


def sent(url: str, *, timeout_s: float = 10) -> Answer:
    """What becomes of one attempt."""
    return WebhookNotifier(SECRET, timeout_s=timeout_s).deliver(delivery(url))


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


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [("60", 60), ("1", 5), ("999999999", 86_400), ("9" * 500, 86_400), ("soon", 60), ("-5", 60)],
)
def test_a_receiver_may_ask_for_patience(httpserver: HTTPServer, header: str, wait_s: float) -> None:
    """Retry-After makes a wait longer, up to a day, and never shorter; 429 without it means a minute."""
    httpserver.expect_request("/hook").respond_with_data("", status=429, headers={"retry-after": header})

    assert retry_at(1, NOW, sent(httpserver.url_for("/hook"))) == NOW + timedelta(seconds=wait_s)


def test_a_receiver_may_name_the_time(httpserver: HTTPServer) -> None:
    """`Retry-After` as a date is understood like one in seconds."""
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=600), usegmt=True)
    httpserver.expect_request("/hook").respond_with_data(status=503, headers={"retry-after": later})

    answer = sent(httpserver.url_for("/hook"))

    assert answer.retry_after_s is not None
    assert 500 < answer.retry_after_s <= 601


def test_deliveries_to_one_server_have_one_receiver() -> None:
    """Who has to answer is the server, whatever the path, the credentials or the case of its name."""
    first = delivery("https://Example.org/hooks/a?token=1")
    second = delivery("https://otto:secret@example.org:443/hooks/b")

    assert receiver_of(first) == receiver_of(second) == "webhook:https://example.org"
    assert receiver_of(delivery("http://127.0.0.1:8000/")) == "webhook:http://127.0.0.1:8000"
