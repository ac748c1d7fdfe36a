"""Masks: pictures whose pixels say where a lesion is.

Reading takes one mask a class a photograph (:mod:`mask_layout`), or indexed masks whose classes are
stated (an argument, or ``mask_classes.txt`` in the folder). Every connected component becomes an
object with its pixels and the box around them, see :mod:`components`; nothing is dropped unless
asked.

Writing makes one picture of one bit a class a photograph, named as IDRiD's (``IDRiD_01_MA.png``),
and the table ``masks.csv``, which also holds what pictures cannot: the photograph's full name, its
source, its splits, and photographs on which nothing was found. Pixels come from an object's mask,
else its outlines, else its box, see :mod:`raster`.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from fundoscope import kinds, limits
from fundoscope.data.annotations import features
from fundoscope.data.annotations.annotation import (
    AnnotatedPhoto,
    Annotation,
    AnnotationSet,
    Loss,
    Mask,
)
from fundoscope.data.annotations.documents import distinct, image_name, read_bytes
from fundoscope.data.annotations.masks import layout as mask_layout
from fundoscope.data.annotations.masks.components import Rules, components, entangled
from fundoscope.data.annotations.masks.layout import MaskFile, canonical
from fundoscope.data.annotations.masks.pixels import numbers, painted
from fundoscope.data.annotations.pictures import Pictures
from fundoscope.data.annotations.raster import pixels_of
from fundoscope.data.table import read_table
from fundoscope.errors import TableError, UsageError
from fundoscope.writing import write_files

HOLDS: Final = frozenset(
    {
        features.MASKS,
        features.EMPTY_PHOTOS,
        features.SOURCE,
        features.SPLITS,
        features.SIZE,
    }
)
PHOTOGRAPHS: Final = ("JPEGImages", "images")
"""Where the photographs of masks lie by default."""
CODES: Final = {
    "microaneurysm": "MA",
    "haemorrhage": "HE",
    "hard_exudate": "EX",
    "soft_exudate": "SE",
    "optic_disc": "OD",
}
"""IDRiD's names of classes; other kinds are named by their key."""
TABLE: Final = "masks.csv"
COLUMNS: Final = ("image", "width", "height", "kind", "mask", "source", "splits")
UNFIT: Final = re.compile(r'[\x00-\x1f/\\:*?"<>|%]')
"""Characters that a file name cannot hold on some system, and the one that stands for them."""
SPLIT_MARK: Final = ";"
ASSUMED_SUFFIX: Final = ".jpg"
"""Of photographs of which only a mask's name is known: cameras write JPEG, and IDRiD is."""
TOUCHING: Final = "objects that touch others of their class"
IN_PIECES: Final = "objects in several pieces"
OUTSIDE: Final = "objects outside the photograph"


Size = tuple[int, int]
"""Width and height."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """What a table or a layout says of one mask; without ``mask``, of a photograph alone."""

    image: str
    mask: Path | None
    kind: str = ""
    size: Size | None = None
    source: str = ""
    splits: tuple[str, ...] = ()


@dataclass(slots=True)
class _Photo:
    """What was read of one photograph so far, and which file its size comes from."""

    size: Size
    witness: str
    source: str = ""
    annotations: list[Annotation] = field(default_factory=list)


def read(
    path: Path,
    *,
    images: Path | None = None,
    classes: Mapping[int, str] | None = None,
    rules: Rules | None = None,
) -> AnnotationSet:
    """Objects from the masks in a folder.

    Args:
        path: the folder; a ``masks.csv`` in it (as :func:`write` makes it) says what is what.
        images: the photographs: gives their names, and their sizes to compare; by default the
            folder ``JPEGImages`` or ``images`` in the folder or beside it, where there is one.
        classes: the masks are indexed, and this is the class of each number; 0 is the ground.
        rules: which components count, and as how many objects.

    Raises:
        TableError: there is no mask or no class can be told; a mask has another size than its
            photograph or than another mask of it; two files are one mask.
        PhotoError: a mask or photograph cannot be read.
    """
    images = images or _beside(path)
    pictures = None if images is None else Pictures.of(images)
    stated = path / mask_layout.TABLE_OF_CLASSES
    if classes is None and (path / TABLE).is_file():
        return _gather(list(_of_table(path)), None, rules or Rules(), pictures)
    if classes is None and stated.is_file():
        text = read_bytes(stated).decode("utf-8-sig", "replace")
        classes = mask_layout.classes_of(text, stated.name)
    listed = mask_layout.one_a_class if classes is None else mask_layout.indexed
    entries = [_of_file(file, pictures) for file in listed(path, images)]
    return _gather(entries, classes, rules or Rules(), pictures)


def _beside(path: Path) -> Path | None:
    """The folder of the photographs, where it lies in the usual place."""
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
            raise TableError(where, "has no size in whole pixels", "state width, height") from None
        mask = folder / image_name(row["mask"], where) if row["mask"] else None
        splits = tuple(filter(None, row["splits"].split(SPLIT_MARK)))
        image = image_name(row["image"], where)
        yield _Entry(image, mask, canonical(row["kind"]), size, row["source"], splits)


def _gather(
    entries: list[_Entry],
    classes: Mapping[int, str] | None,
    rules: Rules,
    pictures: Pictures | None,
) -> AnnotationSet:
    _each_once(entries)
    photos: dict[str, _Photo] = {}
    splits: dict[str, list[str]] = {}
    specks = 0
    for entry in entries:
        size, layers = _layers(entry, classes)
        photo = photos.get(entry.image) or _first(entry, size, pictures)
        photos[entry.image] = photo
        if size != photo.size:
            raise _other_size(entry, size, photo)
        for kind, pixels in layers:
            found = components(pixels, rules)
            specks += found.specks
            photo.annotations += (
                Annotation(kind=kind, box=mask.box, mask=mask) for mask in found.objects
            )
        for split in entry.splits:
            splits.setdefault(split, []).append(entry.image)
    return _set(photos, splits, specks, _assumption(entries, pictures))


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
) -> tuple[Size, list[tuple[str, NDArray[np.bool_]]]]:
    """Size of a mask, and the pixels of each class in it."""
    if entry.mask is None:
        return entry.size or (0, 0), []
    if classes is None:
        pixels = painted(entry.mask)
        return (pixels.shape[1], pixels.shape[0]), [(entry.kind, pixels)]
    values = numbers(entry.mask)
    there = [int(value) for value in np.unique(values) if value != 0]
    layers = [(canonical(classes.get(value, str(value))), values == value) for value in there]
    return (values.shape[1], values.shape[0]), layers


def _first(entry: _Entry, size: Size, pictures: Pictures | None) -> _Photo:
    """A photograph's record, its size from the best witness."""
    known = None if pictures is None else pictures.find(entry.image)
    if pictures is not None and known is not None:
        return _Photo(pictures.size(known), f"the photograph {known}", entry.source)
    if entry.size is not None:
        return _Photo(entry.size, f"{entry.image} in {TABLE}", entry.source)
    return _Photo(size, f"the mask {entry.mask}", entry.source)


def _other_size(entry: _Entry, size: Size, photo: _Photo) -> TableError:
    return TableError(
        str(entry.mask or entry.image),
        f"has {size[0]} x {size[1]} pixels, {photo.witness} {photo.size[0]} x {photo.size[1]}",
        "export the mask at the size of its photograph",
    )


def _assumption(entries: list[_Entry], pictures: Pictures | None) -> tuple[str, ...]:
    guessed = sum(entry.size is None and pictures is None for entry in entries)
    if guessed == 0:
        return ()
    return (
        f"masks do not name the format of their photographs: {ASSUMED_SUFFIX} is assumed"
        " (name the folder of photographs)",
    )


def _set(
    photos: Mapping[str, _Photo],
    splits: Mapping[str, Iterable[str]],
    specks: int,
    warnings: tuple[str, ...],
) -> AnnotationSet:
    order = {key: place for place, key in enumerate(kinds.KINDS)}
    found = AnnotationSet(
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
    return replace(found, kinds=features.kinds_in(found))


def write(
    found: AnnotationSet,
    out: Path,
    *,
    images: Path | None = None,  # noqa: ARG001 - every writer takes it
    overwrite: bool = False,
) -> tuple[Loss, ...]:
    """Write masks and their table into a folder.

    Args:
        found: what to write; every photograph needs its size.
        out: the folder; its subfolders become those of the photographs.
        images: not needed.
        overwrite: replace files that are there.

    Returns:
        What masks do not hold. Objects that touch others of their class become one.

    Raises:
        UsageError: a photograph's size is not known or out of bounds.
        OutputError: a file is there already, or cannot be written; nothing was changed then.
    """
    told: Counter[str] = Counter()
    write_files(_files(found, out, told), overwrite=overwrite)
    special = tuple(Loss(what, count) for what, count in sorted(told.items()) if count)
    return (*features.losses(found, HOLDS), *special)


def _files(found: AnnotationSet, out: Path, told: Counter[str]) -> Iterator[tuple[Path, bytes]]:
    """Masks one after the other, so that one at a time is in memory; the table last."""
    table = io.StringIO(newline="")
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(COLUMNS)
    stems = _stems(found)
    for photo in found.photos:
        _check_size(photo)
        names = (name for name, there in found.splits.items() if photo.image in there)
        ending = (photo.source, SPLIT_MARK.join(names))
        head = (photo.image, photo.width, photo.height)
        kinds_there = distinct(item.kind for item in photo.annotations)
        for kind in kinds_there:
            mask = f"{stems[photo.image]}_{CODES.get(kind) or _file_part(kind)}.png"
            rows.writerow((*head, kind, mask, *ending))
            yield out / mask, _png(_union(photo, kind, told))
        if not kinds_there:
            rows.writerow((*head, "", "", *ending))
    yield out / TABLE, table.getvalue().encode()


def _union(photo: AnnotatedPhoto, kind: str, told: Counter[str]) -> NDArray[np.bool_]:
    """All pixels of a kind; counts what they no longer tell."""
    pixels = np.zeros((photo.height, photo.width), dtype=bool)
    objects: list[Mask] = []
    for item in photo.annotations:
        if item.kind != kind:
            continue
        mask = pixels_of(item, photo.width, photo.height)
        if mask is None:
            told[OUTSIDE] += 1
            continue
        objects.append(mask)
        height, width = mask.pixels.shape
        pixels[mask.y : mask.y + height, mask.x : mask.x + width] |= mask.pixels
    joined, torn = entangled(pixels, objects)
    told[TOUCHING] += joined
    told[IN_PIECES] += torn
    return pixels


def _png(pixels: NDArray[np.bool_]) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def _stems(found: AnnotationSet) -> dict[str, str]:
    """The path of each photograph's masks without class: without suffix where that is unique."""
    images = {photo.image: PurePosixPath(photo.image) for photo in found.photos}
    count = Counter(path.with_suffix("") for path in images.values())
    return {
        image: image_name(
            str(path if count[path.with_suffix("")] > 1 else path.with_suffix("")), image
        )
        for image, path in images.items()
    }


def _file_part(kind: str) -> str:
    """A kind as part of a file name on any system."""
    return UNFIT.sub(lambda match: quote(match[0], safe=""), kind)


def _check_size(photo: AnnotatedPhoto) -> None:
    width, height = photo.width, photo.height
    if not (
        0 < width <= limits.MAX_SIDE
        and 0 < height <= limits.MAX_SIDE
        and width * height <= limits.MAX_PIXELS
    ):
        raise UsageError(
            photo.image,
            f"has {width} x {height} pixels as its annotations say",
            "correct its size, or name the folder of photographs",
        )
