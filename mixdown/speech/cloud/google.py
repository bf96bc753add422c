"""Google Cloud's text-to-speech."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from mixdown.speech.cloud import sound
from mixdown.speech.cloud.answers import Unusable
from mixdown.speech.cloud.dialect import Ask, merged
from mixdown.speech.cloud.facts import CloudFacts
from mixdown.speech.cloud.markup import marked_up
from mixdown.speech.port import Spoken, Utterance

_MOST_BYTES = 5000  # of text or SSML
_LANGUAGE = re.compile("[a-z]{2,3}-[A-Z]{2}(?=-)")


class Google:
    """Google's voices, whose names begin with their language."""

    longest_chars = 1200  # in the longest letters of UTF-8 these are nearly 5,000 bytes
    voice = ""

    def ask(self, utterance: Utterance, facts: CloudFacts, key: str) -> Ask:
        """LINEAR16, which comes as a WAV file."""
        named = _LANGUAGE.match(utterance.voice)
        voice = {"languageCode": named[0] if named else utterance.language}
        if utterance.voice:
            voice["name"] = utterance.voice
        audio: dict[str, Any] = {"audioEncoding": "LINEAR16"}
        if utterance.rate != 1.0:
            audio["speakingRate"] = utterance.rate
        if facts.sample_rate_hz:
            audio["sampleRateHertz"] = facts.sample_rate_hz
        ssml = f"<speak>{marked_up(utterance.text, utterance.ipa)}</speak>"
        marked = utterance.ipa and len(ssml.encode()) <= _MOST_BYTES
        return Ask(
            path="/v1/text:synthesize",
            headers={"x-goog-api-key": key} if key else {},
            json=merged(
                {
                    "input": {"ssml": ssml} if marked else {"text": utterance.text},
                    "voice": voice,
                    "audioConfig": audio,
                },
                facts.settings,
            ),
        )

    def spoken(self, body: bytes, facts: CloudFacts, name: str) -> Spoken:
        """WAV in base64 in JSON."""
        try:
            content = base64.b64decode(json.loads(body)["audioContent"], validate=True)
        except (ValueError, KeyError, TypeError) as error:
            raise Unusable(f"{name} answers without any sound.") from error
        return sound.wav(content, name)
