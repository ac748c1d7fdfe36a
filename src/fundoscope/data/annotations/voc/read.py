"""A folder of Pascal VOC to annotations.

VOC counts pixels from 1 and gives the first and the last pixel of a box: ``xmin = x0 + 1`` and
``xmax = x1`` in half-open coordinates. Only this package makes the shift. Files that count from 0
are recognised by a coordinate of 0; see :func:`read_voc`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Final

from fundoscope.data.annotations import exact, features
from fundoscope.data.annotations.annotation import (
    AnnotatedPhoto,
    Annotation,
    AnnotationSet,
    Outline,
)
from fundoscope.data.annotations.documents import distinct, read_lines, read_xml
from fundoscope.data.annotations.names import image_name, kind_key, without_suffix
from fundoscope.data.annotations.pictures import Pictures, PictureSize
from fundoscope.data.annotations.shapes import extent, turned_by_attribute
from fundoscope.data.annotations.voc import segmentation
from fundoscope.data.annotations.voc.document import (
    Corners,
    VocDocument,
    VocObject,
    parse,
    suggests_origin_0,
)
from fundoscope.data.annotations.voc.layout import ANNOTATIONS, PHOTOS, SETS, SUFFIX
from fundoscope.data.class_folders import PHOTOGRAPH_SUFFIXES
from fundoscope.data.files.walk import files_below
from fundoscope.errors import TableError
from fundoscope.geometry import Box
from fundoscope.quoting import quoted

LISTS_BESIDE: Final = ("train", "val", "valid", "validation", "trainval", "test")
"""Lists of names that may lie beside the folders; other text files there are ignored."""
SHOWN_WORDS: Final = 3
"""Words that a warning lists."""
ASSUMED_SUFFIX: Final = ".jpg"
"""Of a photograph whose document gives no suffix."""
FLAGS: Final = frozenset({"-1", "0", "1"})
"""Second word of a line in VOC's lists of one class (``aeroplane_train.txt``)."""


@dataclass(frozen=True, slots=True)
class _File:
    """A document, its path, and its path below the folder of annotations without suffix."""

    path: Path
    stem: str
    document: VocDocument


@dataclass(frozen=True, slots=True)
class _Shift:
    """The shift from the coordinates of a file to half-open ones from 0.

    Attributes:
        low: added to a minimum, and to the corner of a polygon.
        high: added to a maximum.
    """

    low: Decimal
    high: Decimal


PIXELS_FROM_1: Final = _Shift(-exact.ONE, Decimal(0))
PIXELS_FROM_0: Final = _Shift(Decimal(0), exact.ONE)
POINTS_FROM_0: Final = _Shift(Decimal(0), Decimal(0))


def read_voc(path: Path, *, images: Path | None = None, origin: int | None = None) -> AnnotationSet:
    """Read a folder of VOC (with or without its inner folders), or one document without splits.

    Pixels are counted from 1 unless a file (``<annotation origin="0">``) or the caller states
    otherwise. If a coordinate is at least 0 and below 1, every file of the set that does not state
    its origin counts from 0, and a warning says so. Corners that count from 0 are pixels (the last
    one belongs to the box), unless one has decimals or equals the width or height of the
    photograph, which a pixel cannot: then they are points. Masks in ``SegmentationClass`` are read
    as well, see :mod:`fundoscope.data.annotations.voc.segmentation`.

    Args:
        path: the folder, or an XML file.
        images: the folder of photographs; by default ``JPEGImages``, or that of the XML files.
        origin: the number of the first pixel, 0 or 1.

    Raises:
        TableError: a file is not XML of VOC, or the size of a photograph is not known.
        PhotoError: a photograph whose size is needed cannot be read.
    """
    root, folder = _folders(path)
    files = _files(path, folder, optional=segmentation.is_segmentation(root))
    pictures = _pictures(images, root, folder)
    shifts, origin_warnings = _shifts(files, origin)
    photos, photo_warnings = _photos(files, pictures, shifts)
    masks: list[str] = []
    if path.is_dir():
        photos, masks = segmentation.with_masks(root, photos, pictures, ASSUMED_SUFFIX)
    splits, list_warnings = _splits(root, photos) if path.is_dir() else ({}, [])
    annotations = AnnotationSet(
        photos=tuple(sorted(photos.values(), key=lambda photo: photo.image)),
        splits=splits,
        warnings=(
            *origin_warnings,
            *photo_warnings,
            *masks,
            *_unclear_flags(files),
            *list_warnings,
        ),
    )
    return replace(annotations, kinds=features.kinds_in(annotations))


def _folders(path: Path) -> tuple[Path, Path]:
    """The folder of ``ImageSets`` and ``JPEGImages``, and the folder of the documents."""
    folder = path if path.is_dir() else path.parent
    if folder.name == ANNOTATIONS:
        return folder.parent, folder
    return folder, folder / ANNOTATIONS if (folder / ANNOTATIONS).is_dir() else folder


def _unclear_flags(files: list[_File]) -> Iterator[str]:
    words = [word for file in files for word in file.document.unclear_flags]
    if words:
        listed = ", ".join(quoted(word) for word in distinct(words)[:SHOWN_WORDS])
        yield (
            f"{len(words)} objects have a value of difficult that means neither yes nor no"
            f" ({listed}): they are read as not difficult"
        )


def _files(path: Path, folder: Path, *, optional: bool) -> list[_File]:
    found = files_below(folder) if path.is_dir() else [path]
    paths = sorted(each for each in found if each == path or each.suffix.lower() == SUFFIX)
    if not paths and not optional:
        raise TableError(str(path), "has no XML files", "name the folder of the annotations")
    files = []
    for each in paths:
        stem = each.relative_to(folder).with_suffix("").as_posix() if path.is_dir() else each.stem
        files.append(_File(each, stem, parse(read_xml(each), str(each))))
    return files


def _pictures(images: Path | None, root: Path, folder: Path) -> Pictures | None:
    if images is not None:
        return Pictures.of(images)
    pictures = Pictures.of(root / PHOTOS if (root / PHOTOS).is_dir() else folder)
    return pictures if pictures.names else None


def _shifts(
    files: list[_File], origin: int | None
) -> tuple[Mapping[Path, _Shift], tuple[str, ...]]:
    """The shift of each file, and a warning where it was inferred."""
    unstated = [file for file in files if origin is None and file.document.origin is None]
    with_0 = next((file for file in unstated if any(map(suggests_origin_0, _corners(file)))), None)
    from_0 = {
        file.path
        for file in files
        if (with_0 is not None and file in unstated)
        or (file.document.origin if origin is None else origin) == 0
    }
    are_points = any(_has_points(file) for file in files if file.path in from_0)
    shift_from_0 = POINTS_FROM_0 if are_points else PIXELS_FROM_0
    shifts = {file.path: shift_from_0 if file.path in from_0 else PIXELS_FROM_1 for file in files}
    if with_0 is None:
        return shifts, ()
    meaning = "points" if are_points else "first and last pixels"
    return shifts, (
        f"{with_0.path.name} has a coordinate of 0: all coordinates of this set are read as"
        f" {meaning} counted from 0 (--origin 1 counts from 1)",
    )


def _corners(file: _File) -> Iterator[Decimal]:
    return (corner for item in _upright(file) for corner in item.corners)


def _upright(file: _File) -> list[VocObject]:
    """The objects whose corners are in the coordinates of VOC."""
    return [item for item in file.document.objects if not item.turned]


def _has_points(file: _File) -> bool:
    width, height = file.document.width, file.document.height
    return any(
        any(int(corner.as_tuple().exponent) < 0 for corner in item.corners)
        or item.corners[2] == width > 0
        or item.corners[3] == height > 0
        for item in _upright(file)
    )


def _photos(
    files: list[_File], pictures: Pictures | None, shifts: Mapping[Path, _Shift]
) -> tuple[dict[str, AnnotatedPhoto], list[str]]:
    photos: dict[str, AnnotatedPhoto] = {}
    owners: dict[str, Path] = {}
    swapped = absent = 0
    for file in files:
        image, exists = _image(file, pictures)
        if image in photos:
            raise TableError(
                str(file.path),
                f"annotates {image}, and so does {owners[image].name}",
                "correct the filename in one of them",
            )
        width, height = _size(file, pictures if exists else None, image)
        items = file.document.objects
        swapped += sum(_swapped(item.corners, shifts[file.path]) for item in _upright(file))
        absent += not exists
        owners[image] = file.path
        photos[image] = AnnotatedPhoto(
            image=image,
            width=width,
            height=height,
            annotations=tuple(_annotation(item, shifts[file.path]) for item in items),
            source=file.document.source,
        )
    return photos, _warnings(pictures, photos, swapped, absent)


def _warnings(
    pictures: Pictures | None, photos: Mapping[str, AnnotatedPhoto], swapped: int, absent: int
) -> list[str]:
    warnings = []
    if swapped:
        warnings.append(f"{swapped} boxes had swapped corners, which were put in order")
    if pictures is not None and absent:
        warnings.append(f"{absent} annotated photographs are not in {pictures.folder}")
    if pictures is not None:
        unannotated = len(set(pictures.names) - set(photos))
        if unannotated:
            warnings.append(
                f"{unannotated} photographs in {pictures.folder} have no annotation file"
            )
    return warnings


def _image(file: _File, pictures: Pictures | None) -> tuple[str, bool]:
    """The name of a document's photograph, and whether it exists."""
    named = image_name(file.document.filename or file.stem, str(file.path))
    if "/" not in named and "/" in file.stem:
        named = (PurePosixPath(file.stem).parent / named).as_posix()
    if PurePosixPath(named).suffix.lower() not in PHOTOGRAPH_SUFFIXES:
        named += ASSUMED_SUFFIX
    if pictures is None:
        return named, False
    candidates = (pictures.with_stem(stem) for stem in (without_suffix(named), file.stem))
    known = pictures.find(named) or next(filter(None, candidates), None)
    return (named, False) if known is None else (known, True)


def _size(file: _File, pictures: Pictures | None, image: str) -> PictureSize:
    width, height = file.document.width, file.document.height
    if width and height:
        return width, height
    if pictures is None:
        raise TableError(
            str(file.path),
            f"has no size, and its photograph {image} is not found",
            "name the folder of photographs with --images",
        )
    return pictures.size(image)


def _annotation(item: VocObject, shift: _Shift) -> Annotation:
    outlines: tuple[Outline, ...] = tuple(
        tuple((_shifted(x, shift.low), _shifted(y, shift.low)) for x, y in polygon)
        for polygon in item.polygons
    )
    box = _box(item.corners, shift)
    if item.turned:
        box, outlines = extent([item.turned]), (item.turned,)
    elif not outlines:
        box, outlines = turned_by_attribute(box, item.attributes)
    return Annotation(
        kind=kind_key(item.name),
        box=box,
        outlines=outlines,
        score=item.score,
        difficult=item.difficult,
        author=item.author,
        attributes=item.attributes,
    )


def _swapped(corners: Corners, shift: _Shift) -> bool:
    """Whether the corners of a box are swapped; those of an empty or thin box are not."""
    xmin, ymin, xmax, ymax = corners
    added = shift.high - shift.low
    return xmin > xmax + added or ymin > ymax + added


def _box(corners: Corners, shift: _Shift) -> Box:
    xmin, ymin, xmax, ymax = corners
    added = shift.high - shift.low
    if xmin > xmax + added:
        xmin, xmax = xmax, xmin
    if ymin > ymax + added:
        ymin, ymax = ymax, ymin
    return (
        _shifted(xmin, shift.low),
        _shifted(ymin, shift.low),
        _shifted(xmax, shift.high),
        _shifted(ymax, shift.high),
    )


def _shifted(value: Decimal, by: Decimal) -> float:
    return float(exact.add(value, by))


def _splits(
    root: Path, photos: Mapping[str, AnnotatedPhoto]
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The lists of names, and a warning for each with names that are not in the set."""
    by_stem = {without_suffix(image): image for image in photos}
    splits: dict[str, tuple[str, ...]] = {}
    warnings = []
    for path in _lists(root):
        names = _names(path)
        known = [name if name in photos else by_stem.get(name) for name in names]
        if not any(known) and _is_list_of_one_class(names):
            continue
        splits[path.stem] = distinct(name for name in known if name is not None)
        missing = known.count(None)
        if missing:
            warnings.append(f"{path.name} lists {missing} names that have no annotation file")
    return splits, warnings


def _lists(root: Path) -> list[Path]:
    inside = sorted((root / SETS).glob("*.txt"))
    beside = [root / f"{name}.txt" for name in LISTS_BESIDE]
    return inside or [path for path in beside if path.is_file()]


def _names(path: Path) -> list[str]:
    """The names in a list, one a line."""
    return [line.strip() for line in read_lines(path) if line.strip()]


def _is_list_of_one_class(lines: list[str]) -> bool:
    return bool(lines) and all(line.rpartition(" ")[2] in FLAGS for line in lines)
