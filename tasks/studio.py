"""The composition root of Prefect's side: settings, with what operators keep in blocks on top."""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path
from threading import Lock

from blocks import AudioBucket, JobDatabase, WebhookSigning
from blocks.operator import find_block
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
    bucket, database, signing = find_block(AudioBucket), find_block(JobDatabase), find_block(WebhookSigning)
    return open_studio(
        settings,
        jobs=database.open() if database else None,
        objects=bucket.open() if bucket else None,
        notifier=signing.open() if signing else None,
        s3=bucket.options() if bucket else None,
    )
