"""A provider of speech that counts what it is paid for, and a program that buys from it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
import time
import wave
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import numpy as np
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from mixdown.buying import buy
from mixdown.model import Line, digest
from mixdown.settings import Settings
from mixdown.speech.engines.pico import Pico
from mixdown.speech.plan import Chunk
from mixdown.speech.port import Spoken, Utterance
from mixdown.studio import Studio, open_studio

ENGINE = "cloud:shop"


class Shop:
    """Speaks as OpenAI does, with Pico's voice, and counts."""

    def __init__(self, server: HTTPServer) -> None:
        self.url = server.url_for("").rstrip("/")
        self.sold: Counter[str] = Counter()  #: by text
        self.asked = 0
        self.keys: set[str] = set()  #: as they came
        self.delay_s = 0.0
        self.instead: Callable[[], Response | None] = lambda: None
        self._voice = Pico(at_once=2)
        self._lock = threading.Lock()
        self._said: dict[str, bytes] = {}
        server.expect_request("/v1/audio/speech").respond_with_handler(self._sell)

    def close(self) -> None:
        """End its voice."""
        self._voice.close()

    def has_sold(self, enough: int) -> bool:
        """Whether so many requests have arrived."""
        return sum(self.sold.values()) >= enough

    def prepare(self, text: str) -> None:
        """Speak ahead, so that an answer takes no longer than `delay_s`."""
        spoken = self._voice.speak(Utterance(text=text, voice="en-GB"))
        self._said[text] = wav_of(spoken)

    def _sell(self, request: Request) -> Response:
        text = request.json["input"]
        with self._lock:
            self.asked += 1
            self.keys.add(request.headers.get("Authorization", ""))
            instead = self.instead()
            if instead is not None:
                return instead
            self.sold[text] += 1
        time.sleep(self.delay_s)
        if text not in self._said:
            self.prepare(text)
        return Response(self._said[text], content_type="audio/wav")


@contextmanager
def open_shop() -> Iterator[Shop]:
    """A shop with a door of its own."""
    with HTTPServer(threaded=True) as server:
        shop = Shop(server)
        try:
            yield shop
        finally:
            shop.close()


def wav_of(spoken: Spoken) -> bytes:
    """As WAV."""
    body = io.BytesIO()
    with wave.open(body, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(spoken.sample_rate_hz)
        file.writeframes(np.rint(spoken.samples * (2**15 - 1)).astype("<i2").tobytes())
    return body.getvalue()


def chunk_of(text: str) -> Chunk:
    """A chunk in which this is said."""
    return Chunk(
        lines=(Line(text=text, said=text),), utterance=Utterance(text=text, voice="nova"), key=digest("shop", text)
    )


def settings_of(home: Path, database_url: str, url: str, *, at_once: int = 4) -> Settings:
    """Settings of somebody who buys there, a tenth for ten characters."""
    engine = {"kind": "openai", "base_url": url, "key": "hush", "price": 10.0, "at_once": at_once, "timeout_s": 30}
    return Settings(
        home=home,
        database_url=database_url,
        results_url=str(home / "results"),
        speech_engines=SecretStr(json.dumps({"shop": engine})),
    )


def bought(
    studio: Studio, job_id: UUID, text: str, *, attempt: int = 0, max_cost: float | None = None
) -> str | None:
    """Buy what is said."""
    return buy(studio, job_id, chunk_of(text), ENGINE, attempt=attempt, max_cost=max_cost)


def start_buyer(settings: Settings, job_id: UUID, texts: list[str]) -> subprocess.Popen[bytes]:
    """A process that buys all of these, four at once, and ends with 0 when they are there."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MIXDOWN_")}
    engines = settings.speech_engines
    config = {
        "home": str(settings.home),
        "database_url": settings.database_url,
        "results_url": settings.results_url,
        "speech_engines": engines.get_secret_value() if engines else None,
    }
    words = [json.dumps(config), job_id.hex, json.dumps(texts)]
    command = [sys.executable, "-m", "tests.services.speech_shop", *words]
    return subprocess.Popen(command, env=clean, cwd=Path(__file__).parents[2])


def _buy_all(config: str, job_id: str, texts: str) -> int:
    studio = open_studio(Settings(**json.loads(config)))
    with ThreadPoolExecutor(4) as pool:
        return sum(
            fault is not None
            for fault in pool.map(lambda text: bought(studio, UUID(job_id), text), json.loads(texts))
        )


if __name__ == "__main__":
    sys.exit(_buy_all(*sys.argv[1:]))
