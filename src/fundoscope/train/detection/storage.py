"""Storing a detector's weights in half precision or eight bits, and what that costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from fundoscope.errors import FundoscopeError
from fundoscope.evaluate.lesions import hits
from fundoscope.evaluate.lesions.hits import Matched
from fundoscope.lesions import tiles
from fundoscope.models import bundle as bundles
from fundoscope.photo.decode import Pixels
from fundoscope.train.detection.views.view import AnnotatedView
from fundoscope.train.onnx import graph as onnx_graph
from fundoscope.train.onnx import quantise

MAX_FALL: Final = 0.01
"""Largest fall of a kind's average precision on validation that weights of half precision or of
eight bits may cost."""


def small(
    whole: bytes,
    manifest: bundles.DetectorManifest,
    train: Sequence[AnnotatedView],
    at_once: int,
    *,
    left: Sequence[str],
    int8: bool,
) -> tuple[str, bytes]:
    """The graph with smaller weights, and how they are stored.

    Args:
        whole: the float graph.
        manifest: of the bundle, which says how photographs are read.
        train: training photographs, which eight bits are calibrated on.
        at_once: tiles that the graph takes per call.
        left: parts of the names of layers that stay in float.
        int8: eight bits; else half precision.

    Returns:
        How the weights are stored, as a bundle calls it, and the bytes of the graph.
    """
    if not int8:
        return bundles.FLOAT16, onnx_graph.halve(whole)
    shown = quantise.sample(train, [""] * len(train))
    tiles_shown = training_tiles(shown, manifest, at_once)
    return bundles.INT8, quantise.quantise(whole, tiles_shown, left=tuple(left), products=True)


def training_tiles(
    train: Sequence[AnnotatedView], manifest: bundles.DetectorManifest, at_once: int
) -> Iterator[Pixels]:
    """For each photograph a batch of one random tile of reading, ``uint8 (at_once, H, W, 3)``.

    Args:
        train: the photographs.
        manifest: of the bundle, which says how photographs are read.
        at_once: tiles that the graph takes per call; all show the same.
    """
    random = np.random.default_rng(quantise.SEED)
    for each in train:
        view = each.view
        height, width = tiles.fit(view, *manifest.height_width, manifest.overlap, manifest.step)
        corners = tiles.lay(view, height, width, manifest.overlap)
        corner = corners[int(random.integers(len(corners)))]
        yield np.stack([tiles.cut(view, corner, height, width)] * at_once)


def cost(
    before: Mapping[str, Sequence[Matched]], after: Mapping[str, Sequence[Matched]]
) -> dict[str, float | None]:
    """The fall of each kind's average precision; ``None`` where that is undefined.

    Args:
        before: the boxes of the float graph on each validation photograph, by kind.
        after: those of the graph with smaller weights.
    """
    falls = {kind: _precision(before, kind) - _precision(after, kind) for kind in before}
    return {kind: fall if np.isfinite(fall) else None for kind, fall in falls.items()}


def affordable(tried: bundles.Stored) -> bool:
    """Whether weights may be stored as tried.

    Raises:
        FundoscopeError: eight bits, which the user asked for, cost too much.
    """
    for kind, fall in tried.cost.items():
        if fall is None or fall <= MAX_FALL:
            continue
        if tried.weights == bundles.INT8:
            raise FundoscopeError(
                "the graph with weights of eight bits",
                f"lowers the average precision of {kind} on validation by {fall:.4f}, more than"
                f" {MAX_FALL}",
                "export it without --int8",
            )
        return False
    return True


def _precision(matched: Mapping[str, Sequence[Matched]], kind: str) -> float:
    return hits.average_precision(hits.pooled(matched[kind]))
