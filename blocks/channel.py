"""Where people are told."""

from __future__ import annotations

from typing import Any

from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from mixdown.channels import Channel, ChannelNotifier


class MixdownChannel(Block):
    """People to tell, by e-mail, chat or phone; the block's name is the name of the channel."""

    _block_type_name = "Mixdown Channel"
    _block_type_slug = "mixdown-channel"
    _description = "People whom Mixdown tells how jobs ended. The name of the block is the name of the channel."

    url: SecretStr = Field(
        title="Address",
        description="As apprise takes it: `tgram://token/chat`, `mailtos://…`, `slack://…`, `ntfy://…`.",
        json_schema_extra={"position": 0},
    )
    gateway: str | None = Field(
        default=None,
        title="Gateway",
        description="Asked in place of the service, as a Telegram Bot API server of one's own. May stay empty.",
        json_schema_extra={"position": 1},
    )

    def channel(self) -> dict[str, Any]:
        """The channel as the settings know it."""
        return {"url": self.url.get_secret_value(), "gateway": self.gateway}

    def open(self) -> ChannelNotifier:
        """A notifier that knows this channel alone."""
        return ChannelNotifier({"channel": Channel(self.url, self.gateway)})
