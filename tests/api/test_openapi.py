"""The OpenAPI document is complete, and true: requests made up from it are answered as it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import jsonschema_rs
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.openapi.loaders import from_asgi
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from mixdown.api import create_app
from mixdown.keys import KeyStore
from mixdown.owner import this_process
from mixdown.settings import Settings
from mixdown.studio import open_studio
from tests.api.finished import failed, succeeded

#: Requests made up for each operation.
_EXAMPLES = 8

#: No schema says which presets, cursors or sources there are; keys are looked at below, for wrong ones are counted.
_NOT_CHECKED = [positive_data_acceptance, ignored_auth]

#: Nobody waits until speech is made; where a wrong header is made up, it is to arrive.
_AT_ONCE = {"prefer": "wait=0"}


class House:
    """An API that asks for keys, with a few things to be found; somebody is at work, but does nothing."""

    def __init__(self, home: Any) -> None:
        self.studio = open_studio(Settings(home=home))
        self.app = create_app(self.studio)
        key, secret = KeyStore(self.studio.jobs.engine).create("fuzz", scopes=["read", "write", "admin"])
        self.headers = {"authorization": f"Bearer {secret}"}
        self.studio.jobs.begin_shift(this_process(), batch_id=None, flow_run_id=None)
        batch_id = self.studio.jobs.open_batch("some", key_id=key.id)
        failed(self.studio, batch_id=batch_id, key_id=key.id)
        over = self.studio.jobs.open_batch("over", key_id=key.id)
        failed(self.studio, batch_id=over, key_id=key.id)
        self.watched = {"batch_id": str(over)}  #: nothing is begun in it again: its stream has an end
        done = succeeded(self.studio, key_id=key.id)
        self.there = {"job_id": str(done.id), "batch_id": str(batch_id), "name": "report.json"}

    def known(self, path: str) -> dict[str, str]:
        """What there is to be named in this path."""
        return self.there | (self.watched if path.endswith("/events") else {})


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """One for all operations: what one request leaves behind, others meet."""
    return House(tmp_path_factory.mktemp("fuzz") / "home")


@pytest.fixture(scope="module")
def document(house: House) -> dict[str, Any]:
    """The document itself."""
    return house.app.openapi()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_requests_made_up_from_the_document_are_answered_as_it_says(house: House, mode: GenerationMode) -> None:
    """Whatever is sent, right or wrong: never a 5xx, and always an answer that the document knows."""
    found: dict[str, str] = {}
    headers = house.headers if mode is GenerationMode.NEGATIVE else house.headers | _AT_ONCE
    for each in from_asgi("/openapi.json", house.app).get_all_operations():
        operation = each.ok()

        @settings(
            max_examples=_EXAMPLES,
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def send(case: Case) -> None:
            case.call_and_validate(headers=headers, excluded_checks=_NOT_CHECKED)
            if mode is GenerationMode.POSITIVE and case.path_parameters:
                case.path_parameters = {
                    name: house.known(case.path).get(name, value) for name, value in case.path_parameters.items()
                }
                case.call_and_validate(headers=headers, excluded_checks=_NOT_CHECKED)

        try:
            send()
        except (FailureGroup, Failure) as error:
            found[operation.label] = str(error)
        except Unsatisfiable:  # nothing can be wrong with what takes nothing
            continue

    assert not found, "\n\n".join(f"{label}: {what}" for label, what in found.items())


def test_nothing_but_health_is_told_without_a_key(house: House, document: dict[str, Any]) -> None:
    """Every other route is a 401 that says how a key is shown; webhooks that come in are signed instead."""
    client = TestClient(house.app)
    for path, operations in document["paths"].items():
        for method in operations:
            answer = client.request(method, re.sub(r"{\w+}", str(UUID(int=0)), path))
            if path.startswith("/health"):
                assert answer.status_code == 200
            elif not path.startswith("/v1/hooks/"):
                assert answer.status_code == 401, (method, path)
                assert answer.headers["www-authenticate"].startswith("Bearer")


def test_every_operation_is_described(document: dict[str, Any]) -> None:
    """It has a summary, a sentence, a tag, and an answer for what goes wrong; its fields tell what they are."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation.get("summary"), (method, path)
            assert operation.get("description"), (method, path)
            assert operation.get("tags"), (method, path)
            assert any(status[0] == "4" or status == "default" for status in operation["responses"]), (method, path)


def test_problems_have_their_media_type(document: dict[str, Any]) -> None:
    """In the document as in the answers."""
    problem = {"$ref": "#/components/schemas/Problem"}
    answers = [
        content
        for operations in document["paths"].values()
        for operation in operations.values()
        for status, answer in operation["responses"].items()
        for content in [answer.get("content", {})]
        if status[0] == "4"
    ]

    assert len(answers) > 50
    assert all(content == {"application/problem+json": {"schema": problem}} for content in answers)


def test_examples_are_what_the_document_allows(document: dict[str, Any]) -> None:
    """Every example of a field is a value of its schema."""
    schemas = document["components"]["schemas"]
    examples = [
        (name, field, example)
        for name, schema in schemas.items()
        for field, described in schema.get("properties", {}).items()
        for example in described.get("examples", ())
    ]

    assert len(examples) > 50
    for name, field, example in examples:
        described = {**schemas[name]["properties"][field], "components": document["components"]}
        validator = jsonschema_rs.validator_for(described)
        assert validator.is_valid(example), (name, field, example)


def test_every_route_is_in_the_reference(document: dict[str, Any]) -> None:
    """docs/reference/api.md has each."""
    text = (Path(__file__).parents[2] / "docs/reference/api.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `([A-Z]+ /\S*)` \|", text, re.MULTILINE))
    there = {f"{method.upper()} {path}" for path, operations in document["paths"].items() for method in operations}

    assert there - told == set()


def test_no_audio_library_is_loaded() -> None:
    """The process of the API never opens a recording."""
    code = (
        "import sys, mixdown.api\n"
        "names = 'av soundfile numba scipy librosa onnxruntime pydub soxr lameenc'.split()\n"
        "print([name for name in names if name in sys.modules])"
    )

    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
