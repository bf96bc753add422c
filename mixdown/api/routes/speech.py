"""Speech as OpenAI's clients ask for it: `POST /v1/audio/speech`, answered with audio."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import suppress
from enum import StrEnum
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from mixdown.api import asking
from mixdown.api.answers import problems
from mixdown.api.bodies import checked
from mixdown.api.desk import Desk, TheDesk, Writer
from mixdown.api.files import handed_out
from mixdown.api.problems import AnsweredAsOpenAI, problem
from mixdown.api.requested import GenerateParameters
from mixdown.api.results import File
from mixdown.api.views import JobView, job_url
from mixdown.errors import EngineUnavailable, IllegalTransition
from mixdown.model import AudioFormat, JobRecord, Source, Status
from mixdown.owner import is_alive
from mixdown.scripts import source_of_text

router = APIRouter(prefix="/v1/audio", tags=["speech"], route_class=AnsweredAsOpenAI)

#: What OpenAI takes at once.
_LONGEST_CHARS = 4096
#: How long somebody is kept waiting, how often we look, and how often whether anybody is at work, in seconds.
_PATIENCE_S, _LOOK_S, _ATTENDED_S = 300.0, 0.1, 2.0

#: `Prefer: wait=5` (RFC 7240), among others.
_WAIT = re.compile(r"(?:^|,)\s*wait\s*=\s*\"?(\d{1,6})\"?\s*(?:$|[,;])", re.IGNORECASE)

#: OpenAI's names for models: the best that is installed here. Other names are qualities of ours.
_THEIR_MODELS = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
#: OpenAI's names for voices: an engine that speaks here has others, and takes its own.
_THEIR_VOICES = frozenset(
    (
        *("alloy", "ash", "ballad", "cedar", "coral", "echo", "fable"),
        *("marin", "nova", "onyx", "sage", "shimmer", "verse"),
    )
)
_PCM = {"sample_rate_hz": 24_000, "bit_depth": 16, "channels": 1}


class ResponseFormat(StrEnum):
    """What the answer is."""

    mp3 = "mp3"
    opus = "opus"
    aac = "aac"  #: In an MP4 file.
    flac = "flac"
    wav = "wav"
    pcm = "pcm"  #: 24 kHz, 16 bit, little endian, one channel, without a header.


_FORMATS = {ResponseFormat.aac: AudioFormat.m4a, ResponseFormat.pcm: AudioFormat.wav}


class SpeechRequest(BaseModel):
    """A text, and who is to say it."""

    model_config = ConfigDict(extra="forbid")
    input: str = Field(min_length=1, max_length=_LONGEST_CHARS, examples=["Welcome to the show."])
    model: str = Field(
        default="auto",
        pattern="^[a-z0-9][a-z0-9.:-]{0,99}$",
        description="auto, draft, standard, studio or cloud:NAME; OpenAI's own names mean auto.",
        examples=["auto"],
    )
    voice: str = Field(
        default="",
        max_length=200,
        description="A voice of that quality; OpenAI's own names mean its usual one.",
        examples=["alloy"],
    )
    response_format: ResponseFormat = ResponseFormat.mp3
    speed: float = Field(default=1.0, ge=0.5, le=2.0)
    stream_format: Literal["audio"] = Field(default="audio", description="The audio itself; no events.")
    instructions: str | None = Field(default=None, max_length=_LONGEST_CHARS, description="Not heeded.")
    language: str = Field(default="", max_length=35, description="Of the text, such as en-GB; not OpenAI's.")


_AUDIO: dict[str, Any] = {
    "content": {"audio/mpeg": {"schema": {"type": "string", "format": "binary"}}},
    "description": "The audio.",
}


@router.post(
    "/speech",
    summary="Say a text",
    response_class=Response,
    responses={
        200: _AUDIO,
        202: {
            "model": JobView,
            "description": "It takes longer than `Prefer: wait`; `Location` is its job.",
        },
        **problems(400, 413, 415),
    },
)
async def create_speech(
    asked: SpeechRequest,
    request: Request,
    desk: TheDesk,
    caller: Writer,
    prefer: Annotated[
        str | None,
        Header(max_length=1000, description="`wait=N`: 202 after N seconds; at most 300.", examples=["wait=30"]),
    ] = None,
) -> Response:
    """Say a text and answer with the audio, mastered like any other job.

    503 at once where nobody is at work. Who goes away while it is made has it called off.
    """
    wished = _WAIT.search(prefer or "")
    patience_s = min(_PATIENCE_S, float(wished[1])) if wished else _PATIENCE_S

    def ask() -> JobRecord:
        spec = asking.spec_of(desk, _parameters(asked))
        place = asking.at_address(desk, _source(asked), spec)
        _demand_somebody(desk)
        return asking.ask_job(desk, caller, place, None)

    record = await run_in_threadpool(ask)
    record = await _followed(request, desk, record, patience_s)
    if not record.status.ended:
        body = JobView.of(record).model_dump(mode="json")
        return JSONResponse(body, 202, {"location": job_url(record.id), "retry-after": "2"})
    return await run_in_threadpool(_answer, desk, record, asked.response_format)


def _source(asked: SpeechRequest) -> Source:
    return source_of_text(asked.input, "speech.txt")


def _parameters(asked: SpeechRequest) -> GenerateParameters:
    audio = _FORMATS.get(asked.response_format) or AudioFormat(asked.response_format.value)
    raw = asked.response_format is ResponseFormat.pcm
    output = {"format": audio, **(_PCM if raw else {})}
    quality = "auto" if asked.model.startswith(_THEIR_MODELS) else asked.model
    theirs = asked.voice in _THEIR_VOICES and not quality.startswith("cloud:")
    values = {"quality": quality, "voice": "" if theirs else asked.voice, "rate": asked.speed}
    wanted = {**values, "kind": "generate", "form": "plain", "language": asked.language, "outputs": [output]}
    parameters: GenerateParameters = checked(GenerateParameters, wanted, "body")
    return parameters


def _demand_somebody(desk: Desk) -> None:
    """EngineUnavailable where nobody would begin the job."""
    studio = desk.studio
    if not studio.jobs.somebody_there(lease_s=studio.settings.lease_s, is_alive=is_alive):
        raise EngineUnavailable("Nobody works on jobs here: start mixdown serve.")


async def _followed(request: Request, desk: Desk, record: JobRecord, patience_s: float) -> JobRecord:
    """The job as it ended, or as it stands when patience has; called off where its client goes away."""
    began_s = time.monotonic()
    attended_s = began_s + _ATTENDED_S
    try:
        while not record.status.ended and time.monotonic() < began_s + patience_s:
            if await request.is_disconnected():
                await run_in_threadpool(_call_off, desk, record)
                break
            if record.status is Status.queued and time.monotonic() > attended_s:
                await run_in_threadpool(_demand_somebody, desk)
                attended_s = time.monotonic() + _ATTENDED_S
            await asyncio.sleep(_LOOK_S)
            glance = await desk.glances.at(record.id)
            record = glance.record if glance else record
    except EngineUnavailable:
        await run_in_threadpool(_call_off, desk, record)
        raise
    return await run_in_threadpool(desk.studio.jobs.get, record.id)


def _call_off(desk: Desk, record: JobRecord) -> None:
    """Cancel a job for which nobody waits any more; what of it was said is kept."""
    with suppress(IllegalTransition):  # it has just ended
        desk.studio.jobs.cancel(record.id)


def _answer(desk: Desk, record: JobRecord, wanted: ResponseFormat) -> Response:
    if record.status is not Status.succeeded or record.result is None:
        code, detail = record.error_code or record.status.value, record.error_detail or "Nothing came of it."
        return problem(422, code, detail)
    [master] = record.result.renditions
    if wanted is not ResponseFormat.pcm:
        return handed_out(desk.studio.objects, File.of_master(record, master))
    body = desk.studio.objects.read_bytes(master.object.uri)
    return Response(_samples_of(body), media_type="audio/pcm")


def _samples_of(wav: bytes) -> bytes:
    """What a RIFF file holds in its `data` chunk."""
    at = 12
    while at + 8 <= len(wav):
        size = int.from_bytes(wav[at + 4 : at + 8], "little")
        if wav[at : at + 4] == b"data":
            return wav[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    return b""
