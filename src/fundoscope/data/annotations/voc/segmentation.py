"""The masks of Pascal VOC: ``SegmentationClass``, ``SegmentationObject`` and ``labelmap.txt``.

CVAT exports polygons and masks to VOC as such pictures only, and boxes as XML only. VOC 2012 has
both for one object; then the box counts. A pixel has the colour of its class in one picture, and in
the other a colour of its own for each object. ``labelmap.txt`` has a line a class,
``name:red,green,blue:parts:actions``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.data.annotations.annotation import AnnotatedPhoto, Annotation, Mask
from fundoscope.data.annotations.documents import read_lines
from fundoscope.data.annotations.masks.components import components
from fundoscope.data.annotations.names import kind_key
from fundoscope.data.annotations.pictures import Pictures, opened
from fundoscope.errors import TableError
from fundoscope.geometry import Box
from fundoscope.quoting import shown

CLASSES: Final = "SegmentationClass"
OBJECTS: Final = "SegmentationObject"
COLOURS: Final = "labelmap.txt"
SUFFIX: Final = ".png"
ENTRY: Final = re.compile(r"([^:]+):(\d{1,3}),(\d{1,3}),(\d{1,3})(?::.*)?")
BACKGROUND: Final = "background"
VOID: Final = 0xE0E0C0
"""VOC's colour of pixels between an object and the background, which belong to no class."""
SAME: Final = 0.5
"""Intersection over union from which a box and a mask of one kind are one object."""
BYTE: Final = 8


@dataclass(slots=True)
class Segmented:
    """What the masks add to the photographs.

    Attributes:
        photos: by image.
        objects: the number of objects that come from masks.
        unknown: photographs with colours that ``labelmap.txt`` does not list.
    """

    photos: dict[str, AnnotatedPhoto] = field(default_factory=dict)
    objects: int = 0
    unknown: list[str] = field(default_factory=list)


def has_masks(root: Path) -> bool:
    """Whether a folder has pictures of classes."""
    return any((root / CLASSES).glob(f"*{SUFFIX}"))


def is_segmentation(path: Path) -> bool:
    """Whether a folder has masks and the list of their colours."""
    return (path / COLOURS).is_file() and has_masks(path)


def with_masks(
    root: Path, photos: Mapping[str, AnnotatedPhoto], pictures: Pictures | None, suffix: str
) -> tuple[dict[str, AnnotatedPhoto], list[str]]:
    """The photographs with the objects of their masks, and a warning about what was done.

    Args:
        root: the folder of ``SegmentationClass``.
        photos: those with an XML document, by image.
        pictures: the photographs, where they are known.
        suffix: of a photograph that only its mask names.

    Raises:
        TableError: a mask and its photograph differ in size, or ``labelmap.txt`` is not valid.
        PhotoError: a mask cannot be read.
    """
    if not has_masks(root):
        return dict(photos), []
    if not (root / COLOURS).is_file():
        return dict(photos), [
            f"masks lie in {CLASSES}, but {COLOURS}, which gives the colours of their classes, does"
            " not: they were not read"
        ]
    colours = _colours(root / COLOURS)
    stems = {image.rpartition(".")[0]: image for image in photos}
    result = Segmented(dict(photos))
    for path in sorted((root / CLASSES).rglob(f"*{SUFFIX}")):
        stem = path.relative_to(root / CLASSES).with_suffix("").as_posix()
        known = None if pictures is None else pictures.with_stem(stem)
        image = stems.get(stem) or known or stem + suffix
        _add(result, image, path, root / OBJECTS / f"{stem}{SUFFIX}", colours)
    return result.photos, list(_warnings(result))


def _warnings(result: Segmented) -> Iterator[str]:
    if result.objects:
        yield f"{result.objects} objects were read from the masks in {CLASSES}"
    if result.unknown:
        yield (
            f"{len(result.unknown)} masks have colours that {COLOURS} does not list, which were"
            f" not read (the first: {shown(result.unknown[0])})"
        )


def _colours(path: Path) -> dict[int, str]:
    """The kind of each colour, but the background."""
    kinds: dict[int, str] = {}
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = ENTRY.fullmatch(line.strip())
        if match is None:
            raise TableError(
                f"{path}, line {number}",
                f"{shown(line)} is not a class and its colour",
                "write lines such as microaneurysm:250,50,83::",
            )
        red, green, blue = (int(each) for each in match.groups()[1:])
        if match[1].strip().casefold() != BACKGROUND:
            kinds[(red << 2 * BYTE) + (green << BYTE) + blue] = kind_key(match[1].strip())
    return kinds


def _add(
    result: Segmented, image: str, path: Path, objects: Path, colours: Mapping[int, str]
) -> None:
    """Add the objects of one mask to its photograph."""
    codes = _codes(path)
    height, width = codes.shape
    photo = result.photos.get(image) or AnnotatedPhoto(image=image, width=width, height=height)
    if (photo.width, photo.height) != (width, height):
        raise TableError(
            str(path),
            f"has {width} x {height} pixels, its photograph {photo.width} x {photo.height}",
            "export the mask at the size of its photograph",
        )
    instances = _codes(objects) if objects.is_file() else None
    if instances is not None and instances.shape != codes.shape:
        raise TableError(
            str(objects), f"differs in size from the mask in {CLASSES}", "export both again"
        )
    added = []
    for code in np.unique(codes[(codes != 0) & (codes != VOID)]).tolist():
        if code not in colours:
            result.unknown.append(image)
            continue
        added += [
            Annotation(kind=colours[code], box=mask.box, mask=mask)
            for mask in _objects(codes == code, instances, str(path))
            if not _has_box(photo, colours[code], mask.box)
        ]
    result.objects += len(added)
    result.photos[image] = replace(photo, annotations=(*photo.annotations, *added))


def _objects(
    pixels: NDArray[np.bool_], instances: NDArray[np.int64] | None, where: str
) -> Iterator[Mask]:
    """The objects of a class: by their own colours, or else its connected components."""
    if instances is None:
        yield from components(pixels, where=where).objects
        return
    from scipy import ndimage

    own = np.where(pixels, instances, 0)
    labels = np.unique(own, return_inverse=True)[1].reshape(own.shape)
    # The first label is the background, unless the class covers the whole picture.
    labels += not bool((own == 0).any())
    for number, place in enumerate(ndimage.find_objects(labels), start=1):
        if place is not None:
            rows, columns = place
            yield Mask.of(labels[place] == number, columns.start, rows.start)


def _has_box(photo: AnnotatedPhoto, kind: str, box: Box) -> bool:
    """Whether the photograph has this object as a box already."""
    return any(
        item.kind == kind and _overlap(item.box, box) >= SAME
        for item in photo.annotations
        if item.mask is None
    )


def _overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    common = max(width, 0.0) * max(height, 0.0)
    areas = ((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    union = sum(areas) - common
    return common / union if union > 0 else 0.0


def _codes(path: Path) -> NDArray[np.int64]:
    """The colours of a picture as numbers, int64 ``(H, W)``."""
    with opened(path) as image:
        pixels = np.asarray(image.convert("RGB")).astype(np.int64)
    return (pixels[..., 0] << 2 * BYTE) + (pixels[..., 1] << BYTE) + pixels[..., 2]
