"""Draw train, validation and test, or folds: rows that belong together stay in one split.

Rows that share a patient, a group or a file belong together, directly or through other rows (see
:func:`fundoscope.data.leaks.together`). The draw is stratified by grade and source
(``sklearn.model_selection.StratifiedGroupKFold``) and depends only on the rows and the seed.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from fundoscope.data.leaks import require_apart, together
from fundoscope.data.manifest import EXCLUDED, Manifest, Row
from fundoscope.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRAIN, VAL, TEST = "train", "val", "test"
FOLD: Final = "fold"
MAX_PARTS: Final = 20
"""Most equal parts that the rows are dealt into; each split takes some of them."""
MAX_FOLDS: Final = 100


def into_shares(manifest: Manifest, *, test: float, val: float, seed: int) -> Manifest:
    """The table with a split drawn for every row that is not ``excluded``.

    Args:
        manifest: the table; its splits are replaced.
        test: share of the rows, from 0 to below 1, accurate to about 0.05. A share of 0 makes no
            split; the rest is train.
        val: the same for the validation split.
        seed: of the draw.

    Raises:
        UsageError: the shares leave nothing to train on or are too small, or a grade has too few
            patients to be in every split.
    """
    if not (0 <= test < 1 and 0 <= val < 1 and 0 < test + val < 1):
        raise UsageError(
            f"--test {test:g} --val {val:g}",
            "leave nothing to train on, or hold nothing out",
            "give two shares from 0 to 1 whose sum is between 0 and 1",
        )
    count = _parts(test, val)
    sizes = {VAL: round(val * count), TEST: round(test * count)}
    _require_parts(test, val, sizes, count)
    parts, rows = _dealt(manifest, count, seed)
    # The parts with most grades first: validation and test are small and need every grade.
    order = sorted(range(count), key=lambda part: (-len(_grades(rows, parts, part)), part))
    names = dict.fromkeys(order, TRAIN)
    chosen = iter(order)
    for split, size in sizes.items():
        names |= {next(chosen): split for _ in range(size)}
    return _named(manifest, [names[part] for part in parts.tolist()])


def into_folds(manifest: Manifest, *, folds: int, seed: int) -> Manifest:
    """The table with ``fold1`` to ``foldN`` as splits of the rows that are not ``excluded``.

    Args:
        manifest: the table; its splits are replaced.
        folds: the number of folds, 2 or more.
        seed: of the draw.

    Raises:
        UsageError: the number is out of bounds, or a grade has too few patients to stand in every
            fold.
    """
    if not 2 <= folds <= MAX_FOLDS:
        raise UsageError(f"--folds {folds}", "is out of bounds", f"give 2 to {MAX_FOLDS}")
    parts, _ = _dealt(manifest, folds, seed)
    return _named(manifest, [f"{FOLD}{part + 1}" for part in parts.tolist()])


def counts(rows: Sequence[Row]) -> dict[str, Counter[int]]:
    """The number of rows of each grade by split; train, val and test first, ``excluded`` last."""
    order = {TRAIN: 0, VAL: 1, TEST: 2, EXCLUDED: 4}
    splits = sorted({row.split for row in rows}, key=lambda s: (order.get(s, 3), len(s), s))
    return {split: Counter(row.grade for row in rows if row.split == split) for split in splits}


def _parts(test: float, val: float) -> int:
    """The smallest number of equal parts that best fits the shares, with a part for each."""

    def error(count: int) -> float:
        away = (abs(round(share * count) / count - share) for share in (test, val))
        starved = any(share and not round(share * count) for share in (test, val))
        return round(sum(away), 6) + starved

    return min(range(2, MAX_PARTS + 1), key=error)


def _require_parts(test: float, val: float, sizes: Mapping[str, int], parts: int) -> None:
    """Check that each split that is asked for gets a part."""
    asked = {TRAIN: True, VAL: val > 0, TEST: test > 0}
    given = {**sizes, TRAIN: parts - sum(sizes.values())}
    lacking = [split for split, wanted in asked.items() if wanted and given[split] < 1]
    if lacking:
        raise UsageError(
            f"--test {test:g} --val {val:g}",
            f"leave too little for the split {lacking[0]}",
            f"give each split a share of {1 / MAX_PARTS:g} or more",
        )


def _dealt(manifest: Manifest, parts: int, seed: int) -> tuple[NDArray[np.int64], list[Row]]:
    """The rows that are not excluded, and the part (from 0) of each, int64 ``(N,)``."""
    from sklearn.model_selection import StratifiedGroupKFold

    rows = [row for row in manifest.rows if row.split != EXCLUDED]
    groups = together(rows)
    _require_enough(manifest, rows, groups, parts)
    strata = _strata(rows, parts)
    dealer = StratifiedGroupKFold(n_splits=parts, shuffle=True, random_state=seed)
    dealt = np.zeros(len(rows), dtype=np.int64)
    with warnings.catch_warnings():
        # It warns of strata with fewer rows than parts; grades are checked separately.
        warnings.simplefilter("ignore", UserWarning)
        for part, (_, chosen) in enumerate(dealer.split(strata, strata, groups)):
            dealt[chosen] = part
    return dealt, rows


def _require_enough(
    manifest: Manifest, rows: Sequence[Row], groups: NDArray[np.int64], parts: int
) -> None:
    whole = len(set(groups.tolist()))
    if whole < parts:
        raise UsageError(
            manifest.path.name,
            f"has {whole} patients or groups, too few for {parts} parts",
            "add photographs, or ask for larger shares or fewer folds",
        )
    if max(Counter(row.grade for row in rows).values()) < parts:
        raise UsageError(
            manifest.path.name,
            f"has fewer than {parts} photographs of each grade",
            "add photographs, or ask for larger shares or fewer folds",
        )


def _strata(rows: Sequence[Row], parts: int) -> list[str]:
    """Grade and source; only the grade where every stratum is too small for the parts."""
    strata = [f"{row.grade} {row.source}" for row in rows]
    return strata if max(Counter(strata).values()) >= parts else [str(row.grade) for row in rows]


def _grades(rows: Sequence[Row], parts: NDArray[np.int64], part: int) -> set[int]:
    return {rows[i].grade for i in np.flatnonzero(parts == part).tolist()}


def _named(manifest: Manifest, splits: Sequence[str]) -> Manifest:
    drawn = iter(splits)
    rows = tuple(
        row if row.split == EXCLUDED else msgspec.structs.replace(row, split=next(drawn))
        for row in manifest.rows
    )
    _require_every_grade(manifest, rows)
    require_apart(rows, manifest.path.name)
    columns = tuple(dict.fromkeys((*manifest.columns, "split")))
    return replace(manifest, columns=columns, rows=rows)


def _require_every_grade(manifest: Manifest, rows: Sequence[Row]) -> None:
    whole = {row.grade for row in rows if row.split != EXCLUDED}
    for split, grades in counts(rows).items():
        missing = sorted(whole - set(grades))
        if missing and split != EXCLUDED:
            raise UsageError(
                manifest.path.name,
                f"cannot be split: {split} would have no photograph of grade {missing[0]}",
                "too few patients have it; ask for a larger share or fewer folds, or try --seed",
            )
