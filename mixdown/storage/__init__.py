"""Where results lie: a local folder, ``memory://``, ``s3://`` or any other fsspec address."""

from mixdown.storage.bucket import S3Options
from mixdown.storage.keys import (
    master_key,
    safe_name,
    safe_stem,
    source_key,
    staged_key,
)
from mixdown.storage.store import ObjectStore

__all__ = [
    "ObjectStore",
    "S3Options",
    "master_key",
    "safe_name",
    "safe_stem",
    "source_key",
    "staged_key",
]
