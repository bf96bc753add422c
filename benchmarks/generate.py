"""From a script to audio, measured: python benchmarks/generate.py [--only rows,paid]

Each part works in folders of its own. CPU is that of this process and all that it starts. What is not installed
(espeak-ng for `standard`, the extras `voices` and `asr`) is left out and said to be.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from cpu import Meter
from rich.console import Console
from rich.table import Table
from sentences import FIFTY, products, script

from mixdown.dsp.processor import run
from mixdown.dsp.resample import Resampler
from mixdown.items import Defaults
from mixdown.model import AudioFormat, Generate, JobRecord, Listening, OutputSpec, Status
from mixdown.runner import run_jobs
from mixdown.scripts import script_requests, source_of_text
from mixdown.settings import Settings
from mixdown.speech.choice import installed, open_engine
from mixdown.speech.hearing import tokens
from mixdown.speech.port import Utterance
from mixdown.speech.recogniser import RATE_HZ, missing, recogniser
from mixdown.storage import SPEECH
from mixdown.studio import Studio, open_studio
from mixdown.submission import submit

DRAFT = Generate(quality="draft", listening=Listening.off)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    what: str
    found: str
    least: str = ""
    met: bool | None = None


@contextmanager
def a_studio(**more: object) -> Iterator[Studio]:
    """An empty one."""
    with tempfile.TemporaryDirectory(prefix="mixdown-generate-") as home:
        yield open_studio(Settings(home=Path(home), **more))


@contextmanager
def timed() -> Iterator[SimpleNamespace]:
    """Wall and CPU seconds, of those too whom nobody waits for."""
    took = SimpleNamespace(wall_s=0.0, cpu_s=0.0)
    began_s, meter = time.monotonic(), Meter(os.getpid())
    try:
        yield took
    finally:
        took.wall_s, took.cpu_s = time.monotonic() - began_s, meter.stop_s()


def made(studio: Studio, text: str, work: Generate = DRAFT) -> JobRecord:
    """A script as it ended."""
    defaults = Defaults(work=work, outputs=(OutputSpec(format=AudioFormat.mp3),))
    [(spec, _)] = script_requests([source_of_text(text)], defaults)
    [record] = submit(studio, [spec])
    [record] = run_jobs(studio, [record.id])
    if record.status is not Status.succeeded:
        raise SystemExit(f"{record.error_code}: {record.error_detail}")
    return record


def chunks(studio: Studio) -> set[str]:
    return {key for key, _, _ in studio.objects.list(SPEECH)}


# -- the parts --------------------------------------------------------------------------------------


def once() -> Iterator[Row]:
    """Every sentence of a long script, once, in order."""
    text = script(50_000)
    wanted = [each for paragraph in text.split("\n\n") for each in paragraph.replace(". ", ".\n").split("\n")]
    listening = Listening.off if missing() else Listening.on
    with a_studio() as studio, timed() as took:
        record = made(studio, text, DRAFT.model_copy(update={"listening": listening}))
        assert record.result is not None
        [timings] = [each for each in record.result.attachments if each.name == "timings.json"]
        lines = json.loads(studio.objects.read_bytes(timings.object.uri))
    said = [line["text"] for line in lines]
    in_order = all(before["end_s"] <= after["start_s"] for before, after in itertools.pairwise(lines))
    length_s = record.result.renditions[0].after.duration_s
    heard = "not heard: no recogniser" if missing() else "the recogniser misses none, hears none twice"
    yield Row(
        f"{len(text):,} characters, {len(wanted)} sentences: each once, in order",
        f"{said == wanted and in_order}; {heard}; {length_s / 60:.0f} min of audio, {took.wall_s:.0f} s,"
        f" {took.cpu_s:.0f} s of CPU",
        "yes",
        said == wanted and in_order,
    )


def wer() -> Iterator[Row]:
    """Words that a recogniser mishears."""
    if why_not := missing():
        yield Row("intelligibility", f"left out: {why_not}")
        return
    for facts in installed():
        what = f"words of 50 sentences misheard, {facts.quality} ({facts.name})"
        if not facts.available:
            yield Row(what, f"left out: {facts.why_not}")
            continue
        engine = open_engine(facts.quality, language="en-GB", models_folder=None, cloud={}).engine
        voice, wrong, words = engine.voice_for("", "en-GB"), 0, 0
        for sentence in FIFTY:
            spoken = engine.speak(Utterance(text=sentence, voice=voice, language="en-GB"))
            resampler = Resampler(spoken.sample_rate_hz, RATE_HZ, 1)
            samples = np.concatenate(list(run([resampler], [spoken.samples.copy()])))
            heard = [token for word in recogniser().words(samples, "en") for token in tokens(word.text)]
            wrong += distance(tokens(sentence), heard)
            words += len(tokens(sentence))
        share = wrong / words
        yield Row(
            what,
            f"{share:.1%} of {words} ({voice})",
            "≤ 6 %, stretch 3 %" if facts.quality == "draft" else "",
            share <= 0.06 if facts.quality == "draft" else None,
        )


def distance(wanted: list[str], heard: list[str]) -> int:
    """Words put in, left out or changed (Levenshtein)."""
    row = list(range(len(heard) + 1))
    for index, word in enumerate(wanted, 1):
        before, row[0] = row[0], index
        for place, other in enumerate(heard, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (word != other))
    return row[-1]


def studio_speed() -> Iterator[Row]:
    """Speech for each second of CPU."""
    for facts in installed():
        if not facts.available:
            continue
        engine = open_engine(facts.quality, language="en-GB", models_folder=None, cloud={}).engine
        voice = engine.voice_for("", "en-GB")
        engine.speak(Utterance(text="Hello.", voice=voice, language="en-GB"))
        length_s, began_s, cpu_s = 0.0, time.monotonic(), time.process_time()
        for sentence in FIFTY[:20]:
            spoken = engine.speak(Utterance(text=sentence, voice=voice, language="en-GB"))
            length_s += len(spoken.samples) / spoken.sample_rate_hz
        wall_s, cpu_s = time.monotonic() - began_s, time.process_time() - cpu_s
        # Pico speaks in a child: what it takes is seen on the clock only.
        took_s = wall_s if facts.name == "pico" else cpu_s
        yield Row(
            f"{facts.quality} ({facts.name}), × realtime of one core",
            f"{length_s / took_s:.1f} ({'clock' if facts.name == 'pico' else 'CPU'})",
            "≥ 1.2, stretch 2" if facts.quality == "studio" else "",
            length_s / took_s >= 1.2 if facts.quality == "studio" else None,
        )


def parallel() -> Iterator[Row]:
    """Parts on two cores against one after the other; until the last chunk lies in the store."""
    qualities = [
        (facts.quality, 40_000 if facts.quality == "draft" else 3_000) for facts in installed() if facts.available
    ]
    for quality, characters in qualities:
        text, took_s = script(characters), {}
        for workers in (1, 2):
            with a_studio(workers=workers) as studio:
                warm = made(studio, "Warm up.", DRAFT.model_copy(update={"quality": quality}))
                assert warm.result is not None
                began_s, began_at = time.monotonic(), time.time()
                made(studio, text, DRAFT.model_copy(update={"quality": quality}))
                whole_s = time.monotonic() - began_s
                last = max(at.timestamp() for _, _, at in studio.objects.list(SPEECH))
                took_s[workers] = (last - began_at, whole_s)
        speech, whole = (took_s[1][index] / took_s[2][index] for index in (0, 1))
        yield Row(
            f"{quality}: two parts at once against one, {characters:,} characters",
            f"speech {speech:.2f}× ({took_s[1][0]:.1f} → {took_s[2][0]:.1f} s), the whole job {whole:.2f}×",
            "≥ 1.7×",
            speech >= 1.7,
        )


def paid() -> Iterator[Row]:
    """kill -9 at half of a paid job, then again."""
    from tests.services.speech_shop import ENGINE, open_shop

    with open_shop() as shop, tempfile.TemporaryDirectory(prefix="mixdown-paid-") as home:
        text = script(6_000)
        env = {
            **os.environ,
            "MIXDOWN_HOME": home,
            "MIXDOWN_SPEECH_ENGINES": json.dumps(
                {
                    "shop": {
                        "kind": "openai",
                        "base_url": shop.url,
                        "key": "k",
                        "model": "m",
                        "voice": "v",
                        "price": 1,
                    }
                }
            ),
        }
        command = [sys.executable, "-m", "mixdown.cli", "generate", "--quality", ENGINE, "--text", text]
        command += ["--listening", "off", "--out", f"{home}/out", "--json"]
        first = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not shop.has_sold(12) and first.poll() is None:
            time.sleep(0.01)
        first.send_signal(signal.SIGKILL)
        first.wait()
        at_half = sum(shop.sold.values())
        again = subprocess.run(command, env=env, capture_output=True, check=False)
        twice = sum(number - 1 for number in shop.sold.values())
        yield Row(
            f"kill -9 of `mixdown generate` after {at_half} paid chunks, then again",
            f"{sum(shop.sold.values())} paid, {twice} of them twice; it ended with {again.returncode}",
            "0 twice",
            twice == 0 and again.returncode == 0,
        )


def changed() -> Iterator[Row]:
    """One sentence of a thousand."""
    text = script(110_000)
    lines = text.replace("\n\n", " ").replace(". ", ".\n").split("\n")[:1000]
    with a_studio() as studio:
        made(studio, "\n\n".join(lines))
        before = chunks(studio)
        lines[500] = "Something quite different happened on that day."
        made(studio, "\n\n".join(lines))
        new = len(chunks(studio) - before)
    yield Row(
        f"one sentence of {len(lines):,} changed: chunks said", f"{new} (before: {len(before)})", "1", new == 1
    )


def rows(number: int) -> Iterator[Row]:
    """Product rows a second."""
    with tempfile.TemporaryDirectory(prefix="mixdown-rows-") as home:
        folder = Path(home)
        (folder / "rows.csv").write_text("sku,name,colour,price\n" + "\n".join(products(number)))
        (folder / "row.j2").write_text("The {{ name }} in {{ colour }} is here, for {{ price }} dollars.")
        command = [sys.executable, "-m", "mixdown.cli", "generate", "--rows", "rows.csv", "--template", "row.j2"]
        command += ["--quality", "draft", "--json"]
        env = {**os.environ, "MIXDOWN_HOME": f"{home}/home"}
        with timed() as took:
            done = subprocess.run(command, env=env, cwd=folder, capture_output=True, check=False)
        documents = json.loads(done.stdout)
        good = sum(each["state"] == "succeeded" for each in documents)
        length_s = sum(each["masters"][0]["after"]["duration_s"] for each in documents if each["masters"])
    yield Row(
        f"{number:,} product rows, draft, mp3, on {os.cpu_count()} cores",
        f"{good / took.wall_s:.1f} a second, from the start of the command on; {good} succeeded,"
        f" {length_s / number:.1f} s of audio and {took.cpu_s / number * 1000:.0f} ms of CPU each",
        "≥ 20, stretch 50",
        good / took.wall_s >= 20,
    )


def main() -> None:
    """Measure, and print the table."""
    parts: dict[str, Callable[[], Iterator[Row]]] = {
        "once": once,
        "wer": wer,
        "studio": studio_speed,
        "parallel": parallel,
        "paid": paid,
        "changed": changed,
        "rows": lambda: rows(given.rows),
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(parts), help=f"some of {','.join(parts)}")
    parser.add_argument("--rows", type=int, default=1000, help="product rows")
    given = parser.parse_args()
    if unknown := set(given.only.split(",")) - set(parts):
        parser.error(f"there is no part {', '.join(unknown)}")
    console, table = Console(width=160), Table("what", "found", "at least", "", box=None)
    for name in given.only.split(","):
        for row in parts[name]():
            mark = "" if row.met is None else "✓" if row.met else "✗"
            console.print(f"{row.what}: {row.found} {mark}", highlight=False)
            table.add_row(row.what, row.found, row.least, mark)
    console.print()
    console.print(table)


if __name__ == "__main__":
    main()
