"""Thresholds between those that fit the photographs of several makers.

The annotators of one set mark more, those of another less. A threshold that is fitted to one set
draws too much or too little on the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fundoscope.evaluate.lesions import hits
from fundoscope.evaluate.lesions.hits import Matched
from fundoscope.train.detection.views import operating
from fundoscope.train.detection.views.operating import NEVER

BySet = Mapping[str, Mapping[str, Sequence[Matched]]]
"""For each further set, and each kind that is annotated there, the boxes on its validation
photographs."""


@dataclass(frozen=True, slots=True)
class OfSet:
    """How the threshold of a kind fits the validation photographs of a further set.

    Attributes:
        name: of the set.
        kind: of lesion.
        photographs, lesions: their number.
        alone: the threshold that fits this set alone.
        precision, recall: at the threshold of the bundle; NaN where undefined.
    """

    name: str
    kind: str
    photographs: int
    lesions: int
    alone: float
    precision: float
    recall: float


def fit(
    thresholds: Mapping[str, float], further: BySet
) -> tuple[dict[str, float], tuple[OfSet, ...]]:
    """Thresholds in the middle between all sets that annotate a kind.

    Args:
        thresholds: for each kind, the one that fits the set that the detector is validated with. A
            kind that is never found there keeps its threshold.
        further: the boxes on the photographs of further sets.

    Returns:
        For each kind the threshold of the bundle; and how it fits each further set, without the
        kinds that are never drawn.
    """
    fitted: dict[str, float] = {}
    rows = []
    for kind, first in thresholds.items():
        of_sets = {name: by_kind[kind] for name, by_kind in further.items() if kind in by_kind}
        alone = {name: operating.threshold(kind, boxes) for name, boxes in of_sets.items()}
        others = [at for at in alone.values() if at < NEVER]
        fitted[kind] = operating.between([first, *others]) if first < NEVER and others else first
        if fitted[kind] < NEVER:
            rows += [
                _of_set(name, kind, of_sets[name], alone[name], fitted[kind]) for name in alone
            ]
    return fitted, tuple(rows)


def _of_set(
    name: str, kind: str, photographs: Sequence[Matched], alone: float, threshold: float
) -> OfSet:
    together = hits.pooled(photographs)
    at_threshold = hits.at_threshold(together, threshold)
    return OfSet(name, kind, len(photographs), together.lesions, alone, *at_threshold)
