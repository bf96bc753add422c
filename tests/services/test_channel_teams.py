"""Microsoft Teams: a workflow is posted to over TLS, in the shape that Power Automate expects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from tests.services.test_channels import told
from tests.services.tls_in_front import authority, context_of

ID, SIGNATURE = "643e69f83c8944438d68119179a10a64", "KODuebWbDGYFr0z0eu-6Rj8aUKz7108W3wrNJZxFE5A"
PATH = f"/workflows/{ID}/triggers/manual/paths/invoke"


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[HTTPServer, Path]]:
    """A server of ours over TLS, and the certificate of who vouches for it."""
    folder = tmp_path_factory.mktemp("tls")
    own = authority(folder, "own")
    server = HTTPServer(host="127.0.0.1", port=0, ssl_context=context_of(folder, own, "localhost"))
    server.start()
    yield server, own
    server.stop()


@pytest.fixture
def teams(trusted: tuple[HTTPServer, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[HTTPServer]:
    """Power Automate, as far as a message goes."""
    server, own = trusted
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(own))
    yield server
    server.clear()


def address(server: HTTPServer) -> str:
    """The address of a workflow there, as apprise takes it."""
    return f"workflows://localhost:{server.port}/{ID}/{SIGNATURE}"


def test_a_card_is_sent(teams: HTTPServer) -> None:
    """An adaptive card with a title and a text, signed in the query; 202 is all that is answered."""
    teams.expect_request(PATH, method="POST").respond_with_data("", status=202)

    answer = told(address(teams))

    assert answer.ok, answer.summary
    [(request, _)] = teams.log
    assert request.args["sig"] == SIGNATURE
    assert request.content_type.startswith("application/json")
    message = json.loads(request.get_data())
    [attachment] = message["attachments"]
    card = attachment["content"]
    assert (message["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    assert (card["type"], card["msteams"]) == ("AdaptiveCard", {"width": "full"})
    title, text = card["body"]
    assert title["text"] == "Done: Übung 1 😀.wav"
    assert "−16.0 LUFS" in text["text"]


@pytest.mark.parametrize("status", [401, 404, 429, 502])
def test_what_is_refused_is_told_without_the_signature(teams: HTTPServer, status: int) -> None:
    """`Retry-After` is not to be had: apprise tells of headers of no service, so the schedule decides."""
    teams.expect_request(PATH).respond_with_data(SIGNATURE, status=status, headers={"retry-after": "7"})

    answer = told(address(teams))

    assert (answer.ok, answer.final, answer.retry_after_s) == (False, False, None)
    assert f"error={status}" in answer.summary
    assert SIGNATURE not in answer.summary
    assert ID not in answer.summary


def test_a_server_that_nobody_vouches_for_is_told_nothing(
    teams: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its certificate is looked at."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")

    answer = told(address(teams))

    assert (answer.ok, teams.log) == (False, [])
