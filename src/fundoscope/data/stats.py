"""What a label table holds: photographs by grade and split, source and camera, and their sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from fundoscope.data.fingerprint import Fingerprint
from fundoscope.data.fingerprint_cache import Found
from fundoscope.data.manifest import Row

VERSION: Final = "fundoscope.data-stats/1"
COLUMNS: Final = ("split", "source", "camera")
"""The columns by which photographs are counted."""
QUANTILES: Final = (0.0, 0.05, 0.5, 0.95, 1.0)

Counts = Mapping[str, Mapping[int, int]]
"""Value of a column to grade to how many."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large the photographs of a source are, in pixels.

    Attributes:
        photographs: how many could be opened.
        width, height: least, 5 %, median, 95 % and largest.
        diameter: the same of the disc of retina, from top to bottom of the whole disc; empty where
            none was found.
    """

    photographs: int
    width: tuple[float, ...]
    height: tuple[float, ...]
    diameter: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Stats:
    """A label table in numbers.

    Attributes:
        photographs: how many rows.
        unopened: how many of their files are missing or unreadable.
        patients: how many different ones are named.
        grades: grade to how many.
        by: for ``split``, ``source`` and ``camera``, where the table says them.
        sizes: by source.
    """

    photographs: int
    unopened: int
    patients: int
    grades: Mapping[int, int]
    by: Mapping[str, Counts]
    sizes: Mapping[str, Sizes]
    version: str = VERSION


def stats(rows: Sequence[Row], found: Sequence[Found]) -> Stats:
    """Count rows and measure their photographs.

    Args:
        rows: of one label table.
        found: the fingerprint of each row's photograph, or why there is none.
    """
    everything = _counts(["" for _ in rows], rows)[""]
    told = [column for column in COLUMNS if any(row.text(column) for row in rows)]
    by = {column: _counts([row.text(column) for row in rows], rows) for column in told}
    return Stats(
        photographs=len(rows),
        unopened=sum(not isinstance(one, Fingerprint) for one in found),
        patients=len({(row.source, row.patient) for row in rows if row.patient}),
        grades=everything,
        by=by,
        sizes=dict(_sizes(rows, found)),
    )


def _counts(values: Sequence[str], rows: Sequence[Row]) -> dict[str, dict[int, int]]:
    counts: dict[str, dict[int, int]] = {}
    for value, row in sorted(
        zip(values, rows, strict=True), key=lambda one: (one[0], one[1].grade)
    ):
        of_value = counts.setdefault(value, {})
        of_value[row.grade] = of_value.get(row.grade, 0) + 1
    return counts


def _sizes(rows: Sequence[Row], found: Sequence[Found]) -> Iterator[tuple[str, Sizes]]:
    by_source: dict[str, list[Fingerprint]] = {}
    for row, one in zip(rows, found, strict=True):
        if isinstance(one, Fingerprint):
            by_source.setdefault(row.source, []).append(one)
    for source, photographs in sorted(by_source.items()):
        yield (
            source,
            Sizes(
                len(photographs),
                _quantiles([one.width for one in photographs]),
                _quantiles([one.height for one in photographs]),
                _quantiles(
                    [2 * one.field.radius for one in photographs if one.field.radius is not None]
                ),
            ),
        )


def _quantiles(values: Sequence[float]) -> tuple[float, ...]:
    if not values:
        return ()
    return tuple(round(float(value), 1) for value in np.quantile(values, QUANTILES))
