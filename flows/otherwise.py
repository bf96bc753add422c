"""Prefect's settings, otherwise for a while: `temporary_settings` takes 20 ms, which is too long for a loop."""

from __future__ import annotations

from collections.abc import Callable

from prefect.context import SettingsContext
from prefect.settings import Settings, get_current_settings


def otherwise(change: Callable[[Settings], Settings]) -> Callable[[], SettingsContext]:
    """Contexts in which settings are those of now, but changed like this."""
    now = SettingsContext.get()
    if now is None:
        raise RuntimeError("Prefect has no settings.")
    changed = change(get_current_settings())
    return lambda: SettingsContext(profile=now.profile, settings=changed)


def impatient(settings: Settings) -> Settings:
    """A request is tried once, and not for a minute: it is made again soon anyway."""
    client = settings.client.model_copy(update={"max_retries": 0})
    api = settings.api.model_copy(update={"request_timeout": 10.0})
    return settings.model_copy(update={"client": client, "api": api})


def without_heartbeats(settings: Settings) -> Settings:
    """Prefect joins the thread of a run's heartbeats for a second when it ends. The ledger has heartbeats."""
    return settings.model_copy(update={"flows": settings.flows.model_copy(update={"heartbeat_frequency": None})})
