"""Signs by which a format of annotations is recognised: names of files, and what is in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from fundoscope.data.annotations import foreign
from fundoscope.data.annotations.documents import read_json

if TYPE_CHECKING:
    from msgspec import Raw

ROOT: Final = re.compile(rb"<([A-Za-z][\w.-]*)[\s>/]")
COMMENT: Final = re.compile(rb"<!--.*?-->", re.DOTALL)
SNIFFED_BYTES: Final = 65_536
"""Read of an XML file: enough to pass declarations and comments."""


class Order(IntEnum):
    """The order in which a path is searched for signs, the surest first."""

    TABLE = auto()
    CONFIGURATION = auto()
    XML_IN_ANNOTATIONS = auto()
    XML = auto()
    JSON_IN_ANNOTATIONS = auto()
    JSON = auto()
    JSON_IN_SUBFOLDERS = auto()
    LABELS = auto()
    PICTURES = auto()
    XML_ANYWHERE = auto()


XML_PLACES: Final = {
    Order.XML_IN_ANNOTATIONS: "Annotations/**/*.xml",
    Order.XML: "*.xml",
}
JSON_PLACES: Final = {
    Order.JSON_IN_ANNOTATIONS: "annotations/*.json",
    Order.JSON: "*.json",
    Order.JSON_IN_SUBFOLDERS: "*/*.json",
}
"""Where documents lie in a folder; the first one of each place is looked into."""


@dataclass(frozen=True, slots=True)
class Sign:
    """A sign of a format.

    Attributes:
        order: when it is looked for.
        shown_by: whether an existing file or folder shows it.
    """

    order: Order
    shown_by: Callable[[Path], bool]


def xml_signs(root: str) -> tuple[Sign, ...]:
    """The signs of a format of XML documents.

    Args:
        root: the name of the first element.
    """

    def is_document(path: Path) -> bool:
        return path.suffix.lower() == ".xml" and _root_element(path) == root.encode()

    return tuple(_document_signs(is_document, XML_PLACES))


def json_signs(is_document: Callable[[dict[str, Raw] | list[Raw], Path], bool]) -> tuple[Sign, ...]:
    """The signs of a format of JSON documents.

    Args:
        is_document: whether a document, of which only the outermost level is decoded, is of the
            format; it also gets the path, for errors.
    """

    def is_of_format(path: Path) -> bool:
        return path.suffix.lower() == ".json" and is_document(_outermost_level(path), path)

    return tuple(_document_signs(is_of_format, JSON_PLACES))


def _document_signs(
    is_document: Callable[[Path], bool], places: dict[Order, str]
) -> Iterator[Sign]:
    for order, pattern in places.items():

        def is_shown(path: Path, pattern: str = pattern) -> bool:
            if path.is_file():
                return is_document(path)
            return any(is_document(file) for file in sorted(path.glob(pattern))[:1])

        yield Sign(order, is_shown)


def _root_element(path: Path) -> bytes | None:
    if not path.is_file():
        return None  # a pipe, which may never end
    with path.open("rb") as stream:
        # Without the zero bytes, UTF-16 reads like ASCII.
        start = stream.read(SNIFFED_BYTES).replace(b"\x00", b"")
    match = ROOT.search(COMMENT.sub(b"", start))
    return None if match is None else match[1]


def _outermost_level(path: Path) -> dict[str, Raw] | list[Raw]:
    from msgspec import Raw

    schema = cast("type[dict[str, Raw] | list[Raw]]", dict[str, Raw] | list[Raw])
    document = read_json(path, schema)
    foreign.reject(document, path)
    return document
