"""The network on ONNX Runtime: its execution providers."""

import numpy as np
import pytest

from mixdown.dsp import deepfilter_network
from mixdown.dsp.deepfilter_network import BANDS, CONTEXT_HOPS, FILTERED_BINS, PROVIDER_TOLERANCE, Memory

CPU = "CPUExecutionProvider"


@pytest.mark.parametrize(("threads", "optimised"), [(2, True), (1, False)])
def test_configurations_agree_within_the_stated_tolerance(threads: int, optimised: bool):
    """Over ten seconds, gains and filters are those of one thread with all graph optimisations, nearly."""
    rng = np.random.default_rng(4)
    levels = rng.standard_normal((CONTEXT_HOPS + 1_000, BANDS)).astype(np.float32)
    shapes = rng.standard_normal((2, CONTEXT_HOPS + 1_000, FILTERED_BINS)).astype(np.float32)

    usual = deepfilter_network.load([CPU], 1).run(levels, shapes, Memory.empty())
    other = deepfilter_network._load((CPU,), threads, optimised).run(levels, shapes, Memory.empty())

    assert np.abs(usual[0] - other[0]).max() < PROVIDER_TOLERANCE
    assert np.abs(usual[1] - other[1]).max() < PROVIDER_TOLERANCE


@pytest.mark.parametrize("providers", [["NoSuchExecutionProvider", CPU], [CPU, "NoSuchExecutionProvider"], []])
def test_a_provider_that_is_not_there_is_an_error(providers: list[str]):
    """ONNX Runtime would take another one and say nothing; the error says which there are."""
    with pytest.raises(ValueError, match=f"ONNX Runtime has no .* here, but .*{CPU}"):
        deepfilter_network.load(providers, 1)
