"""Storing a graph's weights in half precision or eight bits, and whether that is affordable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import FundoscopeError
from fundoscope.models import bundle as bundles
from fundoscope.train.onnx import graph as onnx_graph
from fundoscope.train.onnx import quantise


def smaller(
    whole: bytes,
    shown: Callable[[], Iterable[NDArray[np.uint8]]],
    *,
    int8: bool,
    left: Sequence[str] = (),
    products: bool = False,
    carry: bool = False,
) -> tuple[str, bytes]:
    """A graph with smaller weights.

    Args:
        whole: the bytes of the float graph.
        shown: gives the training pictures that eight bits are calibrated on, ``uint8 (n, H, W, 3)``
            RGB each; it is not called for half precision.
        int8: store the weights in eight bits, and calculate with them; else in half precision.
        left: parts of the names of layers that stay in float.
        products: quantise matrix products, too.
        carry: whether a graph of eight bits holds the float weights, too, for training to start
            from. They take as much room as a graph in half precision.

    Returns:
        How the weights are stored, as a bundle calls it, and the bytes of the graph.

    Raises:
        UsageError: as :func:`quantise.quantise`.
    """
    if int8:
        model = quantise.quantise(whole, shown(), left=left, products=products)
        return bundles.INT8, onnx_graph.carrying(model, whole) if carry else model
    return bundles.FLOAT16, onnx_graph.halve(whole)


def affordable(
    tried: bundles.Stored,
    limits: Mapping[str, float],
    *,
    both_ways: bool = False,
    prefix: str = "",
) -> bool:
    """Whether weights may be stored as tried.

    Args:
        tried: how they are stored, and the fall of each figure of validation.
        limits: the largest fall of each figure that is limited; an undefined fall is not.
        both_ways: whether a rise counts as a fall.
        prefix: goes before the name of a figure in the message.

    Raises:
        FundoscopeError: eight bits, which the user asked for, cost too much.
    """
    for figure, limit in limits.items():
        fall = tried.cost.get(figure)
        if fall is None or (abs(fall) if both_ways else fall) <= limit:
            continue
        if tried.weights == bundles.INT8:
            raise FundoscopeError(
                "the graph with weights of eight bits",
                f"lowers {prefix}{figure} on validation by {fall:.4f}, more than {limit}",
                "export it without --int8",
            )
        return False
    return True


def stored(tried: bundles.Stored, *, taken: bool) -> bundles.Stored:
    """How the weights of a bundle are stored, for its manifest.

    Args:
        tried: how they were to be stored, and what that costs.
        taken: whether they are stored so; else in full precision.
    """
    return tried if taken else bundles.Stored(weights=bundles.FLOAT32)
