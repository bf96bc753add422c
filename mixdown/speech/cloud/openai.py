"""OpenAI's shape, `/v1/audio/speech`, which many servers speak: of one's own, too."""

from __future__ import annotations

from typing import Any

from mixdown.speech.cloud import sound
from mixdown.speech.cloud.dialect import Ask, merged
from mixdown.speech.cloud.facts import CloudFacts
from mixdown.speech.port import Spoken, Utterance

_MODEL = "gpt-4o-mini-tts"


class OpenAI:
    """OpenAI, and whoever takes its requests."""

    longest_chars = 4096
    voice = "alloy"

    def ask(self, utterance: Utterance, facts: CloudFacts, key: str) -> Ask:
        """WAV is asked for, as it tells its rate; bare PCM where the operator knows the rate."""
        asked: dict[str, Any] = {
            "model": facts.model or _MODEL,
            "input": utterance.text,
            "voice": utterance.voice,
            "response_format": "pcm" if facts.sample_rate_hz else "wav",
        }
        if utterance.rate != 1.0:
            asked["speed"] = utterance.rate
        return Ask(
            path="/audio/speech" if facts.home.endswith("/v1") else "/v1/audio/speech",
            headers={"authorization": f"Bearer {key}"} if key else {},
            json=merged(asked, facts.settings),
        )

    def spoken(self, body: bytes, facts: CloudFacts, name: str) -> Spoken:
        """Whatever was asked for, some servers send WAV."""
        if facts.sample_rate_hz and body[:4] != b"RIFF":
            return sound.pcm(body, facts.sample_rate_hz)
        return sound.wav(body, name)
