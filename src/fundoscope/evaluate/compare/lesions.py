"""Compare two detectors from their results on the same photographs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from fundoscope.errors import UsageError
from fundoscope.evaluate import folder
from fundoscope.evaluate.arrays import Floats
from fundoscope.evaluate.compare import folders
from fundoscope.evaluate.compare.differences import Comparison, Part, changes
from fundoscope.evaluate.compare.folders import Results
from fundoscope.evaluate.intervals import RESAMPLES, SEED, Figure, Statistic, estimate
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
from fundoscope.evaluate.photographs import file_name
from fundoscope.kinds import KINDS, LESIONS

COMPARED: Final = (*AT_THRESHOLD, AP_HIT)
"""The compared figures: at each bundle's own thresholds, and over all of its boxes."""
SHOWN: Final = tuple(name for name in COMPARED if name != "f1")
"""The figures that a table shows."""
ALL_LESIONS: Final = "all lesions"
PER_PHOTOGRAPH: Final = COUNTED[:3]
"""Counts of a kind on a photograph: lesions, boxes at the threshold, hits among them."""


@dataclass(frozen=True, slots=True)
class _KindResults:
    """A detector's results for one kind on N photographs.

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
        old: the folder that ``fundoscope evaluate lesions`` wrote for the old bundle.
        new: the same for the new bundle.
        resamples: number of resamples of whole photographs, for the intervals.
        seed: of the resamples.

    Raises:
        UsageError: the folders differ in their photographs or annotations, nothing is annotated,
            or a table is damaged.
    """
    folders.require_same_truth(old, new)
    old_rows, new_rows = _photographs(old), _photographs(new)
    folders.require_same_rows(old, new, _file_names(old_rows), _file_names(new_rows))
    kinds = _kinds(old, old_rows)
    before, after = _by_kind(old, old_rows, kinds), _by_kind(new, new_rows, kinds)
    rows = (*kinds, ALL_LESIONS)
    figures = changes(
        _statistic(before),
        _statistic(after),
        np.arange(len(old_rows)),
        [UNDEFINED[name] for name in COMPARED] * len(rows),
        resamples=resamples,
        seed=seed,
    )
    width = len(COMPARED)
    parts = [
        Part(name, n, dict(zip(COMPARED, figures[i * width : (i + 1) * width], strict=True)))
        for i, (name, n) in enumerate(zip(rows, _lesion_counts(before), strict=True))
    ]
    return Comparison(
        folder.LESIONS,
        old.bundle,
        new.bundle,
        len(old_rows),
        "lesions",
        SHOWN,
        tuple(parts if set(kinds) & set(LESIONS) else parts[:-1]),
        {"photograph": len(old_rows)},
        resamples,
        seed,
    )


def measured(
    results: Results, *, resamples: int = RESAMPLES, seed: int = SEED
) -> dict[str, dict[str, Figure]]:
    """Compute the figures of one result folder from its tables: by kind, then all lesions.

    Args:
        results: the folder that ``fundoscope evaluate lesions`` wrote.
        resamples: of whole photographs, for the intervals.
        seed: of the resamples.

    Returns:
        By kind or :data:`ALL_LESIONS`, the figures of :data:`COMPARED`.

    Raises:
        UsageError: nothing is annotated, or a table is damaged.
    """
    rows = _photographs(results)
    kinds = _kinds(results, rows)
    figures = estimate(
        _statistic(_by_kind(results, rows, kinds)),
        np.arange(len(rows)),
        [UNDEFINED[name] for name in COMPARED] * (len(kinds) + 1),
        resamples=resamples,
        seed=seed,
    )
    width = len(COMPARED)
    return {
        name: dict(zip(COMPARED, figures[i * width : (i + 1) * width], strict=True))
        for i, name in enumerate((*kinds, ALL_LESIONS))
    }


def _kinds(results: Results, rows: Sequence[Mapping[str, str]]) -> list[str]:
    """The annotated kinds.

    Raises:
        UsageError: there is none.
    """
    kinds = [kind for kind in KINDS if rows and column_of(kind, "lesions") in rows[0]]
    if not kinds:
        raise UsageError(
            str(results.folder), "holds no annotated lesions", "evaluate both with --annotations"
        )
    return kinds


def _photographs(results: Results) -> list[dict[str, str]]:
    return folders.read_csv(results.folder, PHOTOGRAPHS, ("image",))


def _images(photographs: Sequence[Mapping[str, str]]) -> list[str]:
    return [photograph["image"] for photograph in photographs]


def _file_names(photographs: Sequence[Mapping[str, str]]) -> list[str]:
    """Bare file names, because either folder may name photographs by their paths."""
    return [file_name(image) for image in _images(photographs)]


def _by_kind(
    results: Results, photographs: Sequence[Mapping[str, str]], kinds: Sequence[str]
) -> dict[str, _KindResults]:
    """Read the results of each kind from the tables of a result folder."""
    boxes: dict[tuple[str, str], list[Mapping[str, str]]] = defaultdict(list)
    for box in folders.read_csv(results.folder, folder.PREDICTIONS, PREDICTED):
        boxes[box["image"], box["kind"]].append(box)
    return {
        kind: _of_kind(
            results, photographs, [boxes[image, kind] for image in _images(photographs)], kind
        )
        for kind in kinds
    }


def _of_kind(
    results: Results,
    photographs: Sequence[Mapping[str, str]],
    boxes: Sequence[Sequence[Mapping[str, str]]],
    kind: str,
) -> _KindResults:
    columns = [column_of(kind, name) for name in PER_PHOTOGRAPH]
    try:
        counts = np.array([[float(p[name]) for name in columns] for p in photographs])
        scores = [np.array([float(box["score"]) for box in some], np.float64) for some in boxes]
    except (KeyError, TypeError, ValueError) as error:
        raise folders.not_as_written(results.folder, folder.PREDICTIONS, error) from None
    hits = [np.array([box["hit"] == "true" for box in some], bool) for some in boxes]
    return _KindResults(counts, ranked_boxes(scores, hits, counts[:, 0].tolist()))


def _lesion_counts(by_kind: Mapping[str, _KindResults]) -> Iterator[int]:
    """Count the lesions of each kind, then those of all kinds of lesions together."""
    counts = {kind: int(results.counts[:, 0].sum()) for kind, results in by_kind.items()}
    yield from counts.values()
    yield sum(count for kind, count in counts.items() if kind in LESIONS)


def _statistic(by_kind: Mapping[str, _KindResults]) -> Statistic:
    """Make the statistic of all figures: of each kind, then of all lesions.

    At the thresholds all lesions are pooled; their average precision is the mean over the kinds of
    which there are lesions.
    """
    lesions = [i for i, kind in enumerate(by_kind) if kind in LESIONS]
    kinds = list(by_kind.values())
    present = [i for i in lesions if kinds[i].counts[:, 0].sum() > 0]
    pooled = np.sum([kinds[i].counts for i in lesions], axis=0) if lesions else None

    def statistic(weights: Floats) -> Floats:
        counted = [at_threshold(kind.counts, weights) for kind in kinds]
        curves = [ranked.measure(kind.boxes, weights, ranked.average_precision) for kind in kinds]
        undefined = np.full((len(weights), len(AT_THRESHOLD)), np.nan)
        together = undefined if pooled is None else at_threshold(pooled, weights)
        mean = np.mean([curves[i] for i in present], axis=0) if present else undefined[:, :1]
        each = [part for pair in zip(counted, curves, strict=True) for part in pair]
        return np.column_stack([*each, together, mean])

    return statistic
