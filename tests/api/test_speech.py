"""Speech as OpenAI's clients ask for it."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import soundfile
from fastapi.testclient import TestClient

from mixdown.model import Status
from mixdown.runner import run_jobs
from mixdown.studio import Studio
from tests.api.serving import PATIENCE_S, served

LINE = "Welcome to the show."


@contextmanager
def somebody_at_work(studio: Studio) -> Iterator[None]:
    """A process that takes up whatever is asked for, as the warm one of `mixdown serve`."""
    over = threading.Event()

    def work() -> None:
        with studio.at_work():
            while not over.wait(0.05):
                run_jobs(studio, [job.id for job in studio.jobs.list() if not job.status.ended])

    worker = threading.Thread(target=work)
    worker.start()
    try:
        while not studio.jobs.shifts():
            over.wait(0.05)
        yield
    finally:
        over.set()
        worker.join()


def asked(client: TestClient, **body: Any) -> Any:
    return client.post("/v1/audio/speech", json={"input": LINE, "model": "draft", **body})


@pytest.mark.parametrize(
    ("wanted", "media_type"),
    [
        ("mp3", "audio/mpeg"),
        ("opus", "audio/ogg"),
        ("flac", "audio/flac"),
        ("wav", "audio/wav"),
        ("aac", "audio/mp4"),
    ],
)
def test_a_text_is_answered_with_audio(client: TestClient, studio: Studio, wanted: str, media_type: str) -> None:
    """In the format that was asked for."""
    with somebody_at_work(studio):
        answer = asked(client, response_format=wanted, voice="alloy", stream_format="audio", instructions="Softly.")

    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith(media_type)
    assert len(answer.content) > 5_000


def test_pcm_is_the_samples_of_the_wav_at_24_khz(client: TestClient, studio: Studio) -> None:
    """16 bit, one channel, no header: clients play it as it comes."""
    with somebody_at_work(studio):
        raw = asked(client, response_format="pcm")
        wav = asked(client, response_format="wav")

    samples, rate_hz = soundfile.read(io.BytesIO(wav.content), always_2d=True)
    assert raw.headers["content-type"] == "audio/pcm"
    assert len(raw.content) % 2 == 0
    assert len(raw.content) / 2 / 24_000 == pytest.approx(len(samples) / rate_hz, abs=0.01)


def test_the_same_words_are_not_said_twice(client: TestClient, studio: Studio) -> None:
    """Another request of the same bytes is answered with what there is."""
    with somebody_at_work(studio):
        first, second = asked(client), asked(client)

    assert first.content == second.content
    assert [job.result is not None and job.result.reused for job in studio.jobs.list(oldest_first=True)] == [
        False,
        True,
    ]


def test_nobody_at_work_is_told_at_once(client: TestClient, studio: Studio) -> None:
    """A client would wait in vain; nothing is begun."""
    answer = asked(client)

    assert answer.status_code == 503
    assert (answer.json()["code"], answer.json()["retryable"]) == ("engine_unavailable", True)
    assert studio.jobs.list() == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"voice": "nobody"}, "unknown_voice"),
        ({"input": "x" * 4097}, "invalid_request"),
        ({"input": ""}, "invalid_request"),
        ({"speed": 4}, "invalid_request"),
        ({"colour": "blue"}, "invalid_request"),
        ({"stream_format": "sse"}, "invalid_request"),
        ({"model": "cloud:none"}, "no_such_engine"),
    ],
    ids=["voice", "long", "empty", "speed", "unknown", "events", "engine"],
)
def test_what_cannot_be_said_is_a_422_with_a_code(
    client: TestClient, studio: Studio, body: dict[str, Any], code: str
) -> None:
    """And a sentence."""
    with somebody_at_work(studio):
        answer = asked(client, **body)

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["detail"]
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_problem_is_where_their_clients_look_for_it(client: TestClient, studio: Studio) -> None:
    """OpenAI's clients read the member `error` and nothing else; other routes have none."""
    nobody_there = asked(client)
    with somebody_at_work(studio):
        too_fast = asked(client, speed=4)
        unknown = asked(client, voice="nobody")
    elsewhere = client.get("/v1/jobs/none")

    assert nobody_there.json()["error"] == {
        "message": "Nobody works on jobs here: start mixdown serve.",
        "type": "server_error",
        "param": None,
        "code": "engine_unavailable",
    }
    assert nobody_there.headers["retry-after"] == "5"
    assert "less than or equal to 2" in too_fast.json()["error"]["message"]
    assert (too_fast.status_code, too_fast.json()["error"]["type"]) == (422, "invalid_request_error")
    assert unknown.json()["error"]["message"] == unknown.json()["detail"]
    assert "error" not in elsewhere.json()


def test_who_goes_away_has_it_called_off(studio: Studio) -> None:
    """What nobody waits for any more is not made."""
    deadline_s = time.monotonic() + PATIENCE_S
    with served(studio) as address, studio.at_work():  # somebody is there, but never gets to it
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{address}/v1/audio/speech", json={"input": LINE, "model": "draft"}, timeout=2.0)
        while [job.status for job in studio.jobs.list()] != [Status.cancelled]:
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
