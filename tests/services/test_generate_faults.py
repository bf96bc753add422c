"""Speech that is bought, while its seller is away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug import Response

from mixdown.items import Defaults
from mixdown.jobs.outages import OPENS_AFTER
from mixdown.model import Generate, JobSpec, Listening, OutputSpec, Status
from mixdown.runner import run_jobs
from mixdown.scripts import script_requests, source_of_text
from mixdown.studio import Studio, open_studio
from mixdown.submission import submit
from tests.services.speech_shop import ENGINE, Shop, open_shop, settings_of

JOBS = 9


@pytest.fixture
def shop() -> Iterator[Shop]:
    """Where speech is sold."""
    with open_shop() as shop:
        yield shop


@pytest.fixture
def studio(tmp_path: Path, shop: Shop) -> Studio:
    """Somebody who buys there."""
    return open_studio(settings_of(tmp_path, f"sqlite:///{tmp_path}/mixdown.db", shop.url))


def scripts(work: Generate) -> list[JobSpec]:
    """A batch of them, each with a sentence of its own."""
    sources = [source_of_text(f"This is the story of number {number}.", f"{number}.txt") for number in range(JOBS)]
    return [spec for spec, _ in script_requests(sources, Defaults(work=work, outputs=(OutputSpec(format="wav"),)))]


def test_a_seller_that_is_down_is_waited_for_by_a_batch(studio: Studio, shop: Shop) -> None:
    """Its jobs are held back as those of a source are; when it is back every one succeeds, paid once."""
    failing = iter(range(OPENS_AFTER))
    shop.instead = lambda: None if next(failing, None) is None else Response("down", status=500)
    records = submit(studio, scripts(Generate(quality=ENGINE, listening=Listening.off)))

    assert {record.origin for record in records} == {shop.url}
    [outcome] = {record.status for record in run_jobs(studio, [record.id for record in records])}

    assert outcome is Status.succeeded
    assert set(shop.sold.values()) == {1}
    assert len(shop.sold) == JOBS
    assert shop.asked == JOBS + OPENS_AFTER
    assert studio.jobs.outages() == []


def test_a_key_that_is_refused_hurts_only_who_was_refused(studio: Studio, shop: Shop) -> None:
    """Asking again would not help: the job says what the seller said, the others are made."""
    refusal = Response('{"error": {"message": "Incorrect API key"}}', status=401, content_type="application/json")
    shop.instead = lambda: refusal if shop.asked == 2 else None
    records = submit(studio, scripts(Generate(quality=ENGINE, listening=Listening.off)))

    ended = run_jobs(studio, [record.id for record in records])

    [unhappy] = [record for record in ended if record.status is not Status.succeeded]
    assert (unhappy.status, unhappy.error_code) == (Status.failed, "engine_refused")
    assert unhappy.error_detail == "cloud:shop answers 401: Incorrect API key"
    assert set(shop.sold.values()) == {1}
    assert len(shop.sold) == JOBS - 1
