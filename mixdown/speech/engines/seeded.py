"""ONNX models whose random numbers are handed to them, so that the same input gives the same output."""

from __future__ import annotations

from collections.abc import Iterator

from mixdown.errors import NoSuchEngine

_GRAPH = 7  # of ModelProto
_NODE, _INPUT = 1, 11  # of GraphProto
_FROM, _TO, _OPERATOR = 1, 2, 4  # of NodeProto
_RANDOM = b"RandomNormalLike"
_FLOAT = 1

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def with_noise_given(model: bytes, axes: int = 3) -> tuple[bytes, list[str]]:
    """The model with an input in place of each source of random numbers, and the names of these inputs.

    Each takes noise of as many axes, of which the beginning is used: as much as the model needs.

    Notes
    -----
    What the source of random numbers wrote to goes by another name, and a slice of the input has the old one. Nodes
    and inputs need only be appended: protobuf merges a message that occurs twice, and ONNX Runtime sorts nodes.

    Raises
    ------
    NoSuchEngine
        It is no ONNX model.
    """
    changed, added, names = bytearray(model), b"", []
    try:
        sources = list(_sources(model))
    except (IndexError, ValueError) as error:
        raise NoSuchEngine("A voice's model is no ONNX file.") from error
    for number, (like, output, position) in enumerate(sources):
        changed[position + len(output) - 1] = ord("~")
        noise = f"noise_{number}".encode()
        begin, end = noise + b"_from", noise + b"_to"
        added += _node(b"Shape", [like], end) + _node(b"Sub", [end, end], begin)
        added += _node(b"Slice", [noise, begin, end], output)
        shape = b"".join(_message(1, _message(2, noise + b"_axis_%d" % axis)) for axis in range(axes))
        tensor = bytes([1 << 3, _FLOAT]) + _message(2, shape)
        added += _message(_INPUT, _message(1, noise) + _message(2, _message(1, tensor)))
        names.append(noise.decode())
    return bytes(changed) + (_message(_GRAPH, added) if added else b""), names


def _sources(model: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """Of each source of random numbers: what its shape is like, what it writes to, and where that name stands."""
    for number, start, end in _fields(model, 0, len(model)):
        if number != _GRAPH:
            continue
        for part, first, last in _fields(model, start, end):
            if part != _NODE:
                continue
            fields = list(_fields(model, first, last))
            if any(each == _OPERATOR and model[a:b] == _RANDOM for each, a, b in fields):
                like = next(model[a:b] for each, a, b in fields if each == _FROM)
                yield next((like, model[a:b], a) for each, a, b in fields if each == _TO)


def _fields(model: bytes, position: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number, start and end of each field that has bytes."""
    while position < end:
        key, position = _varint(model, position)
        kind = key & 7
        if kind == _VARINT:
            _, position = _varint(model, position)
        elif kind in (_FIXED64, _FIXED32):
            position += 8 if kind == _FIXED64 else 4
        elif kind == _BYTES:
            size, position = _varint(model, position)
            if position + size > end:
                raise ValueError("a field ends behind its message")
            yield key >> 3, position, position + size
            position += size
        else:
            raise ValueError("no protobuf")


def _varint(model: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = model[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position


def _node(operator: bytes, inputs: list[bytes], output: bytes) -> bytes:
    wires = b"".join(_message(_FROM, each) for each in inputs) + _message(_TO, output)
    return _message(_NODE, wires + _message(_OPERATOR, operator))


def _message(number: int, content: bytes) -> bytes:
    size, length = len(content), b""
    while size > 0x7F:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | _BYTES]) + length + bytes([size]) + content
