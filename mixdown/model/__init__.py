"""Every type that flows through Mixdown. No input or output happens here.

What crosses the border (requests, presets) is a frozen pydantic model that refuses unknown fields;
what moves inside is a frozen dataclass.
"""

from mixdown.model.ledger import Claim, Delivery, JobEvent, JobRecord, JobResult, Rendition, Stage, Status
from mixdown.model.requests import (
    DEFAULT_BITRATE_KBPS,
    AudioFormat,
    Enhance,
    JobSpec,
    OutputSpec,
    Source,
    WebhookTarget,
    digest,
)
from mixdown.model.sound import LevelReport, Limits, ProbedAudio, StoredObject, Tags
from mixdown.model.steps import Compress, Denoise, HighPass, Loudness, NoiseReduction, Preset, Request, Step

__all__ = [
    "DEFAULT_BITRATE_KBPS",
    "AudioFormat",
    "Claim",
    "Compress",
    "Delivery",
    "Denoise",
    "Enhance",
    "HighPass",
    "JobEvent",
    "JobRecord",
    "JobResult",
    "JobSpec",
    "LevelReport",
    "Limits",
    "Loudness",
    "NoiseReduction",
    "OutputSpec",
    "Preset",
    "ProbedAudio",
    "Rendition",
    "Request",
    "Source",
    "Stage",
    "Status",
    "Step",
    "StoredObject",
    "Tags",
    "WebhookTarget",
    "digest",
]
