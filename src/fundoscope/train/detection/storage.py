"""Storing a detector's weights in half precision or eight bits, and what that costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from fundoscope.evaluate.lesions.hits import Matched
from fundoscope.lesions import tiles
from fundoscope.models import bundle as bundles
from fundoscope.photo.decode import Pixels
from fundoscope.train.detection.views import operating
from fundoscope.train.detection.views.view import AnnotatedView
from fundoscope.train.onnx import quantise, storing

MAX_FALL: Final = 0.01
"""Largest fall of a kind's average precision on validation that weights of half precision or of
eight bits may cost."""


def training_tiles(
    train: Sequence[AnnotatedView], manifest: bundles.DetectorManifest, at_once: int
) -> Iterator[Pixels]:
    """Tiles that eight bits are calibrated on: a random one of each photograph.

    Args:
        train: some training photographs.
        manifest: of the bundle, which says how photographs are read.
        at_once: tiles that the graph takes per call; all of a batch show the same.

    Yields:
        ``uint8 (at_once, H, W, 3)``.
    """
    random = np.random.default_rng(quantise.SEED)
    for photograph in train:
        view = photograph.view
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
    precision = operating.average_precision
    falls = {kind: precision(kind, before[kind]) - precision(kind, after[kind]) for kind in before}
    return {kind: fall if np.isfinite(fall) else None for kind, fall in falls.items()}


def affordable(tried: bundles.Stored) -> bool:
    """Whether weights may be stored as tried.

    Raises:
        FundoscopeError: eight bits, which the user asked for, cost too much.
    """
    limits = dict.fromkeys(tried.cost, MAX_FALL)
    return storing.affordable(tried, limits, prefix="the average precision of ")
