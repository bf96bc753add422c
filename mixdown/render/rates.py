"""The sample rate and the channels that a recording is worked in."""

from __future__ import annotations

from collections.abc import Sequence

from mixdown.codec.encode import encodable_rate_hz
from mixdown.model import Channels, DualMono, OutputSpec, Step


def delivered_rate_hz(source_rate_hz: int, output: OutputSpec) -> int:
    """The sample rate of a master in Hz: the one asked for, else the 44.1 kHz of its source or 48 kHz."""
    natural_hz = source_rate_hz if source_rate_hz == 44_100 else 48_000
    return encodable_rate_hz(output.format, output.sample_rate_hz or natural_hz)


def chain_rate_hz(source_rate_hz: int, outputs: Sequence[OutputSpec]) -> int:
    """The sample rate a recording is worked in: the highest one that is delivered, in Hz."""
    return max(delivered_rate_hz(source_rate_hz, output) for output in outputs)


def chain_channels(source_channels: int, outputs: Sequence[OutputSpec], steps: Sequence[Step]) -> int:
    """The channels a recording is worked in: as many as are delivered, at most two.

    Both of a stereo recording are kept where a step chooses among them.
    """
    natural = min(source_channels, 2)
    if any(isinstance(step, Channels | DualMono) for step in steps):
        return natural
    return max(min(output.channels or natural, natural) for output in outputs)
