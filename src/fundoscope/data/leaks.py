"""Patients, and groups of near-duplicates, that have photographs in several splits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from fundoscope.data.manifest import EXCLUDED, Row
from fundoscope.errors import TableError

SHOWN: Final = 3
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SplitLeak:
    """A patient or a group with photographs in several splits.

    Attributes:
        column: ``"patient"`` or ``"group"``.
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
    """Every patient and every group with photographs in two splits or more.

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
    """Check that no patient and no group has photographs in two splits; see :func:`split_leaks`.

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
    """The patient (of its source) and the group of a row; rows that share one belong together."""
    if row.patient:
        yield "patient", row.source, row.patient
    if row.group:
        yield "group", row.group
