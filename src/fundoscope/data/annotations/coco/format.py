"""COCO: one JSON document, or one a split (``annotations/instances_train.json``).

Boxes are x, y, width and height, half-open and from 0; polygons have their corners in the same
coordinates. Sums and differences are taken in decimals, so that no box moves by rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from fundoscope import limits
from fundoscope.data.annotations import exact, features
from fundoscope.data.annotations.annotation import (
    AnnotatedPhoto,
    Annotation,
    AnnotationSet,
    Loss,
    Mask,
    Outline,
)
from fundoscope.data.annotations.coco import rle
from fundoscope.data.annotations.documents import distinct, image_name
from fundoscope.data.annotations.pictures import Pictures
from fundoscope.errors import TableError
from fundoscope.geometry import Box
from fundoscope.kinds import KINDS, find
from fundoscope.writing import write_files

if TYPE_CHECKING:
    from fundoscope.data.annotations.coco.document import (
        CocoAnnotation,
        CocoDocument,
        CocoImage,
        CocoRuns,
    )

HOLDS: Final = features.ALL
ANNOTATIONS: Final = "annotations"
INSTANCES: Final = "instances"
ROBOFLOW: Final = "_annotations.coco"
"""Name of the file that Roboflow writes beside the photographs of each split."""
CROWD: Final = "iscrowd"
"""An attribute of ours for COCO's mark of a group."""
MIN_NUMBERS: Final = 6
"""Of a polygon: three corners."""


def read(path: Path, *, images: Path | None = None) -> AnnotationSet:
    """Read a COCO file, or a folder with one file a split.

    In a folder, files called ``instances_*.json`` are preferred to others, as COCO puts captions
    beside them; the split is what follows ``instances_``.

    Args:
        path: the file; or the folder, whose files lie in it, in ``annotations`` or, as Roboflow
            puts them, in a folder a split.
        images: folder of photographs, for sizes that the file does not tell.

    Raises:
        TableError: a file is not such JSON, a number is impossible, an id is there twice or
            missing, or a photograph is there twice with different annotations.
        PhotoError: a photograph whose size is needed cannot be read.
    """
    from fundoscope.data.annotations.coco import document as coco_document

    pictures = None if images is None else Pictures.of(images)
    photos: dict[str, AnnotatedPhoto] = {}
    names: list[str] = []
    splits: dict[str, tuple[str, ...]] = {}
    warnings: list[str] = []
    for file, split, folder in _files(path):
        document = coco_document.parse(file)
        inside = _photos(document, file, folder, pictures, warnings)
        for image, photo in inside.items():
            if photos.setdefault(image, photo) != photo:
                raise TableError(
                    str(file), f"annotates {image} otherwise than another file", "keep one of both"
                )
        names += [_kind(category.name) for category in document.categories]
        if split:
            splits[split] = tuple(inside)
    absent = 0 if pictures is None else len(set(photos) - set(pictures.names))
    if pictures is not None and absent:
        warnings.append(f"{absent} annotated photographs are not in {pictures.folder}")
    return AnnotationSet(
        photos=tuple(photos[image] for image in sorted(photos)),
        kinds=distinct(names),
        splits=splits,
        warnings=tuple(warnings),
    )


def _files(path: Path) -> list[tuple[Path, str, str]]:
    """The files, the split that each stands for ("" for none), and the folder of its names."""
    if not path.is_dir():
        return [(path, "", "")]
    inner = path / ANNOTATIONS if (path / ANNOTATIONS).is_dir() else path
    files = sorted(inner.glob(f"{INSTANCES}*.json")) or sorted(inner.glob("*.json"))
    if files:
        several = len(files) > 1
        return [(file, _split(file.stem, several=several), "") for file in files]
    files = sorted(path.glob(f"*/{ROBOFLOW}.json"))
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
    kinds = {category.id: _kind(category.name) for category in document.categories}
    objects: dict[str, list[Annotation]] = {image: [] for image in photos}
    flipped = 0
    for number, item in enumerate(document.annotations):
        photo = photos[images[item.image_id]]
        try:
            objects[photo.image].append(_annotation(item, kinds[item.category_id], photo))
        except ValueError as error:
            from fundoscope.data.annotations.coco.document import place

            raise TableError(place(path, number, item), str(error), "correct it") from None
        flipped += any(side < 0 for side in (item.bbox or ())[2:])
    if flipped:
        warnings.append(f"{flipped} boxes of {path.name} had negative sizes, and were put right")
    return {image: replace(photos[image], annotations=tuple(objects[image])) for image in photos}


def _photo(image: CocoImage, path: Path, folder: str, pictures: Pictures | None) -> AnnotatedPhoto:
    where = f"{path}, image {image.id!r}"
    named = (PurePosixPath(folder) / image_name(image.file_name, where)).as_posix()
    found = None if pictures is None else pictures.find(named)
    width, height = image.width or 0, image.height or 0
    if width <= 0 or height <= 0:
        if pictures is None or found is None:
            raise TableError(
                where,
                f"says no size, and its photograph {named} is not found",
                "name the folder of photographs with --images",
            )
        width, height = pictures.size(found)
    return AnnotatedPhoto(image=found or named, width=width, height=height, source=image.source)


def _kind(name: str) -> str:
    known = find(name)
    return name.strip() if known is None else known.key


def _annotation(item: CocoAnnotation, kind: str, photo: AnnotatedPhoto) -> Annotation:
    """The object of an annotation.

    Raises:
        ValueError: what is wrong with its numbers.
    """
    shape = item.segmentation
    outlines = tuple(map(_outline, shape)) if isinstance(shape, list) else ()
    mask = _mask(shape, photo) if shape is not None and not isinstance(shape, list) else None
    if item.score is not None and not 0 <= item.score <= 1:
        raise ValueError(f"has the score {item.score}, which is not from 0 to 1")
    attributes = {name: _text(value) for name, value in item.attributes.items()}
    if item.iscrowd:
        attributes[CROWD] = "1"
    return Annotation(
        kind=kind,
        box=_box(item.bbox, outlines, mask),
        outlines=outlines,
        mask=mask,
        score=item.score,
        difficult=item.difficult,
        author=item.author,
        attributes=attributes,
    )


def _box(sides: list[Decimal] | None, outlines: tuple[Outline, ...], mask: Mask | None) -> Box:
    if sides:
        if len(sides) != 4:
            raise ValueError(f"has a bbox of {len(sides)} numbers instead of four")
        x, y, width, height = map(exact.checked, sides)
        xs, ys = sorted((x, exact.add(x, width))), sorted((y, exact.add(y, height)))
        return (float(xs[0]), float(ys[0]), float(xs[1]), float(ys[1]))
    if mask is not None:
        return mask.box
    if not outlines:
        raise ValueError("has neither bbox nor segmentation")
    return bounds(outlines)


def bounds(outlines: Sequence[Outline]) -> Box:
    """The smallest box around polygons."""
    xs = [x for outline in outlines for x, _ in outline]
    ys = [y for outline in outlines for _, y in outline]
    return (min(xs), min(ys), max(xs), max(ys))


def _outline(numbers: list[Decimal]) -> Outline:
    if len(numbers) < MIN_NUMBERS or len(numbers) % 2:
        raise ValueError(f"has a polygon of {len(numbers)} numbers")
    values = [float(exact.checked(number)) for number in numbers]
    return tuple(zip(values[::2], values[1::2], strict=True))


def _mask(runs: CocoRuns, photo: AnnotatedPhoto) -> Mask | None:
    height, width = runs.size
    if (width, height) != (photo.width, photo.height):
        raise ValueError(
            f"has a mask of {width} x {height} pixels,"
            f" where the photograph has {photo.width} x {photo.height}"
        )
    if width * height > limits.MAX_PIXELS:
        raise ValueError(f"has a mask of more than {limits.MAX_PIXELS // 10**6} million pixels")
    return rle.decode(runs.counts, width, height)


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def write(
    found: AnnotationSet,
    out: Path,
    *,
    images: Path | None = None,  # noqa: ARG001 (every format's writer is called alike)
    overwrite: bool = False,
) -> tuple[Loss, ...]:
    """Write one file, or a file a split.

    Args:
        found: what to write.
        out: a file, if its name ends in ``.json``; else a folder that gets
            ``annotations/instances_SPLIT.json``, and ``annotations/instances.json`` with what is in
            no split. Ids are the same in all of them.
        images: not needed; photographs are left where they are.
        overwrite: replace files that are there.

    Returns:
        What is lost: splits in one file; the mask of an object that has outlines as well, or that
        reaches beyond its photograph.

    Raises:
        OutputError: a file is there already or cannot be written.
    """
    from fundoscope.data.annotations.coco import document as coco_document

    single = out.suffix.lower() == ".json"
    ids = {photo.image: number for number, photo in enumerate(found.photos, start=1)}
    parts = {out: tuple(ids)} if single else _parts(found, out / ANNOTATIONS)
    document = _document(found, ids)
    write_files(
        (
            (path, coco_document.to_json(_part(document, ids, names)))
            for path, names in parts.items()
        ),
        overwrite=overwrite,
    )
    held = HOLDS - {features.SPLITS} if single else HOLDS
    unwritten = sum(
        item.mask is not None and not _has_runs(item, photo)
        for photo in found.photos
        for item in photo.annotations
    )
    masks = (Loss(features.MASKS, unwritten),) if unwritten else ()
    return features.losses(found, held) + masks


def _parts(found: AnnotationSet, folder: Path) -> Mapping[Path, Sequence[str]]:
    parts: dict[Path, Sequence[str]] = {
        folder / f"{INSTANCES}_{split}.json": names for split, names in found.splits.items()
    }
    placed = {name for names in found.splits.values() for name in names}
    others = [photo.image for photo in found.photos if photo.image not in placed]
    if others or not parts:
        parts[folder / f"{INSTANCES}.json"] = others
    return parts


def _part(document: CocoDocument, ids: Mapping[str, int], names: Sequence[str]) -> CocoDocument:
    from fundoscope.data.annotations.coco.document import CocoDocument

    order = {ids[name]: place for place, name in enumerate(names)}
    return CocoDocument(
        images=[document.images[number - 1] for number in order],
        categories=document.categories,
        annotations=[item for item in document.annotations if item.image_id in order],
    )


def _document(found: AnnotationSet, ids: Mapping[str, int]) -> CocoDocument:
    from fundoscope.data.annotations.coco.document import CocoCategory, CocoDocument, CocoImage

    categories = {name: id_ for id_, name in enumerate(features.all_kinds(found), start=1)}
    return CocoDocument(
        images=[
            CocoImage(ids[photo.image], photo.image, photo.width, photo.height, photo.source)
            for photo in found.photos
        ],
        categories=[CocoCategory(id_, name, _group(name)) for name, id_ in categories.items()],
        annotations=list(_annotations(found, ids, categories)),
    )


def _group(kind: str) -> str:
    known = KINDS.get(kind)
    return "anatomy" if known is not None and known.anatomy else "lesion"


def _annotations(
    found: AnnotationSet, ids: Mapping[str, int], categories: Mapping[str, int]
) -> Iterator[CocoAnnotation]:
    from fundoscope.data.annotations.coco.document import CocoAnnotation

    number = 0
    for photo in found.photos:
        for item in photo.annotations:
            number += 1
            x0, y0, x1, y1 = map(exact.decimal, item.box)
            attributes = dict(item.attributes)
            yield CocoAnnotation(
                image_id=ids[photo.image],
                category_id=categories[item.kind],
                id=number,
                bbox=[x0, y0, exact.subtract(x1, x0), exact.subtract(y1, y0)],
                area=_area(item),
                segmentation=_segmentation(item, photo),
                iscrowd=int(attributes.pop(CROWD, "0") == "1"),
                score=item.score,
                difficult=item.difficult,
                author=item.author,
                attributes=attributes,
            )


def _segmentation(item: Annotation, photo: AnnotatedPhoto) -> list[list[Decimal]] | CocoRuns:
    from fundoscope.data.annotations.coco.document import CocoRuns

    if item.mask is not None and _has_runs(item, photo):
        counts = rle.compress(rle.encode(item.mask, photo.width, photo.height))
        return CocoRuns(counts, (photo.height, photo.width))
    return [
        [exact.decimal(number) for corner in outline for number in corner]
        for outline in item.outlines
    ]


def _has_runs(item: Annotation, photo: AnnotatedPhoto) -> bool:
    """Whether the mask is what is written of an object's shape."""
    if item.mask is None or item.outlines:
        return False
    x0, y0, x1, y1 = item.mask.box
    return x0 >= 0 and y0 >= 0 and x1 <= photo.width and y1 <= photo.height


def _area(item: Annotation) -> float:
    """In pixels: of the outlines, else of the mask, else of the box."""
    if item.outlines:
        return sum(map(_polygon_area, item.outlines))
    if item.mask is not None:
        return float(item.mask.area)
    x0, y0, x1, y1 = item.box
    return (x1 - x0) * (y1 - y0)


def _polygon_area(outline: Outline) -> float:
    """By the shoelace formula."""
    following = (*outline[1:], outline[0])
    return (
        abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(outline, following, strict=True)))
        / 2
    )
