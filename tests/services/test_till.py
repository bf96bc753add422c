"""Speech that is paid for: never twice, whoever is killed, and never more than a job may cost."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import uuid4

import numpy as np
import psutil
import pytest
from werkzeug import Response

from mixdown.buying import close_tills
from mixdown.errors import (
    EngineRefused,
    EngineUnavailable,
    Interrupted,
    NoSuchEngine,
    StorageUnavailable,
    TooExpensive,
)
from mixdown.jobs.spending import Spending, Spent
from mixdown.speech.cache import ChunkCache
from mixdown.speech.port import Spoken
from mixdown.storage import speech_key
from mixdown.studio import Studio, open_studio
from tests.services.speech_shop import Shop, bought, chunk_of, open_shop, settings_of, start_buyer, wav_of

TEXT = "The early bird catches the worm, as they say in the village."
PATIENCE_S = 120.0


@pytest.fixture
def shop() -> Iterator[Shop]:
    """Where speech is sold."""
    with open_shop() as shop:
        yield shop


@pytest.fixture
def studio(tmp_path: Path, shop: Shop, database_url: str) -> Iterator[Studio]:
    """Somebody who buys there, on SQLite and on PostgreSQL."""
    studio = open_studio(settings_of(tmp_path / "home", database_url, shop.url))
    yield studio
    close_tills()
    studio.jobs.engine.dispose()


@pytest.fixture
def plain(tmp_path: Path, shop: Shop) -> Iterator[Studio]:
    """Somebody who buys there, where the kind of database does not matter."""
    studio = open_studio(settings_of(tmp_path / "home", f"sqlite:///{tmp_path / 'plain.db'}", shop.url))
    yield studio
    close_tills()
    studio.jobs.engine.dispose()


def wait_until(true: Callable[[], bool]) -> None:
    """Wait, for long if need be."""
    until_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < until_s, "it does not happen"
        time.sleep(0.01)


def is_kept(studio: Studio, text: str) -> bool:
    """Whether a chunk lies in the store, whole."""
    return ChunkCache(studio.objects).find(chunk_of(text).key) is not None


def tills_of(pid: int) -> list[int]:
    """The tills of a process."""
    children = psutil.Process(pid).children()
    return [child.pid for child in children if "mixdown.till" in child.cmdline()]


def test_equal_words_are_paid_once_whatever_the_job(studio: Studio, shop: Shop) -> None:
    """A second job finds what the first one has bought, also when both ask at the same moment."""
    shop.delay_s = 0.5
    jobs = [uuid4() for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        faults = list(pool.map(lambda job: bought(studio, job, TEXT), jobs))

    assert faults == [None] * 6
    assert bought(studio, uuid4(), TEXT) is None
    assert shop.sold == {TEXT: 1}
    assert is_kept(studio, TEXT)
    paid = [Spending(studio.jobs.engine).of(job) for job in jobs]
    assert sorted(each.chunks for each in paid) == [0, 0, 0, 0, 0, 1]
    assert sum(each.cost for each in paid) == pytest.approx(len(TEXT) / 100)


def test_processes_that_want_the_same_wait_for_each_other(plain: Studio, shop: Shop) -> None:
    """Two processes with jobs of their own and the same ten sentences: ten are sold."""
    texts = [f"{TEXT} This was number {number}." for number in range(10)]
    for text in texts:
        shop.prepare(text)
    shop.delay_s = 0.2

    buyers = [start_buyer(plain.settings, uuid4(), texts) for _ in range(2)]

    assert [buyer.wait(PATIENCE_S) for buyer in buyers] == [0, 0]
    assert shop.sold == dict.fromkeys(texts, 1)


def test_kill_minus_nine_of_a_job_pays_nothing_twice(studio: Studio, shop: Shop) -> None:
    """Killed at a third and at two thirds, requests under way each time: each sentence is sold once."""
    texts = [f"{TEXT} This was number {number}." for number in range(24)]
    for text in texts:
        shop.prepare(text)
    shop.delay_s = 0.3
    job = uuid4()
    for enough in (8, 16):
        buyer = start_buyer(studio.settings, job, texts)
        wait_until(partial(shop.has_sold, enough))
        buyer.send_signal(signal.SIGKILL)
        buyer.wait()

    assert start_buyer(studio.settings, job, texts).wait(PATIENCE_S) == 0

    assert shop.sold == dict.fromkeys(texts, 1)
    assert all(is_kept(studio, text) for text in texts)
    spent = Spending(studio.jobs.engine).of(job)
    assert (spent.chunks, spent.perhaps) == (len(texts), 0)


def test_who_buys_ends_once_nobody_is_left_and_all_is_kept(plain: Studio, shop: Shop) -> None:
    """The till outlives the job just as long as it takes; what was only ordered is not bought any more."""
    texts = [f"{TEXT} This was number {number}." for number in range(12)]
    shop.delay_s = 1.5
    buyer = start_buyer(plain.settings, uuid4(), texts)
    wait_until(lambda: sum(shop.sold.values()) >= 4)
    [till] = tills_of(buyer.pid)
    os.kill(buyer.pid, signal.SIGKILL)
    buyer.wait()

    wait_until(lambda: not psutil.pid_exists(till) or psutil.Process(till).status() == psutil.STATUS_ZOMBIE)

    assert len(shop.sold) < len(texts)
    assert all(is_kept(plain, text) for text in shop.sold)


def test_a_till_that_is_killed_is_replaced_and_what_it_may_have_paid_is_told(
    plain: Studio, shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """Only what was under way just then is paid again; it is in the sum, and there is a warning."""
    shop.delay_s = 2.0
    job = uuid4()

    def kill() -> None:
        wait_until(lambda: shop.sold[TEXT] == 1)
        for pid in tills_of(os.getpid()):
            os.kill(pid, signal.SIGKILL)

    with caplog.at_level("WARNING"):
        threading.Thread(target=kill, daemon=True).start()
        assert bought(plain, job, TEXT) is None
        wait_until(lambda: "paid again" in caplog.text)

    assert shop.sold == {TEXT: 2}
    spent = Spending(plain.jobs.engine).of(job)
    assert (spent.chunks, spent.perhaps) == (2, 1)
    assert spent.cost == pytest.approx(2 * len(TEXT) / 100)


def test_work_that_is_called_off_still_gets_what_it_pays_for(plain: Studio, shop: Shop) -> None:
    """Nobody waits for the rest of the answer, but it is kept."""
    shop.delay_s = 1.0
    stopping = threading.Event()
    called_off = replace(plain, stopping=stopping)

    def stop() -> None:
        wait_until(lambda: shop.sold[TEXT] == 1)
        stopping.set()

    threading.Thread(target=stop, daemon=True).start()
    with pytest.raises(Interrupted):
        bought(called_off, uuid4(), TEXT)

    wait_until(lambda: is_kept(plain, TEXT))
    assert shop.sold == {TEXT: 1}


def test_no_job_pays_more_than_it_may(plain: Studio, shop: Shop) -> None:
    """Before a request that would be too much, nothing is sent; the operator's limit is one for every job."""
    cost = len(TEXT) / 100
    with pytest.raises(TooExpensive):
        bought(plain, uuid4(), TEXT, max_cost=0.9 * cost)
    assert shop.asked == 0

    job = uuid4()
    assert bought(plain, job, TEXT, max_cost=1.5 * cost) is None
    with pytest.raises(TooExpensive):
        bought(plain, job, TEXT[::-1], max_cost=1.5 * cost)
    assert bought(plain, job, TEXT, max_cost=0.0) is None  # it is there: that costs nothing

    limited = replace(plain, settings=plain.settings.model_copy(update={"max_cost": 1.5 * cost}))
    with pytest.raises(TooExpensive):
        bought(limited, job, TEXT.upper(), max_cost=100.0)
    assert shop.asked == 1


def test_what_sounds_wrong_was_paid_and_is_not_kept(plain: Studio, shop: Shop) -> None:
    """The fault is told; the next attempt is another purchase."""
    silence = wav_of(Spoken(samples=np.zeros((48_000, 1), np.float32), sample_rate_hz=16_000))
    shop.instead = lambda: Response(silence)
    job = uuid4()

    fault = bought(plain, job, TEXT)

    assert fault
    assert not is_kept(plain, TEXT)
    shop.instead = lambda: None
    assert bought(plain, job, TEXT, attempt=1) is None
    assert Spending(plain.jobs.engine).of(job).chunks == 2


def test_refusals_cross_the_till_and_cost_nothing(plain: Studio, shop: Shop) -> None:
    """What the provider says is what the job says, without the key; what it did not do is not in the sum."""
    job = uuid4()
    shop.instead = lambda: Response(json.dumps({"error": {"message": "Bad key hush."}}), status=401)
    with pytest.raises(EngineRefused, match=r"answers 401: Bad key \*\*\*"):
        bought(plain, job, TEXT)
    shop.instead = lambda: Response("", status=503, headers={"retry-after": "77"})
    with pytest.raises(EngineUnavailable) as caught:
        bought(plain, job, TEXT)

    assert (caught.value.dependency, caught.value.retry_after_s) == (shop.url, 77)
    assert Spending(plain.jobs.engine).of(job) == Spent()
    gone = replace(plain, settings=plain.settings.model_copy(update={"speech_engines": None}))
    with pytest.raises(NoSuchEngine):
        bought(gone, job, TEXT)


def test_what_the_store_does_not_take_is_not_lost(plain: Studio, shop: Shop) -> None:
    """Bought while the store is away: the job fails for now, and finds it when the store is back."""
    folder = plain.settings.home / "results" / Path(speech_key(chunk_of(TEXT).key)).parts[0]
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("in the way")
    job = uuid4()
    with pytest.raises(StorageUnavailable):
        bought(plain, job, TEXT)

    with suppress(FileNotFoundError):
        folder.unlink()
    assert bought(plain, job, TEXT) is None

    assert shop.sold == {TEXT: 1}
    assert is_kept(plain, TEXT)
    assert not list((plain.settings.home / "paid").iterdir())
