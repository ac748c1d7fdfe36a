"""Statistics of a label table: photographs by grade, split, source and camera; their sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from fundoscope.data.fingerprint import Fingerprint
from fundoscope.data.fingerprint_cache import FingerprintResult
from fundoscope.data.manifest import Row

VERSION: Final = "fundoscope.data-stats/1"
COLUMNS: Final = ("split", "source", "camera")
"""The columns by which photographs are counted."""
QUANTILES: Final = (0.0, 0.05, 0.5, 0.95, 1.0)

Counts = Mapping[str, Mapping[int, int]]
"""Value of a column to grade to count."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of the photographs of a source, in pixels.

    Attributes:
        photographs: the number that could be opened.
        width: smallest, 5 % quantile, median, 95 % quantile and largest.
        height: the same of the height.
        diameter: the same of the disc of retina, from top to bottom of the whole disc; empty where
            no disc was found.
    """

    photographs: int
    width: tuple[float, ...]
    height: tuple[float, ...]
    diameter: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Stats:
    """The statistics of a label table.

    Attributes:
        photographs: the number of rows.
        unopened: the number of files that are missing or unreadable.
        patients: the number of patients.
        grades: grade to count.
        by: counts by ``split``, ``source`` and ``camera``, as far as the table has them.
        sizes: by source.
        version: of the format of these statistics.
    """

    photographs: int
    unopened: int
    patients: int
    grades: Mapping[int, int]
    by: Mapping[str, Counts]
    sizes: Mapping[str, Sizes]
    version: str = VERSION


def stats(rows: Sequence[Row], results: Sequence[FingerprintResult]) -> Stats:
    """Count rows and measure their photographs.

    Args:
        rows: of one label table.
        results: the fingerprint of the photograph of each row, or why there is none.
    """
    everything = _counts(["" for _ in rows], rows)[""]
    columns = [column for column in COLUMNS if any(row.text(column) for row in rows)]
    by = {column: _counts([row.text(column) for row in rows], rows) for column in columns}
    return Stats(
        photographs=len(rows),
        unopened=sum(not isinstance(result, Fingerprint) for result in results),
        patients=len({(row.source, row.patient) for row in rows if row.patient}),
        grades=everything,
        by=by,
        sizes=dict(_sizes(rows, results)),
    )


def _counts(values: Sequence[str], rows: Sequence[Row]) -> dict[str, dict[int, int]]:
    counts: dict[str, dict[int, int]] = {}
    for value, row in sorted(
        zip(values, rows, strict=True), key=lambda pair: (pair[0], pair[1].grade)
    ):
        of_value = counts.setdefault(value, {})
        of_value[row.grade] = of_value.get(row.grade, 0) + 1
    return counts


def _sizes(
    rows: Sequence[Row], results: Sequence[FingerprintResult]
) -> Iterator[tuple[str, Sizes]]:
    by_source: dict[str, list[Fingerprint]] = {}
    for row, result in zip(rows, results, strict=True):
        if isinstance(result, Fingerprint):
            by_source.setdefault(row.source, []).append(result)
    for source, photographs in sorted(by_source.items()):
        yield (
            source,
            Sizes(
                len(photographs),
                _quantiles([photo.width for photo in photographs]),
                _quantiles([photo.height for photo in photographs]),
                _quantiles([2 * p.field.radius for p in photographs if p.field.radius is not None]),
            ),
        )


def _quantiles(values: Sequence[float]) -> tuple[float, ...]:
    if not values:
        return ()
    return tuple(round(float(value), 1) for value in np.quantile(values, QUANTILES))
