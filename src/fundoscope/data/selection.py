"""Select rows of a label table: of one split, and by the values of columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
            any of the values, and ``"gradable="`` means an empty cell. ``COLUMN!=VALUE`` leaves
            rows out.

    Raises:
        UsageError: a condition has no ``=``, a column does not exist, or no row fits.
    """
    conditions = _conditions(where)
    if split is not None:
        conditions = [_Condition("split", False, {split}), *conditions]
    by_split = any(each.column == "split" and not each.other for each in conditions)
    rows = tuple(row for row in manifest.rows if by_split or row.split != EXCLUDED)
    for condition in conditions:
        require_column(manifest, condition.column)
        left = tuple(row for row in rows if condition.fits(row))
        if not left:
            raise UsageError(
                manifest.path.name,
                f"has no row where {condition} (it has: {_values(rows, condition.column)})",
                "choose one of these values",
            )
        rows = left
    return rows


@dataclass(frozen=True, slots=True)
class _Condition:
    """Values of a column, of which a row has one, or, if ``other``, none."""

    column: str
    other: bool
    values: set[str]

    def fits(self, row: Row) -> bool:
        return (row.text(self.column) in self.values) != self.other

    def __str__(self) -> str:
        values = " or ".join(sorted(map(_shown, self.values)))
        return f"{self.column} is {'not ' * self.other}{values}"


def _conditions(where: Sequence[str]) -> list[_Condition]:
    """The conditions; several for one column become one."""
    wanted: dict[tuple[str, bool], set[str]] = {}
    for condition in where:
        column, equals, value = condition.partition("=")
        if not equals:
            raise UsageError(
                f"--where {condition}", "has no equals sign", "write --where COLUMN=VALUE"
            )
        other = column.endswith("!")
        key = (column.removesuffix("!").strip(), other)
        wanted.setdefault(key, set()).add(value.strip())
    return [_Condition(column, other, values) for (column, other), values in wanted.items()]


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
    values = sorted({_shown(row.text(column)) for row in rows})
    return ", ".join(values[:SHOWN]) + (", …" if len(values) > SHOWN else "")


def _shown(value: str) -> str:
    return value or "(blank)"
