"""Annotations to a folder of YOLO."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fundoscope.data.annotations import exact, features
from fundoscope.data.annotations.annotation import (
    AnnotatedPhoto,
    Annotation,
    AnnotationSet,
    Loss,
)
from fundoscope.data.annotations.names import without_suffix
from fundoscope.data.annotations.shapes import extent
from fundoscope.data.annotations.yolo import relative
from fundoscope.data.annotations.yolo.data_yaml import to_yaml
from fundoscope.data.annotations.yolo.layout import (
    CONFIG,
    LABELS,
    LIST_SUFFIX,
    PHOTOS,
    earlier_files,
)
from fundoscope.geometry import Box
from fundoscope.writing import write_files

HOLDS: Final = frozenset(
    {
        features.SUB_PIXEL,
        features.OUTLINES,
        features.SCORE,
        features.EMPTY_PHOTOS,
        features.SPLITS,
        features.KINDS_ORDER,
    }
)
BEYOND: Final = "boxes beyond the photograph (cut off)"


def write_yolo(
    annotations: AnnotationSet, out: Path, *, overwrite: bool = False
) -> tuple[Loss, ...]:
    """Write ``labels/NAME.txt`` for each photograph, ``data.yaml``, and a list a split.

    The lists name photographs in ``images`` beside ``labels``, where Ultralytics looks for them.
    An object is a polygon where one polygon describes it completely, else a box. Numbers have six
    decimals, and more where its box would move.

    Args:
        annotations: what to write.
        out: the folder.
        overwrite: replace existing files.

    Returns:
        What YOLO cannot hold. This includes boxes that reach too far beyond their photograph: they
        are cut off, or left out where nothing remains.

    Raises:
        OutputError: a file exists or cannot be written, or two photographs differ only in their
            suffix.
    """
    write_files(
        _files(annotations, out),
        folder=out,
        overwrite=overwrite,
        old=earlier_files(out),
    )
    items = [(item, photo) for photo in annotations.photos for item in photo.annotations]
    unwritten = sum(bool(item.outlines) and not _is_polygon(item, photo) for item, photo in items)
    cut = sum(_clipped(item.box, photo) != item.box for item, photo in items)
    own = (Loss(features.OUTLINES, unwritten), Loss(BEYOND, cut))
    return (*features.losses(annotations, HOLDS), *(loss for loss in own if loss.count))


def _files(annotations: AnnotationSet, out: Path) -> Iterator[tuple[Path, bytes]]:
    kinds = features.all_kinds(annotations)
    numbers = {kind: number for number, kind in enumerate(kinds)}
    for photo in annotations.photos:
        stem = without_suffix(photo.image)
        lines = (_line(item, numbers[item.kind], photo) for item in photo.annotations)
        text = "".join(f"{line}\n" for line in lines if line)
        yield out / LABELS / f"{stem}.txt", text.encode()
    for split, names in annotations.splits.items():
        text = "".join(f"./{PHOTOS}/{name}\n" for name in names)
        yield out / f"{split}{LIST_SUFFIX}", text.encode()
    folders = {split: f"{split}{LIST_SUFFIX}" for split in annotations.splits}
    yield out / CONFIG, to_yaml(kinds, folders).encode()


def _line(item: Annotation, number: int, photo: AnnotatedPhoto) -> str:
    """The line of an object; empty where it lies completely outside the photograph."""
    if _is_polygon(item, photo):
        words = [_corner(x, y, photo) for x, y in item.outlines[0]]
    else:
        x0, y0, x1, y1 = _clipped(item.box, photo)
        if x0 > x1 or y0 > y1:
            return ""
        centre_x, width = relative.span_text(x0, x1, photo.width)
        centre_y, height = relative.span_text(y0, y1, photo.height)
        words = [centre_x, centre_y, width, height]
    if item.score is not None:
        words.append(exact.plain(exact.decimal(item.score)))
    return " ".join([str(number), *words])


def _corner(x: float, y: float, photo: AnnotatedPhoto) -> str:
    return f"{relative.point_text(x, photo.width)} {relative.point_text(y, photo.height)}"


def _is_polygon(item: Annotation, photo: AnnotatedPhoto) -> bool:
    """Whether one polygon inside the photograph describes an object completely."""
    return (
        len(item.outlines) == 1 and extent(item.outlines) == item.box and _inside(item.box, photo)
    )


def _inside(box: Box, photo: AnnotatedPhoto) -> bool:
    return box[0] >= 0 and box[1] >= 0 and box[2] <= photo.width and box[3] <= photo.height


def _clipped(box: Box, photo: AnnotatedPhoto) -> Box:
    """The box, cut off at the photograph's edge where its numbers would not be from 0 to 1."""
    x0, y0, x1, y1 = box
    if not (0 <= x0 + x1 <= 2 * photo.width and x1 - x0 <= photo.width):
        x0, x1 = max(x0, 0.0), min(x1, float(photo.width))
    if not (0 <= y0 + y1 <= 2 * photo.height and y1 - y0 <= photo.height):
        y0, y1 = max(y0, 0.0), min(y1, float(photo.height))
    return (x0, y0, x1, y1)
