"""One JSON document of COCO with the fields that are read and written; others are ignored.

From the description at cocodataset.org ("Data format", "Object detection"). Beyond it: ``score`` of
an annotation as in COCO's results, ``attributes`` as CVAT writes them, and our own ``difficult``,
``author`` and, of an image, ``source``.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from fundoscope import limits
from fundoscope.data.annotations.documents import read_json
from fundoscope.errors import TableError
from fundoscope.quoting import quoted, shown

Id = int | str
CROWD: Final = "iscrowd"
"""Our attribute for COCO's mark of a group of objects."""


class CocoRuns(msgspec.Struct):
    """A mask as runs, see :mod:`fundoscope.data.annotations.coco.rle`.

    Attributes:
        counts: lengths of the runs, plain or compressed.
        size: height and width in pixels.
    """

    counts: list[int] | str
    size: tuple[int, int]


class CocoImage(msgspec.Struct, omit_defaults=True):
    """A photograph; width and height are 0 where the file does not state them."""

    id: Id
    file_name: str
    width: int | None = 0
    height: int | None = 0
    source: str = ""


class CocoCategory(msgspec.Struct):
    """A class."""

    id: Id
    name: str
    supercategory: str | None = ""


class CocoAnnotation(msgspec.Struct, omit_defaults=True):
    """An object. ``bbox`` is x, y, width and height from the photograph's upper left corner.

    ``segmentation`` should be a list of polygons; some tools write a single polygon instead.
    """

    image_id: Id
    category_id: Id
    id: Id | None = None
    bbox: list[Decimal] | None = None
    area: float | None = None
    segmentation: list[list[Decimal] | Decimal] | CocoRuns | None = None
    iscrowd: int | bool | None = None
    score: float | None = None
    difficult: bool | int | None = False
    author: str = ""
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)


class CocoDocument(msgspec.Struct):
    """A file of annotations."""

    images: list[CocoImage]
    categories: list[CocoCategory]
    annotations: list[CocoAnnotation]


WHOLE: Final = re.compile(r"0|[1-9][0-9]{0,17}")
"""A number as text."""

T = TypeVar("T", CocoImage, CocoCategory, CocoAnnotation)


def parse(path: Path) -> CocoDocument:
    """Read a file; its ids are unique, and every id that an annotation refers to exists.

    A number and its text (``1`` and ``"1"``) are the same id, unless the list has both.

    Raises:
        TableError: it is not JSON of COCO, an id is repeated, or an annotation refers to an image
            or category that is missing.
    """
    document = read_json(path, CocoDocument, most_values=limits.MAX_JSON_VALUES)
    images = by_id(document.images, "images", path)
    categories = by_id(document.categories, "categories", path)
    with_id = (item for item in document.annotations if item.id is not None)
    by_id(with_id, "annotations", path)
    for number, item in enumerate(document.annotations):
        item.image_id = _as_known(item.image_id, images)
        item.category_id = _as_known(item.category_id, categories)
        if item.image_id not in images:
            raise TableError(
                place(path, number, item),
                f"refers to image {quoted(item.image_id)}, which the list images lacks",
                "add the image, or remove the annotation",
            )
        if item.category_id not in categories:
            raise TableError(
                place(path, number, item),
                f"refers to category {quoted(item.category_id)}, which the list categories lacks",
                "add the category, or remove the annotation",
            )
    return document


def _as_known(given: Id, known: Container[Id | None]) -> Id:
    """An id as the list has it: some tools write numbers as text in one place only."""
    if given in known:
        return given
    if isinstance(given, int):
        other: Id = str(given)
    else:
        other = int(given) if WHOLE.fullmatch(given) else given
    return other if other in known else given


def by_id(items: Iterable[T], what: str, path: Path) -> dict[Id | None, T]:
    """The items of a list by their ids.

    Args:
        items: the list.
        what: the name of the list, for errors.
        path: the file, for errors.

    Raises:
        TableError: two items have the same id.
    """
    known: dict[Id | None, T] = {}
    for item in items:
        if item.id in known:
            raise TableError(
                f"{path}, {what}", f"two have the id {quoted(item.id)}", "give each its own id"
            )
        known[item.id] = item
    return known


def place(path: Path, number: int, item: CocoAnnotation) -> str:
    """The place of an annotation for errors: its index from 0, and its id."""
    known = "" if item.id is None else f" (id {shown(item.id)})"
    return f"{path}, annotations[{number}]{known}"


def to_json(document: CocoDocument) -> bytes:
    """The bytes of a document; numbers keep all their decimals."""
    encoder = msgspec.json.Encoder(decimal_format="number")
    return encoder.encode(document) + b"\n"
