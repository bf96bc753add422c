"""Channels: people are told by e-mail, chat and phone, each service in the shapes that it speaks."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes
from email.policy import default
from io import StringIO
from uuid import UUID

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from pytest_httpserver import HTTPServer

from mixdown.channels import ChannelNotifier, channels_from
from mixdown.errors import InvalidRequest
from mixdown.jobs.payloads import digest_for
from mixdown.messages import words_of
from mixdown.model import BatchRecord, ChannelTarget, Delivery, FailureGroup, Priority, Status
from mixdown.webhooks import Answer, payload_for
from tests.services.webhook_samples import NOW, RECORD

BOT = "123456789:abcdefghijklmnopqrstuvwxyzABCDEFGHI"
PHONE = "+15551234567"
BATCH = BatchRecord(
    id=UUID(int=8), title="Season 3", created_at=NOW, priority=Priority.normal, attached=False, closed_at=NOW
)
COUNTS = {**dict.fromkeys(Status, 0), Status.succeeded: 15, Status.failed: 1}
FAILED = [FailureGroup(code="empty_file", number=1, examples=(("talk.wav", "talk.wav is empty."),))]


def told(url: str, gateway: str | None = None, payload: str = payload_for(RECORD)) -> Answer:
    """What came of telling the people behind an address."""
    notifier = ChannelNotifier(channels_from(json.dumps({"team": {"url": url, "gateway": gateway}})))
    target = ChannelTarget(channel="team")
    return notifier.deliver(Delivery(id=UUID(int=9), job_id=RECORD.id, target=target, payload=payload))


def body_of(httpserver: HTTPServer) -> dict[str, object]:
    """What the server was sent."""
    request, _ = httpserver.log[0]
    body: dict[str, object] = json.loads(request.get_data())
    return body


class Mailbox(Message):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.subjects: list[str] = []
        self.texts: list[str] = []

    def handle_message(self, message: object) -> None:
        """Keep the subject and the text."""
        parsed = message_from_bytes(bytes(message), policy=default)  # type: ignore[call-overload]
        self.subjects.append(str(parsed["subject"]))
        part = parsed.get_body(("plain", "html"))
        self.texts.append(part.get_content() if part else "")


class Port(Controller):
    """A mail server on a free port: aiosmtpd would ask port 0 whether it has begun."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        super()._trigger_server()


@pytest.fixture
def mail() -> Iterator[Port]:
    """A mail server over a socket."""
    server = Port(Mailbox(), hostname="127.0.0.1", port=0)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def root_log() -> Iterator[StringIO]:
    """What a process that logs everything would have in its log, but for the server of the test."""
    root, text = logging.getLogger(), StringIO()
    handler, level = logging.StreamHandler(text), root.level
    handler.addFilter(lambda record: not record.name.startswith("werkzeug"))
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    logging.getLogger("test").debug("a line")
    yield text
    root.setLevel(level)
    root.removeHandler(handler)


# -- what is said ---------------------------------------------------------------------------------


def test_a_success_in_words() -> None:
    """The name of the recording first, then what was made of it, with units."""
    words = words_of(payload_for(RECORD))

    assert (words.title, words.well) == ("Done: Übung 1 😀.wav", True)
    assert words.body == "MP3, 0.0 MB, −16.0 LUFS, −1.2 dBTP\nJob 00000000"


def test_a_failure_in_words() -> None:
    """The sentence for people, and the code to look up; a name of a file is no second line."""
    spec = RECORD.spec.model_copy(
        update={"source": RECORD.spec.source.model_copy(update={"filename": "a\nb\udcff.wav"})}
    )
    failed = replace(
        RECORD, spec=spec, status=Status.failed, result=None, error_code="empty_file", error_detail="It is empty."
    )

    words = words_of(payload_for(failed))

    assert (words.title, words.well) == ("Failed: a�b�.wav", False)
    assert words.body.splitlines() == ["It is empty. (empty_file)", "Job 00000000"]


def test_a_digest_in_words() -> None:
    """One message tells how a whole batch went, and of each kind of failure the first."""
    words = words_of(digest_for(BATCH, COUNTS, FAILED, NOW))

    assert (words.title, words.well) == ("Season 3: 15 of 16 done, 1 failed", False)
    assert words.body.splitlines() == ["1 × empty_file: talk.wav: talk.wav is empty.", "Batch 00000000"]


# -- where it is said -----------------------------------------------------------------------------


def test_by_mail(mail: Port) -> None:
    """A title and a few lines, as any mail program shows them."""
    answer = told(f"mailto://127.0.0.1:{mail.port}?to=team@example.com&from=mixdown@example.com&format=text")

    assert answer.ok, answer.summary
    assert mail.handler.subjects == ["Done: Übung 1 😀.wav"]
    assert "−16.0 LUFS" in mail.handler.texts[0]


def test_a_mail_server_that_is_down() -> None:
    """An answer like any other: tried again, without the addresses in it."""
    answer = told("mailto://otto:passw0rd@127.0.0.1:1?to=team@example.com&from=mixdown@example.com")

    assert (answer.ok, answer.final) == (False, False)
    assert "passw0rd" not in answer.summary
    assert "example.com" not in answer.summary


def test_by_telegram(httpserver: HTTPServer) -> None:
    """The bot of the address speaks to the chat of the address."""
    httpserver.expect_request(f"/bot{BOT}/sendMessage", method="POST").respond_with_json({"ok": True, "result": {}})

    assert told(f"tgram://{BOT}/987654321", httpserver.url_for("")).ok
    body = body_of(httpserver)
    assert str(body["chat_id"]) == "987654321"
    assert "Übung 1 😀.wav" in str(body["text"])


def test_telegram_asks_for_patience(httpserver: HTTPServer, root_log: StringIO) -> None:
    """`parameters.retry_after` is honoured; neither the token nor the chat is in the answer or in a log."""
    refusal = {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests: retry after 37",
        "parameters": {"retry_after": 37},
    }
    httpserver.expect_request(f"/bot{BOT}/sendMessage").respond_with_json(refusal, status=429)

    answer = told(f"tgram://{BOT}/987654321", httpserver.url_for(""))

    assert (answer.ok, answer.final, answer.retry_after_s) == (False, False, 37)
    assert "retry after 37" in answer.summary
    ours = root_log.getvalue()
    assert "a line" in ours
    for secret in (BOT, BOT.partition(":")[2], "987654321"):
        assert secret not in answer.summary + ours


def test_by_whatsapp(httpserver: HTTPServer) -> None:
    """A template message whose parameter is one line, as WhatsApp takes no line breaks there."""
    httpserver.expect_request("/v21.0/106540352242922/messages").respond_with_json(
        {"messages": [{"id": "wamid.1"}]}
    )

    answer = told(f"whatsapp://job_done:EAAGsecret@106540352242922/{PHONE}?:body=1", httpserver.url_for(""))

    assert answer.ok, answer.summary
    body = body_of(httpserver)
    template = body["template"]
    assert (body["type"], body["to"], template["name"]) == ("template", PHONE, "job_done")  # type: ignore[index]
    [parameter] = template["components"][0]["parameters"]  # type: ignore[index]
    assert parameter["text"].startswith("Done: Übung 1 😀.wav · MP3")
    assert not {"\n", "\r", "\t"} & set(parameter["text"])


def test_whatsapp_says_why(httpserver: HTTPServer) -> None:
    """The sentence of the Cloud API's error is the answer, without token and number."""
    refusal = {
        "error": {
            "message": f"(#131030) Recipient phone number not in allowed list: {PHONE}",
            "type": "OAuthException",
            "code": 131030,
            "error_data": {"messaging_product": "whatsapp", "details": "Add it to the allowed list."},
            "fbtrace_id": "AzqXbUO7Tz",
        }
    }
    httpserver.expect_request("/v21.0/106540352242922/messages").respond_with_json(refusal, status=400)

    answer = told(f"whatsapp://job_done:EAAGsecret@106540352242922/{PHONE}?:body=1", httpserver.url_for(""))

    assert "not in allowed list" in answer.summary
    assert "131030" in answer.summary
    assert not any(secret in answer.summary for secret in ("EAAGsecret", PHONE.lstrip("+"), "106540352242922"))


@pytest.mark.parametrize(
    ("url", "path", "status"),
    [
        (
            "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/",
            "/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
            200,
        ),
        (
            "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
            "/api/webhooks/4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
            204,
        ),
    ],
)
def test_by_chat(httpserver: HTTPServer, url: str, path: str, status: int) -> None:
    """Slack and Discord are posted to at the address of their webhook."""
    body = "ok" if status == 200 else ""
    httpserver.expect_request(path, method="POST").respond_with_data(body, status=status)

    answer = told(url, httpserver.url_for(""))

    assert answer.ok, answer.summary
    assert "Done:" in httpserver.log[0][0].get_data(as_text=True)


def test_by_ntfy(httpserver: HTTPServer) -> None:
    """A server of one's own is named in the address itself."""
    httpserver.expect_request("/", method="POST").respond_with_json({"id": "1"})

    assert told(f"ntfy://localhost:{httpserver.port}/mixdown-team").ok
    assert body_of(httpserver)["topic"] == "mixdown-team"


# -- what is set up -------------------------------------------------------------------------------


def test_a_channel_that_nobody_set_up() -> None:
    """The operator may still do it: the message waits."""
    target = ChannelTarget(channel="nobody")

    answer = ChannelNotifier({}).deliver(
        Delivery(id=UUID(int=9), job_id=RECORD.id, target=target, payload=payload_for(RECORD))
    )

    assert (answer.ok, answer.final) == (False, False)
    assert "nobody" in answer.summary


def test_an_address_that_is_none() -> None:
    """What apprise does not know is said without the address, which may be a secret."""
    answer = told("nonsense://hush-hush-secret")

    assert not answer.ok
    assert "hush" not in answer.summary


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"Team": "json://a"}',
        '{"team": 7}',
        '{"team": "no address"}',
        '{"team": {"adress": "a://b"}}',
        '{"team": {"url": "a://b", "gateway": "ftp://c"}}',
    ],
)
def test_channels_that_make_no_sense(text: str) -> None:
    """Refused when they are read, before anything waits for them, in a sentence without secrets."""
    with pytest.raises(InvalidRequest, match=r"hannel.*\.$"):
        channels_from(text)
