"""Azure's speech service."""

from __future__ import annotations

from mixdown.speech.cloud import sound
from mixdown.speech.cloud.dialect import Ask
from mixdown.speech.cloud.facts import CloudFacts
from mixdown.speech.cloud.markup import attribute, marked_up
from mixdown.speech.port import Spoken, Utterance

#: The rates at which it gives WAV with 16 bits.
_FORMATS = {rate_hz: f"riff-{rate_hz // 1000}khz-16bit-mono-pcm" for rate_hz in (8000, 16_000, 24_000, 48_000)}
_RATE_HZ = 48_000


class Azure:
    """Azure's voices, asked for in SSML."""

    longest_chars = 4096
    voice = None

    def ask(self, utterance: Utterance, facts: CloudFacts, key: str) -> Ask:
        """WAV, and words with their sounds; `settings` are headers."""
        text = marked_up(utterance.text, utterance.ipa)
        if utterance.rate != 1.0:
            text = f'<prosody rate="{100 * (utterance.rate - 1):+.1f}%">{text}</prosody>'
        ssml = (
            '<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" '
            f"xml:lang={attribute(utterance.language)}>"
            f"<voice name={attribute(utterance.voice)}>{text}</voice></speak>"
        )
        return Ask(
            path="/cognitiveservices/v1",
            headers={
                **({"ocp-apim-subscription-key": key} if key else {}),
                "content-type": "application/ssml+xml",
                "x-microsoft-outputformat": _FORMATS.get(facts.sample_rate_hz or _RATE_HZ, _FORMATS[_RATE_HZ]),
                **{name: str(value) for name, value in facts.settings.items()},
            },
            content=ssml.encode(),
        )

    def spoken(self, body: bytes, facts: CloudFacts, name: str) -> Spoken:
        """WAV."""
        return sound.wav(body, name)
