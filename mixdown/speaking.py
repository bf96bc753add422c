"""Speech for a job: chunks found in the store, or made; some of them ahead of the rest, in parts of their own."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass

from mixdown.buying import buy
from mixdown.errors import BadSpeech, CorruptObject
from mixdown.findings import Validated, completed
from mixdown.materials import Materials
from mixdown.model import Claim, Generate, JobRecord, Line, Stage
from mixdown.programme import Programme, as_planned
from mixdown.progress import Progress
from mixdown.retry import POLICIES
from mixdown.speech.cache import ChunkCache
from mixdown.speech.making import made
from mixdown.speech.plan import Chunk
from mixdown.speech.port import Spoken
from mixdown.studio import Studio

#: How much of a job's progress is its speech.
SPEECH_SHARE = 0.8

#: Letters of a sentence that a message shows.
_SHOWN = 60


def speak_part(studio: Studio, record: JobRecord, claim: Claim) -> None:
    """Make the chunks of one part of a job, as far as they are not in the store."""
    validated = Validated.of(record.work["validated"])
    plan, number = validated.speech, claim.part
    if completed(record, Stage.process) or validated.already_made or plan is None or number is None:
        return
    progress = studio.progress_of(claim, within_s=POLICIES[Stage.process].timeout_s)
    with studio.workspace() as folder:
        programme = programme_of(record, validated, Materials(studio, validated, folder))
    first, share = number / plan.parts, 1.0 / plan.parts

    def told(fraction: float) -> None:
        progress(SPEECH_SHARE * (first + share * fraction))

    Speaker(studio, record, programme, told).say_all(programme.part(number))


def programme_of(record: JobRecord, validated: Validated, materials: Materials) -> Programme:
    """What a job is to say, as it was planned."""
    work, plan = record.spec.work, validated.speech
    if not isinstance(work, Generate) or plan is None:
        raise TypeError("only a script is spoken")
    return as_planned(
        materials.studio.settings,
        work,
        plan,
        materials.source().read_bytes(),
        (work.lexicon.name, materials.of(work.lexicon).read_bytes()) if work.lexicon else None,
        name=record.spec.filename,
    )


@dataclass(frozen=True, slots=True)
class Speaker:
    """Says the chunks of one job."""

    studio: Studio
    record: JobRecord
    programme: Programme
    progress: Progress

    @property
    def cache(self) -> ChunkCache:
        """Where chunks are kept."""
        return ChunkCache(self.studio.objects)

    def say_all(self, chunks: Sequence[Chunk]) -> None:
        """Have every chunk lie in the store: several at once where the engine takes that."""
        self.progress(0.0)
        missing = list({chunk.key: chunk for chunk in chunks if not self.cache.has(chunk.key)}.values())
        done = len(chunks) - len(missing)
        if not missing:
            return
        # An engine of this machine speaks in one thread for each part: other parts have the other cores.
        at_once = self.programme.engine.at_once if self.programme.engine.origin else 1
        if at_once == 1:
            for number, chunk in enumerate(missing, len(chunks) - len(missing)):
                self.progress(number / len(chunks))
                self._say(chunk)
            return
        with ThreadPoolExecutor(min(at_once, len(missing)), thread_name_prefix="speak") as pool:
            futures = {pool.submit(self._say, chunk) for chunk in missing}
            try:
                while futures:
                    ended, futures = wait(futures, timeout=1.0, return_when=FIRST_EXCEPTION)
                    for future in ended:
                        future.result()
                    done += len(ended)
                    self.progress(done / len(chunks))
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def read(self, key: str) -> Spoken:
        """The sound of a chunk."""
        spoken = self.cache.find(key)
        if spoken is None:  # it is damaged, or somebody has cleared the store
            self._say(next(chunk for chunk in self.programme.chunks if chunk.key == key))
            spoken = self.cache.find(key)
        if spoken is None:
            raise CorruptObject("Speech that was just stored cannot be read back.")
        return spoken

    def say_again(self, lines: Collection[Line], attempt: int) -> None:
        """Make the chunks of these lines once more: what was kept of them is not what is written."""
        for chunk in self.programme.chunks:
            if any(line in lines for line in chunk.lines):
                self._say(chunk, attempt)

    def _say(self, chunk: Chunk, first: int = 0) -> None:
        """Make one chunk, again where it sounds wrong."""
        work = self.record.spec.work
        attempts = work.attempts if isinstance(work, Generate) else 1
        fault: str | None = None
        for attempt in range(first, first + attempts):
            self.studio.check()
            fault = self._made(chunk, attempt)
            if fault is None:
                return
        line = chunk.lines[0]
        where = f" (line {line.line_number})" if line.line_number else ""
        raise BadSpeech(f"“{_shortened(line.text)}”{where} sounds wrong, {attempts} times: {fault}")

    def _made(self, chunk: Chunk, attempt: int) -> str | None:
        engine = self.programme.engine
        if not engine.price:
            return made(self.cache, engine, chunk, attempt=attempt, check=self.studio.check)
        work = self.record.spec.work
        most = work.max_cost if isinstance(work, Generate) else None
        return buy(self.studio, self.record.id, chunk, engine.name, attempt=attempt, max_cost=most)


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1].rstrip() + "…"
