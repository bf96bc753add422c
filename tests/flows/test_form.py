"""The run form takes steps as lines of text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from prefect import Flow
from pydantic import TypeAdapter

from flows.analyze import analyze_audio
from flows.form import StepLine
from flows.generate import generate_audio, generate_batch
from flows.inbox import watch_inbox
from flows.process import process_audio, process_batch
from flows.transform import transform_audio
from mixdown.errors import InvalidRequest
from mixdown.model import Chapter, Fade, Label

FLOWS = (
    *(process_audio, process_batch, transform_audio, analyze_audio, watch_inbox),
    *(generate_audio, generate_batch),
)


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_every_parameter_is_described_and_none_is_null(flow: Flow[Any, Any]) -> None:
    """Prefect's server refuses a null that its own form sent."""
    schema = flow.parameters.model_dump()

    assert all(each.get("description") for each in schema["properties"].values())
    assert "null" not in json.dumps(schema)


@pytest.mark.parametrize(
    "given", ["fade out_s=2", '{"kind": "fade", "out_s": 2}', {"kind": "fade", "out_s": 2}, Fade(out_s=2)], ids=str
)
def test_a_step_is_a_line_or_what_it_stands_for(given: object) -> None:
    """From the form a line or JSON; from Python the step itself too."""
    assert TypeAdapter(StepLine).validate_python(given) == Fade(out_s=2)


def test_json_has_room_for_what_a_line_has_not() -> None:
    """Chapters, for example."""
    line = '{"kind": "label", "chapters": [{"start_s": 1, "title": "One"}]}'

    assert TypeAdapter(StepLine).validate_python(line) == Label(chapters=(Chapter(start_s=1, title="One"),))


@pytest.mark.parametrize("line", ["sing", "fade out_s=soon", '{"kind": "sing"}', "{"])
def test_a_mistake_is_told_in_a_sentence(line: str) -> None:
    """Not as the validator's own words, line by line."""
    with pytest.raises(InvalidRequest) as refused:
        TypeAdapter(StepLine).validate_python(line)

    assert "\n" not in refused.value.message
