"""Where results lie: a local folder, ``memory://``, ``s3://`` or any other fsspec address."""

from mixdown.storage.faults import scratch_errors, translated
from mixdown.storage.folder import path_of
from mixdown.storage.keys import (
    SPEECH,
    STAGED,
    incoming_key,
    master_key,
    material_key,
    safe_name,
    safe_stem,
    source_key,
    speech_key,
    staged_key,
)
from mixdown.storage.options import S3Options
from mixdown.storage.store import ObjectStore

__all__ = [
    "SPEECH",
    "STAGED",
    "ObjectStore",
    "S3Options",
    "incoming_key",
    "master_key",
    "material_key",
    "path_of",
    "safe_name",
    "safe_stem",
    "scratch_errors",
    "source_key",
    "speech_key",
    "staged_key",
    "translated",
]
