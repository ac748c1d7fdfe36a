"""Masks to annotations: pictures whose pixels show where lesions are.

Either one mask a class a photograph (:mod:`fundoscope.data.annotations.masks.layout`), or indexed
masks whose classes are stated (an argument, or ``mask_classes.txt`` in the folder). Every connected
component becomes an object with its pixels and the box around them
(:mod:`fundoscope.data.annotations.masks.components`); nothing is dropped unless asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fundoscope import kinds
from fundoscope.data.annotations import features
from fundoscope.data.annotations.annotation import (
    AnnotatedPhoto,
    Annotation,
    AnnotationSet,
    Loss,
)
from fundoscope.data.annotations.documents import read_bytes
from fundoscope.data.annotations.masks import layout
from fundoscope.data.annotations.masks.components import Rules, components
from fundoscope.data.annotations.masks.layout import MaskFile
from fundoscope.data.annotations.masks.pixels import class_numbers, read_mask
from fundoscope.data.annotations.masks.table import COLUMNS, SPLIT_MARK, TABLE
from fundoscope.data.annotations.names import image_name, kind_key
from fundoscope.data.annotations.pictures import Pictures, PictureSize, absent
from fundoscope.data.table import read_table
from fundoscope.errors import TableError

PHOTOGRAPHS: Final = ("JPEGImages", "images")
"""Folders in which the photographs of masks are looked for."""
ASSUMED_SUFFIX: Final = ".jpg"
"""Of a photograph that is only known by the name of its mask, as IDRiD's."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One mask as a table or layout has it; without ``mask``, a photograph without objects."""

    image: str
    mask: Path | None
    kind: str = ""
    size: PictureSize | None = None
    source: str = ""
    splits: tuple[str, ...] = ()


@dataclass(slots=True)
class _Photo:
    """What was read of one photograph so far, and the file that its size comes from."""

    size: PictureSize
    size_from: str
    source: str = ""
    annotations: list[Annotation] = field(default_factory=list)


def read_masks(
    path: Path,
    *,
    images: Path | None = None,
    classes: Mapping[int, str] | None = None,
    rules: Rules | None = None,
) -> AnnotationSet:
    """Read the masks in a folder.

    Args:
        path: the folder; a ``masks.csv`` in it, as this package writes it, describes the masks.
        images: the folder of photographs, for their names and sizes; by default ``JPEGImages`` or
            ``images`` in the folder or beside it, if it exists.
        classes: for indexed masks, the class of each number; 0 is the background.
        rules: which components count, and as how many objects.

    Raises:
        TableError: there is no mask, or no class is recognised; a mask differs in size from its
            photograph or another mask of it; two files are masks of the same class.
        PhotoError: a mask or photograph cannot be read.
    """
    images = images or _usual_place(path)
    pictures = None if images is None else Pictures.of(images)
    stated = path / layout.TABLE_OF_CLASSES
    if classes is None and (path / TABLE).is_file():
        return _gather(list(_of_table(path)), None, rules or Rules(), pictures)
    if classes is None and stated.is_file():
        text = read_bytes(stated).decode("utf-8-sig", "replace")
        classes = layout.classes_of(text, stated.name)
    listed = layout.one_a_class if classes is None else layout.indexed
    entries = [_of_file(file, pictures) for file in listed(path, images)]
    return _gather(entries, classes, rules or Rules(), pictures)


def _usual_place(path: Path) -> Path | None:
    """The folder of photographs, if it lies in a usual place."""
    places = (folder / name for folder in (path, path.parent) for name in PHOTOGRAPHS)
    return next((place for place in places if place.is_dir()), None)


def _of_file(file: MaskFile, pictures: Pictures | None) -> _Entry:
    known = None if pictures is None else pictures.with_stem(file.photo)
    return _Entry(known or file.photo + ASSUMED_SUFFIX, file.path, file.kind)


def _of_table(folder: Path) -> Iterator[_Entry]:
    table = read_table(folder / TABLE, required=COLUMNS)
    for line, row in table.rows:
        where = f"{TABLE}, line {line}"
        try:
            size = (int(row["width"]), int(row["height"]))
        except ValueError:
            raise TableError(
                where, "has no size in whole pixels", "state width and height"
            ) from None
        mask = folder / image_name(row["mask"], where) if row["mask"] else None
        splits = tuple(filter(None, row["splits"].split(SPLIT_MARK)))
        image = image_name(row["image"], where)
        yield _Entry(image, mask, kind_key(row["kind"]), size, row["source"], splits)


def _gather(
    entries: list[_Entry],
    classes: Mapping[int, str] | None,
    rules: Rules,
    pictures: Pictures | None,
) -> AnnotationSet:
    _each_once(entries)
    photos: dict[str, _Photo] = {}
    splits: dict[str, list[str]] = {}
    specks = soft = 0
    for entry in entries:
        size, layers, is_soft = _layers(entry, classes)
        soft += is_soft
        photo = photos.get(entry.image) or _first(entry, size, pictures)
        photos[entry.image] = photo
        if size != photo.size:
            raise _other_size(entry, size, photo)
        for kind, pixels in layers:
            parts = components(pixels, rules, where=str(entry.mask))
            specks += parts.specks
            photo.annotations += (
                Annotation(kind=kind, box=mask.box, mask=mask) for mask in parts.objects
            )
        for split in entry.splits:
            splits.setdefault(split, []).append(entry.image)
    warnings = (*_assumed_suffix(entries, pictures), *_soft(soft), *absent(photos, pictures))
    return _set(photos, splits, specks, warnings)


def _soft(count: int) -> Iterator[str]:
    if count:
        yield (
            f"{count} masks have values between black and white (compression or soft edges): pixels"
            " of at least half count"
        )


def _each_once(entries: list[_Entry]) -> None:
    first: dict[tuple[str, str], Path | None] = {}
    for entry in entries:
        other = first.setdefault((entry.image, entry.kind), entry.mask)
        if other is not entry.mask:
            raise TableError(
                str(entry.mask),
                f"and {other} are both masks of {entry.kind or 'all classes'} of {entry.image}",
                "remove one of them",
            )


def _layers(
    entry: _Entry, classes: Mapping[int, str] | None
) -> tuple[PictureSize, list[tuple[str, NDArray[np.bool_]]], bool]:
    """Size of a mask, the pixels of each class in it, bool ``(H, W)``, and whether it is soft."""
    if entry.mask is None:
        return entry.size or (0, 0), [], False
    if classes is None:
        mask = read_mask(entry.mask)
        height, width = mask.pixels.shape
        return (width, height), [(entry.kind, mask.pixels)], mask.soft
    values = class_numbers(entry.mask)
    occurring = [int(value) for value in np.unique(values) if value != 0]
    layers = [(kind_key(classes.get(value, str(value))), values == value) for value in occurring]
    return (values.shape[1], values.shape[0]), layers, False


def _first(entry: _Entry, size: PictureSize, pictures: Pictures | None) -> _Photo:
    """The record of a photograph, with its size from the most reliable file."""
    known = None if pictures is None else pictures.find(entry.image)
    if pictures is not None and known is not None:
        return _Photo(pictures.size(known), f"the photograph {known}", entry.source)
    if entry.size is not None:
        return _Photo(entry.size, f"{entry.image} in {TABLE}", entry.source)
    return _Photo(size, f"the mask {entry.mask}", entry.source)


def _other_size(entry: _Entry, size: PictureSize, photo: _Photo) -> TableError:
    return TableError(
        str(entry.mask or entry.image),
        f"has {size[0]} x {size[1]} pixels, {photo.size_from} {photo.size[0]} x {photo.size[1]}",
        "export the mask at the size of its photograph",
    )


def _assumed_suffix(entries: list[_Entry], pictures: Pictures | None) -> tuple[str, ...]:
    guessed = sum(entry.size is None and pictures is None for entry in entries)
    if guessed == 0:
        return ()
    return (
        f"masks do not state the suffix of their photographs: {ASSUMED_SUFFIX} is assumed"
        " (name the folder of photographs)",
    )


def _set(
    photos: Mapping[str, _Photo],
    splits: Mapping[str, Iterable[str]],
    specks: int,
    warnings: tuple[str, ...],
) -> AnnotationSet:
    order = {key: place for place, key in enumerate(kinds.KINDS)}
    annotations = AnnotationSet(
        photos=tuple(
            AnnotatedPhoto(
                image=image,
                width=photo.size[0],
                height=photo.size[1],
                annotations=tuple(
                    sorted(
                        photo.annotations,
                        key=lambda item: (order.get(item.kind, len(order)), item.kind),
                    )
                ),
                source=photo.source,
            )
            for image, photo in sorted(photos.items())
        ),
        splits={name: tuple(sorted(set(images))) for name, images in splits.items()},
        left_out=(Loss("specks", specks),) if specks else (),
        warnings=warnings,
    )
    return replace(annotations, kinds=features.kinds_in(annotations))
