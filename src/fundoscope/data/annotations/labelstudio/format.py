"""Label Studio: its JSON export (whole, small, or a file an annotation), and tasks to import."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from fundoscope.data.annotations.format import Format
from fundoscope.data.annotations.labelstudio.layout import INTERFACE, TASKS
from fundoscope.data.annotations.labelstudio.read import read_label_studio
from fundoscope.data.annotations.labelstudio.write import HOLDS, write_label_studio
from fundoscope.data.annotations.signs import json_signs

if TYPE_CHECKING:
    from msgspec import Raw


def _is_export(document: dict[str, Raw] | list[Raw], _: Path) -> bool:
    """Whether a document is a list of tasks, or a single task or annotation as storages get it."""
    if isinstance(document, list):
        return True
    return any(keys <= document.keys() for keys in SINGLE)


SINGLE: Final = ({"data", "annotations"}, {"data", "predictions"}, {"task", "result"})
"""Keys of a task, and of an annotation with its task inside."""

LABEL_STUDIO: Final = Format(
    name="labelstudio",
    read=read_label_studio,
    write=write_label_studio,
    holds=HOLDS,
    files=json_signs(_is_export),
    written=(TASKS, INTERFACE),
)
