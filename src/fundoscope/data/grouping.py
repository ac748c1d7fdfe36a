"""Write duplicates into the column ``group`` of a label table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import msgspec

from fundoscope.data.check import Duplicates
from fundoscope.data.duplicates import groups
from fundoscope.data.manifest import GROUP, Manifest, Row


def with_groups(table: Manifest, duplicates: Iterable[Duplicates]) -> Manifest:
    """The table with the same ``group`` for all photographs that belong together.

    Declared groups stay together; if duplicates join several groups, these get the name of the
    first. A new group is named after its first photograph.

    Args:
        table: a label table.
        duplicates: among its photographs, see :func:`fundoscope.data.check.check`.
    """
    places: dict[str, list[int]] = {}
    declared: dict[str, list[int]] = {}
    for place, row in enumerate(table.rows):
        places.setdefault(row.image, []).append(place)
        if row.group:
            declared.setdefault(row.group, []).append(place)
    together = [
        [place for member in group.members for place in places.get(member.image, ())]
        for group in duplicates
    ]
    pairs = [pair for group in (*together, *declared.values()) for pair in pairwise(group)]
    rows = list(table.rows)
    for group in groups(len(rows), pairs):
        name = _name([table.rows[place] for place in group])
        for place in group:
            rows[place] = msgspec.structs.replace(rows[place], group=name)
    columns = table.columns if GROUP in table.columns else (*table.columns, GROUP)
    return replace(table, columns=columns, rows=tuple(rows))


def _name(rows: Sequence[Row]) -> str:
    return next((row.group for row in rows if row.group), rows[0].image)
