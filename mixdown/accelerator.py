"""What the networks run on."""

from __future__ import annotations

from mixdown.dsp.deepfilter_network import check_providers
from mixdown.errors import UnavailableProvider
from mixdown.settings import Settings


def providers_of(settings: Settings) -> tuple[str, ...]:
    """ONNX Runtime's execution providers that the settings name, in order of preference.

    Raises
    ------
    UnavailableProvider
        One is not there: ONNX Runtime would silently take another.
    """
    named = tuple(name for each in settings.onnx_providers.split(",") if (name := each.strip()))
    try:
        check_providers(named)
    except ValueError as error:
        raise UnavailableProvider(f"{error}. Set MIXDOWN_ONNX_PROVIDERS to one of these.") from error
    return named
