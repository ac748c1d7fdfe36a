"""How a detector's weights are stored, and what that costs on validation."""

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
"""By how much weights of half precision or of eight bits may lower the average precision of a kind
on validation."""
ANSWERS: Final = ("cls_logits", "cls_score", "bbox_pred", "paint")
"""Parts of the names of the layers whose outputs are scores, boxes and maps: they stay in float."""


def small(
    whole: bytes,
    manifest: bundles.DetectorManifest,
    train: Sequence[AnnotatedView],
    at_once: int,
    *,
    int8: bool,
) -> tuple[str, bytes]:
    """How the weights are stored, and the graph that has them so.

    Args:
        whole: the float graph.
        manifest: says how photographs are read.
        train: what eight bits are calibrated on.
        at_once: tiles that the graph takes a call.
        int8: eight bits; else half precision.
    """
    if not int8:
        return bundles.FLOAT16, onnx_graph.halve(whole)
    shown = quantise.sample(train, [""] * len(train))
    tiles_shown = training_tiles(shown, manifest, at_once)
    return bundles.INT8, quantise.quantise(whole, tiles_shown, left=ANSWERS, products=True)


def training_tiles(
    train: Sequence[AnnotatedView], manifest: bundles.DetectorManifest, at_once: int
) -> Iterator[Pixels]:
    """One of the tiles in which each photograph would be read, as often as a call takes tiles."""
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
    """By how much the average precision of each kind falls; ``None`` where it has none."""
    falls = {kind: _precision(before, kind) - _precision(after, kind) for kind in before}
    return {kind: fall if np.isfinite(fall) else None for kind, fall in falls.items()}


def affordable(tried: bundles.Stored) -> bool:
    """Whether weights may be stored so.

    Raises:
        FundoscopeError: eight bits, which somebody asked for, cost too much.
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
