"""Scripts through Prefect: one in parts, and the rows of a table."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.concurrency.sync import concurrency

from blocks import MixdownSpeech
from flows.generate import generate_audio, generate_batch
from mixdown.errors import InvalidRequest, JobFailed
from mixdown.model import AudioFormat, OutputSpec, Stage, Status
from mixdown.studio import Studio
from tasks.studio import studio as studio_of_tasks
from tests.flows.runs import run, task_runs
from tests.services.speech_shop import ENGINE, open_shop

LIMIT = "mixdown-speech-shop"
FLAC = [OutputSpec(format=AudioFormat.flac)]
PARAGRAPH = "Paragraph {} begins here. It goes on for some more words, and then it ends."
LONG = "\n\n".join(PARAGRAPH.format(number) for number in range(40))


def test_a_script_becomes_a_master(studio: Studio) -> None:
    """A text in, a master with captions out."""
    record = generate_audio(text="Welcome to the show.", quality="draft", outputs=FLAC)

    assert record.status is Status.succeeded
    assert record.result is not None
    assert {each.name for each in record.result.attachments} == {"captions.srt", "captions.vtt", "timings.json"}


def test_the_parts_of_a_long_script_are_task_runs(studio: Studio, tmp_path: Path) -> None:
    """About a minute each, between validate and process."""
    script = tmp_path / "long.txt"
    script.write_text(LONG)

    _, run_id = run(generate_audio, str(script), quality="draft", outputs=FLAC)

    names = [each.name for each in task_runs(run_id)]
    parts = [name for name in names if name.startswith("speak")]
    assert sorted(parts) == [f"speak {n}/{len(parts)} long.txt" for n in range(1, len(parts) + 1)]
    assert len(parts) > 1
    assert [name for name in names if not name.startswith("speak")] == [
        f"{stage} long.txt" for stage in ("validate", "process", "store", "notify")
    ]
    assert names.index("validate long.txt") < min(map(names.index, parts))
    assert max(map(names.index, parts)) < names.index("process long.txt")


def test_what_makes_no_sense_ends_the_run_with_its_code(studio: Studio) -> None:
    """And a sentence."""
    with pytest.raises(JobFailed) as failed:
        generate_audio(text="Hello.", quality="draft", voice="nobody")
    with pytest.raises(InvalidRequest, match="one of them"):
        generate_audio()

    assert failed.value.job_code == "unknown_voice"


def test_rows_become_files_and_a_bad_one_stops_no_other(studio: Studio, tmp_path: Path) -> None:
    """A template makes scripts of them."""
    rows = tmp_path / "rows.csv"
    rows.write_text("sku,name\nA1,Lamp\nA2,\nA3,Chair\n")

    ended = generate_batch(str(rows), "{{ name or missing.thing }} is new.", quality="draft", outputs=FLAC)

    assert ended.counts[Status.succeeded] == 2
    assert ended.counts[Status.failed] == 0


def test_an_engine_in_the_cloud_is_asked_within_its_limit(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part takes a slot of `mixdown-speech-NAME` where the server has that limit: with none free it waits."""
    with open_shop() as shop, get_client(sync_client=True) as client, ThreadPoolExecutor(1) as pool:
        facts = {"kind": "openai", "base_url": shop.url, "key": "k", "model": "m", "voice": "v", "price": 1}
        monkeypatch.setenv("MIXDOWN_SPEECH_ENGINES", json.dumps({"shop": facts}))
        client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=LIMIT, limit=1))
        try:
            with concurrency(LIMIT, occupy=1):
                running = pool.submit(run, generate_audio, text="Welcome.", quality=ENGINE, outputs=FLAC)
                while not [job for job in studio_of_tasks().jobs.list() if job.stage is Stage.validate]:
                    time.sleep(0.1)
                time.sleep(2.0)  # a part that took no slot would have bought by now
                assert shop.asked == 0
            _, run_id = running.result()
        finally:
            client.delete_global_concurrency_limit_by_name(LIMIT)

    assert [each.name.split()[0] for each in task_runs(run_id)].count("speak") == 1
    assert sum(shop.sold.values()) == 1


def test_engines_of_blocks_stand_beside_those_of_the_settings(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block goes before a setting of its name; its key is used, and is in no parameter of a run."""
    with open_shop() as shop, open_shop() as closed:
        facts = {"kind": "openai", "model": "m", "voice": "v", "price": 1}
        settings = {name: {**facts, "base_url": closed.url, "key": "hush-setting"} for name in ("shop", "other")}
        monkeypatch.setenv("MIXDOWN_SPEECH_ENGINES", json.dumps(settings))
        MixdownSpeech(**facts, base_url=shop.url, key="hush-block").save("shop", overwrite=True)
        try:
            record = generate_audio(text="Welcome.", quality=ENGINE, outputs=FLAC)
            other = generate_audio(text="Goodbye.", quality="cloud:other", outputs=FLAC)
        finally:
            MixdownSpeech.delete("shop")

    assert (record.status, other.status) == (Status.succeeded, Status.succeeded)
    assert (list(shop.sold), list(closed.sold)) == (["Welcome."], ["Goodbye."])
    assert (shop.keys, closed.keys) == ({"Bearer hush-block"}, {"Bearer hush-setting"})
    assert "hush" not in f"{record!r} {other!r}"
