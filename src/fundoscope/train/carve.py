"""Carving a validation part out of annotated photographs, so that it holds its share of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import UsageError

TRIES: Final = 5_000
FEW: Final = 1.0
"""Added to counts of boxes before their logarithm, so that a kind may be missing."""


def carve(
    counts: NDArray[np.int64], groups: Sequence[str], wanted: int, seed: int
) -> NDArray[np.bool_]:
    """Choose photographs for validation, whole groups at a time.

    Of many random choices, the one in which every kind has its share: both of the boxes and of the
    photographs that show it.

    Args:
        counts: ``(N, K)``, boxes of each kind on each photograph.
        groups: the eye or patient of each photograph; equal ones stay together.
        wanted: photographs of the validation part.
        seed: of the choices.

    Returns:
        ``bool (N,)``, true for validation.

    Raises:
        UsageError: no choice of whole groups has so many photographs and leaves any for training.
    """
    names, places = np.unique(np.array(groups), return_inverse=True)
    features = np.concatenate((counts, counts > 0), axis=1)
    share = wanted / len(counts)
    target = np.log(features.sum(axis=0) * share + FEW)
    random = np.random.default_rng(seed)
    best, chosen = np.inf, None
    for _ in range(TRIES):
        order = random.permutation(len(names))
        sizes = np.cumsum(np.bincount(places)[order])
        if wanted not in sizes or wanted >= len(counts):
            continue
        taken = np.isin(places, order[: int(np.flatnonzero(sizes == wanted)[0]) + 1])
        away = float(((np.log(features[taken].sum(axis=0) + FEW) - target) ** 2).sum())
        if away < best:
            best, chosen = away, taken
    if chosen is None:
        raise UsageError(
            f"validation = {wanted}",
            f"cannot be taken out of {len(counts)} photographs of {len(names)} eyes",
            "choose another number, or name the photographs in val",
        )
    return chosen
