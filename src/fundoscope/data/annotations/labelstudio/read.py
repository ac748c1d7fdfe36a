"""From Label Studio's tasks to annotated photographs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from fundoscope.data.annotations.annotation import AnnotatedPhoto, Annotation
from fundoscope.data.annotations.documents import distinct, of_form, read_json_items
from fundoscope.data.annotations.labelstudio.form import Result, SmallRegion, Task, Work
from fundoscope.data.annotations.labelstudio.regions import Size, shape, size_of
from fundoscope.data.annotations.masks.layout import canonical
from fundoscope.data.annotations.pictures import Pictures
from fundoscope.errors import TableError

if TYPE_CHECKING:
    from msgspec import Raw

AUTHOR, DIFFICULT = "author", "difficult"
"""Questions about a region whose answers are more than attributes."""
YES: Final = frozenset({"yes", "true", "1", "on", DIFFICULT})
SOURCE, SPLITS, WIDTH, HEIGHT = "source", "splits", "width", "height"
"""Fields of a task's data."""
UNLABELLED: Final = "unlabelled"
"""The kind of a region that was drawn without choosing a label."""
OWN_ID: Final = re.compile(r"object-(\d+)")
"""Ids of regions that we wrote tell their order."""
UNTOUCHED: Final = "tasks that nobody worked on"
TAKEN_OVER: Final = "predictions that a person took over"
OF_WHOLE: Final = "answers about whole photographs"
POINTS: Final = "points"
BLANK: Final = "regions of nothing"
OTHER: Final = "regions of other kinds"


@dataclass(slots=True)
class Reading:
    """What was read so far.

    Attributes:
        photos: by image.
        splits: images by split.
        left_out: what has no place in annotations, counted.
        doubled: tasks with annotations and predictions.
    """

    photos: dict[str, AnnotatedPhoto] = field(default_factory=dict)
    splits: dict[str, list[str]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    doubled: int = 0


def tasks_of(path: Path) -> Iterator[tuple[str, Task]]:
    """Every task of a file, and what an error calls it.

    Raises:
        TableError: the file is no export of Label Studio.
    """
    for number, raw in enumerate(read_json_items(path), start=1):
        where = f"{path}, task {number}"
        task = of_form(raw, Task, where)
        if isinstance(task.task, Task):  # one annotation a file, with its task inside
            work = Work(task.result or [], task.completed_by, task.was_cancelled)
            task = Task(data=task.task.data, annotations=[work])
        yield where, _of_small(raw, where) if task.data is None else task


def add(reading: Reading, task: Task, image: str, where: str, pictures: Pictures | None) -> None:
    """Add what a task says of a photograph.

    Raises:
        TableError: the photograph's size cannot be told, or a region is broken.
        PhotoError: the photograph whose size is needed cannot be read.
    """
    made = _works(task.annotations, task.completions)
    predicted = _works(task.predictions)
    if not made and not predicted:
        reading.left_out[UNTOUCHED] += 1
        return
    if _taken_over(made, predicted):
        reading.left_out[TAKEN_OVER] += sum(len(_regions(work.result)) for work in predicted)
        predicted = []
    reading.doubled += any(work.result for work in made) and any(work.result for work in predicted)
    data = task.data or {}
    try:
        size = _size(made + predicted, data, image, pictures)
        found = [item for work in made for item in _objects(work, False, size, reading.left_out)]
        found += [
            item for work in predicted for item in _objects(work, True, size, reading.left_out)
        ]
    except ValueError as error:
        raise TableError(where, str(error), "correct the task, or leave it out") from None
    _join(reading, image, size, _in_own_order(found), str(data.get(SOURCE) or ""), where)
    splits = data.get(SPLITS)
    for split in splits if isinstance(splits, list) else ():
        reading.splits.setdefault(str(split), []).append(image)


def _join(
    reading: Reading,
    image: str,
    size: Size,
    items: Iterable[Annotation],
    source: str,
    where: str,
) -> None:
    """A photograph may have several tasks, or in the small export an entry for each annotator."""
    photo = reading.photos.get(image)
    if photo is None:
        photo = AnnotatedPhoto(image=image, width=size[0], height=size[1], source=source)
    if size != (photo.width, photo.height):
        raise TableError(
            where,
            f"says that {image} has {size[0]} x {size[1]} pixels, another task"
            f" {photo.width} x {photo.height}",
            "remove the task that is about another picture",
        )
    reading.photos[image] = replace(photo, annotations=(*photo.annotations, *items))


def _works(*lists: list[Work | int] | list[Work] | None) -> list[Work]:
    """All work but what was skipped; exports may name predictions by number alone."""
    works = (work for given in lists for work in given or () if isinstance(work, Work))
    return [work for work in works if not work.was_cancelled]


def _taken_over(made: list[Work], predicted: list[Work]) -> bool:
    """Whether an annotation began as a prediction: its objects would be there twice."""
    if any(work.parent_prediction is not None for work in made):
        return True
    by_person, by_model = (
        {result.id for work in works for result in work.result} - {None}
        for works in (made, predicted)
    )
    return not by_person.isdisjoint(by_model)


def _size(works: list[Work], data: dict[str, Any], image: str, pictures: Pictures | None) -> Size:
    told = {
        size_of(result.original_width, result.original_height)
        for work in works
        for result in work.result
    }
    sizes = sorted(size for size in told if size is not None)
    if len(sizes) > 1:
        raise ValueError(f"its regions speak of photographs of several sizes: {sizes}")
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
            "has no region and does not say its photograph's size (name the folder of photographs)"
        )
    return pictures.size(known)


def _objects(
    work: Work, predicted: bool, size: Size, left_out: Counter[str]
) -> Iterator[tuple[str, Annotation]]:
    """The objects of one person or model, each with the id of its region."""
    for key, results in _regions(work.result).items():
        region = next((result for result in results if result.value.is_region), None)
        if region is None:
            left_out[_what_else(results)] += 1
            continue
        found = shape(region.value, size)
        if found is None:
            left_out[BLANK] += 1
            continue
        answers = {
            result.from_name: result.value.answer
            for result in results
            if result.value.answer is not None
        }
        said = {name: answer for name, answer in answers.items() if answer is not None}
        author = said.pop(AUTHOR, work.author)
        difficult = said.pop(DIFFICULT, "").lower() in YES
        score = _score(region.score if region.score is not None else work.score, predicted)
        names = distinct(name for result in results for name in result.value.names)
        for name in names or (UNLABELLED,):
            yield (
                key,
                Annotation(
                    kind=canonical(name),
                    box=found[0],
                    outlines=found[1],
                    mask=found[2],
                    score=score,
                    difficult=difficult,
                    author=author,
                    attributes=said,
                ),
            )


def _regions(results: list[Result]) -> dict[str, list[Result]]:
    """Results by region; one without an id stands alone."""
    regions: dict[str, list[Result]] = {}
    for number, result in enumerate(results):
        key = f"#{number}" if result.id is None else str(result.id)
        regions.setdefault(key, []).append(result)
    return regions


def _what_else(results: list[Result]) -> str:
    if any(result.value.x is not None for result in results):
        return POINTS
    return OF_WHOLE if any(result.value.answer is not None for result in results) else OTHER


def _score(score: float | None, predicted: bool) -> float | None:
    """Of a prediction; behind an annotation that began as one stands a person."""
    if not predicted or score is None:
        return None
    if not 0.0 <= score <= 1.0:
        raise ValueError(f"has a score of {score:g}, which is not from 0 to 1")
    return score


def _in_own_order(found: list[tuple[str, Annotation]]) -> list[Annotation]:
    own = [OWN_ID.fullmatch(key) for key, _ in found]
    if all(own):
        places = [int(match[1]) for match in own if match is not None]
        found = [item for _, item in sorted(zip(places, found, strict=True), key=lambda at: at[0])]
    return [item for _, item in found]


def _of_small(raw: Raw, where: str) -> Task:
    """An entry of the small export: the data's fields and the regions by tool, side by side."""
    fields = of_form(raw, dict[str, msgspec.Raw], where)
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
    return Task(data=data, annotations=[Work(results, by if isinstance(by, int | str) else None)])
