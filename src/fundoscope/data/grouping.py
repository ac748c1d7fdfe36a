"""A label table that knows its duplicates: those found stand in its column ``group``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

import msgspec

from fundoscope.data.check import Duplicates
from fundoscope.data.duplicates import groups
from fundoscope.data.manifest import Manifest, Row

GROUP: Final = "group"


def with_groups(table: Manifest, found: Iterable[Duplicates]) -> Manifest:
    """The table with one value of ``group`` for all that belong together.

    What the table declares stays together; where found duplicates join several groups, these take
    the name of the first. A new group is called after its first photograph.

    Args:
        table: a label table.
        found: duplicates among its photographs, see :func:`fundoscope.data.check.check`.
    """
    places: dict[str, list[int]] = {}
    declared: dict[str, list[int]] = {}
    for place, row in enumerate(table.rows):
        places.setdefault(row.image, []).append(place)
        if row.group:
            declared.setdefault(row.group, []).append(place)
    together = [
        [place for member in one.members for place in places.get(member.image, ())] for one in found
    ]
    pairs = [pair for some in (*together, *declared.values()) for pair in pairwise(some)]
    rows = list(table.rows)
    for group in groups(len(rows), pairs):
        name = _name([table.rows[place] for place in group])
        for place in group:
            rows[place] = msgspec.structs.replace(rows[place], group=name)
    columns = table.columns if GROUP in table.columns else (*table.columns, GROUP)
    return replace(table, columns=columns, rows=tuple(rows))


def _name(rows: Sequence[Row]) -> str:
    return next((row.group for row in rows if row.group), rows[0].image)
