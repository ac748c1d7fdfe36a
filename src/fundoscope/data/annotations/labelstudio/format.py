"""Label Studio: its JSON export (whole, small, or a file an annotation), and tasks for its import.

Reading takes rectangles, ellipses, polygons and brush strokes; turned rectangles and ellipses
become outlines. An object's author is who completed the annotation, or the model's version; scores
are those of predictions. Skipped annotations are passed over; a task that nobody worked on is no
annotated photograph. ``image_rotation`` only turns the view and is of no concern.

Writing makes ``tasks.json`` and ``labels.xml``, the labelling interface to paste into the project's
settings. Objects with a score are predictions, the others annotations, one for each author. Who an
annotation is by stands in a text field of each region: Label Studio refuses to import tasks with
``completed_by`` of people it does not know. Photographs are looked for in its local storage, whose
document root (``LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT``) must be the folder of photographs.

Layout from Label Studio's documentation and the source of its converter 0.0.59.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from fundoscope.data.annotations import features
from fundoscope.data.annotations.annotation import Annotation, AnnotationSet, Loss
from fundoscope.data.annotations.documents import distinct, read_xml
from fundoscope.data.annotations.masks.layout import canonical
from fundoscope.data.annotations.pictures import Pictures
from fundoscope.data.annotations.shapes import other_boxes
from fundoscope.errors import TableError
from fundoscope.writing import write_files

HOLDS: Final = features.ALL
"""Label Studio keeps every field of a task, and answers to questions about every region."""
TASKS, INTERFACE = "tasks.json", "labels.xml"
LABEL: Final = "Label"


def read(path: Path, *, images: Path | None = None) -> AnnotationSet:
    """Read an export of Label Studio.

    Args:
        path: the JSON file, or a folder of such; a labelling interface beside (``labels.xml``, or
            named as the JSON file) gives the order of kinds.
        images: folder of photographs: tells names that the export only knows in part, and sizes
            of photographs on which nothing was drawn.

    Raises:
        TableError: a file is no such export, or a photograph's name or size cannot be told.
        PhotoError: a photograph whose size is needed cannot be read.
    """
    from fundoscope.data.annotations.labelstudio import names as labelstudio_names
    from fundoscope.data.annotations.labelstudio import read as labelstudio_read

    pictures = None if images is None else Pictures.of(images)
    files = _files(path)
    tasks = [item for file in files for item in labelstudio_read.tasks_of(file)]
    names = labelstudio_names.names([(where, task.data or {}) for where, task in tasks], pictures)
    reading = labelstudio_read.Reading()
    for (where, task), name in zip(tasks, names, strict=True):
        labelstudio_read.add(reading, task, name, where, pictures)
    found = AnnotationSet(
        photos=tuple(photo for _, photo in sorted(reading.photos.items())),
        splits={name: distinct(sorted(there)) for name, there in reading.splits.items()},
        left_out=tuple(Loss(what, count) for what, count in sorted(reading.left_out.items())),
        warnings=_doubled(reading.doubled),
    )
    order = _order_of_kinds(files[0])
    return replace(found, kinds=distinct((*order, *features.kinds_in(found))))


def write(
    found: AnnotationSet,
    out: Path,
    *,
    images: Path | None = None,  # noqa: ARG001 (every format's writer is called alike)
    overwrite: bool = False,
) -> tuple[Loss, ...]:
    """Write tasks and the labelling interface.

    Args:
        found: what to write; every photograph needs its size.
        out: the folder; or the JSON file, beside which the interface gets the same name.
        images: not needed; photographs are left where they are.
        overwrite: replace files that are there.

    Returns:
        What a region cannot say: outlines beside a mask or of several parts (which are painted).

    Raises:
        UsageError: a photograph's size is not known or out of bounds.
        OutputError: a file is there already or cannot be written; nothing was changed then.
    """
    from fundoscope.data.annotations.labelstudio import write as labelstudio_write

    is_file = out.suffix.lower() == ".json"
    tasks = out if is_file else out / TASKS
    interface = out.with_suffix(".xml") if is_file else out / INTERFACE
    documents = [
        (tasks, labelstudio_write.tasks(found)),
        (interface, labelstudio_write.interface(found).encode()),
    ]
    write_files(documents, overwrite=overwrite)
    items = [item for photo in found.photos for item in photo.annotations]
    told = (
        Loss(features.OUTLINES, sum(map(_loses_outlines, items))),
        Loss(features.ATTRIBUTES, labelstudio_write.unnamed_attributes(found)),
    )
    losses = (*features.losses(found, HOLDS), *told, *other_boxes(found))
    return tuple(loss for loss in losses if loss.count)


def _loses_outlines(item: Annotation) -> bool:
    return len(item.outlines) > 1 or (bool(item.outlines) and item.mask is not None)


def _doubled(count: int) -> tuple[str, ...]:
    if count == 0:
        return ()
    return (f"{count} tasks have both annotations and predictions; the objects of both were read",)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.glob("*.json") if not file.name.startswith("."))
    if not files:
        raise TableError(str(path), "has no JSON file", "name the export of Label Studio")
    return files


def _order_of_kinds(file: Path) -> tuple[str, ...]:
    beside = (file.with_suffix(".xml"), file.parent / INTERFACE)
    interface = next((each for each in beside if each.is_file()), None)
    if interface is None:
        return ()
    labels = (label.get("value") or "" for label in read_xml(interface).iter(LABEL))
    return distinct(canonical(name) for name in labels if name)
