"""A check of ONNX files before they are loaded: they must read no other file.

A tensor of an ONNX graph may name a file that holds its values ("external data"). ONNX Runtime
looks for it in the working folder when a graph is loaded from memory. No hash covers that file, so
such graphs are refused.

The file is a protocol buffer, which is walked through here field by field, so that the package
``onnx`` is not needed. Numbers of fields are those of ``onnx.proto``
(https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fundoscope import limits

ORT_IDENTIFIER: Final = (4, b"ORTM")
"""Place and content of the mark of ONNX Runtime's own format. It is recognised by it."""

MODEL, TRAINING, FUNCTION, GRAPH, NODE = "model", "training", "function", "graph", "node"
ATTRIBUTE, SPARSE, TENSOR = "attribute", "sparse tensor", "tensor"
MESSAGES: Final[Mapping[str, Mapping[int, str]]] = {
    MODEL: {7: GRAPH, 20: TRAINING, 25: FUNCTION},
    TRAINING: {1: GRAPH, 2: GRAPH},
    FUNCTION: {7: NODE, 11: ATTRIBUTE},
    GRAPH: {1: NODE, 5: TENSOR, 15: SPARSE},
    NODE: {5: ATTRIBUTE},
    ATTRIBUTE: {5: TENSOR, 6: GRAPH, 10: TENSOR, 11: GRAPH, 22: SPARSE, 23: SPARSE},
    SPARSE: {1: TENSOR, 2: TENSOR},
    TENSOR: {},
}
"""For each kind of message, the fields through which a tensor can be reached."""
EXTERNAL_DATA, DATA_LOCATION = 13, 14
"""The fields of a tensor that place its values in another file."""

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
"""Wire types of protocol buffers."""
FIXED_BYTES: Final = {FIXED64: 8, FIXED32: 4}
CONTINUED: Final = 0x80
"""The bit of a byte which says that more bytes of its number follow."""
VARINT_BITS: Final = 7
MAX_VARINT_BYTES: Final = 10
TAG_BITS: Final = 3
MAX_TAG: Final = 2**32

EXTERNAL: Final = "reads weights from another file, which no hash covers"
MALFORMED: Final = "is not an ONNX graph"
TOO_LARGE: Final = "has too many parts"


class _FaultError(Exception):
    """Ends the walk; its text is the fault."""


def fault(model: bytes) -> str | None:
    """Why a graph may not be loaded, in words; ``None`` if it may.

    Args:
        model: the bytes of an ``.onnx`` file.
    """
    place, mark = ORT_IDENTIFIER
    if model[place : place + len(mark)] == mark:
        return "is in the format of ONNX Runtime, not of ONNX"
    try:
        _walk(memoryview(model))
    except _FaultError as error:
        return str(error)
    return None


def _walk(model: memoryview) -> None:
    """Visit every message that can hold a tensor; raises ``_FaultError``."""
    waiting = [(MODEL, 0, len(model), 0)]
    fields = 0
    while waiting:
        kind, place, end, depth = waiting.pop()
        if depth > limits.MAX_GRAPH_DEPTH:
            raise _FaultError(TOO_LARGE)
        children = MESSAGES[kind]
        while place < end:
            fields += 1
            if fields > limits.MAX_GRAPH_FIELDS:
                raise _FaultError(TOO_LARGE)
            number, wire, start, place = _field(model, place, end)
            if kind == TENSOR:
                _require_inside(number, wire, model[start:place])
            elif wire == LENGTH and number in children:
                waiting.append((children[number], start, place, depth + 1))


def _require_inside(number: int, wire: int, content: memoryview) -> None:
    """Reject a tensor whose values are in another file."""
    located = number == DATA_LOCATION and not (wire == VARINT and bytes(content) == b"\0")
    if located or number == EXTERNAL_DATA:
        raise _FaultError(EXTERNAL)


def _field(model: memoryview, place: int, end: int) -> tuple[int, int, int, int]:
    """The field at a place: its number, its wire type, and start and end of its content."""
    tag, place = _varint(model, place, end)
    number, wire = tag >> TAG_BITS, tag & (1 << TAG_BITS) - 1
    start = place
    if wire == VARINT:
        _, stop = _varint(model, place, end)
    elif wire == LENGTH:
        length, start = _varint(model, place, end)
        stop = start + length
    elif wire in FIXED_BYTES:
        stop = start + FIXED_BYTES[wire]
    else:  # groups, which ONNX does not use
        raise _FaultError(MALFORMED)
    if stop > end or number == 0 or tag >= MAX_TAG:
        raise _FaultError(MALFORMED)
    return number, wire, start, stop


def _varint(model: memoryview, place: int, end: int) -> tuple[int, int]:
    """The whole number at a place, and the place after it."""
    value = shift = 0
    for at in range(place, min(end, place + MAX_VARINT_BYTES)):
        byte = model[at]
        value |= (byte & ~CONTINUED) << shift
        if byte < CONTINUED:
            return value, at + 1
        shift += VARINT_BITS
    raise _FaultError(MALFORMED)
