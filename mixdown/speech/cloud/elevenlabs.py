"""ElevenLabs."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from mixdown.speech.cloud import sound
from mixdown.speech.cloud.dialect import Ask, merged
from mixdown.speech.cloud.facts import CloudFacts
from mixdown.speech.port import Spoken, Utterance

_MODEL = "eleven_multilingual_v2"
_RATE_HZ = 24_000

#: The paces that it takes.
_SLOWEST, _FASTEST = 0.7, 1.2

#: How much of the neighbors it hears of, and models that do not take any.
_NEIGHBOR_CHARACTERS = 300
_ALONE = "eleven_v3"


class ElevenLabs:
    """ElevenLabs' text-to-speech."""

    longest_chars = 4096
    voice = None

    def ask(self, utterance: Utterance, facts: CloudFacts, key: str) -> Ask:
        """PCM; the neighbors go along, so that the voice goes on as it ended."""
        model = facts.model or _MODEL
        asked: dict[str, Any] = {"text": utterance.text, "model_id": model, "seed": utterance.attempt}
        if utterance.rate != 1.0:
            asked["voice_settings"] = {"speed": min(_FASTEST, max(_SLOWEST, utterance.rate))}
        if not model.startswith(_ALONE):
            asked["previous_text"] = utterance.before[-_NEIGHBOR_CHARACTERS:]
            asked["next_text"] = utterance.after[:_NEIGHBOR_CHARACTERS]
        return Ask(
            path=f"/v1/text-to-speech/{quote(utterance.voice, safe='')}",
            params={"output_format": f"pcm_{facts.sample_rate_hz or _RATE_HZ}"},
            headers={"xi-api-key": key} if key else {},
            json=merged({name: value for name, value in asked.items() if value != ""}, facts.settings),
        )

    def spoken(self, body: bytes, facts: CloudFacts, name: str) -> Spoken:
        """Bare PCM, of the rate that was asked for."""
        return sound.pcm(body, facts.sample_rate_hz or _RATE_HZ)
