"""CVAT's XML "for images", version 1.1: boxes, polygons, masks and ellipses.

Coordinates are continuous pixels from 0, as here. Boxes may be turned about their centre; they and
ellipses become outlines. A mask's run lengths alternate, the blank first, row by row inside its
frame (``left``, ``top``, ``width``, ``height``). Points, polylines, cuboids, skeletons and tags
have no place here and are counted. ``occluded``, ``z_order`` and ``source`` are kept as attributes
where they say something other than CVAT's default.

What CVAT has no field for, score, difficult and author, stands in attributes of these names, which
the document declares for every label.

Layout from CVAT's documentation (docs.cvat.ai, "XML annotation format") and its own reader.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fundoscope.data.annotations import features
from fundoscope.data.annotations.annotation import AnnotatedPhoto, Annotation, AnnotationSet, Loss
from fundoscope.data.annotations.cvat import shapes as cvat_shapes
from fundoscope.data.annotations.cvat import write as cvat_write
from fundoscope.data.annotations.cvat.shapes import (
    AUTHOR,
    DIFFICULT,
    FIELDS,
    OWN,
    SCORE,
    number,
)
from fundoscope.data.annotations.documents import distinct, image_name, read_xml
from fundoscope.data.annotations.masks.layout import canonical
from fundoscope.data.annotations.pictures import Pictures
from fundoscope.data.annotations.shapes import other_boxes
from fundoscope.errors import TableError
from fundoscope.writing import write_text

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

HOLDS: Final = features.ALL - {features.SOURCE}
DOCUMENT: Final = "annotations.xml"
YES: Final = frozenset({"1", "true", "yes"})
PASSED_OVER: Final = {
    "points": "points",
    "polyline": "polylines",
    "cuboid": "cuboids",
    "skeleton": "skeletons",
    "tag": "tags of whole photographs",
}

OTHER: Final = "shapes of other kinds"


def read(path: Path, *, images: Path | None = None) -> AnnotationSet:
    """Read an XML document of CVAT.

    Args:
        path: the document, or the folder that holds ``annotations.xml``.
        images: folder of photographs: tells names that the document only knows in part, and sizes
            that it leaves out.

    Raises:
        TableError: the file is no such document ("for video" is another), a photograph is there
            twice, or a shape is broken (the photograph and the shape are named).
        PhotoError: a photograph whose size is needed cannot be read.
    """
    path = path / DOCUMENT if path.is_dir() else path
    root = read_xml(path)
    if root.tag != "annotations" or (root.find("track") is not None):
        raise TableError(
            str(path), 'is not "CVAT for images"', 'export it in the format "CVAT for images 1.1"'
        )
    pictures = None if images is None else Pictures.of(images)
    left_out: Counter[str] = Counter()
    photos: dict[str, AnnotatedPhoto] = {}
    splits: dict[str, list[str]] = {}
    for element in root.iter("image"):
        photo = _photo(element, pictures, left_out, str(path))
        if photo.image in photos:
            raise TableError(str(path), f"has {photo.image} twice", "remove one of the two")
        photos[photo.image] = photo
        if element.get("subset"):
            splits.setdefault(element.get("subset", ""), []).append(photo.image)
    found = AnnotationSet(
        photos=tuple(photo for _, photo in sorted(photos.items())),
        splits={name: tuple(sorted(there)) for name, there in splits.items()},
        left_out=tuple(Loss(what, count) for what, count in sorted(left_out.items())),
    )
    listed = (label.text or "" for label in root.iterfind("meta//label/name"))
    order = [canonical(name.strip()) for name in listed if name.strip()]
    return replace(found, kinds=distinct((*order, *features.kinds_in(found))))


def write(
    found: AnnotationSet,
    out: Path,
    *,
    images: Path | None = None,  # noqa: ARG001 (every format's writer is called alike)
    overwrite: bool = False,
) -> tuple[Loss, ...]:
    """Write an XML document that CVAT imports.

    Args:
        found: what to write.
        out: the file, or a folder in which it is called ``annotations.xml``.
        images: not needed; photographs are left where they are.
        overwrite: replace a file that is there.

    Returns:
        What CVAT cannot hold: sources of photographs, a second split of a photograph, outlines of
        several parts (which become masks), attributes of the names that stand for our own fields.

    Raises:
        UsageError: an object of several outlines lies on a photograph whose size is not known.
        OutputError: the file is there already or cannot be written.
    """
    path = out if out.suffix.lower() == ".xml" else out / DOCUMENT
    write_text(path, cvat_write.document(found), overwrite=overwrite)
    items = [item for photo in found.photos for item in photo.annotations]
    splits = Counter(image for there in found.splits.values() for image in there)
    told = (
        Loss(features.SPLITS, sum(count > 1 for count in splits.values())),
        Loss(features.OUTLINES, sum(map(_loses_outlines, items))),
        Loss(features.ATTRIBUTES, sum(not OWN.isdisjoint(item.attributes) for item in items)),
    )
    losses = (*features.losses(found, HOLDS), *told, *other_boxes(found))
    return tuple(loss for loss in losses if loss.count)


def _loses_outlines(item: Annotation) -> bool:
    return len(item.outlines) > 1 or (bool(item.outlines) and item.mask is not None)


def _photo(
    element: Element, pictures: Pictures | None, left_out: Counter[str], where: str
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
        annotations=tuple(_annotations(element, left_out, where)),
    )


def _annotations(image: Element, left_out: Counter[str], where: str) -> Iterator[Annotation]:
    for place, element in enumerate(image, start=1):
        if element.tag in PASSED_OVER:
            left_out[PASSED_OVER[element.tag]] += 1
        elif element.tag not in cvat_shapes.SHAPES:
            left_out[OTHER] += 1
        else:
            try:
                yield _annotation(element)
            except ValueError as error:
                raise TableError(
                    f"{where}, shape {place} ({element.tag})", str(error), "correct or remove it"
                ) from None


def _annotation(element: Element) -> Annotation:
    label = element.get("label", "").strip()
    if not label:
        raise ValueError("has no label")
    said = {
        each.get("name", ""): each.text or ""
        for each in element.iterfind("attribute")
        if each.get("name")
    }
    score = said.pop(SCORE, "").strip()
    difficult = said.pop(DIFFICULT, "").strip().lower() in YES
    author = said.pop(AUTHOR, "")
    box, outlines, mask = cvat_shapes.shape(element)
    return Annotation(
        kind=canonical(label),
        box=box,
        outlines=outlines,
        mask=mask,
        score=_score(score) if score else None,
        difficult=difficult,
        author=author,
        attributes={**_fields(element.attrib), **said},
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
        raise TableError(where, f"{text!r} is no width or height", "correct it") from None
    return value
