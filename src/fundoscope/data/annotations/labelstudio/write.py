"""Annotations to tasks that Label Studio imports, and its labelling interface.

``labels.xml`` is the labelling interface, to be pasted into the project's settings. Objects with a
score become predictions, the others annotations, one for each author. The author is in a text field
of each region, because Label Studio rejects tasks with ``completed_by`` of people it does not know.
Photographs are expected in its local storage, whose document root
(``LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT``) must be the folder of photographs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import fmean
from typing import Any, Final
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import msgspec

from fundoscope.data.annotations import features
from fundoscope.data.annotations.annotation import AnnotatedPhoto, Annotation, AnnotationSet, Loss
from fundoscope.data.annotations.colours import hex_colour
from fundoscope.data.annotations.documents import distinct
from fundoscope.data.annotations.labelstudio.layout import (
    AUTHOR,
    DIFFICULT,
    HEIGHT,
    IMAGE,
    INTERFACE,
    PHOTO,
    SOURCE,
    SPLITS,
    TASKS,
    WIDTH,
)
from fundoscope.data.annotations.labelstudio.regions import value_of
from fundoscope.data.annotations.pictures import stated_size
from fundoscope.data.annotations.shapes import loses_outlines, other_boxes
from fundoscope.data.annotations.xml_text import require_xml
from fundoscope.errors import UsageError
from fundoscope.writing import write_files

HOLDS: Final = features.ALL
"""Label Studio keeps every field of a task, and answers to questions about every region."""
TASKS_SUFFIX: Final = ".json"

LOCAL_FILES: Final = "/data/local-files/?d="
TOOLS: Final = {
    "rectanglelabels": ("box", "RectangleLabels"),
    "polygonlabels": ("outline", "PolygonLabels"),
    "brushlabels": ("mask", "BrushLabels"),
}
"""Name and element of the tool for each type of result."""
RESERVED: Final = frozenset({AUTHOR, DIFFICULT, IMAGE, *(name for name, _ in TOOLS.values())})
"""Names that an attribute cannot have, because the interface uses them."""


def write_label_studio(
    annotations: AnnotationSet, out: Path, *, overwrite: bool = False
) -> tuple[Loss, ...]:
    """Write tasks and the labelling interface.

    Args:
        annotations: what to write; every photograph needs its size.
        out: the folder, or the JSON file, beside which the interface gets the same name.
        overwrite: replace existing files.

    Returns:
        What a region cannot hold: outlines beside a mask, or of several parts (which become brush
        regions), and attributes with names that the interface uses.

    Raises:
        UsageError: the size of a photograph is not known or out of bounds.
        OutputError: a file exists or cannot be written; then nothing was changed. Or a name has
            a character that XML cannot hold.
    """
    is_file = out.suffix.lower() == TASKS_SUFFIX
    tasks = out if is_file else out / TASKS
    interface = out.with_suffix(".xml") if is_file else out / INTERFACE
    documents = [
        (tasks, _tasks(annotations)),
        (interface, require_xml(_interface(annotations), str(interface)).encode()),
    ]
    write_files(documents, folder=None if is_file else out, overwrite=overwrite)
    items = [item for photo in annotations.photos for item in photo.annotations]
    own = (
        Loss(features.OUTLINES, sum(map(loses_outlines, items))),
        Loss(features.ATTRIBUTES, sum(len(_kept(item)) < len(item.attributes) for item in items)),
    )
    losses = (*features.losses(annotations, HOLDS), *own, *other_boxes(annotations))
    return tuple(loss for loss in losses if loss.count)


def _tasks(annotations: AnnotationSet) -> bytes:
    """The JSON document, a task a line."""
    encoder = msgspec.json.Encoder(decimal_format="number")
    splits = _splits_by_image(annotations)
    lines = (
        encoder.encode(_task(photo, splits.get(photo.image, []))) for photo in annotations.photos
    )
    return b"[\n" + b",\n".join(lines) + b"\n]\n"


def _interface(annotations: AnnotationSet) -> str:
    """The labelling interface: a tool for each shape, the kinds in order, and the questions."""
    labels = "".join(
        f"    <Label value={quoteattr(kind)} background={quoteattr(hex_colour(kind))}/>\n"
        for kind in features.all_kinds(annotations)
    )
    tools = "".join(
        f"  <{element} name={quoteattr(name)} toName={quoteattr(IMAGE)}>\n{labels}  </{element}>\n"
        for name, element in TOOLS.values()
    )
    items = [item for photo in annotations.photos for item in photo.annotations]
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
    if not numbered:  # Somebody looked and found nothing.
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
    size = stated_size(photo)
    try:
        kind_of_labels, value = value_of(item, size)
    except ValueError as error:
        raise UsageError(
            f"{photo.image}, object {number + 1}",
            f"cannot be given in percent of its photograph: {error}",
            "correct its coordinates",
        ) from None
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


def _kept(item: Annotation) -> dict[str, str]:
    return {name: text for name, text in item.attributes.items() if name not in RESERVED}


def _splits_by_image(annotations: AnnotationSet) -> dict[str, list[str]]:
    splits: dict[str, list[str]] = {}
    for split, images in annotations.splits.items():
        for image in images:
            splits.setdefault(image, []).append(split)
    return splits
