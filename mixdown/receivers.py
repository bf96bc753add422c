"""Whoever is told: addresses, endpoints and channels, each in its own way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import httpx

from mixdown.channels import ChannelNotifier
from mixdown.endpoints import Endpoints, secrets_of
from mixdown.errors import EndpointNotFound
from mixdown.model import ChannelTarget, Delivery
from mixdown.webhooks import Answer, WebhookNotifier


class Receivers:
    """Delivers what is in the outbox.

    Addresses that came with an API key are a stranger's: they are reached through `guard`, which refuses what
    lies inside the operator's own network.
    """

    def __init__(
        self,
        *,
        secret: str | None,
        channels: ChannelNotifier,
        endpoints: Endpoints,
        guard: Callable[[], httpx.BaseTransport],
        timeout_s: float = 15.0,
    ) -> None:
        self._secret = secret
        self._webhooks = WebhookNotifier(secret, timeout_s=timeout_s)
        self._channels = channels
        self._endpoints = endpoints
        self._guard = guard

    def deliver(self, delivery: Delivery) -> Answer:
        """Try once; an endpoint that is gone for good is told nothing more."""
        if isinstance(delivery.target, ChannelTarget):
            return self._channels.deliver(delivery)
        if delivery.endpoint_id is not None:
            return self._deliver_to_endpoint(delivery, delivery.endpoint_id)
        if delivery.key_id is None or self._secret is None:
            return self._webhooks.deliver(delivery)
        return self._webhooks.post(delivery, delivery.target.url, [self._secret], transport=self._guard())

    def _deliver_to_endpoint(self, delivery: Delivery, endpoint_id: UUID) -> Answer:
        try:
            endpoint = self._endpoints.get(endpoint_id)
        except EndpointNotFound:
            return Answer(ok=False, final=True, summary="The endpoint has been deleted.")
        if endpoint.disabled_at is not None:
            return Answer(ok=False, final=True, summary="The endpoint is disabled.")
        secrets = secrets_of(self._secret, endpoint, datetime.now(UTC)) if self._secret else []
        answer = self._webhooks.post(delivery, endpoint.url, secrets, transport=self._guard())
        if answer.gone:
            self._endpoints.disable(endpoint.id, f"It answered {answer.summary}")
        return answer
