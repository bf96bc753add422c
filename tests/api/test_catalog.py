"""Presets, steps and estimates over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr, TypeAdapter

from mixdown import presets
from mixdown.api import create_app
from mixdown.model import Step
from mixdown.settings import Settings
from mixdown.studio import Studio, open_studio
from tests.api.finished import succeeded

OWN = """
title = "Mine"
description = "Loud."

[[steps]]
kind = "loudness"
target_lufs = -14.0
"""


def test_presets_are_listed(client: TestClient, studio: Studio) -> None:
    """The shipped ones, and this installation's own; a broken file hides none."""
    studio.settings.effective_presets.mkdir()
    (studio.settings.effective_presets / "mine.toml").write_text(OWN)
    (studio.settings.effective_presets / "broken.toml").write_text("title =")

    items = client.get("/v1/presets").json()["items"]

    assert [item["name"] for item in items] == [*presets.names(), "mine"]
    assert items[-1]["shipped"] is False
    assert items[-1]["steps"][0]["target_lufs"] == -14.0


def test_one_preset(client: TestClient) -> None:
    """Its steps are steps that a request may have; one that is not there is a 404."""
    answer = client.get("/v1/presets/podcast").json()

    assert answer["name"] == "podcast"
    assert len(TypeAdapter(list[Step]).validate_python(answer["steps"])) == len(answer["steps"])
    assert client.get("/v1/presets/nope").status_code == 404


def test_steps_have_their_parameters(client: TestClient) -> None:
    """As JSON schemas, with limits and descriptions."""
    steps = {item["kind"]: item for item in client.get("/v1/steps").json()["items"]}

    assert "target_lufs" in steps["loudness"]["parameters"]["properties"]
    assert all(step["description"] for step in steps.values())


def test_an_estimate_is_learnt_from_the_past(client: TestClient, studio: Studio) -> None:
    """Twice the audio takes twice the time, with sizes where these outputs were made before."""
    job = succeeded(studio)
    assert job.result is not None
    seconds = job.result.before.duration_s

    answer = client.post(
        "/v1/estimates",
        json={
            "items": [{"filename": "a.wav", "duration_s": seconds}, {"filename": "b.wav", "size_bytes": 1000}],
            "outputs": [{"format": "mp3"}],
        },
    ).json()

    assert answer["runs"] == 1
    assert answer["audio_s"] == pytest.approx(2 * seconds)
    assert answer["time_s"] == pytest.approx(2 * job.result.elapsed_s / studio.settings.workers)
    assert answer["stored_bytes"] > 0
    assert answer["unmeasured"] == 0


def test_nothing_to_learn_from(client: TestClient) -> None:
    """The estimate says that it does not know."""
    answer = client.post("/v1/estimates", json={"items": [{"filename": "a.wav", "size_bytes": 1000}]}).json()

    assert (answer["runs"], answer["time_s"], answer["unmeasured"]) == (0, None, 1)


@pytest.mark.parametrize(
    "asked",
    [
        {"items": []},
        {"items": [{"filename": "a.wav"}], "work": {"kind": "enhance", "preset": "nope"}},
        {"items": [{"filename": "a.wav", "size": 1}]},
        {"items": [{"filename": "a.wav"}], "work": {"kind": "sing"}},
    ],
)
def test_an_estimate_of_nonsense_is_refused(client: TestClient, asked: dict) -> None:
    """A 422 each time."""
    assert client.post("/v1/estimates", json=asked).status_code == 422


def test_voices_are_listed(client: TestClient) -> None:
    """Engines that speak here, the best first, with what is missing of each; what is free costs nothing."""
    items = {item["quality"]: item for item in client.get("/v1/voices").json()["items"]}

    assert list(items) == ["studio", "standard", "draft"]
    assert items["draft"]["available"] is True
    assert {"en-GB", "de-DE"} <= {voice["language"] for voice in items["draft"]["voices"]}
    assert all(item["available"] == (item["missing"] == "") for item in items.values())


def test_voices_in_the_cloud_are_listed_without_their_keys(tmp_path: Path) -> None:
    """By the name they are asked for, with their price."""
    engines = SecretStr('{"mine": {"kind": "openai", "key": "sk-hidden", "price": 0.015}}')
    studio = open_studio(Settings(home=tmp_path / "home", speech_engines=engines))

    with TestClient(create_app(studio, open_to_all=True)) as client:
        answer = client.get("/v1/voices")

    [cloud] = [item for item in answer.json()["items"] if item["quality"].startswith("cloud:")]
    assert (cloud["quality"], cloud["price"]) == ("cloud:mine", 0.015)
    assert "sk-hidden" not in answer.text
