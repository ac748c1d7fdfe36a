"""COCO: one JSON document, or one a split (``annotations/instances_train.json``)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from fundoscope.data.annotations.coco.layout import ANNOTATIONS, INSTANCES, SUFFIX, earlier_files
from fundoscope.data.annotations.coco.read import read_coco
from fundoscope.data.annotations.coco.write import HOLDS, write_coco
from fundoscope.data.annotations.format import Format
from fundoscope.data.annotations.signs import json_signs
from fundoscope.errors import TableError

if TYPE_CHECKING:
    from msgspec import Raw

IMAGES_KEY: Final = "images"
RESULT_KEY: Final = b'"image_id"'
"""In each item of COCO's results, which are a list."""


def _is_coco(document: dict[str, Raw] | list[Raw], path: Path) -> bool:
    """Whether a document is of COCO.

    Raises:
        TableError: it is a list of COCO results, which cannot be read.
    """
    if isinstance(document, dict):
        return IMAGES_KEY in document
    if document and RESULT_KEY in bytes(document[0]):
        raise TableError(
            str(path),
            "holds COCO results, which do not name their photographs",
            "put them under annotations, beside images and categories",
        )
    return False


COCO: Final = Format(
    name="coco",
    read=read_coco,
    write=write_coco,
    holds=HOLDS,
    files=json_signs(_is_coco),
    written=(f"{ANNOTATIONS}/{INSTANCES}{SUFFIX}",),
    earlier=earlier_files,
)
