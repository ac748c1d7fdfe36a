"""Choosing the anchors, the boxes that a detector's first stage starts from, from the lesions."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.train.detection.config import Anchors

ROUNDS: Final = 100
"""Largest number of rounds of k-means."""


def choose(
    sides: NDArray[np.float64],
    labels: NDArray[np.int64],
    levels: int,
    count: int,
    seed: int,
) -> Anchors:
    """Cluster the lesions' boxes by shape and size (k-means over log width and log height).

    Every kind has the same weight, so that the few large soft exudates and the disc have anchors
    beside thousands of small hard exudates.

    Args:
        sides: ``(N, 2)``, width and height of every training box, in a tile's pixels.
        labels: ``(N,)``, the kind of each box.
        levels: number of levels of the pyramid; the first gets the smallest anchors.
        count: anchors per level.
        seed: of the starting centres.
    """
    random = np.random.default_rng(seed)
    points = np.log(np.maximum(sides, 1.0))
    weights = 1.0 / np.bincount(labels)[labels]
    clusters = levels * count
    if len(np.unique(points, axis=0)) < clusters:
        return _grouped(_spread(points, clusters), count)
    start = random.choice(len(points), clusters, replace=False, p=weights / weights.sum())
    centres = points[start]
    for _ in range(ROUNDS):
        nearest = ((points[:, None] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)
        moved = np.stack(
            [
                np.average(points[nearest == i], axis=0, weights=weights[nearest == i])
                if (nearest == i).any()
                else centres[i]
                for i in range(clusters)
            ]
        )
        if np.allclose(moved, centres):
            break
        centres = moved
    return _grouped(centres, count)


def _spread(points: NDArray[np.float64], clusters: int) -> NDArray[np.float64]:
    """Squares from the smallest to the largest side, for too few boxes to cluster."""
    sides = np.linspace(points.min(), points.max(), clusters)
    return np.stack((sides, sides), axis=1)


def _grouped(centres: NDArray[np.float64], count: int) -> Anchors:
    """Anchors in order of their area, ``count`` per level."""
    ordered = np.exp(centres[np.argsort(centres.sum(axis=1))])
    pairs = [(round(float(w), 1), round(float(h), 1)) for w, h in ordered]
    return tuple(tuple(pairs[i : i + count]) for i in range(0, len(pairs), count))
