"""Prefect blocks: credentials and endpoints that operators rotate, each with `open()` to a core object."""

from blocks.audio_bucket import AudioBucket
from blocks.channel import MixdownChannel
from blocks.job_database import JobDatabase
from blocks.speech import MixdownSpeech
from blocks.webhook_signing import WebhookSigning

__all__ = ["AudioBucket", "JobDatabase", "MixdownChannel", "MixdownSpeech", "WebhookSigning"]
