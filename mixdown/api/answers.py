"""The problems that routes declare in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from mixdown.api.problems import Problem

_SENTENCES = {
    400: "What is asked for cannot be done.",
    401: "A key is needed.",
    403: "The key is for something else.",
    404: "There is no such thing, or it is somebody else's.",
    409: "Its state does not allow that.",
    410: "It was there once.",
    413: "It is too large.",
    416: "The file has no such range.",
    415: "Another media type is needed.",
    422: "The request makes no sense; `errors` says where.",
    429: "Too many requests; `Retry-After` says when to come back.",
    503: "Something is down; the same request may succeed later.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route may answer beside what is asked for, for its `responses`: these, and what any route may."""
    every = sorted({401, 403, 422, 429, 503, *statuses})
    return {status: {"model": Problem, "description": _SENTENCES[status]} for status in every}
