"""The composition root of Prefect's side: settings, with what operators keep in blocks on top."""

from __future__ import annotations

import json
import logging
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from pydantic import SecretStr

from blocks import AudioBucket, JobDatabase, MixdownChannel, MixdownSpeech, WebhookSigning
from blocks.operator import find_block, find_blocks
from mixdown import telemetry
from mixdown.settings import Settings
from mixdown.studio import Studio, open_studio

_opening = Lock()


def studio() -> Studio:
    """The studio of this process, opened once for its settings."""
    with _opening:
        return _open(Settings())


def preset_folder() -> Path:
    """Where presets of the user's own lie."""
    return Settings().effective_presets


@lru_cache(maxsize=4)
def _open(settings: Settings) -> Studio:
    logging.getLogger("mixdown").setLevel(logging.INFO)  # Prefect shows it where PREFECT_LOGGING_EXTRA_LOGGERS says
    telemetry.begin(settings, service="mixdown-flow")
    kept: dict[str, Any] = {}
    for block in (find_block(AudioBucket), find_block(JobDatabase), find_block(WebhookSigning)):
        kept |= block.settings() if block else {}
    if channels := find_blocks(MixdownChannel):
        named = json.loads(settings.channels.get_secret_value()) if settings.channels else {}
        named |= {name: block.channel() for name, block in channels.items()}
        kept["channels"] = SecretStr(json.dumps(named))
    if engines := find_blocks(MixdownSpeech):
        named = json.loads(settings.speech_engines.get_secret_value()) if settings.speech_engines else {}
        named |= {name: block.engine() for name, block in engines.items()}
        kept["speech_engines"] = SecretStr(json.dumps(named))
    # Written into the settings, so that child processes open the very same from them.
    return open_studio(settings.model_copy(update=kept))
