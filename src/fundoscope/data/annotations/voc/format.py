"""Pascal VOC: an XML document a photograph, ``Annotations/ JPEGImages/ ImageSets/Main``.

VOC counts pixels from 1 and names the first and the last one of a box: ``xmin = x0 + 1`` and
``xmax = x1`` in half-open coordinates. The shift is made here and nowhere else. Files whose numbers
start at 0 are told by a 0 among them; see :func:`read`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Final

from fundoscope.data.annotations import exact, features
from fundoscope.data.annotations.annotation import (
    AnnotatedPhoto,
    Annotation,
    AnnotationSet,
    Loss,
    Outline,
)
from fundoscope.data.annotations.documents import image_name, read_bytes, read_xml
from fundoscope.data.annotations.pictures import Pictures
from fundoscope.data.annotations.voc import document as voc_document
from fundoscope.data.annotations.voc.document import Corners, VocDocument, VocObject
from fundoscope.data.class_folders import PHOTOGRAPH_SUFFIXES
from fundoscope.errors import TableError
from fundoscope.geometry import Box
from fundoscope.kinds import find
from fundoscope.writing import write_files

HOLDS: Final = features.ALL - {features.MASKS, features.KINDS_ORDER}
ANNOTATIONS, PHOTOS, SETS = "Annotations", "JPEGImages", "ImageSets/Main"
BESIDE: Final = ("train", "val", "valid", "validation", "trainval", "test")
"""Lists of names that may also lie beside the folders; another text file there is none."""
FLAGS: Final = frozenset({"-1", "0", "1"})
"""Second word of a line in VOC's lists of one class (``aeroplane_train.txt``)."""
ONE: Final = Decimal(1)


@dataclass(frozen=True, slots=True)
class _File:
    """A document, where it was, and its path below the folder of annotations without suffix."""

    path: Path
    stem: str
    document: VocDocument


@dataclass(frozen=True, slots=True)
class _Counting:
    """How a file counts.

    Attributes:
        low: added to a minimum (and to the corner of a polygon).
        high: added to a maximum.
    """

    low: Decimal
    high: Decimal


FROM_ONE: Final = _Counting(-ONE, Decimal(0))
FROM_ZERO: Final = _Counting(Decimal(0), ONE)
POINTS: Final = _Counting(Decimal(0), Decimal(0))


def read(path: Path, *, images: Path | None = None, origin: int | None = None) -> AnnotationSet:
    """Read a folder of VOC (with or without its inner folders), or one document without splits.

    Pixels are counted from 1 unless a file says otherwise (``<annotation origin="0">``), or the
    caller does, or a coordinate from 0 up to below 1 is found: then every file of the set that does
    not say counts from 0, and a warning tells so. Counted from 0, corners are pixels (the last one
    belongs to the box), but points where one has decimals or reaches the photograph's width or
    height, which no pixel can.

    Args:
        path: the folder, or an XML file.
        images: folder of photographs; by default ``JPEGImages``, or the folder of the XML files.
        origin: 0 or 1: what the first pixel is called.

    Raises:
        TableError: a file is not such XML, or a photograph's size is told by nobody.
        PhotoError: a photograph whose size is needed cannot be read.
    """
    root, folder = _folders(path)
    files = _files(path, folder)
    pictures = _pictures(images, root, folder)
    counting, warnings = _counting(files, origin)
    photos, more = _photos(files, pictures, counting)
    splits, missing = _splits(root, photos) if path.is_dir() else ({}, [])
    found = AnnotationSet(
        photos=tuple(sorted(photos.values(), key=lambda photo: photo.image)),
        splits=splits,
        warnings=(*warnings, *more, *missing),
    )
    return replace(found, kinds=features.kinds_in(found))


def _folders(path: Path) -> tuple[Path, Path]:
    """The folder that may hold ``ImageSets`` and ``JPEGImages``, and that of the documents."""
    folder = path if path.is_dir() else path.parent
    if folder.name == ANNOTATIONS:
        return folder.parent, folder
    return folder, folder / ANNOTATIONS if (folder / ANNOTATIONS).is_dir() else folder


def _files(path: Path, folder: Path) -> list[_File]:
    paths = sorted(folder.rglob("*.xml")) if path.is_dir() else [path]
    paths = [each for each in paths if not each.name.startswith(".")]
    if not paths:
        raise TableError(str(path), "has no XML files", "name the folder of the annotations")
    files = []
    for each in paths:
        stem = each.relative_to(folder).with_suffix("").as_posix() if path.is_dir() else each.stem
        files.append(_File(each, stem, voc_document.parse(read_xml(each), str(each))))
    return files


def _pictures(images: Path | None, root: Path, folder: Path) -> Pictures | None:
    if images is not None:
        return Pictures.of(images)
    pictures = Pictures.of(root / PHOTOS if (root / PHOTOS).is_dir() else folder)
    return pictures if pictures.names else None


def _counting(
    files: list[_File], origin: int | None
) -> tuple[Mapping[Path, _Counting], tuple[str, ...]]:
    """How each file counts, and a warning where that was concluded."""
    unsaid = [file for file in files if origin is None and file.document.origin is None]
    with_zero = next((file for file in unsaid if any(map(_zero, _all_corners(file)))), None)
    zero_based = {
        file.path
        for file in files
        if (with_zero is not None and file in unsaid)
        or (file.document.origin if origin is None else origin) == 0
    }
    points = any(_has_points(file) for file in files if file.path in zero_based)
    from_zero = POINTS if points else FROM_ZERO
    counting = {file.path: from_zero if file.path in zero_based else FROM_ONE for file in files}
    if with_zero is None:
        return counting, ()
    told = "as points" if points else "as first and last pixels"
    return counting, (
        f"{with_zero.path.name} has a coordinate of 0: all coordinates of this set are taken to"
        f" count from 0, {told} (--origin 1 counts from 1)",
    )


def _all_corners(file: _File) -> Iterator[Decimal]:
    return (corner for item in file.document.objects for corner in item.corners)


def _zero(corner: Decimal) -> bool:
    return 0 <= corner < 1


def _has_points(file: _File) -> bool:
    width, height = file.document.width, file.document.height
    return any(
        any(int(corner.as_tuple().exponent) < 0 for corner in item.corners)
        or item.corners[2] == width > 0
        or item.corners[3] == height > 0
        for item in file.document.objects
    )


def _photos(
    files: list[_File], pictures: Pictures | None, counting: Mapping[Path, _Counting]
) -> tuple[dict[str, AnnotatedPhoto], list[str]]:
    photos: dict[str, AnnotatedPhoto] = {}
    owners: dict[str, Path] = {}
    swapped = absent = 0
    for file in files:
        image, is_there = _image(file, pictures)
        if image in photos:
            raise TableError(
                str(file.path),
                f"annotates {image}, as {owners[image].name} does",
                "correct the filename in one of them",
            )
        width, height = _size(file, pictures if is_there else None, image)
        items = file.document.objects
        swapped += sum(_swapped(item.corners, counting[file.path]) for item in items)
        absent += not is_there
        owners[image] = file.path
        photos[image] = AnnotatedPhoto(
            image=image,
            width=width,
            height=height,
            annotations=tuple(_annotation(item, counting[file.path]) for item in items),
            source=file.document.source,
        )
    return photos, _remarks(pictures, photos, swapped, absent)


def _remarks(
    pictures: Pictures | None, photos: Mapping[str, AnnotatedPhoto], swapped: int, absent: int
) -> list[str]:
    told = []
    if swapped:
        told.append(f"{swapped} boxes had their corners swapped, and were put right")
    if pictures is not None and absent:
        told.append(f"{absent} annotated photographs are not in {pictures.folder}")
    if pictures is not None:
        bare = len(set(pictures.names) - set(photos))
        if bare:
            told.append(f"{bare} photographs in {pictures.folder} have no annotation file")
    return told


def _image(file: _File, pictures: Pictures | None) -> tuple[str, bool]:
    """The name of a document's photograph, and whether it is there."""
    named = image_name(file.document.filename or file.stem, str(file.path))
    if "/" not in named and "/" in file.stem:
        named = (PurePosixPath(file.stem).parent / named).as_posix()
    if PurePosixPath(named).suffix.lower() not in PHOTOGRAPH_SUFFIXES:
        named += ".jpg"
    found = None
    if pictures is not None:
        stem = PurePosixPath(named).with_suffix("").as_posix()
        found = pictures.find(named) or pictures.with_stem(stem) or pictures.with_stem(file.stem)
    return (named, False) if found is None else (found, True)


def _size(file: _File, pictures: Pictures | None, image: str) -> tuple[int, int]:
    width, height = file.document.width, file.document.height
    if width and height:
        return width, height
    if pictures is None:
        raise TableError(
            str(file.path),
            f"says no size, and its photograph {image} is not found",
            "name the folder of photographs with --images",
        )
    return pictures.size(image)


def _annotation(item: VocObject, counting: _Counting) -> Annotation:
    known = find(item.name)
    return Annotation(
        kind=item.name if known is None else known.key,
        box=_box(item.corners, counting),
        outlines=tuple(
            tuple((_moved(x, counting.low), _moved(y, counting.low)) for x, y in polygon)
            for polygon in item.polygons
        ),
        score=item.score,
        difficult=item.difficult,
        author=item.author,
        attributes=item.attributes,
    )


def _swapped(corners: Corners, counting: _Counting) -> bool:
    """Whether a box has its corners the wrong way round; an empty one, or a thin one, has not."""
    xmin, ymin, xmax, ymax = corners
    added = counting.high - counting.low
    return xmin > xmax + added or ymin > ymax + added


def _box(corners: Corners, counting: _Counting) -> Box:
    xmin, ymin, xmax, ymax = corners
    added = counting.high - counting.low
    if xmin > xmax + added:
        xmin, xmax = xmax, xmin
    if ymin > ymax + added:
        ymin, ymax = ymax, ymin
    return (
        _moved(xmin, counting.low),
        _moved(ymin, counting.low),
        _moved(xmax, counting.high),
        _moved(ymax, counting.high),
    )


def _moved(value: Decimal, by: Decimal) -> float:
    return float(exact.add(value, by))


def _splits(
    root: Path, photos: Mapping[str, AnnotatedPhoto]
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The lists of names, and a warning for each that names what is not in the set."""
    by_stem = {PurePosixPath(image).with_suffix("").as_posix(): image for image in photos}
    splits: dict[str, tuple[str, ...]] = {}
    warnings = []
    for path in _lists(root):
        names = _names(path)
        known = [name if name in photos else by_stem.get(name) for name in names]
        if not any(known) and _is_of_one_class(names):
            continue
        splits[path.stem] = tuple(dict.fromkeys(name for name in known if name is not None))
        missing = known.count(None)
        if missing:
            warnings.append(f"{path.name} lists {missing} names that have no annotation file")
    return splits, warnings


def _lists(root: Path) -> list[Path]:
    inside = sorted((root / SETS).glob("*.txt"))
    beside = [root / f"{name}.txt" for name in BESIDE]
    return inside or [path for path in beside if path.is_file()]


def _names(path: Path) -> list[str]:
    """The names in a list, one a line."""
    try:
        text = read_bytes(path).decode("utf-8-sig") if path.stat().st_size else ""
    except UnicodeDecodeError:
        raise TableError(str(path), "is not UTF-8 text", "save it as UTF-8") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def _is_of_one_class(lines: list[str]) -> bool:
    return bool(lines) and all(line.rpartition(" ")[2] in FLAGS for line in lines)


def write(
    found: AnnotationSet,
    out: Path,
    *,
    images: Path | None = None,  # noqa: ARG001 (every format's writer is called alike)
    overwrite: bool = False,
) -> tuple[Loss, ...]:
    """Write ``Annotations/NAME.xml`` for each photograph, and ``ImageSets/Main`` where it is split.

    Numbers of whole pixels are whole; others keep their decimals, which labelImg cuts off. Scores,
    authors, outlines and attributes are elements that other readers pass over.

    Args:
        found: what to write.
        out: the folder.
        images: not needed; photographs are left where they are.
        overwrite: replace files that are there.

    Returns:
        What VOC cannot hold.

    Raises:
        OutputError: a file is there already or cannot be written, two photographs differ in their
            suffix alone, or a name has a character that XML cannot hold.
    """
    write_files(_documents(found, out), overwrite=overwrite)
    return features.losses(found, HOLDS)


def _documents(found: AnnotationSet, out: Path) -> Iterator[tuple[Path, bytes]]:
    for photo in found.photos:
        path = out / ANNOTATIONS / f"{_stem(photo.image)}.xml"
        yield path, voc_document.to_xml(document(photo), str(path))
    for split, names in found.splits.items():
        yield out / SETS / f"{split}.txt", _lines(map(_stem, names))


def document(photo: AnnotatedPhoto) -> VocDocument:
    """The document of one photograph, in VOC's numbers."""
    objects = tuple(map(_object, photo.annotations))
    misleading = any(_zero(corner) for item in objects for corner in item.corners)
    return VocDocument(
        filename=photo.image,
        width=photo.width,
        height=photo.height,
        source=photo.source,
        origin=1 if misleading else None,
        objects=objects,
    )


def _object(item: Annotation) -> VocObject:
    x0, y0, x1, y1 = map(exact.decimal, item.box)
    return VocObject(
        name=item.kind,
        corners=(exact.add(x0, ONE), exact.add(y0, ONE), x1, y1),
        polygons=tuple(map(_vertices, item.outlines)),
        score=item.score,
        difficult=item.difficult,
        author=item.author,
        attributes=item.attributes,
    )


def _vertices(outline: Outline) -> voc_document.Vertices:
    return tuple(
        (exact.add(exact.decimal(x), ONE), exact.add(exact.decimal(y), ONE)) for x, y in outline
    )


def _stem(image: str) -> str:
    return PurePosixPath(image).with_suffix("").as_posix()


def _lines(names: Iterable[str]) -> bytes:
    return "".join(f"{name}\n" for name in names).encode()
