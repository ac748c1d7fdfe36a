"""One XML document of Pascal VOC as values in VOC's own coordinates, and back.

Dialects: VOC 2007 (the development kit's documentation), labelImg (``path``, ``verified``), and
what other tools add to an object: ``score``; ``polygon`` with ``x1``, ``y1``, ``x2`` …, as
supervision and Roboflow write it; ``attributes``, as Datumaro and CVAT write them; ``robndbox``, a
turned box of roLabelImg.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from fundoscope import limits
from fundoscope.data.annotations import exact
from fundoscope.data.annotations.annotation import Outline
from fundoscope.data.annotations.flags import flag
from fundoscope.data.annotations.shapes import extent, turned_rectangle
from fundoscope.data.annotations.xml_text import require_xml
from fundoscope.errors import TableError
from fundoscope.quoting import quoted, shown

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

ROOT: Final = "annotation"
CORNERS: Final = ("xmin", "ymin", "xmax", "ymax")
ORIGIN: Final = "origin"
"""Attribute of the root, ours: written where the coordinates would suggest the wrong origin."""
VERIFIED: Final = "verified"
"""Attribute of the root, labelImg's: a person checked the file."""
DEFAULTS: Final = {"pose": "Unspecified", "truncated": "0", "occluded": "0"}
"""Elements of an object with the values that carry no information."""
_WRITTEN_ALWAYS: Final = ("pose", "truncated")
_READ_SEPARATELY: Final = frozenset(
    {
        *("name", "bndbox", "robndbox", "difficult", "score", "author", "polygon", "attributes"),
        *("part", "type"),
    }
)
UNKNOWN_SOURCE: Final = "Unknown"
"""What labelImg writes where it knows no database."""
DEPTH: Final = "3"
MIN_CORNERS: Final = 3
"""Of a polygon."""

Corners = tuple[Decimal, Decimal, Decimal, Decimal]
"""``xmin, ymin, xmax, ymax`` in VOC's coordinates."""
Vertices = tuple[tuple[Decimal, Decimal], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VocObject:
    """An ``<object>``; :class:`fundoscope.data.annotations.annotation.Annotation` has the fields.

    Attributes:
        name: the class, as in the file.
        corners: as in the file.
        polygons: as in the file.
        turned: the outline of a turned box, in continuous pixels from 0; empty without one.
        score: see :class:`~fundoscope.data.annotations.annotation.Annotation`, as the rest.
    """

    name: str
    corners: Corners
    polygons: tuple[Vertices, ...] = ()
    turned: Outline = ()
    score: float | None = None
    difficult: bool = False
    author: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class VocDocument:
    """An ``<annotation>``.

    Attributes:
        filename: of the photograph; may be empty.
        width: in pixels; 0 where the file does not state it.
        height: in pixels; 0 where the file does not state it.
        source: the database.
        origin: 0 or 1, where the file states it.
        objects: in the order of the file.
        unclear_flags: values of ``difficult`` that mean neither yes nor no; they are read as no.
    """

    filename: str
    width: int
    height: int
    source: str = ""
    origin: int | None = None
    objects: tuple[VocObject, ...] = ()
    unclear_flags: tuple[str, ...] = ()


def suggests_origin_0(corner: Decimal) -> bool:
    """Whether a coordinate does not occur in a file that counts pixels from 1."""
    return 0 <= corner < 1


def parse(root: Element, where: str) -> VocDocument:
    """The document of an XML tree.

    Args:
        root: its root.
        where: the file, for errors.

    Raises:
        TableError: it is not a VOC annotation, an object has no name or box, or a number is
            invalid.
    """
    if root.tag != ROOT:
        raise TableError(
            where, f"is <{shown(root.tag)}>, not the <annotation> of Pascal VOC", "name its format"
        )
    verified = {VERIFIED: root.get(VERIFIED, "")} if root.get(VERIFIED) else {}
    objects = tuple(
        _object(item, f"{where}, object {number}", verified)
        for number, item in enumerate(root.iterfind("object"), start=1)
    )
    source = _text(root, "source/database")
    return VocDocument(
        filename=_text(root, "filename"),
        width=_pixels(root, "size/width", where),
        height=_pixels(root, "size/height", where),
        source="" if source == UNKNOWN_SOURCE else source,
        origin=_origin(root, where),
        objects=objects,
        unclear_flags=tuple(
            text
            for text in (_text(item, "difficult") for item in root.iterfind("object"))
            if flag(text) is None
        ),
    )


def _object(item: Element, where: str, verified: dict[str, str]) -> VocObject:
    name = _text(item, "name")
    if not name:
        raise TableError(where, "has no name", "name its class")
    where = f"{where} ({shown(name)})"
    polygons = tuple(_polygon(element, where) for element in item.iterfind("polygon"))
    turned = item.find("robndbox")
    outline = () if turned is None else _turned_box(turned, where)
    score = _text(item, "score")
    return VocObject(
        name=name,
        corners=_around(outline) if outline else _corners(item, polygons, where),
        polygons=polygons,
        turned=outline,
        score=None if not score else _score(score, where),
        difficult=flag(_text(item, "difficult")) is True,
        author=_text(item, "author"),
        attributes=verified | dict(_attributes(item)),
    )


def _corners(item: Element, polygons: tuple[Vertices, ...], where: str) -> Corners:
    box = item.find("bndbox")
    if box is not None:
        x0, y0, x1, y1 = (_number(_text(box, corner), f"{where}, {corner}") for corner in CORNERS)
        return (x0, y0, x1, y1)
    points = [point for polygon in polygons for point in polygon]
    if not points:
        raise TableError(where, "has no bndbox", "draw its box")
    xs, ys = [x for x, _ in points], [y for _, y in points]
    # A vertex is a point, a corner is a pixel; the last pixel lies before the largest point.
    return (min(xs), min(ys), max(xs) - 1, max(ys) - 1)


def _polygon(element: Element, where: str) -> Vertices:
    if len(element) > 2 * limits.MAX_CORNERS:
        raise TableError(
            where,
            f"has a polygon of more than {limits.MAX_CORNERS} corners",
            "draw it with fewer",
        )
    texts = {child.tag: child.text or "" for child in element}
    points: list[tuple[Decimal, Decimal]] = []
    while (x := texts.get(f"x{len(points) + 1}")) is not None:
        y = texts.get(f"y{len(points) + 1}", "")
        place = f"{where}, corner {len(points) + 1} of its polygon"
        points.append((_number(x, place), _number(y, place)))
    if len(points) < MIN_CORNERS:
        raise TableError(where, "has a polygon of fewer than three corners", "draw it again")
    return tuple(points)


def _around(outline: Outline) -> Corners:
    x0, y0, x1, y1 = map(exact.decimal, extent([outline]))
    return (x0, y0, x1, y1)


def _turned_box(element: Element, where: str) -> Outline:
    """The corners of roLabelImg's turned box: its centre, size and clockwise angle in radians.

    The centre is a point on roLabelImg's canvas, in continuous pixels from 0.
    """
    x, y, width, height, angle = (
        float(_number(_text(element, name), f"{where}, {name}"))
        for name in ("cx", "cy", "w", "h", "angle")
    )
    return turned_rectangle(
        x - width / 2, y - height / 2, width, height, math.degrees(angle), (x, y)
    )


def _attributes(item: Element) -> Iterator[tuple[str, str]]:
    for element in item:
        text = (element.text or "").strip()
        plain = element.tag not in _READ_SEPARATELY and len(element) == 0
        if plain and text and text != DEFAULTS.get(element.tag):
            yield element.tag, text
    for element in item.iterfind("attributes/attribute"):
        name = _text(element, "name")
        if name:
            yield name, _text(element, "value")


def _origin(root: Element, where: str) -> int | None:
    text = root.get(ORIGIN)
    if text is None:
        return None
    if text not in ("0", "1"):
        raise TableError(where, f"has the origin {quoted(text)}", "write 0 or 1")
    return int(text)


def _score(text: str, where: str) -> float:
    score = float(_number(text, f"{where}, score"))
    if not 0 <= score <= 1:
        raise TableError(f"{where}, score", f"{shown(text)} is not from 0 to 1", "correct it")
    return score


def _pixels(root: Element, path: str, where: str) -> int:
    text = _text(root, path)
    return max(0, int(_number(text, f"{where}, {path}"))) if text else 0


def _number(text: str, where: str) -> Decimal:
    try:
        return exact.parse(text)
    except ValueError as error:
        raise TableError(where, str(error), "correct it") from None


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def to_xml(document: VocDocument, where: str) -> bytes:
    """The bytes of a document, in UTF-8, indented by tabs as VOC's own.

    Args:
        document: what to write.
        where: the file, for errors.

    Raises:
        OutputError: a text has a character that XML cannot hold.
    """
    from xml.etree.ElementTree import Element, indent, tostring

    root = Element(ROOT)
    if document.origin is not None:
        root.set(ORIGIN, str(document.origin))
    objects = document.objects
    verified = {item.attributes.get(VERIFIED) for item in objects}
    shared = verified.pop() if len(verified) == 1 else None
    if shared:
        root.set(VERIFIED, shared)
    _add(root, "filename", document.filename)
    _add(_add(root, "source"), "database", document.source or UNKNOWN_SOURCE)
    size = _add(root, "size")
    _add(size, "width", str(document.width))
    _add(size, "height", str(document.height))
    _add(size, "depth", DEPTH)
    _add(root, "segmented", str(int(any(item.polygons for item in objects))))
    for item in objects:
        _add_object(root, item, left_out=VERIFIED if shared else "")
    indent(root, "\t")
    return require_xml(tostring(root, encoding="unicode") + "\n", where).encode()


def _add_object(root: Element, item: VocObject, *, left_out: str) -> None:
    element = _add(root, "object")
    _add(element, "name", item.name)
    others = {name: text for name, text in item.attributes.items() if name != left_out}
    for name, default in DEFAULTS.items():
        text = others.pop(name, default)
        if text != default or name in _WRITTEN_ALWAYS:
            _add(element, name, text)
    _add(element, "difficult", str(int(item.difficult)))
    box = _add(element, "bndbox")
    for name, value in zip(CORNERS, item.corners, strict=True):
        _add(box, name, exact.plain(value))
    for vertices in item.polygons:
        polygon = _add(element, "polygon")
        for number, (x, y) in enumerate(vertices, start=1):
            _add(polygon, f"x{number}", exact.plain(x))
            _add(polygon, f"y{number}", exact.plain(y))
    if item.score is not None:
        _add(element, "score", exact.plain(exact.decimal(item.score)))
    if item.author:
        _add(element, "author", item.author)
    if others:
        attributes = _add(element, "attributes")
        for name, text in others.items():
            attribute = _add(attributes, "attribute")
            _add(attribute, "name", name)
            _add(attribute, "value", text)


def _add(parent: Element, tag: str, text: str | None = None) -> Element:
    from xml.etree.ElementTree import SubElement

    element = SubElement(parent, tag)
    element.text = text
    return element
