"""Compare two graders from their results on the same photographs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from fundoscope.data import manifest as manifests
from fundoscope.data.manifest import GRADE, IMAGE, Manifest, Row
from fundoscope.errors import UsageError
from fundoscope.evaluate.arrays import Flags
from fundoscope.evaluate.compare import folders, mcnemar
from fundoscope.evaluate.compare.differences import Comparison, Part, changes
from fundoscope.evaluate.compare.folders import Results
from fundoscope.evaluate.folder import GRADING, PREDICTIONS
from fundoscope.evaluate.grading.evaluation import cluster_keys, scores_of_grades, values_of
from fundoscope.evaluate.grading.figures import (
    COLUMNS,
    NOT_GRADED,
    UNDEFINED,
    Scores,
    figures,
    why_undefined,
)
from fundoscope.evaluate.grading.results import CLASHING, PREDICTED
from fundoscope.evaluate.grading.summary import (
    AVERAGED,
    ScoredPhotographs,
    are_drawn,
    mean_over,
    strata_of,
)
from fundoscope.evaluate.intervals import RESAMPLES, SEED, numbered
from fundoscope.evaluate.photographs import file_name
from fundoscope.grading.heads import GRADE_COUNT
from fundoscope.reading import Grade, Referable

SHOWN: Final = (
    "accuracy",
    "quadratic_kappa",
    "referable_auc",
    "referable_sensitivity",
    "referable_specificity",
    "severe_called_referable",
)
"""The figures that a table shows; the JSON file holds all of :data:`figures.COLUMNS`."""
ALL, GRADED = "all", "graded by both"
IDENTIFYING: Final = (GRADE, "split", "source", "patient")
"""Columns in which the rows of one photograph do not differ between two evaluations."""
FOLDER: Final = "/"
LATER: Final = ("grade_set", "abstained")
"""Columns that results of version 0.1 do not have, and that no comparison needs."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """The results of two graders on the same N photographs, and the photographs' clusters."""

    old: Scores
    new: Scores
    clusters: tuple[Hashable, ...]
    resamples: int
    seed: int

    @property
    def graded(self) -> Flags:
        """The photographs that both graded."""
        graded: Flags = (self.old.given != NOT_GRADED) & (self.new.given != NOT_GRADED)
        return graded


def compare(
    old: Results,
    new: Results,
    *,
    by: Sequence[str] = (),
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Comparison:
    """Compare two graders.

    Args:
        old: the folder that ``fundoscope evaluate grading`` wrote for the old bundle.
        new: the same for the new bundle.
        by: columns of the label table; the figures are also compared for each of their values.
        resamples: number of resamples for the intervals.
        seed: of the resamples.

    Raises:
        UsageError: the folders differ in their label table or its rows, a column does not exist or
            has too many values, or a table is damaged.
    """
    folders.require_same_truth(old, new)
    before, after = read(old.folder), read(new.folder)
    folders.require_same_rows(old, new, *(_names(table) for table in (before, after)))
    folders.require_same_rows(old, new, *_described(before, after))
    keys = cluster_keys(before.rows)
    pair = _Pair(scores_of(old.folder, before), scores_of(new.folder, after), keys, resamples, seed)
    return Comparison(
        GRADING,
        old.bundle,
        new.bundle,
        len(before.rows),
        "photographs",
        SHOWN,
        tuple(_parts(pair, {name: _values(before, name) for name in by})),
        dict(sorted(Counter(str(kind) for kind, *_ in set(keys)).items())),
        resamples,
        seed,
    )


def scored_photographs(folder: Path, by: Sequence[str] = ()) -> ScoredPhotographs:
    """Read the scores of the photographs in a result folder of ``fundoscope evaluate grading``.

    Args:
        folder: the folder.
        by: columns of the label table that figures will be broken down by.

    Raises:
        UsageError: a table is damaged, or a column does not exist or has too many values.
    """
    table = read(folder)
    columns = {name: _values(table, name) for name in by}
    return ScoredPhotographs(scores_of(folder, table), cluster_keys(table.rows), columns)


def read(folder: Path) -> Manifest:
    """Read the table of predictions of a result folder: a label table with further columns.

    Raises:
        UsageError: the table lacks a column that an evaluation of a grader writes.
    """
    table = manifests.read(folder / PREDICTIONS)
    missing = set(PREDICTED) - set(LATER) - set(table.columns)
    if missing:
        why = f"has no column {', '.join(sorted(missing))}"
        raise UsageError(str(folder / PREDICTIONS), why, "evaluate again")
    return table


def scores_of(folder: Path, table: Manifest) -> Scores:
    """Turn predictions into arrays, as :mod:`fundoscope.evaluate.grading.evaluation` counts them.

    Args:
        folder: of the results, for error messages.
        table: as :func:`read` returns it.

    Raises:
        UsageError: a cell was changed after the evaluation wrote it.
    """
    try:
        grades = [grade_of(row) for row in table.rows]
    except ValueError as error:
        raise folders.not_as_written(folder, PREDICTIONS, error) from None
    return scores_of_grades([row.grade for row in table.rows], grades)


def grade_of(row: Row) -> Grade:
    """Take the grade from a row of predictions; its threshold is not known there and is 0.

    Raises:
        ValueError: a cell was changed after the evaluation wrote it.
    """
    text = row.text("icdr")
    if text not in ("", *map(str, range(GRADE_COUNT))):
        raise ValueError(f"icdr is {text!r:.40}")
    chances = [float(cell) for grade in range(GRADE_COUNT) if (cell := row.text(f"p{grade}"))]
    if len(chances) not in (0, GRADE_COUNT):
        raise ValueError("some of p0 to p4 are empty")
    called = row.text("referable_probability")
    return Grade(
        int(text) if text else None,
        tuple(chances) if chances else None,  # type: ignore[arg-type]  # five of them
        referable=Referable(float(called), row.text("referable") == "true", 0.0)
        if called
        else None,
    )


def _names(table: Manifest) -> list[str]:
    """Bare file names, because either folder may name photographs by their paths."""
    return [file_name(row.image) for row in table.rows]


def _described(before: Manifest, after: Manifest) -> tuple[list[str], list[str]]:
    """The rows of two tables with what identifies an eye beside its file name, as far as both know.

    Photographs of two splits or patients often have the same file names (``1.jpg``).
    """
    pairs = list(zip(before.rows, after.rows, strict=True))
    known = [
        [column for column in IDENTIFYING if one.text(column) and other.text(column)]
        + [IMAGE] * (FOLDER in one.image and FOLDER in other.image)
        for one, other in pairs
    ]
    one, other = (
        [
            f"{file_name(pair[side].image)}"
            f" ({', '.join(f'{column} {pair[side].text(column)}' for column in columns)})"
            for pair, columns in zip(pairs, known, strict=True)
        ]
        for side in (0, 1)
    )
    return one, other


def _values(table: Manifest, column: str) -> tuple[str, ...]:
    """The column of the label table, which has another name where it would clash with ours."""
    return values_of(table, table.rows, CLASHING + column if column in PREDICTED else column)


def _parts(pair: _Pair, columns: Mapping[str, tuple[str, ...]]) -> list[Part]:
    parts = _with_graded(pair, np.ones(len(pair.old), bool), "")
    for column, values in columns.items():
        masks = {value: np.array([v == value for v in values]) for value in sorted(set(values))}
        for value, mask in masks.items():
            parts += _with_graded(pair, mask, f"{column}={value}")
        parts.append(_mean(pair, column, values, list(masks.values())))
    return parts


def _with_graded(pair: _Pair, mask: Flags, name: str) -> list[Part]:
    """Compare some photographs, and those that both graded where these are fewer."""
    graded = mask & pair.graded
    parts = [_part(pair, mask, name or ALL)]
    if graded.sum() < mask.sum():
        parts.append(_part(pair, graded, ", ".join(filter(None, (name, GRADED)))))
    return parts


def _part(pair: _Pair, mask: Flags, name: str) -> Part:
    compared = changes(
        partial(figures, pair.old.where(mask)),
        partial(figures, pair.new.where(mask)),
        numbered([pair.clusters[i] for i in np.flatnonzero(mask)]),
        _reasons(pair),
        resamples=pair.resamples,
        seed=pair.seed,
    )
    return Part(
        name,
        int(mask.sum()),
        dict(zip(COLUMNS, compared, strict=True)),
        mcnemar.tests(pair.old.where(mask), pair.new.where(mask)),
    )


def _reasons(pair: _Pair) -> list[str]:
    """Why a figure is undefined: what one of the two graders does not give comes first."""
    both = zip(COLUMNS, why_undefined(pair.old), why_undefined(pair.new), strict=True)
    return [after if before == UNDEFINED[name] else before for name, before, after in both]


def _mean(pair: _Pair, column: str, values: Sequence[str], masks: Sequence[Flags]) -> Part:
    clusters = numbered(pair.clusters)
    compared = changes(
        mean_over(pair.old, masks),
        mean_over(pair.new, masks),
        clusters,
        [f"undefined for a value of {column}: {UNDEFINED[name]}" for name in AVERAGED],
        strata=strata_of(clusters, values),
        resamples=pair.resamples if are_drawn(clusters, values) else 0,
        seed=pair.seed,
    )
    return Part(f"mean over {column}", None, dict(zip(AVERAGED, compared, strict=True)))
