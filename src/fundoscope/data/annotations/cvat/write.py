"""CVAT's document from annotated photographs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from fundoscope.data.annotations import exact, features
from fundoscope.data.annotations.annotation import AnnotatedPhoto, Annotation, AnnotationSet
from fundoscope.data.annotations.cvat import shapes as cvat_shapes
from fundoscope.data.annotations.cvat.shapes import AUTHOR, DIFFICULT, FIELDS, OWN, SCORE
from fundoscope.data.annotations.documents import distinct
from fundoscope.data.annotations.raster import pixels_of
from fundoscope.kinds import KINDS

VERSION: Final = "1.1"
SOURCES: Final = frozenset({"auto", "semi-auto", "file", "consensus"})
"""Sources of a shape that CVAT knows beside ``manual``."""
WHOLE: Final = re.compile(r"-?[1-9][0-9]*")
NO_COLOUR: Final = (128, 128, 128)


def document(found: AnnotationSet) -> str:
    """The XML document: labels with their attributes, then the photographs."""
    subsets = {
        image: name for name, there in reversed(list(found.splits.items())) for image in there
    }
    return "".join(
        (
            '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n',
            f"  <version>{VERSION}</version>\n",
            *_meta(found),
            *(
                line
                for number, photo in enumerate(found.photos)
                for line in _image(number, photo, subsets.get(photo.image, ""))
            ),
            "</annotations>\n",
        )
    )


def _meta(found: AnnotationSet) -> Iterator[str]:
    items = [item for photo in found.photos for item in photo.annotations]
    attributes = distinct(name for item in items for name in said(item))
    yield "  <meta>\n    <task>\n      <name>fundoscope</name>\n"
    yield f"      <size>{len(found.photos)}</size>\n      <mode>annotation</mode>\n"
    yield "      <labels>\n"
    for kind in features.all_kinds(found):
        yield f"        <label>\n          <name>{_text(kind)}</name>\n"
        yield f"          <color>{_colour(kind)}</color>\n          <type>any</type>\n"
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
    fields = {"label": item.kind, **FIELDS, **_of_fields(item), **place}
    yield f"    <{tag}{_attributes(fields)}>\n"
    for name, value in said(item).items():
        yield f"      <attribute name={_quoted(name)}>{_text(value)}</attribute>\n"
    yield f"    </{tag}>\n"


def said(item: Annotation) -> dict[str, str]:
    """What stands in attributes of a label: those of the object, and our fields."""
    own = {
        SCORE: "" if item.score is None else exact.plain(exact.decimal(item.score)),
        DIFFICULT: "true" if item.difficult else "",
        AUTHOR: item.author,
    }
    fields = _of_fields(item)
    kept = {
        name: text
        for name, text in item.attributes.items()
        if name not in OWN and name not in fields
    }
    return kept | {name: text for name, text in own.items() if text}


def _of_fields(item: Annotation) -> dict[str, str]:
    """The attributes that CVAT has a field for and whose values it takes."""
    said = item.attributes
    fits = {
        "occluded": said.get("occluded") == "1",
        "z_order": WHOLE.fullmatch(said.get("z_order", "")) is not None,
        "source": said.get("source") in SOURCES,
    }
    return {name: said[name] for name, there in fits.items() if there}


def _place(item: Annotation, photo: AnnotatedPhoto) -> tuple[str, Mapping[str, str]]:
    """The element and the coordinates: of the mask, else of the outline, else of the box."""
    mask = item.mask
    if mask is None and len(item.outlines) > 1:
        mask = pixels_of(item, photo.width, photo.height)
    if mask is not None:
        height, width = mask.pixels.shape
        frame = {"left": mask.x, "top": mask.y, "width": width, "height": height}
        code = ", ".join(map(str, cvat_shapes.runs(mask)))
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
    # Line ends and tabs in an attribute would be read as blanks.
    return quoteattr(text, {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def _text(text: str) -> str:
    return escape(text, {"\r": "&#13;"})


def _colour(kind: str) -> str:
    red, green, blue = KINDS[kind].colour if kind in KINDS else NO_COLOUR
    return f"#{red:02x}{green:02x}{blue:02x}"
