"""Where results are kept."""

from __future__ import annotations

from typing import Any

from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from mixdown.storage import ObjectStore, S3Options


class AudioBucket(Block):
    """The object store that masters, reports and pictures go to: a folder or any S3 service."""

    _block_type_name = "Audio Bucket"
    _block_type_slug = "audio-bucket"
    _description = "Where Mixdown keeps masters, reports and pictures: a folder or any S3 service."

    url: str = Field(
        title="Address",
        description="A folder, or bucket and prefix: `s3://audio/prod`.",
        json_schema_extra={"position": 0},
    )
    endpoint_url: str | None = Field(
        default=None,
        title="S3 endpoint",
        description="For anything but AWS itself, such as `https://minio.example:9000`.",
        json_schema_extra={"position": 1},
    )
    key: str | None = Field(
        default=None,
        title="Access key id",
        description="Empty: AWS's own chain of credentials.",
        json_schema_extra={"position": 2},
    )
    secret: SecretStr | None = Field(default=None, title="Secret access key", json_schema_extra={"position": 3})
    region: str | None = Field(default=None, title="Region", json_schema_extra={"position": 4})

    public_url: str | None = Field(
        default=None,
        title="S3 endpoint in links",
        description="The endpoint as those reach it who follow signed links. Empty: the S3 endpoint.",
        json_schema_extra={"position": 5},
    )

    def options(self) -> S3Options:
        """How S3 is reached, for sources too."""
        secret = self.secret.get_secret_value() if self.secret else None
        return S3Options(
            endpoint_url=self.endpoint_url,
            key=self.key,
            secret=secret,
            region=self.region,
            public_url=self.public_url,
        )

    def settings(self) -> dict[str, Any]:
        """The settings that this block stands for."""
        return {
            "results_url": self.url,
            "s3_endpoint_url": self.endpoint_url,
            "s3_key": self.key,
            "s3_secret": self.secret,
            "s3_region": self.region,
            "s3_public_url": self.public_url,
        }

    def open(self) -> ObjectStore:
        """The store this block describes."""
        return ObjectStore(self.url, s3=self.options())
