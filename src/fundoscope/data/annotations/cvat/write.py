"""Annotations to an XML document of CVAT."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from fundoscope.data.annotations import exact, features
from fundoscope.data.annotations.annotation import AnnotatedPhoto, Annotation, AnnotationSet, Loss
from fundoscope.data.annotations.colours import hex_colour
from fundoscope.data.annotations.cvat.document import (
    AUTHOR,
    DIFFICULT,
    FIELDS,
    FILE,
    OWN,
    ROOT,
    SCORE,
    runs,
)
from fundoscope.data.annotations.documents import distinct
from fundoscope.data.annotations.raster import pixels_of
from fundoscope.data.annotations.shapes import loses_outlines, other_boxes
from fundoscope.data.annotations.xml_text import require_xml
from fundoscope.writing import write_text

HOLDS: Final = features.ALL - {features.SOURCE}
SUFFIX: Final = ".xml"
VERSION: Final = "1.1"
SOURCES: Final = frozenset({"auto", "semi-auto", "file", "consensus"})
"""Sources of a shape that CVAT knows beside ``manual``."""
WHOLE: Final = re.compile(r"-?[1-9][0-9]*")


def write_cvat(
    annotations: AnnotationSet, out: Path, *, overwrite: bool = False
) -> tuple[Loss, ...]:
    """Write an XML document that CVAT imports.

    Args:
        annotations: what to write.
        out: the file, or a folder in which it is named ``annotations.xml``.
        overwrite: replace an existing file.

    Returns:
        What CVAT cannot hold: sources of photographs, a second split of a photograph, outlines of
        several parts (which become masks), attributes with the names of our own fields.

    Raises:
        UsageError: an object of several outlines lies on a photograph whose size is not known.
        OutputError: the file exists or cannot be written, or a text has a character that XML cannot
            hold.
    """
    path = out if out.suffix.lower() == SUFFIX else out / FILE
    text = require_xml(_document(annotations), str(path))
    write_text(path, text, overwrite=overwrite)
    items = [item for photo in annotations.photos for item in photo.annotations]
    splits = Counter(image for images in annotations.splits.values() for image in images)
    own = (
        Loss(features.SPLITS, sum(count > 1 for count in splits.values())),
        Loss(features.OUTLINES, sum(map(loses_outlines, items))),
        Loss(features.ATTRIBUTES, sum(not OWN.isdisjoint(item.attributes) for item in items)),
    )
    losses = (*features.losses(annotations, HOLDS), *own, *other_boxes(annotations))
    return tuple(loss for loss in losses if loss.count)


def _document(annotations: AnnotationSet) -> str:
    """The XML document: labels with their attributes, then the photographs."""
    subsets = {
        image: name
        for name, images in reversed(list(annotations.splits.items()))
        for image in images
    }
    return "".join(
        (
            f'<?xml version="1.0" encoding="utf-8"?>\n<{ROOT}>\n',
            f"  <version>{VERSION}</version>\n",
            *_meta(annotations),
            *(
                line
                for number, photo in enumerate(annotations.photos)
                for line in _image(number, photo, subsets.get(photo.image, ""))
            ),
            f"</{ROOT}>\n",
        )
    )


def _meta(annotations: AnnotationSet) -> Iterator[str]:
    items = [item for photo in annotations.photos for item in photo.annotations]
    attributes = distinct(name for item in items for name in _label_attributes(item))
    yield "  <meta>\n    <task>\n      <name>fundoscope</name>\n"
    yield f"      <size>{len(annotations.photos)}</size>\n      <mode>annotation</mode>\n"
    yield "      <labels>\n"
    for kind in features.all_kinds(annotations):
        yield f"        <label>\n          <name>{_text(kind)}</name>\n"
        yield f"          <color>{hex_colour(kind)}</color>\n          <type>any</type>\n"
        yield "          <attributes>\n"
        for name in attributes:
            yield f"            <attribute>\n              <name>{_text(name)}</name>\n"
            yield "              <mutable>False</mutable>\n"
            yield "              <input_type>text</input_type>\n"
            yield "              <default_value></default_value>\n"
            yield "              <values></values>\n            </attribute>\n"
        yield "          </attributes>\n        </label>\n"
    yield "      </labels>\n    </task>\n  </meta>\n"


def _image(number: int, photo: AnnotatedPhoto, subset: str) -> Iterator[str]:
    attributes = {"id": str(number), "name": photo.image}
    if subset:
        attributes["subset"] = subset
    attributes |= {"width": str(photo.width), "height": str(photo.height)}
    yield f"  <image{_attributes(attributes)}>\n"
    for item in photo.annotations:
        yield from _shape(item, photo)
    yield "  </image>\n"


def _shape(item: Annotation, photo: AnnotatedPhoto) -> Iterator[str]:
    tag, place = _place(item, photo)
    fields = {"label": item.kind, **FIELDS, **_cvat_fields(item), **place}
    yield f"    <{tag}{_attributes(fields)}>\n"
    for name, value in _label_attributes(item).items():
        yield f"      <attribute name={_quoted(name)}>{_text(value)}</attribute>\n"
    yield f"    </{tag}>\n"


def _label_attributes(item: Annotation) -> dict[str, str]:
    """The attributes of a label: those of the object without CVAT's fields, and our own fields."""
    own = {
        SCORE: "" if item.score is None else exact.plain(exact.decimal(item.score)),
        DIFFICULT: "true" if item.difficult else "",
        AUTHOR: item.author,
    }
    fields = _cvat_fields(item)
    kept = {
        name: text
        for name, text in item.attributes.items()
        if name not in OWN and name not in fields
    }
    return kept | {name: text for name, text in own.items() if text}


def _cvat_fields(item: Annotation) -> dict[str, str]:
    """The attributes for which CVAT has a field, where it accepts the value."""
    attributes = item.attributes
    accepted = {
        "occluded": attributes.get("occluded") == "1",
        "z_order": WHOLE.fullmatch(attributes.get("z_order", "")) is not None,
        "source": attributes.get("source") in SOURCES,
    }
    return {name: attributes[name] for name, is_accepted in accepted.items() if is_accepted}


def _place(item: Annotation, photo: AnnotatedPhoto) -> tuple[str, Mapping[str, str]]:
    """Element and coordinates: of the mask, else of the outline, else of the box."""
    mask = item.mask
    if mask is None and len(item.outlines) > 1:
        mask = pixels_of(item, photo.width, photo.height)
    if mask is not None:
        height, width = mask.pixels.shape
        frame = {"left": mask.x, "top": mask.y, "width": width, "height": height}
        code = ", ".join(map(str, runs(mask)))
        return "mask", {"rle": code} | {name: str(value) for name, value in frame.items()}
    if len(item.outlines) == 1:
        corners = (f"{_number(x)},{_number(y)}" for x, y in item.outlines[0])
        return "polygon", {"points": ";".join(corners)}
    names = ("xtl", "ytl", "xbr", "ybr")
    return "box", {name: _number(side) for name, side in zip(names, item.box, strict=True)}


def _number(value: float) -> str:
    return exact.plain(exact.decimal(value))


def _attributes(attributes: Mapping[str, str]) -> str:
    return "".join(f" {name}={_quoted(value)}" for name, value in attributes.items())


def _quoted(text: str) -> str:
    # XML readers turn line ends and tabs in an attribute into blanks.
    return quoteattr(text, {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def _text(text: str) -> str:
    return escape(text, {"\r": "&#13;"})
