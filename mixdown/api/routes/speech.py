"""Speech as OpenAI's clients ask for it: `POST /v1/audio/speech`, answered with audio."""

from __future__ import annotations

import asyncio
import time
from enum import StrEnum
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from mixdown.api import asking
from mixdown.api.answers import problems
from mixdown.api.bodies import checked
from mixdown.api.desk import Desk, TheDesk, Writer
from mixdown.api.files import handed_out
from mixdown.api.problems import problem
from mixdown.api.requested import GenerateParameters
from mixdown.api.results import File
from mixdown.errors import EngineUnavailable
from mixdown.model import AudioFormat, JobRecord, Source, Status
from mixdown.scripts import source_of_text

router = APIRouter(prefix="/v1/audio", tags=["speech"])

#: What OpenAI takes at once.
_LONGEST_CHARS = 4096
#: How long somebody is kept waiting, and how often we look, in seconds.
_PATIENCE_S, _LOOK_S = 300.0, 0.1

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
    responses={200: _AUDIO, **problems(400, 413, 415)},
)
async def create_speech(asked: SpeechRequest, desk: TheDesk, caller: Writer) -> Response:
    """Say a text and answer with the audio, mastered like any other job. What was said once is at hand at once."""

    def ask() -> JobRecord:
        spec = asking.spec_of(desk, _parameters(asked))
        return asking.ask_job(desk, caller, asking.at_address(desk, _source(asked), spec), None)

    record = await run_in_threadpool(ask)
    record = await _ended(desk, record.id)
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


async def _ended(desk: Desk, job_id: UUID) -> JobRecord:
    """The job, when it has ended."""
    until_s = time.monotonic() + _PATIENCE_S
    while True:
        record = await run_in_threadpool(desk.studio.jobs.get, job_id)
        if record.status.ended:
            return record
        if time.monotonic() > until_s:
            raise EngineUnavailable("Nobody has said this yet: is a worker running? Ask again for the same text.")
        await asyncio.sleep(_LOOK_S)


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
