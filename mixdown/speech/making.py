"""One chunk made: said, checked, kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mixdown.speech.cache import ChunkCache
from mixdown.speech.checks import fault_of
from mixdown.speech.plan import Chunk
from mixdown.speech.port import Engine


def made(
    cache: ChunkCache, engine: Engine, chunk: Chunk, *, attempt: int = 0, check: Callable[[], None] = lambda: None
) -> str | None:
    """Have an engine say a chunk and keep it; what is wrong with it, and then it is not kept.

    Whatever the engine raises passes through; `check` is called now and then, and what it raises ends the work.
    """
    utterance = replace(chunk.utterance, attempt=attempt)
    spoken = engine.speak(utterance, check)
    fault = fault_of(spoken, utterance)
    if fault is None:
        cache.keep(chunk.key, spoken, durable=engine.price > 0)
    return fault
