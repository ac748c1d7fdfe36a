"""JSON exports of Label Studio to annotations.

Rectangles, ellipses, polygons and brush strokes are read; turned rectangles and ellipses become
outlines. The author of an object is who completed the annotation, or the version of the model;
scores are those of predictions. Skipped annotations are left out, and so are tasks that nobody
worked on. ``image_rotation`` only turns the view and is ignored.

From Label Studio's documentation and the source of its converter 0.0.59.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from fundoscope.data.annotations import features
from fundoscope.data.annotations.allowance import MaskAllowance
from fundoscope.data.annotations.annotation import AnnotatedPhoto, Annotation, AnnotationSet, Loss
from fundoscope.data.annotations.documents import (
    decode_json,
    distinct,
    read_json_items,
    read_xml,
)
from fundoscope.data.annotations.labelstudio import objects as objects_of
from fundoscope.data.annotations.labelstudio.document import Result, SmallRegion, Task, Work
from fundoscope.data.annotations.labelstudio.layout import (
    HEIGHT,
    INTERFACE,
    SOURCE,
    SPLITS,
    WIDTH,
)
from fundoscope.data.annotations.labelstudio.names import photograph_names
from fundoscope.data.annotations.labelstudio.regions import size_of
from fundoscope.data.annotations.labelstudio.repeated import each_once
from fundoscope.data.annotations.names import kind_key
from fundoscope.data.annotations.pictures import Pictures, PictureSize, absent
from fundoscope.errors import TableError

if TYPE_CHECKING:
    from msgspec import Raw

LABEL: Final = "Label"
"""Element of the labelling interface."""
UNTOUCHED: Final = "tasks that nobody worked on"
TAKEN_OVER: Final = "predictions that a person took over"


@dataclass(slots=True)
class _Progress:
    """What was read so far.

    Attributes:
        photos: by image.
        splits: images by split.
        left_out: counts of what has no place in annotations.
        doubled: the number of tasks with both annotations and predictions.
        repeated: the number of annotations that the files hold more than once.
        crowded: photographs with several annotations, with the authors of each.
        objects: of each photograph.
        allowance: of pixels of masks.
    """

    photos: dict[str, AnnotatedPhoto] = field(default_factory=dict)
    splits: dict[str, list[str]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    doubled: int = 0
    repeated: int = 0
    crowded: dict[str, list[str]] = field(default_factory=dict)
    objects: dict[str, list[Annotation]] = field(default_factory=dict)
    allowance: MaskAllowance = field(default_factory=MaskAllowance)


def read_label_studio(path: Path, *, images: Path | None = None) -> AnnotationSet:
    """Read an export of Label Studio.

    Args:
        path: the JSON file, or a folder of JSON files; a labelling interface beside it
            (``labels.xml``, or named as the JSON file) gives the order of kinds.
        images: the folder of photographs, for names that the export has only in part and sizes of
            photographs on which nothing was drawn.

    Raises:
        TableError: a file is not such an export, or the name or size of a photograph is not known.
        PhotoError: a photograph whose size is needed cannot be read.
    """
    pictures = None if images is None else Pictures.of(images)
    files = _files(path)
    tasks = [item for file in files for item in _tasks(file)]
    names = photograph_names([(where, task.data or {}) for where, task in tasks], pictures)
    size = sum(file.stat().st_size for file in files)
    progress = _Progress(allowance=MaskAllowance.of(size))
    tasks, names, progress.repeated = each_once(tasks, names)
    for (where, task), name in zip(tasks, names, strict=True):
        _add(progress, task, name, where, pictures)
    annotations = AnnotationSet(
        photos=tuple(
            replace(photo, annotations=tuple(progress.objects[image]))
            for image, photo in sorted(progress.photos.items())
        ),
        splits={name: distinct(sorted(members)) for name, members in progress.splits.items()},
        left_out=tuple(Loss(what, count) for what, count in sorted(progress.left_out.items())),
        warnings=(*_warnings(progress), *absent(progress.photos, pictures)),
    )
    order = _order_of_kinds(files[0])
    return replace(annotations, kinds=distinct((*order, *features.kinds_in(annotations))))


def _warnings(progress: _Progress) -> Iterator[str]:
    if progress.repeated:
        yield (
            f"{progress.repeated} annotations occur more than once (the same photograph and"
            " number of the annotation): each was read once, in its latest state"
        )
    if progress.doubled:
        yield (
            f"{progress.doubled} tasks have both annotations and predictions; the objects of both"
            " were read"
        )
    again = sum(len(authors) > len(set(authors)) for authors in progress.crowded.values())
    if again:
        yield (
            f"{again} photographs have several annotations of one person; all are kept (each lesion"
            " may occur twice)"
        )


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
    return distinct(kind_key(name) for name in labels if name)


def _tasks(path: Path) -> Iterator[tuple[str, Task]]:
    """Every task of a file, and its place for errors."""
    for number, raw in enumerate(read_json_items(path), start=1):
        where = f"{path}, task {number}"
        task = decode_json(raw, Task, where)
        if isinstance(task.task, Task):  # one annotation a file, with its task inside
            work = Work(
                id=task.id,
                updated_at=task.updated_at,
                result=task.result or [],
                completed_by=task.completed_by,
                was_cancelled=task.was_cancelled,
            )
            task = Task(data=task.task.data, annotations=[work])
        yield where, _of_small(raw, where) if task.data is None else task


def _add(
    progress: _Progress, task: Task, image: str, where: str, pictures: Pictures | None
) -> None:
    """Add the annotations of a task.

    Raises:
        TableError: the size of the photograph is not known, or a region is invalid.
        PhotoError: the photograph is needed for its size and cannot be read.
    """
    made = _works(task.annotations, task.completions)
    predicted = _works(task.predictions)
    if not made and not predicted:
        progress.left_out[UNTOUCHED] += 1
        return
    authors = [work.author for work in made if work.result]
    progress.crowded.setdefault(image, []).extend(authors)
    if _taken_over(made, predicted):
        progress.left_out[TAKEN_OVER] += sum(
            len(objects_of.regions(work.result)) for work in predicted
        )
        predicted = []
    progress.doubled += any(work.result for work in made) and any(work.result for work in predicted)
    data = task.data or {}
    try:
        size = _size(made + predicted, data, image, pictures)
        objects = [
            item
            for works, are_predictions in ((made, False), (predicted, True))
            for work in works
            for item in objects_of.objects(
                work, are_predictions, size, progress.left_out, progress.allowance
            )
        ]
    except ValueError as error:
        raise TableError(where, str(error), "correct the task, or leave it out") from None
    _join(
        progress, image, size, objects_of.in_own_order(objects), str(data.get(SOURCE) or ""), where
    )
    splits = data.get(SPLITS)
    for split in splits if isinstance(splits, list) else ():
        progress.splits.setdefault(str(split), []).append(image)


def _join(
    progress: _Progress,
    image: str,
    size: PictureSize,
    items: Iterable[Annotation],
    source: str,
    where: str,
) -> None:
    """Add objects: a photograph may have several tasks, or an entry for each annotator."""
    photo = progress.photos.get(image)
    if photo is None:
        photo = AnnotatedPhoto(image=image, width=size[0], height=size[1], source=source)
    if size != (photo.width, photo.height):
        raise TableError(
            where,
            f"says that {image} has {size[0]} x {size[1]} pixels, another task says"
            f" {photo.width} x {photo.height}",
            "remove the task that is about another picture",
        )
    progress.photos[image] = photo
    progress.objects.setdefault(image, []).extend(items)


def _works(*lists: list[Work | int] | list[Work] | None) -> list[Work]:
    """All work that was not skipped; exports may give predictions by number only."""
    works = (work for given in lists for work in given or () if isinstance(work, Work))
    return [work for work in works if not work.was_cancelled]


def _taken_over(made: list[Work], predicted: list[Work]) -> bool:
    """Whether an annotation began as a prediction, so that its objects would be duplicated."""
    if any(work.parent_prediction is not None for work in made):
        return True
    by_person, by_model = (
        {result.id for work in works for result in work.result} - {None}
        for works in (made, predicted)
    )
    return not by_person.isdisjoint(by_model)


def _size(
    works: list[Work], data: dict[str, Any], image: str, pictures: Pictures | None
) -> PictureSize:
    stated = {
        size_of(result.original_width, result.original_height)
        for work in works
        for result in work.result
    }
    sizes = sorted(size for size in stated if size is not None)
    if len(sizes) > 1:
        raise ValueError(f"its regions are of photographs of several sizes: {sizes}")
    if sizes:
        return sizes[0]
    width, height = data.get(WIDTH), data.get(HEIGHT)
    if isinstance(width, int) and isinstance(height, int):
        size = size_of(width, height)
        if size is not None:
            return size
    known = None if pictures is None else pictures.find(image)
    if pictures is None or known is None:
        raise ValueError(
            "has no region and does not state the size of its photograph"
            " (name the folder of photographs)"
        )
    return pictures.size(known)


def _of_small(raw: Raw, where: str) -> Task:
    """An entry of the small export, which has the data's fields and the regions side by side."""
    fields = decode_json(raw, dict[str, msgspec.Raw], where)
    data: dict[str, Any] = {}
    results: list[Result] = []
    for name, content in fields.items():
        try:
            regions = msgspec.json.decode(content, type=list[SmallRegion])
        except msgspec.ValidationError:
            data[name] = msgspec.json.decode(content)
            continue
        results += (
            Result(
                value=region,
                from_name=name,
                original_width=region.original_width,
                original_height=region.original_height,
            )
            for region in regions
        )
    by = data.get("annotator")
    number = data.get("annotation_id")
    work = Work(
        id=number if isinstance(number, int | str) else None,
        result=results,
        completed_by=by if isinstance(by, int | str) else None,
    )
    return Task(data=data, annotations=[work])
