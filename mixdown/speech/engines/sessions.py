"""Sessions of ONNX Runtime for voices."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixdown.dsp.processor import Block
from mixdown.errors import NoSuchEngine

_FULL_SCALE = 0.99


def session_of(model: bytes, *, threads: int, name: str) -> Any:
    """A session that several threads may use at once, each with so many threads of its own.

    Raises
    ------
    NoSuchEngine
        ONNX Runtime does not take the model.
    """
    import onnxruntime  # megabytes that a job without such a voice does not need
    from onnxruntime.capi import onnxruntime_pybind11_state as failures

    not_taken = (failures.Fail, failures.InvalidArgument, failures.InvalidGraph, failures.InvalidProtobuf)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_mem_pattern = False  # each length of text would leave one behind
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except (*not_taken, failures.NotImplemented) as error:
        raise NoSuchEngine(f"The model of {name} cannot be loaded here.") from error


def run(session: Any, feeds: dict[str, Any]) -> Block:
    """What a session makes of its input, as samples of shape (frames, 1), never above full scale."""
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.log_severity_level = 4
    # Memory for the longest sentence is not kept for good.
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    samples = np.asarray(session.run(None, feeds, options)[0], np.float32).reshape(-1, 1)
    peak = float(np.abs(samples).max(initial=0.0))
    return samples * np.float32(_FULL_SCALE / peak) if peak > _FULL_SCALE else samples
