"""Patients, groups of near-duplicates, and files that are in several splits."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from fundoscope.data.manifest import EXCLUDED, IMAGE, Row
from fundoscope.errors import TableError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHOWN: Final = 3
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SplitLeak:
    """A patient or a group with photographs in several splits, or a file that is in several.

    Attributes:
        column: ``"patient"``, ``"group"`` or ``"image"``.
        name: the cell of that column.
        rows: all its rows in a split, in order.
    """

    column: str
    name: str
    rows: tuple[Row, ...]

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that it is in, sorted."""
        return tuple(sorted({row.split for row in self.rows}))


def split_leaks(rows: Iterable[Row]) -> tuple[SplitLeak, ...]:
    """Every patient and group with photographs in two splits or more, and every such file.

    Patients of different sources are different; rows that are ``excluded`` or have no split do not
    count.
    """
    together: dict[Key, list[Row]] = {}
    for row in rows:
        if row.split and row.split != EXCLUDED:
            for key in keys(row):
                together.setdefault(key, []).append(row)
    return tuple(
        SplitLeak(key[0], key[-1], tuple(of_key))
        for key, of_key in together.items()
        if any(row.split != of_key[0].split for row in of_key)
    )


def require_apart(rows: Iterable[Row], title: str) -> None:
    """Check that no patient, group or file is in two splits; see :func:`split_leaks`.

    Args:
        rows: of one label table.
        title: the name of the table, for errors.

    Raises:
        TableError: some have; the message names the first ones and their number.
    """
    leaks = split_leaks(rows)
    if leaks:
        named = ", ".join(f"{leak.column} {leak.name}" for leak in leaks[:SHOWN])
        raise TableError(
            title,
            f"has photographs of one patient or group in several splits ({named};"
            f" {len(leaks)} in all)",
            "put all of them into one split, or write excluded as their split",
        )


def keys(row: Row) -> Iterator[Key]:
    """The patient (of its source), group and file of a row; rows that share one belong together."""
    if row.patient:
        yield "patient", row.source, row.patient
    if row.group:
        yield "group", row.group
    yield IMAGE, posixpath.normpath(row.image)


def together(rows: Sequence[Row]) -> NDArray[np.int64]:
    """The number of the group of rows that each row belongs to, int64 ``(N,)``, from 0.

    Rows belong together if they share a key (:func:`keys`), directly or through other rows.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    numbers: dict[Key, int] = {}
    links = [
        (row, len(rows) + numbers.setdefault(key, len(numbers)))
        for row, of_row in enumerate(rows)
        for key in keys(of_row)
    ]
    size = len(rows) + len(numbers)
    ends = np.array(links, dtype=np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(links)), (ends[:, 0], ends[:, 1])), shape=(size, size))
    _, labels = connected_components(graph, directed=False)
    groups: NDArray[np.int64] = labels[: len(rows)].astype(np.int64)
    return groups
