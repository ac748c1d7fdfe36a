"""Which items of the reporting guidelines a report answers, and which its author must answer.

STARD-AI (Sounderajah et al., Nature Medicine 2025), TRIPOD+AI (Collins et al., BMJ 2024) and CLAIM
(Tejani et al., Radiology: Artificial Intelligence 2024). The items are in ``checklists.json``.
"""

from __future__ import annotations

from collections.abc import Collection
from importlib.resources import files
from typing import Final

import msgspec

from fundoscope.evaluate.report.document import Paragraph, Section, Table

FILE: Final = "checklists.json"


class Item(msgspec.Struct, frozen=True):
    """An item of a guideline.

    Attributes:
        list: the guideline.
        item: in our words.
        answered: whether a report can answer it.
        where: the section that does.
    """

    list: str
    item: str
    answered: bool
    where: str


class Checklists(msgspec.Struct, frozen=True):
    """The content of :data:`FILE`."""

    note: str
    items: tuple[Item, ...]


def section(titles: Collection[str]) -> Section:
    """List the items; one whose section is not in the report is left to the author.

    Args:
        titles: of the sections of the report.
    """
    data = files(__package__).joinpath(FILE).read_bytes()
    lists = msgspec.json.decode(data, type=Checklists)
    rows = tuple(
        (
            item.list,
            item.item,
            f"section “{item.where}”" if item.answered and item.where in titles else "the author",
        )
        for item in lists.items
    )
    table = Table("Items of the reporting guidelines", ("guideline", "item", "answered by"), rows)
    return Section("Reporting guidelines", (Paragraph(lists.note), table))
