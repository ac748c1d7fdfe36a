"""XML documents of CVAT "for images" to annotations: boxes, polygons, masks and ellipses.

Coordinates are continuous pixels from 0, as here. Boxes may be turned about their centre; they and
ellipses become outlines. Points, polylines, cuboids, skeletons and tags have no place here and are
counted. ``occluded``, ``z_order`` and ``source`` are kept as attributes where they differ from
CVAT's default.

CVAT has no fields for score, difficult and author. They are attributes of these names, which the
document declares for every label.

Layout from CVAT's documentation (docs.cvat.ai, "XML annotation format") and its own reader.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fundoscope.data.annotations import features
from fundoscope.data.annotations.allowance import MaskAllowance
from fundoscope.data.annotations.annotation import AnnotatedPhoto, Annotation, AnnotationSet, Loss
from fundoscope.data.annotations.cvat.document import (
    AUTHOR,
    DIFFICULT,
    FIELDS,
    FILE,
    ROOT,
    SCORE,
    SHAPES,
    number,
    shape,
)
from fundoscope.data.annotations.documents import distinct, read_xml
from fundoscope.data.annotations.names import image_name, kind_key
from fundoscope.data.annotations.pictures import Pictures, absent
from fundoscope.errors import TableError
from fundoscope.quoting import quoted

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

YES: Final = frozenset({"1", "true", "yes"})
SKIPPED: Final = {
    "points": "points",
    "polyline": "polylines",
    "cuboid": "cuboids",
    "skeleton": "skeletons",
    "tag": "tags of whole photographs",
}
"""Elements that have no place here, and what they are called in a report."""
OTHER: Final = "shapes of other kinds"
TRACK: Final = "track"
"""An element of CVAT's other format, "for video"."""


def read_cvat(path: Path, *, images: Path | None = None) -> AnnotationSet:
    """Read an XML document of CVAT.

    Args:
        path: the document, or the folder that holds ``annotations.xml``.
        images: the folder of photographs, for names that the document has only in part and sizes
            that it leaves out.

    Raises:
        TableError: the file is not such a document ("for video" is another format), a photograph
            is listed twice, or a shape is invalid (the photograph and the shape are named).
        PhotoError: a photograph whose size is needed cannot be read.
    """
    path = path / FILE if path.is_dir() else path
    root = read_xml(path)
    if root.tag != ROOT or root.find(TRACK) is not None:
        raise TableError(
            str(path), 'is not "CVAT for images"', 'export it in the format "CVAT for images 1.1"'
        )
    pictures = None if images is None else Pictures.of(images)
    left_out: Counter[str] = Counter()
    allowance = MaskAllowance.of(path.stat().st_size)
    photos: dict[str, AnnotatedPhoto] = {}
    splits: dict[str, list[str]] = {}
    for element in root.iter("image"):
        photo = _photo(element, pictures, left_out, allowance, str(path))
        if photo.image in photos:
            raise TableError(str(path), f"lists {photo.image} twice", "remove one of the two")
        photos[photo.image] = photo
        if element.get("subset"):
            splits.setdefault(element.get("subset", ""), []).append(photo.image)
    annotations = AnnotationSet(
        photos=tuple(photo for _, photo in sorted(photos.items())),
        splits={name: tuple(sorted(members)) for name, members in splits.items()},
        left_out=tuple(Loss(what, count) for what, count in sorted(left_out.items())),
        warnings=absent(photos, pictures),
    )
    listed = (label.text or "" for label in root.iterfind("meta//label/name"))
    order = [kind_key(name.strip()) for name in listed if name.strip()]
    return replace(annotations, kinds=distinct((*order, *features.kinds_in(annotations))))


def _photo(
    element: Element,
    pictures: Pictures | None,
    left_out: Counter[str],
    allowance: MaskAllowance,
    where: str,
) -> AnnotatedPhoto:
    name = image_name(element.get("name", ""), where)
    known = None if pictures is None else pictures.find(name)
    where = f"{where}, {name}"
    width, height = element.get("width"), element.get("height")
    if width and height:
        size = _whole(width, where), _whole(height, where)
    elif pictures is not None and known is not None:
        size = pictures.size(known)
    else:
        raise TableError(
            where, "has no width and height", "name the folder of photographs with --images"
        )
    return AnnotatedPhoto(
        image=known or name,
        width=size[0],
        height=size[1],
        annotations=tuple(_annotations(element, left_out, allowance, where)),
    )


def _annotations(
    image: Element, left_out: Counter[str], allowance: MaskAllowance, where: str
) -> Iterator[Annotation]:
    for place, element in enumerate(image, start=1):
        if element.tag in SKIPPED:
            left_out[SKIPPED[element.tag]] += 1
        elif element.tag not in SHAPES:
            left_out[OTHER] += 1
        else:
            try:
                yield _annotation(element, allowance)
            except ValueError as error:
                raise TableError(
                    f"{where}, shape {place} ({element.tag})", str(error), "correct or remove it"
                ) from None


def _annotation(element: Element, allowance: MaskAllowance) -> Annotation:
    label = element.get("label", "").strip()
    if not label:
        raise ValueError("has no label")
    attributes = {
        each.get("name", ""): each.text or ""
        for each in element.iterfind("attribute")
        if each.get("name")
    }
    score = attributes.pop(SCORE, "").strip()
    difficult = attributes.pop(DIFFICULT, "").strip().lower() in YES
    author = attributes.pop(AUTHOR, "")
    box, outlines, mask = shape(element, allowance)
    return Annotation(
        kind=kind_key(label),
        box=box,
        outlines=outlines,
        mask=mask,
        score=_score(score) if score else None,
        difficult=difficult,
        author=author,
        attributes={**_fields(element.attrib), **attributes},
    )


def _fields(fields: Mapping[str, str]) -> dict[str, str]:
    return {
        name: fields[name]
        for name, default in FIELDS.items()
        if fields.get(name, default) != default
    }


def _score(text: str) -> float:
    score = number(text, SCORE)
    if not 0.0 <= score <= 1.0:
        raise ValueError(f"has a score of {text}, which is not from 0 to 1")
    return score


def _whole(text: str, where: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value <= 0:
        raise TableError(where, f"{quoted(text)} is not a width or height", "correct it") from None
    return value
