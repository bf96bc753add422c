"""Chunks that were said once, in the object store: found again by key, whatever the job."""

from __future__ import annotations

from mixdown.codec.flac_bytes import flac_of, samples_of
from mixdown.errors import SourceNotFound, UnreadableAudio
from mixdown.speech.port import Spoken
from mixdown.storage import ObjectStore, speech_key


class ChunkCache:
    """What was said, by the key of its chunk."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def has(self, key: str) -> bool:
        """Whether a chunk is there; it may still turn out to be damaged."""
        return self._objects.exists(speech_key(key))

    def find(self, key: str) -> Spoken | None:
        """A chunk; None where it was never said, or is damaged."""
        try:
            samples, sample_rate_hz = samples_of(self._objects.read_bytes(self._objects.uri(speech_key(key))))
        except (SourceNotFound, UnreadableAudio):
            return None
        return Spoken(samples=samples, sample_rate_hz=sample_rate_hz)

    def keep(self, key: str, spoken: Spoken, *, durable: bool = False) -> None:
        """Keep what was said; `durable` where it was paid for, so that no power cut loses it."""
        body = flac_of(spoken.samples, spoken.sample_rate_hz)
        self._objects.put_bytes(body, speech_key(key), media_type="audio/flac", durable=durable)
