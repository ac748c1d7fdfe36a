"""One JSON document of COCO, with the fields that are read and written here; others are ignored.

From the description at cocodataset.org ("Data format", "Object detection"). Beyond it: ``score`` of
an annotation as in COCO's results, ``attributes`` as CVAT writes them, and our own ``difficult``,
``author`` and, of an image, ``source``.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from fundoscope.data.annotations.documents import read_json
from fundoscope.errors import TableError

Id = int | str


class CocoRuns(msgspec.Struct):
    """A mask as runs, see :mod:`fundoscope.data.annotations.coco.rle`; ``size`` is height,
    width."""

    counts: list[int] | str
    size: tuple[int, int]


class CocoImage(msgspec.Struct, omit_defaults=True):
    """A photograph; 0 pixels where the file does not say its size."""

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
    """An object. ``bbox`` is x, y, width and height from the photograph's upper left corner."""

    image_id: Id
    category_id: Id
    id: Id | None = None
    bbox: list[Decimal] | None = None
    area: float | None = None
    segmentation: list[list[Decimal]] | CocoRuns | None = None
    iscrowd: int | bool | None = None
    score: float | None = None
    difficult: bool = False
    author: str = ""
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)


class CocoDocument(msgspec.Struct):
    """A file of annotations."""

    images: list[CocoImage]
    categories: list[CocoCategory]
    annotations: list[CocoAnnotation]


T = TypeVar("T", CocoImage, CocoCategory, CocoAnnotation)


def parse(path: Path) -> CocoDocument:
    """Read a file; every id in it is there once, and none that is referred to is missing.

    Raises:
        TableError: it is not such JSON, an id is there twice, or an annotation is of an image or
            category that is not there.
    """
    document = read_json(path, CocoDocument)
    images = by_id(document.images, "images", path)
    categories = by_id(document.categories, "categories", path)
    with_id = (item for item in document.annotations if item.id is not None)
    by_id(with_id, "annotations", path)
    for number, item in enumerate(document.annotations):
        if item.image_id not in images:
            raise TableError(
                place(path, number, item), f"is on image {item.image_id!r}", "list this image"
            )
        if item.category_id not in categories:
            raise TableError(
                place(path, number, item),
                f"is of category {item.category_id!r}",
                "list this category",
            )
    return document


def by_id(items: Iterable[T], what: str, path: Path) -> dict[Id | None, T]:
    """The items of a list by their ids.

    Raises:
        TableError: two have one id.
    """
    known: dict[Id | None, T] = {}
    for item in items:
        if item.id in known:
            raise TableError(
                f"{path}, {what}", f"two have the id {item.id!r}", "give each an id of its own"
            )
        known[item.id] = item
    return known


def place(path: Path, number: int, item: CocoAnnotation) -> str:
    """Where an annotation stands, for errors: its place in the list, from 0, and its id."""
    known = "" if item.id is None else f" (id {item.id})"
    return f"{path}, annotations[{number}]{known}"


def to_json(document: CocoDocument) -> bytes:
    """The bytes of a document; numbers keep every decimal."""
    encoder = msgspec.json.Encoder(decimal_format="number")
    return encoder.encode(document) + b"\n"
