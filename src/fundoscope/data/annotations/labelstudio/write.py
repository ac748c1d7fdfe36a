"""From annotated photographs to tasks that Label Studio imports, and its labelling interface."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from statistics import fmean
from typing import Any, Final
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from fundoscope.data.annotations import features
from fundoscope.data.annotations.annotation import AnnotatedPhoto, Annotation, AnnotationSet
from fundoscope.data.annotations.documents import distinct
from fundoscope.data.annotations.labelstudio.names import IMAGE, PHOTO
from fundoscope.data.annotations.labelstudio.read import (
    AUTHOR,
    DIFFICULT,
    HEIGHT,
    SOURCE,
    SPLITS,
    WIDTH,
)
from fundoscope.data.annotations.labelstudio.regions import size_of, value_of
from fundoscope.errors import UsageError
from fundoscope.kinds import KINDS

LOCAL_FILES: Final = "/data/local-files/?d="
TOOLS: Final = {
    "rectanglelabels": ("box", "RectangleLabels"),
    "polygonlabels": ("outline", "PolygonLabels"),
    "brushlabels": ("mask", "BrushLabels"),
}
"""Name and element of the tool for each type of result."""
RESERVED: Final = frozenset({AUTHOR, DIFFICULT, IMAGE, *(name for name, _ in TOOLS.values())})
"""Names that an attribute cannot have, for the interface uses them."""
NO_COLOUR: Final = (128, 128, 128)


def tasks(found: AnnotationSet) -> bytes:
    """The JSON document, a task a line.

    Raises:
        UsageError: a photograph's size is not known or out of bounds.
    """
    import msgspec

    encoder = msgspec.json.Encoder(decimal_format="number")
    splits = _splits_by_image(found)
    lines = (encoder.encode(_task(photo, splits.get(photo.image, []))) for photo in found.photos)
    return b"[\n" + b",\n".join(lines) + b"\n]\n"


def interface(found: AnnotationSet) -> str:
    """The labelling interface: a tool for each shape, the kinds in order, the questions asked."""
    labels = "".join(
        f"    <Label value={quoteattr(kind)} background={quoteattr(_colour(kind))}/>\n"
        for kind in features.all_kinds(found)
    )
    tools = "".join(
        f"  <{element} name={quoteattr(name)} toName={quoteattr(IMAGE)}>\n{labels}  </{element}>\n"
        for name, element in TOOLS.values()
    )
    items = [item for photo in found.photos for item in photo.annotations]
    keys = distinct(key for item in items for key in _kept(item))
    texts = "".join(
        f"  <TextArea name={quoteattr(key)} toName={quoteattr(IMAGE)} perRegion='true'/>\n"
        for key in (AUTHOR, *keys)
    )
    return (
        f"<View>\n  <Image name={quoteattr(IMAGE)} value='${IMAGE}' zoom='true'/>\n{tools}"
        f"  <Choices name={quoteattr(DIFFICULT)} toName={quoteattr(IMAGE)} perRegion='true'>\n"
        f"    <Choice value='yes'/>\n  </Choices>\n{texts}</View>\n"
    )


def unnamed_attributes(found: AnnotationSet) -> int:
    """How many objects have an attribute whose name the interface needs itself."""
    items = (item for photo in found.photos for item in photo.annotations)
    return sum(len(_kept(item)) < len(item.attributes) for item in items)


def _task(photo: AnnotatedPhoto, splits: list[str]) -> dict[str, Any]:
    numbered = list(enumerate(photo.annotations))
    made = [(number, item) for number, item in numbered if item.score is None]
    scored = [(number, item) for number, item in numbered if item.score is not None]
    data: dict[str, Any] = {
        IMAGE: LOCAL_FILES + quote(photo.image),
        PHOTO: photo.image,
        WIDTH: photo.width,
        HEIGHT: photo.height,
    }
    if photo.source:
        data[SOURCE] = photo.source
    if splits:
        data[SPLITS] = splits
    annotations = [{"result": _results(photo, group)} for _, group in _by_author(made)]
    if not numbered:  # somebody looked, and found nothing
        annotations = [{"result": []}]
    predictions = [_prediction(photo, *group) for group in _by_author(scored)]
    return {"data": data, "annotations": annotations, "predictions": predictions}


def _prediction(
    photo: AnnotatedPhoto, author: str, group: list[tuple[int, Annotation]]
) -> dict[str, Any]:
    scores = [item.score for _, item in group if item.score is not None]
    prediction = {"result": _results(photo, group), "score": fmean(scores)}
    return {"model_version": author, **prediction} if author else prediction


def _by_author(
    items: list[tuple[int, Annotation]],
) -> Iterator[tuple[str, list[tuple[int, Annotation]]]]:
    for author in distinct(item.author for _, item in items):
        yield author, [(number, item) for number, item in items if item.author == author]


def _results(
    photo: AnnotatedPhoto, items: Iterable[tuple[int, Annotation]]
) -> list[dict[str, Any]]:
    return [result for number, item in items for result in _region(photo, number, item)]


def _region(photo: AnnotatedPhoto, number: int, item: Annotation) -> Iterator[dict[str, Any]]:
    """The region of an object, then the answers about it; all share the id."""
    size = _size(photo)
    kind_of_labels, value = value_of(item, size)
    shared = {"id": f"object-{number}", "to_name": IMAGE}
    region: dict[str, Any] = {
        **shared,
        "from_name": TOOLS[kind_of_labels][0],
        "type": kind_of_labels,
        "original_width": size[0],
        "original_height": size[1],
        "image_rotation": 0,
        "value": {**value, kind_of_labels: [item.kind]},
    }
    yield region if item.score is None else {**region, "score": item.score}
    if item.difficult:
        choice = {"choices": ["yes"]}
        yield {**shared, "from_name": DIFFICULT, "type": "choices", "value": choice}
    author = {AUTHOR: item.author} if item.author and item.score is None else {}
    for name, answer in (author | _kept(item)).items():
        yield {**shared, "from_name": name, "type": "textarea", "value": {"text": [answer]}}


def _size(photo: AnnotatedPhoto) -> tuple[int, int]:
    try:
        size = size_of(photo.width, photo.height)
    except ValueError:
        size = None
    if size is None:
        raise UsageError(
            photo.image,
            f"has {photo.width} x {photo.height} pixels as its annotations say",
            "correct its size, or name the folder of photographs",
        )
    return size


def _kept(item: Annotation) -> dict[str, str]:
    return {name: text for name, text in item.attributes.items() if name not in RESERVED}


def _splits_by_image(found: AnnotationSet) -> dict[str, list[str]]:
    splits: dict[str, list[str]] = {}
    for split, images in found.splits.items():
        for image in images:
            splits.setdefault(image, []).append(split)
    return splits


def _colour(kind: str) -> str:
    red, green, blue = KINDS[kind].colour if kind in KINDS else NO_COLOUR
    return f"#{red:02x}{green:02x}{blue:02x}"
