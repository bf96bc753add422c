"""Cloud engines against servers that speak as the providers do."""

from __future__ import annotations

import base64
import io
import json
import struct
import threading
import time
import wave
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from mixdown.errors import (
    EngineRefused,
    EngineUnavailable,
    InvalidRequest,
    MixdownError,
    UnknownLanguage,
    UnknownVoice,
)
from mixdown.speech.cloud import cloud_engines, limit_of
from mixdown.speech.cloud.answers import Unanswered, Unusable
from mixdown.speech.port import Engine, Utterance

KEY = "sk-hush-1234567890"
RATE_HZ = 24_000
SAMPLES = np.round(8000 * np.sin(np.arange(4800) / 20)).astype("<i2")


@pytest.fixture
def threaded() -> Iterator[HTTPServer]:
    """A server that answers several at once."""
    with HTTPServer(threaded=True) as server:
        yield server


def wav(samples: np.ndarray[Any, Any] = SAMPLES, rate_hz: int = RATE_HZ) -> bytes:
    """A WAV file."""
    body = io.BytesIO()
    with wave.open(body, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples.tobytes())
    return body.getvalue()


def engine_of(server: HTTPServer, kind: str = "openai", **fields: Any) -> Engine:
    """An engine that asks this server."""
    config = {"kind": kind, "base_url": server.url_for("").rstrip("/"), "key": KEY, "price": 0.1, **fields}
    return cloud_engines(json.dumps({"it": config}))["it"]()


def said_by(engine: Engine, text: str = "Good morning.", **fields: Any) -> Any:
    """What it says, as whole samples, and the rate."""
    spoken = engine.speak(Utterance(text=text, **{"voice": "nova", **fields}))
    assert spoken.samples.dtype == np.float32
    return np.rint(spoken.samples[:, 0] * 2**15).astype(int).tolist(), spoken.sample_rate_hz


def asked(server: HTTPServer) -> Request:
    """The one request that arrived."""
    [(request, _)] = server.log
    return request


def test_openai_is_asked_in_its_shape(httpserver: HTTPServer) -> None:
    """Model, text, voice, pace and the operator's own settings; the sound comes as it was sent."""
    httpserver.expect_request("/v1/audio/speech").respond_with_data(wav(), content_type="audio/wav")
    engine = engine_of(httpserver, model="tts-x", settings={"instructions": "Be kind."})

    assert said_by(engine, rate=1.25) == (SAMPLES.tolist(), RATE_HZ)

    request = asked(httpserver)
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.json == {
        "model": "tts-x",
        "input": "Good morning.",
        "voice": "nova",
        "response_format": "wav",
        "speed": 1.25,
        "instructions": "Be kind.",
    }


def test_a_server_of_ones_own_needs_no_key_and_may_send_bare_pcm(httpserver: HTTPServer) -> None:
    """With a rate, PCM is asked for; `/v1` may be part of the address; without a key none is sent."""
    httpserver.expect_request("/own/v1/audio/speech").respond_with_data(SAMPLES.tobytes() + b"\x01")
    own = httpserver.url_for("/own/v1/")
    engine = engine_of(httpserver, base_url=own, key=None, price=0, sample_rate_hz=16_000)

    assert said_by(engine) == (SAMPLES.tolist(), 16_000)

    assert asked(httpserver).json["response_format"] == "pcm"
    assert "authorization" not in asked(httpserver).headers
    assert engine.price == 0


def test_elevenlabs_is_asked_in_its_shape(httpserver: HTTPServer) -> None:
    """PCM; the voice in the path, whatever is in its name; the neighbors go along; settings are merged."""
    httpserver.expect_request("/v1/text-to-speech/Otto (calm)").respond_with_data(SAMPLES.tobytes())
    engine = engine_of(httpserver, "elevenlabs", settings={"voice_settings": {"stability": 0.5}})

    found = said_by(engine, voice="Otto (calm)", rate=2.0, before="Before.", after="After.", attempt=2)

    assert found == (SAMPLES.tolist(), 24_000)
    request = asked(httpserver)
    assert request.args.to_dict() == {"output_format": "pcm_24000"}
    assert request.headers["xi-api-key"] == KEY
    assert request.json == {
        "text": "Good morning.",
        "model_id": "eleven_multilingual_v2",
        "seed": 2,
        "voice_settings": {"speed": 1.2, "stability": 0.5},
        "previous_text": "Before.",
        "next_text": "After.",
    }


def test_azure_is_asked_in_ssml(httpserver: HTTPServer) -> None:
    """The text is escaped, words have their sounds, and WAV is asked for."""
    httpserver.expect_request("/cognitiveservices/v1").respond_with_data(wav(rate_hz=48_000))
    engine = engine_of(httpserver, "azure", voices={"de-DE-KatjaNeural": "de-DE"})
    voice = engine.voice_for("", "de")

    found = said_by(
        engine, "Größe <3 & \x00Otto's Ottos", voice=voice, language="de-DE", rate=0.8, ipa={"Otto": "ˈɔto"}
    )

    assert found == (SAMPLES.tolist(), 48_000)
    request = asked(httpserver)
    assert request.headers["ocp-apim-subscription-key"] == KEY
    assert request.headers["content-type"] == "application/ssml+xml"
    assert request.headers["x-microsoft-outputformat"] == "riff-48khz-16bit-mono-pcm"
    root = ElementTree.fromstring(request.data)
    assert root.get("{http://www.w3.org/XML/1998/namespace}lang") == "de-DE"
    spoken, prosody = root[0], root[0][0]
    assert (spoken.get("name"), prosody.get("rate")) == ("de-DE-KatjaNeural", "-20.0%")
    assert "".join(root.itertext()) == "Größe <3 &  Otto's Ottos"
    assert [(each.text, each.get("ph")) for each in prosody] == [("Otto", "ˈɔto")]


def test_google_is_asked_in_its_shape(httpserver: HTTPServer) -> None:
    """The language of a voice is in its name; the sound comes in base64; without a voice Google finds one."""
    body = {"audioContent": base64.b64encode(wav()).decode()}
    httpserver.expect_request("/v1/text:synthesize").respond_with_json(body)
    engine = engine_of(httpserver, "google")

    assert said_by(engine, voice="en-GB-Neural2-A", language="en") == (SAMPLES.tolist(), RATE_HZ)
    assert engine.voice_for("", "fr") == ""
    assert said_by(engine, voice="", language="fr", ipa={"Good": "ɡʊd"}) == (SAMPLES.tolist(), RATE_HZ)

    (first, _), (second, _) = httpserver.log
    assert first.headers["x-goog-api-key"] == KEY
    assert first.json == {
        "input": {"text": "Good morning."},
        "voice": {"languageCode": "en-GB", "name": "en-GB-Neural2-A"},
        "audioConfig": {"audioEncoding": "LINEAR16"},
    }
    assert second.json["voice"] == {"languageCode": "fr"}
    assert second.json["input"] == {
        "ssml": '<speak><phoneme alphabet="ipa" ph="ɡʊd">Good</phoneme> morning.</speak>'
    }


def _streamed(body: bytes) -> bytes:
    return body[:4] + b"\xff\xff\xff\xff" + body[8:40] + b"\xff\xff\xff\xff" + body[44:]


def _in(bits: int, tag: int, data: bytes, channels: int = 1) -> bytes:
    form = struct.pack("<HHIIHH", tag, channels, RATE_HZ, RATE_HZ * 4, 4, bits)
    chunks = b"LIST\x03\x00\x00\x00abc\x00" + b"fmt " + struct.pack("<I", 16) + form
    return b"RIFF\x00\x00\x00\x00WAVE" + chunks + b"data" + struct.pack("<I", len(data)) + data


@pytest.mark.parametrize(
    "body",
    [
        _streamed(wav()),
        _in(24, 1, b"".join(b"\0" + value.tobytes() for value in SAMPLES)),
        _in(32, 1, (SAMPLES.astype("<i4") << 16).tobytes()),
        _in(32, 3, (SAMPLES / 2**15).astype("<f4").tobytes()),
        _in(16, 1, np.repeat(SAMPLES, 2).tobytes(), channels=2),
        _in(16, 1, SAMPLES.tobytes() + b"\1"),
    ],
    ids=["streamed", "24 bits", "32 bits", "float", "stereo", "broken sample"],
)
def test_every_kind_of_wav_is_read(httpserver: HTTPServer, body: bytes) -> None:
    """Headers of streams, other widths, other channels: the same sound."""
    httpserver.expect_request("/v1/audio/speech").respond_with_data(body)

    assert said_by(engine_of(httpserver)) == (SAMPLES.tolist(), RATE_HZ)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"ID3\x04mp3",
        b'{"oops": 1}',
        b"RIFF\0\0\0\0WAVE",
        b"RIFF\0\0\0\0WAVEdata\2\0\0\0\1\1",
        _in(8, 1, b"\x80"),
    ],
)
def test_what_is_no_wav_is_refused(httpserver: HTTPServer, body: bytes) -> None:
    """A server that sends something else than it was asked for is not asked again; it may have to be paid."""
    httpserver.expect_request("/v1/audio/speech").respond_with_data(body)

    with pytest.raises(Unusable, match="cloud:it answers"):
        said_by(engine_of(httpserver))


@pytest.mark.parametrize(
    ("status", "body", "error", "said"),
    [
        (
            401,
            {"error": {"message": f"Incorrect API key provided: {KEY}."}},
            EngineRefused,
            "API key provided: ***",
        ),
        (401, {"error": {"message": "Bad key sk-h*****7890."}}, EngineRefused, "Bad key ***"),
        (400, {"detail": [{"loc": ["x"], "msg": "field required"}]}, EngineRefused, "field required"),
        (401, {"detail": {"status": "quota_exceeded", "message": "No credits."}}, EngineRefused, "No credits."),
        (429, {"error": {"code": "insufficient_quota", "message": "Pay."}}, EngineRefused, "Pay."),
        (403, {"error": {"code": 403, "message": "API disabled."}}, EngineRefused, "API disabled."),
        (302, {}, EngineRefused, "answers 302"),
        (503, {"error": "overloaded"}, EngineUnavailable, "overloaded"),
        (500, {}, EngineUnavailable, "answers 500"),
        (408, {}, EngineUnavailable, "answers 408"),
    ],
)
def test_refusals_say_why_and_hold_no_key(
    httpserver: HTTPServer, status: int, body: dict[str, Any], error: type[MixdownError], said: str
) -> None:
    """The provider's sentence is kept, our key is not; only what may help is tried again."""
    httpserver.expect_request("/v1/audio/speech").respond_with_json(body, status=status)

    with pytest.raises(error) as caught:
        said_by(engine_of(httpserver))

    assert said in caught.value.message
    assert "sk-h" not in repr(caught.value)
    assert not isinstance(caught.value, Unanswered)
    if isinstance(caught.value, EngineUnavailable):
        assert caught.value.dependency == httpserver.url_for("").rstrip("/")


def test_an_engine_that_is_busy_for_long_says_until_when(httpserver: HTTPServer) -> None:
    """A long wait is for the ledger, not for a process."""
    httpserver.expect_request("/v1/audio/speech").respond_with_json({}, status=429, headers={"retry-after": "3600"})

    with pytest.raises(EngineUnavailable) as caught:
        said_by(engine_of(httpserver))

    assert caught.value.retry_after_s == 3600
    assert len(httpserver.log) == 1


def test_an_engine_that_is_busy_for_a_moment_is_asked_again(httpserver: HTTPServer) -> None:
    """Too many requests at once are no failure."""
    busy = {"detail": {"status": "too_many_concurrent_requests"}}
    httpserver.expect_ordered_request("/v1/audio/speech").respond_with_json(
        busy, status=429, headers={"retry-after": "0"}
    )
    httpserver.expect_ordered_request("/v1/audio/speech").respond_with_data(wav())

    assert said_by(engine_of(httpserver)) == (SAMPLES.tolist(), RATE_HZ)


def test_silence_may_have_been_paid_for_and_a_closed_door_not(threaded: HTTPServer) -> None:
    """Who had the request and did not answer may send a bill; who could not be reached cannot."""

    def slow(request: Request) -> Response:
        time.sleep(2)
        return Response(wav())

    threaded.expect_request("/v1/audio/speech").respond_with_handler(slow)

    with pytest.raises(Unanswered, match=r"does not answer within 0\.3 s"):
        said_by(engine_of(threaded, timeout_s=0.3))
    with pytest.raises(EngineUnavailable, match="cannot be reached") as caught:
        said_by(engine_of(threaded, base_url="http://127.0.0.1:9"))

    assert not isinstance(caught.value, Unanswered)
    assert caught.value.dependency == "http://127.0.0.1:9"


def test_no_more_is_asked_at_once_than_it_takes(threaded: HTTPServer) -> None:
    """Threads wait for each other beyond `at_once`."""
    now, most, lock = 0, 0, threading.Lock()

    def counting(request: Request) -> Response:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.1)
        with lock:
            now -= 1
        return Response(wav())

    threaded.expect_request("/v1/audio/speech").respond_with_handler(counting)
    engine = engine_of(threaded, at_once=2)
    threads = [threading.Thread(target=said_by, args=(engine,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(threaded.log), most) == (6, 2)


def test_the_key_changes_no_sample_and_everything_else_may(httpserver: HTTPServer) -> None:
    """A new key finds what was paid with the old one; another model does not."""
    engine = engine_of(httpserver)

    assert engine.identity == engine_of(httpserver, key="other", price=5, at_once=1).identity
    for fields in ({"model": "x"}, {"settings": {"instructions": "x"}}, {"base_url": "http://other.example"}):
        assert engine.identity != engine_of(httpserver, **fields).identity
    assert KEY not in engine.identity + repr(engine)


def test_voices_are_those_of_the_operator_or_of_the_server(httpserver: HTTPServer) -> None:
    """The first listed that speaks the language, then `voice`; other names are for the server to know."""
    engine = engine_of(httpserver, "azure", voices={"A": "en-US", "B": "en-GB", "C": "de-DE"})

    assert [engine.voice_for("", each) for each in ("en", "en_gb", "de-AT")] == ["A", "B", "C"]
    assert (engine.voice_for("c", "de"), engine.voice_for("Other-Neural", "de")) == ("C", "Other-Neural")
    assert engine_of(httpserver, "azure", voice="D", voices={"A": "en"}).voice_for("", "fr") == "D"
    with pytest.raises(UnknownLanguage, match="only de-DE, en-GB, en-US"):
        engine.voice_for("", "fr")
    with pytest.raises(UnknownVoice, match="has no voice of its own"):
        engine_of(httpserver, "elevenlabs").voice_for("", "en")
    for name in ("../v1/user", "..", "a\nb", "x" * 201, "a?b#c"):
        with pytest.raises(UnknownVoice, match="cannot have"):
            engine.voice_for(name, "en")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (f'{{"it": "{KEY}"', "are not JSON"),
        ("[1]", "are not a JSON object"),
        ({"kind": "openai", "key": KEY}, "price: Field required"),
        ({"kind": "other", "price": 1, "key": KEY}, "kind: Input should be"),
        ({"kind": "azure", "price": 1, "key": KEY}, "it needs a base_url"),
        ({"kind": "openai", "price": -1, "key": KEY}, "price: Input should be greater"),
        ({"kind": "openai", "price": 1, "key": KEY, "base_url": f"https://me:{KEY}@x"}, "base_url"),
        ({"kind": "openai", "price": 1, "Key": KEY}, "Key: Extra inputs"),
        ({"kind": "openai", "price": 1, "key": [KEY]}, "key: Input should be"),
        (KEY, "Input should be"),
    ],
)
def test_a_wrong_configuration_is_told_without_its_key(config: Any, said: str) -> None:
    """One sentence, with the name of the engine and what is wrong; never the key."""
    text = config if isinstance(config, str) and config != KEY else json.dumps({"it": config})

    with pytest.raises(InvalidRequest) as caught:
        cloud_engines(text)

    assert said in caught.value.message
    assert KEY not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"


def test_names_of_engines_are_names_of_limits() -> None:
    """A limit over all machines is called like the engine; nothing set up, no engines."""
    assert limit_of("cloud:openai") == "mixdown-speech-openai"
    assert cloud_engines(None) == {}
    assert cloud_engines("") == {}
    with pytest.raises(InvalidRequest, match="lower-case letters"):
        cloud_engines('{"A b": {}}')
