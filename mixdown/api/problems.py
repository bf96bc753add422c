"""Errors as RFC 9457 problem documents: a stable code, a sentence, and whether trying again may help."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from mixdown.errors import INTERNAL, MixdownError, RetryableError

_MEDIA_TYPE = "application/problem+json"

#: Statuses of errors that are neither 400 (what cannot be done) nor 503 (what may be tried again).
_STATUS = {
    "job_not_found": HTTPStatus.NOT_FOUND,
    "batch_not_found": HTTPStatus.NOT_FOUND,
    "no_result": HTTPStatus.CONFLICT,
    "file_not_found": HTTPStatus.NOT_FOUND,
    "endpoint_not_found": HTTPStatus.NOT_FOUND,
    "trigger_not_found": HTTPStatus.NOT_FOUND,
    "hook_refused": HTTPStatus.UNAUTHORIZED,
    "delivery_not_found": HTTPStatus.NOT_FOUND,
    "no_signing_secret": HTTPStatus.CONFLICT,
    "illegal_transition": HTTPStatus.CONFLICT,
    "batch_cancelled": HTTPStatus.CONFLICT,
    "source_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "unknown_preset": HTTPStatus.UNPROCESSABLE_ENTITY,
    "unknown_channel": HTTPStatus.UNPROCESSABLE_ENTITY,
    "invalid_request": HTTPStatus.UNPROCESSABLE_ENTITY,
    "idempotency_mismatch": HTTPStatus.UNPROCESSABLE_ENTITY,
    **dict.fromkeys(
        ("invalid_script", "unknown_voice", "unknown_language", "unknown_sound"), HTTPStatus.UNPROCESSABLE_ENTITY
    ),
}

#: Codes of what the web itself refuses.
_WEB_CODES = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "too_slow",
    411: "length_required",
    413: "too_large",
    415: "unsupported_media_type",
    429: "too_many_requests",
}


class Problem(BaseModel):
    """What went wrong."""

    type: str = Field(examples=["urn:mixdown:job_not_found"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    code: str = Field(description="Stable; see docs/reference/errors.md.", examples=["job_not_found"])
    detail: str = Field(description="A sentence for people.", examples=["There is no such job."])
    retryable: bool = Field(description="Whether the same request may succeed later.", examples=[False])
    errors: list[dict[str, Any]] = Field(
        default=[], description="Where a request is wrong: a place and a sentence."
    )


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    retryable: bool = False,
    errors: list[dict[str, Any]] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """An answer that says what went wrong."""
    body = Problem(
        type=f"urn:mixdown:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        retryable=retryable,
        errors=errors or [],
    )
    return JSONResponse(body.model_dump(), status, headers, media_type=_MEDIA_TYPE)


def answer_problems(app: FastAPI) -> None:
    """Have every error of an app answered as a problem."""
    app.exception_handler(MixdownError)(_of_ours)
    app.exception_handler(RequestValidationError)(_of_request)
    app.exception_handler(HTTPException)(_of_web)
    app.exception_handler(Exception)(of_a_bug)


class AnsweredAsOpenAI(APIRoute):
    """A route whose problems have the member `error` too: the only place where OpenAI's clients look."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, its errors answered here."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                answer = await handle(request)
            except MixdownError as error:
                answer = await _of_ours(request, error)
            except RequestValidationError as error:
                answer = await _of_request(request, error)
            except HTTPException as error:
                answer = await _of_web(request, error)
            return _as_openai(answer) if answer.media_type == _MEDIA_TYPE else answer

        return handled


def _as_openai(answer: Response) -> Response:
    body = json.loads(bytes(answer.body))
    sentence = " ".join([body["detail"], *(each["message"] + "." for each in body["errors"])])
    kind = "server_error" if answer.status_code >= 500 else "invalid_request_error"
    body["error"] = {"message": sentence, "type": kind, "param": None, "code": body["code"]}
    headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
    return JSONResponse(body, answer.status_code, headers, media_type=_MEDIA_TYPE)


def status_of(error: MixdownError) -> int:
    """The HTTP status of an error of ours."""
    if isinstance(error, RetryableError):
        return HTTPStatus.SERVICE_UNAVAILABLE
    return _STATUS.get(error.code, HTTPStatus.BAD_REQUEST)


async def _of_ours(_: Request, error: MixdownError) -> JSONResponse:
    retryable = isinstance(error, RetryableError)
    headers = {"retry-after": "5"} if retryable else None
    return problem(status_of(error), error.code, error.message, retryable=retryable, headers=headers)


async def _of_request(_: Request, error: RequestValidationError) -> JSONResponse:
    wrong = [{"at": "/".join(map(str, each["loc"])), "message": each["msg"]} for each in error.errors()]
    names = ", ".join(dict.fromkeys(each["at"] for each in wrong))
    detail = f"The request makes no sense at {names}."
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", detail, errors=wrong)


async def _of_web(_: Request, error: HTTPException) -> JSONResponse:
    status = HTTPStatus(error.status_code)
    detail = error.detail if error.detail != status.phrase else f"{status.description or status.phrase}."
    code = _WEB_CODES.get(status, "invalid_request")
    retryable = status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
    return problem(status, code, detail, retryable=retryable, headers=dict(error.headers or {}))


async def of_a_bug(_: Request, __: Exception) -> JSONResponse:
    """The answer where something is wrong with Mixdown itself; what it is stands in the log only."""
    return problem(500, INTERNAL, "Mixdown has a bug here; its log has the details.")
