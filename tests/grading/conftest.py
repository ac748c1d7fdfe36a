"""Tiny graders: bundles whose graph is written here, field by field, so that no torch is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fundoscope.models import bundle as bundles

FLOAT, UINT8 = 1, 2
"""Element types of ONNX."""
INT, INTS = 2, 7
"""Types of attributes of ONNX."""


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def message(*fields: tuple[int, int | str | bytes]) -> bytes:
    """A protocol buffer of (number, value): numbers as varints, the rest with its length."""
    parts = []
    for number, value in fields:
        if isinstance(value, int):
            parts += [varint(number << 3), varint(value)]
        else:
            content = value.encode() if isinstance(value, str) else value
            parts += [varint(number << 3 | 2), varint(len(content)), content]
    return b"".join(parts)


def node(kind: str, takes: Sequence[str], gives: str, **attributes: Any) -> bytes:
    known: list[tuple[int, int | str | bytes]] = []
    for name, value in attributes.items():
        if isinstance(value, int):
            known.append((5, message((1, name), (3, value), (20, INT))))
        else:
            known.append((5, message((1, name), *((8, v) for v in value), (20, INTS))))
    return message(*((1, name) for name in takes), (2, gives), (4, kind), *known)


def value_of(name: str, kind: int, shape: Iterable[int | str]) -> bytes:
    dims = ((1, message((1 if isinstance(n, int) else 2, n))) for n in shape)
    tensor = message((1, kind), (2, message(*dims)))
    return message((1, name), (2, message((1, tensor))))


def constant(name: str, values: Sequence[float]) -> bytes:
    data = np.asarray(values, "<f4")
    return message((1, data.size), (2, FLOAT), (8, name), (9, data.tobytes()))


def graph(height: int | str, width: int | str, slope: Sequence[float], bias: Sequence[float]):
    """``uint8 (N, H, W, 3)`` to ``slope * mean level + bias``, ``float32 (N, outputs)``."""
    nodes = (
        node("Cast", ["pixels"], "floats", to=FLOAT),
        node("ReduceMean", ["floats"], "mean", axes=(1, 2, 3), keepdims=1),
        node("Flatten", ["mean"], "row", axis=1),
        node("Mul", ["row", "slope"], "scaled"),
        node("Add", ["scaled", "bias"], "logits"),
    )
    body = message(
        *((1, each) for each in nodes),
        (2, "tiny"),
        (5, constant("slope", slope)),
        (5, constant("bias", bias)),
        (11, value_of("pixels", UINT8, ("n", height, width, 3))),
        (12, value_of("logits", FLOAT, ("n", len(bias)))),
    )
    return message((1, 8), (7, body), (8, message((1, ""), (2, 13))))


@pytest.fixture
def tiny(
    tmp_path: Path, grader_manifest: Callable[..., bundles.GraderManifest]
) -> Callable[..., Path]:
    """Write a bundle whose network gives ``slope * mean level + bias``."""

    def write(
        bias: Sequence[float],
        slope: Sequence[float] | None = None,
        *,
        shape: tuple[int | str, int | str] = (16, 16),
        **fields: Any,
    ) -> Path:
        model = graph(*shape, slope or [0.0] * len(bias), bias)
        manifest = grader_manifest(model, **{"name": "tiny-1", **fields})
        bundles.write(tmp_path / "tiny", manifest, model, "# tiny")
        return tmp_path / "tiny"

    return write
