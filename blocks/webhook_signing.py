"""How notifications prove where they come from."""

from __future__ import annotations

from typing import Any

from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from mixdown.webhooks import WebhookNotifier


class WebhookSigning(Block):
    """The secret that signs outgoing webhooks (Standard Webhooks)."""

    _block_type_name = "Webhook Signing"
    _block_type_slug = "webhook-signing"
    _description = "The secret that signs Mixdown's outgoing webhooks (Standard Webhooks)."

    secret: SecretStr = Field(
        title="Signing secret", description="`whsec_` and base64; receivers check signatures with it."
    )

    def settings(self) -> dict[str, Any]:
        """The settings that this block stands for."""
        return {"webhook_secret": self.secret}

    def open(self) -> WebhookNotifier:
        """A notifier that signs with this secret."""
        return WebhookNotifier(self.secret.get_secret_value())
