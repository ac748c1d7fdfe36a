"""Compare two detectors by what each found on the same photographs, from their result folders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from fundoscope.errors import UsageError
from fundoscope.evaluate.compare import folders
from fundoscope.evaluate.compare.differences import Comparison, Part, changes
from fundoscope.evaluate.compare.folders import Results
from fundoscope.evaluate.folder import PREDICTIONS
from fundoscope.evaluate.intervals import RESAMPLES, SEED, Floats, Statistic
from fundoscope.evaluate.lesions import ranked
from fundoscope.evaluate.lesions.figures import (
    AP_HIT,
    AT_THRESHOLD,
    UNDEFINED,
    at_threshold,
    ranked_boxes,
)
from fundoscope.evaluate.lesions.ranked import Ranked
from fundoscope.evaluate.lesions.results import COUNTED, PHOTOGRAPHS, PREDICTED, column_of
from fundoscope.kinds import KINDS, LESIONS

COMPARED: Final = (*AT_THRESHOLD, AP_HIT)
"""The figures: at each bundle's own thresholds, and over every box that it gives."""
TOLD: Final = tuple(name for name in COMPARED if name != "f1")
TOGETHER: Final = "all lesions"
PER_PHOTOGRAPH: Final = COUNTED[:3]
"""What is counted of a kind on a photograph: lesions, boxes at the threshold, hits among them."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What a detector found of one kind on N photographs.

    Attributes:
        counts: ``float (N, 3)``: lesions, boxes at the threshold, hits among them.
        boxes: every box, by the hit rule.
    """

    counts: Floats
    boxes: Ranked


def compare(
    old: Results, new: Results, *, resamples: int = RESAMPLES, seed: int = SEED
) -> Comparison:
    """Compare two detectors, kind by kind and over all kinds of lesions.

    Args:
        old, new: folders of ``fundoscope evaluate lesions``.
        resamples, seed: of the intervals; whole photographs are resampled.

    Raises:
        UsageError: they are not of the same photographs and annotations, nothing is annotated, or
            a table is damaged.
    """
    folders.require_same_truth(old, new)
    photographs, others = _photographs(old), _photographs(new)
    folders.require_same_rows(old, new, *([p["image"] for p in a] for a in (photographs, others)))
    kinds = [kind for kind in KINDS if photographs and column_of(kind, "lesions") in photographs[0]]
    if not kinds:
        raise UsageError(
            str(old.folder), "holds no annotated lesions", "evaluate both with --annotations"
        )
    before, after = _found(old, photographs, kinds), _found(new, others, kinds)
    rows = (*kinds, TOGETHER)
    found = changes(
        _statistic(before),
        _statistic(after),
        np.arange(len(photographs)),
        [UNDEFINED[name] for name in COMPARED] * len(rows),
        resamples=resamples,
        seed=seed,
    )
    width = len(COMPARED)
    parts = [
        Part(name, n, dict(zip(COMPARED, found[i * width : (i + 1) * width], strict=True)))
        for i, (name, n) in enumerate(zip(rows, _lesions(before), strict=True))
    ]
    return Comparison(
        folders.LESIONS,
        old.bundle,
        new.bundle,
        len(photographs),
        "lesions",
        TOLD,
        tuple(parts if set(kinds) & set(LESIONS) else parts[:-1]),
        {"photograph": len(photographs)},
        resamples,
        seed,
    )


def _photographs(results: Results) -> list[dict[str, str]]:
    return folders.read_csv(results.folder, PHOTOGRAPHS, ("image",))


def _found(
    results: Results, photographs: Sequence[Mapping[str, str]], kinds: Sequence[str]
) -> dict[str, _Found]:
    """By kind, what is in the tables of a result folder."""
    boxes: dict[tuple[str, str], list[Mapping[str, str]]] = defaultdict(list)
    for box in folders.read_csv(results.folder, PREDICTIONS, PREDICTED):
        boxes[box["image"], box["kind"]].append(box)
    return {
        kind: _of_kind(results, photographs, [boxes[p["image"], kind] for p in photographs], kind)
        for kind in kinds
    }


def _of_kind(
    results: Results,
    photographs: Sequence[Mapping[str, str]],
    boxes: Sequence[Sequence[Mapping[str, str]]],
    kind: str,
) -> _Found:
    columns = [column_of(kind, name) for name in PER_PHOTOGRAPH]
    try:
        counts = np.array([[float(p[name]) for name in columns] for p in photographs])
        scores = [np.array([float(box["score"]) for box in some], np.float64) for some in boxes]
    except (KeyError, ValueError) as error:
        raise folders.not_as_written(results.folder, PREDICTIONS, error) from None
    hits = [np.array([box["hit"] == "true" for box in some], bool) for some in boxes]
    return _Found(counts, ranked_boxes(scores, hits, counts[:, 0].tolist()))


def _lesions(found: Mapping[str, _Found]) -> Iterator[int]:
    """How many there are of each kind, and of all kinds of lesions together."""
    counts = {kind: int(each.counts[:, 0].sum()) for kind, each in found.items()}
    yield from counts.values()
    yield sum(count for kind, count in counts.items() if kind in LESIONS)


def _statistic(found: Mapping[str, _Found]) -> Statistic:
    """The figures of each kind, then those of all lesions: together at the thresholds, and of
    average precision the mean of the kinds that are there."""
    lesions = [i for i, kind in enumerate(found) if kind in LESIONS]
    each = list(found.values())
    there = [i for i in lesions if each[i].counts[:, 0].sum() > 0]
    summed = np.sum([each[i].counts for i in lesions], axis=0) if lesions else None

    def statistic(weights: Floats) -> Floats:
        counted = [at_threshold(kind.counts, weights) for kind in each]
        curves = [ranked.measure(kind.boxes, weights, ranked.average_precision) for kind in each]
        nothing = np.full((len(weights), len(AT_THRESHOLD)), np.nan)
        together = nothing if summed is None else at_threshold(summed, weights)
        mean = np.mean([curves[i] for i in there], axis=0) if there else nothing[:, :1]
        kinds = [part for pair in zip(counted, curves, strict=True) for part in pair]
        return np.column_stack([*kinds, together, mean])

    return statistic
