"""An engine that is a server: asked over HTTP, one request for an utterance."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx

from mixdown import __version__
from mixdown.deadline import Deadline
from mixdown.errors import EngineRefused, EngineUnavailable, UnknownLanguage, UnknownVoice
from mixdown.speech.choice import CLOUD
from mixdown.speech.cloud.answers import Busy, Unanswered, Unusable, refusal
from mixdown.speech.cloud.dialect import Ask, Dialect
from mixdown.speech.cloud.facts import CloudFacts
from mixdown.speech.port import Spoken, Utterance, Voice
from mixdown.speech.voicing import spoken
from mixdown.web import tls, web_origin

#: What an engine that is busy may have us wait for here, and how often; longer waits are the ledger's.
_PATIENCE_S, _BUSY_TIMES, _BUSY_S = 10.0, 3, 1.0
_LOOK_S = 0.2

#: Ten minutes of the widest sound that is asked for, and then some.
_MOST_BYTES = 128 << 20
_MOST_REFUSAL_BYTES = 8 << 10

_VOICE = re.compile(r"\w[\w .,:+()/-]{0,199}")


class CloudEngine:
    """A cloud engine, for several threads at once."""

    def __init__(
        self, name: str, facts: CloudFacts, dialect: Dialect, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.name = CLOUD + name
        self.origin = web_origin(facts.home)
        self.longest_chars = dialect.longest_chars
        self.packs_chars = facts.packs_chars
        self.at_once = facts.at_once
        self.price = facts.price
        self.voices: Sequence[Voice] = tuple(
            Voice(name=voice, language=language) for voice, language in facts.voices.items()
        )
        self._facts, self._dialect = facts, dialect
        self._key = facts.key.get_secret_value() if facts.key else ""
        self._free = threading.BoundedSemaphore(facts.at_once)
        self._client = httpx.Client(
            transport=transport,
            verify=tls(),
            trust_env=False,
            follow_redirects=False,
            timeout=facts.timeout_s,
            headers={"user-agent": f"mixdown/{__version__}"},
        )

    def __repr__(self) -> str:
        return f"CloudEngine({self.name})"

    @property
    def identity(self) -> str:
        """Where it is asked, for which model, with which settings; not the key, which changes no sample."""
        facts = self._facts
        said = [facts.kind, facts.home, facts.model, facts.sample_rate_hz, facts.settings]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]

    def voice_for(self, asked: str, language: str) -> str:
        """The voice of this name, which only the server can know; or what the operator has set for a language."""
        if asked:
            return self._voice_named(asked)
        for same in (_whole, spoken):
            for voice in self.voices:
                if same(voice.language) == same(language):
                    return voice.name
        usual = self._facts.voice or self._dialect.voice
        if usual is not None:
            return usual
        if not self.voices:
            raise UnknownVoice(f"{self.name} has no voice of its own: ask for one, or set its `voice`.")
        languages = ", ".join(sorted({voice.language for voice in self.voices}))
        raise UnknownLanguage(f"{self.name} has no voice for {language[:35] or 'this language'}, only {languages}.")

    def speak(self, utterance: Utterance, check: Callable[[], None] = lambda: None) -> Spoken:
        """The sound of an utterance.

        Parameters
        ----------
        utterance : Utterance
        check : callable
            Called while it waits; what it raises ends the work, and an answer that was paid for is lost.

        Raises
        ------
        EngineRefused
            Asking again cannot help; `Unusable` where that was paid for.
        EngineUnavailable
            It may help; `Unanswered` where that may have been paid for.
        """
        ask = self._dialect.ask(utterance, self._facts, self._key)
        while not self._free.acquire(timeout=_LOOK_S):
            check()
        try:
            return self._dialect.spoken(self._answer(ask, check), self._facts, self.name)
        finally:
            self._free.release()

    def _voice_named(self, asked: str) -> str:
        for voice in self.voices:
            if _whole(voice.name) == _whole(asked):
                return voice.name
        if not _VOICE.fullmatch(asked):
            raise UnknownVoice(f"{self.name} cannot have a voice {asked[:60]!r}.")
        return asked

    def _answer(self, ask: Ask, check: Callable[[], None]) -> bytes:
        """The body of the answer; one that is busy is asked again after a moment."""
        for _ in range(_BUSY_TIMES - 1):
            try:
                return self._post(ask, check)
            except Busy as error:
                wait_s = _BUSY_S if error.retry_after_s is None else error.retry_after_s
                if wait_s > _PATIENCE_S:
                    raise
            until_s = time.monotonic() + wait_s
            while time.monotonic() < until_s:
                check()
                time.sleep(min(_LOOK_S, wait_s))
        return self._post(ask, check)

    def _post(self, ask: Ask, check: Callable[[], None]) -> bytes:
        sent = _Sent()
        try:
            with (
                Deadline(self._facts.timeout_s) as deadline,
                self._client.stream(
                    "POST",
                    self._facts.home + ask.path,
                    headers=dict(ask.headers),
                    params=dict(ask.params),
                    json=ask.json,
                    content=ask.content,
                    extensions={"trace": sent.noting(deadline)},
                ) as response,
            ):
                if response.is_success:
                    return self._read(response, check)
                body = _first(response, _MOST_REFUSAL_BYTES)
                raise refusal(self.name, self.origin, response, body, self._key or None)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise EngineRefused(f"{self.name} has an address that cannot be asked.") from error
        except httpx.HTTPError as error:
            kind = Unanswered if sent.wholly else EngineUnavailable
            timed_out = deadline.passed or isinstance(error, httpx.TimeoutException)
            why = f"does not answer within {self._facts.timeout_s:g} s" if timed_out else "cannot be reached"
            told = f"{self.name} {why} ({type(error).__name__})."
            raise kind(told, dependency=self.origin) from error

    def _read(self, response: httpx.Response, check: Callable[[], None]) -> bytes:
        body = bytearray()
        for chunk in response.iter_bytes():
            check()
            body += chunk
            if len(body) > _MOST_BYTES:
                raise Unusable(f"{self.name} answers with more than {_MOST_BYTES >> 20} MiB for one request.")
        return bytes(body)


@dataclass(slots=True)
class _Sent:
    """Whether a request is on its way: from then on it may be paid for."""

    wholly: bool = False

    def noting(self, deadline: Deadline) -> Callable[[str, dict[str, object]], None]:
        """A trace for httpcore, for the deadline too."""

        def trace(event: str, info: dict[str, object]) -> None:
            self.wholly = self.wholly or event.endswith("send_request_headers.complete")
            deadline.trace(event, info)

        return trace


def _first(response: httpx.Response, most_bytes: int) -> bytes:
    """The first bytes of a refusal; a broken connection says no more than the status has."""
    body = b""
    try:
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) >= most_bytes:
                break
    except httpx.HTTPError:
        pass
    return body[:most_bytes]


def _whole(name: str) -> str:
    return name.strip().casefold().replace("_", "-")
