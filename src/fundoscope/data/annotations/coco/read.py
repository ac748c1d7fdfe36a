"""JSON documents of COCO to annotations.

Boxes are x, y, width and height, half-open and from 0; polygons have their corners in the same
coordinates. Sums and differences are taken in decimals, so that no box moves by rounding.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any, Final

from fundoscope import limits
from fundoscope.data.annotations import exact
from fundoscope.data.annotations.allowance import MaskAllowance, require_corners
from fundoscope.data.annotations.annotation import (
    AnnotatedPhoto,
    Annotation,
    AnnotationSet,
    Mask,
    Outline,
)
from fundoscope.data.annotations.coco import rle
from fundoscope.data.annotations.coco.document import (
    CROWD,
    CocoAnnotation,
    CocoDocument,
    CocoImage,
    CocoRuns,
    parse,
    place,
)
from fundoscope.data.annotations.coco.layout import ANNOTATIONS, INSTANCES, ROBOFLOW
from fundoscope.data.annotations.documents import distinct
from fundoscope.data.annotations.names import image_name, kind_key
from fundoscope.data.annotations.pictures import Pictures, absent
from fundoscope.data.annotations.shapes import extent, turned_by_attribute
from fundoscope.errors import TableError
from fundoscope.geometry import Box
from fundoscope.quoting import quoted

MIN_NUMBERS: Final = 6
"""Of a polygon: two for each of three corners."""
BOX_NUMBERS: Final = 4


def read_coco(path: Path, *, images: Path | None = None) -> AnnotationSet:
    """Read a COCO file, or a folder with one file a split.

    In a folder, files named ``instances_*.json`` are preferred to others, because COCO puts
    captions beside them; the split is what follows ``instances_``.

    Args:
        path: the file; or the folder, whose files lie in it, in ``annotations`` or, as Roboflow
            puts them, in a folder a split.
        images: the folder of photographs, for sizes that the file does not state.

    Raises:
        TableError: a file is not JSON of COCO, a number is invalid, an id is repeated or missing,
            or a photograph has different annotations in two files.
        PhotoError: a photograph whose size is needed cannot be read.
    """
    pictures = None if images is None else Pictures.of(images)
    photos: dict[str, AnnotatedPhoto] = {}
    names: list[str] = []
    splits: dict[str, tuple[str, ...]] = {}
    warnings: list[str] = []
    for file, split, folder in _files(path):
        document = parse(file)
        inside = _photos(document, file, folder, pictures, warnings)
        for image, photo in inside.items():
            if photos.setdefault(image, photo) != photo:
                raise TableError(
                    str(file),
                    f"annotates {image} differently from another file",
                    "keep one of the two",
                )
        names += [kind_key(category.name.strip()) for category in document.categories]
        if split:
            splits[split] = tuple(inside)
    warnings += absent(photos, pictures)
    return AnnotationSet(
        photos=tuple(photos[image] for image in sorted(photos)),
        kinds=distinct(names),
        splits=splits,
        warnings=tuple(warnings),
    )


def _files(path: Path) -> list[tuple[Path, str, str]]:
    """The files, each with its split ("" for none) and the folder that its names start from."""
    if not path.is_dir():
        return [(path, "", "")]
    inner = path / ANNOTATIONS if (path / ANNOTATIONS).is_dir() else path
    files = sorted(inner.glob(f"{INSTANCES}*.json")) or sorted(inner.glob("*.json"))
    if files:
        several = len(files) > 1
        return [(file, _split(file.stem, several=several), "") for file in files]
    files = sorted(path.glob(f"*/{ROBOFLOW}"))
    if not files:
        raise TableError(str(path), "has no COCO files", "name the JSON file")
    return [(file, file.parent.name, file.parent.name) for file in files]


def _split(stem: str, *, several: bool) -> str:
    if stem.startswith(INSTANCES):
        return stem.removeprefix(INSTANCES).removeprefix("_")
    return stem if several else ""


def _photos(
    document: CocoDocument,
    path: Path,
    folder: str,
    pictures: Pictures | None,
    warnings: list[str],
) -> dict[str, AnnotatedPhoto]:
    photos: dict[str, AnnotatedPhoto] = {}
    images: dict[Any, str] = {}
    for image in document.images:
        photo = _photo(image, path, folder, pictures)
        if photo.image in photos:
            raise TableError(f"{path}, images", f"{photo.image} is listed twice", "list it once")
        photos[photo.image] = photo
        images[image.id] = photo.image
    kinds = {category.id: kind_key(category.name.strip()) for category in document.categories}
    objects: dict[str, list[Annotation]] = {image: [] for image in photos}
    allowance = MaskAllowance.of(path.stat().st_size)
    flipped = flat = 0
    for number, item in enumerate(document.annotations):
        photo = photos[images[item.image_id]]
        try:
            objects[photo.image].append(
                _annotation(item, kinds[item.category_id], photo, allowance)
            )
        except ValueError as error:
            raise TableError(place(path, number, item), str(error), "correct it") from None
        flipped += any(side < 0 for side in (item.bbox or ())[2:])
        flat += _is_flat(item)
    if flipped:
        warnings.append(f"{flipped} boxes of {path.name} had negative sizes, which were corrected")
    if flat:
        warnings.append(
            f"{flat} objects of {path.name} have a segmentation without inner brackets, which was"
            " read as one polygon"
        )
    return {image: replace(photos[image], annotations=tuple(objects[image])) for image in photos}


def _photo(image: CocoImage, path: Path, folder: str, pictures: Pictures | None) -> AnnotatedPhoto:
    where = f"{path}, image {quoted(image.id)}"
    named = (PurePosixPath(folder) / image_name(image.file_name, where)).as_posix()
    known = None if pictures is None else pictures.find(named)
    width, height = image.width or 0, image.height or 0
    if width <= 0 or height <= 0:
        if pictures is None or known is None:
            raise TableError(
                where,
                f"has no size, and its photograph {named} is not found",
                "name the folder of photographs with --images",
            )
        width, height = pictures.size(known)
    return AnnotatedPhoto(image=known or named, width=width, height=height, source=image.source)


def _annotation(
    item: CocoAnnotation, kind: str, photo: AnnotatedPhoto, allowance: MaskAllowance
) -> Annotation:
    """The object of an annotation.

    Raises:
        ValueError: one of its numbers is invalid.
    """
    outlines = tuple(map(_outline, _polygons(item)))
    runs = item.segmentation
    mask = _mask(runs, photo, allowance) if isinstance(runs, CocoRuns) else None
    if item.score is not None and not 0 <= item.score <= 1:
        raise ValueError(f"has the score {item.score}, which is not from 0 to 1")
    attributes = {name: _text(value) for name, value in item.attributes.items()}
    if item.iscrowd:
        attributes[CROWD] = "1"
    box = _box(item.bbox, outlines, mask)
    if not outlines and mask is None:
        box, outlines = turned_by_attribute(box, attributes)
    return Annotation(
        kind=kind,
        box=box,
        outlines=outlines,
        mask=mask,
        score=item.score,
        difficult=bool(item.difficult),
        author=item.author,
        attributes=attributes,
    )


def _is_flat(item: CocoAnnotation) -> bool:
    """Whether the segmentation is one polygon instead of a list of polygons."""
    shape = item.segmentation
    return isinstance(shape, list) and any(isinstance(part, Decimal) for part in shape)


def _polygons(item: CocoAnnotation) -> list[list[Decimal]]:
    """The polygons of an object; empty ones are left out.

    Raises:
        ValueError: the segmentation mixes numbers and lists.
    """
    shape = item.segmentation
    if not isinstance(shape, list):
        return []
    numbers = [part for part in shape if isinstance(part, Decimal)]
    polygons = [part for part in shape if isinstance(part, list) and part]
    if numbers and polygons:
        raise ValueError("has a segmentation that mixes numbers and lists")
    return [numbers] if numbers else polygons


def _box(sides: list[Decimal] | None, outlines: tuple[Outline, ...], mask: Mask | None) -> Box:
    if sides:
        if len(sides) != BOX_NUMBERS:
            raise ValueError(f"has a bbox of {len(sides)} numbers instead of four")
        x, y, width, height = map(exact.checked, sides)
        xs, ys = sorted((x, exact.add(x, width))), sorted((y, exact.add(y, height)))
        return (float(xs[0]), float(ys[0]), float(xs[1]), float(ys[1]))
    if mask is not None:
        return mask.box
    if not outlines:
        raise ValueError("has neither bbox nor segmentation")
    return extent(outlines)


def _outline(numbers: list[Decimal]) -> Outline:
    require_corners(len(numbers) // 2)
    if len(numbers) < MIN_NUMBERS or len(numbers) % 2:
        raise ValueError(f"has a polygon of {len(numbers)} numbers")
    values = [float(exact.checked(number)) for number in numbers]
    return tuple(zip(values[::2], values[1::2], strict=True))


def _mask(runs: CocoRuns, photo: AnnotatedPhoto, allowance: MaskAllowance) -> Mask | None:
    height, width = runs.size
    if (width, height) != (photo.width, photo.height):
        raise ValueError(
            f"has a mask of {width} x {height} pixels,"
            f" where the photograph has {photo.width} x {photo.height}"
        )
    if width * height > limits.MAX_PIXELS:
        raise ValueError(f"has a mask of more than {limits.MAX_PIXELS // 10**6} million pixels")
    return rle.decode(runs.counts, width, height, allowance)


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)
