"""Whether what belongs together stands on one side: patients, and groups of near-duplicates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from fundoscope.data.manifest import EXCLUDED, Row
from fundoscope.errors import TableError

SHOWN: Final = 3


def require_apart(rows: Iterable[Row], title: str) -> None:
    """Check that no patient and no group has photographs in two splits.

    Patients are told apart by source as well; rows that are ``excluded`` or have no split do not
    count.

    Args:
        rows: of one label table.
        title: the table's name, for the message.

    Raises:
        TableError: names the first ones, and how many there are.
    """
    splits: dict[tuple[str, ...], set[str]] = {}
    for row in rows:
        if row.split and row.split != EXCLUDED:
            for key in _keys(row):
                splits.setdefault(key, set()).add(row.split)
    torn = [key for key, sides in splits.items() if len(sides) > 1]
    if torn:
        named = ", ".join(f"{key[0]} {key[-1]}" for key in torn[:SHOWN])
        raise TableError(
            title,
            f"has photographs of one patient or group in several splits ({named};"
            f" {len(torn)} in all)",
            "put all of them into one split, or write excluded as their split",
        )


def _keys(row: Row) -> Iterator[tuple[str, ...]]:
    if row.patient:
        yield "patient", row.source, row.patient
    if row.group:
        yield "group", row.group
