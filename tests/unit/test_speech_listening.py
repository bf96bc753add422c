"""A performance is heard: by the recogniser itself, and what is done about what was heard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mixdown.dsp.processor import Block
from mixdown.errors import BadSpeech
from mixdown.findings import Validated
from mixdown.generating import Generated, generate
from mixdown.intermediate import Intermediate
from mixdown.items import Defaults
from mixdown.model import Generate, JobRecord, Line, Listening
from mixdown.runner import run_jobs
from mixdown.scripts import script_requests, source_of_text
from mixdown.settings import Settings
from mixdown.speech.engines.pico import Pico
from mixdown.speech.hearing import Fault, Judged
from mixdown.speech.listening import unheard
from mixdown.speech.port import Utterance
from mixdown.speech.recogniser import RATE_HZ, Word, recogniser
from mixdown.speech.timing import SpokenLine
from mixdown.studio import open_studio
from mixdown.submission import submit

SENTENCES = (
    "The committee met in the large hall on Tuesday morning.",
    "Doctor Brzezinski paid 1,499 dollars for 37 chairs.",
    "Nobody had expected the weather to change so quickly.",
)


@pytest.fixture(scope="module")
def clips() -> list[Block]:
    pico = Pico()
    spoken = [pico.speak(Utterance(text=text, voice="en-GB", language="en-GB")).samples for text in SENTENCES]
    pico.close()
    return spoken


def performance(folder: Path, said: Sequence[tuple[str, Block]]) -> tuple[Intermediate, list[SpokenLine]]:
    """Sentences and their sound, one after the other."""
    audio = Intermediate(folder / "a.f32", sample_rate_hz=RATE_HZ, channels=1)
    lines, at = [], 0
    for text, samples in said:
        line = Line(text=text, said=text)
        lines.append(SpokenLine(line=line, start_s=at / RATE_HZ, end_s=(at + len(samples)) / RATE_HZ))
        at += len(samples)
    audio.fill([samples for _, samples in said])
    return audio, lines


@pytest.mark.parametrize(
    ("times", "faults"),
    [
        ((1, 1, 1), []),
        ((1, 1, 0), [Judged(2, Fault.missing)]),
        ((2, 1, 1), [Judged(0, Fault.doubled)]),
    ],
)
def test_the_recogniser_hears_what_is_missing_and_what_is_doubled(
    tmp_path: Path, clips: list[Block], times: tuple[int, ...], faults: list[Judged]
) -> None:
    """And finds nothing in an honest reading, whatever names and numbers are in it."""
    silence = np.zeros((RATE_HZ, 1), np.float32)
    said = [
        (text, np.concatenate([clip] * count) if count else silence)
        for text, clip, count in zip(SENTENCES, clips, times, strict=True)
    ]
    audio, lines = performance(tmp_path, said)

    assert unheard(audio, lines, recogniser(), "en-GB") == faults


class Stand:
    """Hears what it is told, one answer for each time it is asked."""

    def __init__(self, *answers: str) -> None:
        self.answers: Iterator[str] = iter(answers)
        self.lengths_s: list[float] = []

    def words(self, samples: Block, language: str) -> list[Word]:
        self.lengths_s.append(len(samples) / RATE_HZ)
        return [Word(word, 0.0, 0.0) for word in next(self.answers).split()]


def test_a_long_performance_is_heard_in_stretches(tmp_path: Path) -> None:
    """Each shorter than half a minute, each sentence in one of them; faults by their place in the whole."""
    texts = [f"this is sentence number {word} of them" for word in ("one", "two", "three", "four", "five", "six")]
    audio, lines = performance(tmp_path, [(text, np.zeros((9 * RATE_HZ, 1), np.float32)) for text in texts])
    ears = Stand(" ".join(texts[:3]), f"{texts[3]} {texts[5]}")

    assert unheard(audio, lines, ears, "en") == [Judged(4, Fault.missing)]
    assert [round(length_s) for length_s in ears.lengths_s] == [27, 27]


TEXT = "Nobody knows where the old keys have gone. They hung behind the door for years."


def listened(folder: Path, ears: Stand, listening: Listening = Listening.on) -> Generated:
    """A job that has run, performed once more and listened to."""
    studio = open_studio(Settings(home=folder / "home"))
    work = Generate(quality="draft", listening=Listening.off, attempts=2)
    [(spec, _)] = script_requests([source_of_text(TEXT)], Defaults(work=work))
    [record] = run_jobs(studio, [submit(studio, [spec])[0].id])
    asked: JobRecord = replace(
        record, spec=record.spec.model_copy(update={"work": work.model_copy(update={"listening": listening})})
    )
    with studio.workspace() as scratch:
        return generate(
            studio, asked, Validated.of(record.work["validated"]), scratch, lambda share: None, ears=lambda: ears
        )


def test_what_is_heard_is_left_as_it_is(tmp_path: Path) -> None:
    """Nothing is made again."""
    ears = Stand(TEXT)

    assert listened(tmp_path, ears).warnings == ()
    assert len(ears.lengths_s) == 1


def test_what_is_not_heard_is_made_again_and_heard_again(tmp_path: Path) -> None:
    """And is right then."""
    ears = Stand("Nobody knows where the old keys have gone.", TEXT)

    assert listened(tmp_path, ears).warnings == ()
    assert len(ears.lengths_s) == 2


def test_what_is_never_heard_fails_the_job_that_asks_for_it(tmp_path: Path) -> None:
    """Named, after so many attempts."""
    ears = Stand(*["Nobody knows where the old keys have gone."] * 2)

    with pytest.raises(BadSpeech, match=r"“They hung behind the door for years\.” .*cannot be heard.* 2 times"):
        listened(tmp_path, ears)


def test_nobody_listens_to_a_draft_unasked(tmp_path: Path) -> None:
    """Its engine leaves nothing out."""
    assert listened(tmp_path, Stand(), Listening.auto).warnings == ()
