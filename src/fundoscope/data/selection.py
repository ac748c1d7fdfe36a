"""Select rows of a label table: of one split, and by the values of columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fundoscope.data.manifest import EXCLUDED, Manifest, Row
from fundoscope.errors import UsageError
from fundoscope.quoting import quoted

SHOWN: Final = 12
"""Values of a column that a message lists."""


def select(
    manifest: Manifest, *, split: str | None = None, where: Sequence[str] = ()
) -> tuple[Row, ...]:
    """The rows of a split that meet all conditions, in order.

    Rows of the split ``excluded`` are left out unless that split is asked for.

    Args:
        manifest: the label table.
        split: value of the column ``split``; any if left out.
        where: conditions ``COLUMN=VALUE``, e.g. ``"source=idrid"``; several for one column allow
            any of the values, and ``"gradable="`` means an empty cell.

    Raises:
        UsageError: a condition has no ``=``, a column does not exist, or no row fits.
    """
    conditions = _conditions(where)
    if split is not None:
        conditions = [("split", {split}), *conditions]
    by_split = any(column == "split" for column, _ in conditions)
    rows = tuple(row for row in manifest.rows if by_split or row.split != EXCLUDED)
    for column, values in conditions:
        require_column(manifest, column)
        left = tuple(row for row in rows if row.text(column) in values)
        if not left:
            raise UsageError(
                manifest.path.name,
                f"has no row where {column} is {' or '.join(sorted(values))}"
                f" (it has: {_values(rows, column)})",
                "choose one of these values",
            )
        rows = left
    return rows


def _conditions(where: Sequence[str]) -> list[tuple[str, set[str]]]:
    """The wanted values of each column."""
    wanted: dict[str, set[str]] = {}
    for condition in where:
        column, equals, value = condition.partition("=")
        if not equals:
            raise UsageError(
                f"--where {condition}", "has no equals sign", "write --where COLUMN=VALUE"
            )
        wanted.setdefault(column.strip(), set()).add(value.strip())
    return list(wanted.items())


def require_column(manifest: Manifest, column: str) -> None:
    """Check that a label table has a column.

    Raises:
        UsageError: it does not; the message lists its columns.
    """
    if column not in manifest.columns:
        raise UsageError(
            manifest.path.name,
            f"has no column {quoted(column, 40)}",
            f"name one of: {', '.join(manifest.columns)}",
        )


def _values(rows: Sequence[Row], column: str) -> str:
    values = sorted({row.text(column) or "(blank)" for row in rows})
    return ", ".join(values[:SHOWN]) + (", …" if len(values) > SHOWN else "")
