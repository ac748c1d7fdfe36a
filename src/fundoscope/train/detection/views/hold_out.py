"""Hold out a validation part of the annotated photographs, with its share of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import UsageError

TRIES: Final = 5_000
"""Random choices of which the best is taken."""
FEW: Final = 1.0
"""Added to numbers of boxes before their logarithm is taken, because a kind may be missing."""


def validation_part(
    counts: NDArray[np.int64], groups: Sequence[str], wanted: int, seed: int
) -> NDArray[np.bool_]:
    """Choose photographs for validation, whole groups at a time.

    Of many random choices it takes the best one: it leaves every kind in training if possible;
    then it comes nearest to the number; then every kind has its share, both of the boxes and of
    the photographs that show it.

    Args:
        counts: ``(N, K)``, boxes of each kind on each photograph.
        groups: the eye or patient of each photograph; equal ones stay together.
        wanted: number of photographs to hold out; fewer where groups do not add up to it.
        seed: of the random choices.

    Returns:
        ``bool (N,)``, true for validation.

    Raises:
        UsageError: every group is larger, or nothing would be left for training.
    """
    names, places = np.unique(np.array(groups), return_inverse=True)
    sizes = np.bincount(places)
    features = np.concatenate((counts, counts > 0), axis=1)
    whole = features.sum(axis=0)
    target = np.log(whole * wanted / len(counts) + FEW)
    random = np.random.default_rng(seed)
    best: tuple[float, ...] = (np.inf,)
    chosen = np.zeros(len(names), bool)
    by_group = np.zeros((len(names), features.shape[1]), np.int64)
    np.add.at(by_group, places, features)
    for _ in range(TRIES if wanted < len(counts) else 0):
        order = random.permutation(len(names))
        taken = order[: int((np.cumsum(sizes[order]) <= wanted).sum())]
        if len(taken) == 0:
            continue
        ours = by_group[taken].sum(axis=0)
        emptied = int(((whole > 0) & (ours == whole)).sum())
        away = float(((np.log(ours + FEW) - target) ** 2).sum())
        rank = (emptied, wanted - int(sizes[taken].sum()), away)
        if rank < best:
            best, chosen = rank, np.isin(np.arange(len(names)), taken)
    if not chosen.any():
        raise UsageError(
            f"validation = {wanted}",
            f"cannot be held out of {len(counts)} photographs of {len(names)} eyes",
            "choose another number, or name the photographs in val",
        )
    return np.asarray(chosen[places])
