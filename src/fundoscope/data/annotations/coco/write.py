"""Annotations to JSON documents of COCO."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

from fundoscope.data.annotations import exact, features
from fundoscope.data.annotations.annotation import (
    AnnotatedPhoto,
    Annotation,
    AnnotationSet,
    Loss,
    Outline,
)
from fundoscope.data.annotations.coco import rle
from fundoscope.data.annotations.coco.document import (
    CROWD,
    CocoAnnotation,
    CocoCategory,
    CocoDocument,
    CocoImage,
    CocoRuns,
    to_json,
)
from fundoscope.data.annotations.coco.layout import ANNOTATIONS, INSTANCES, SUFFIX, earlier_files
from fundoscope.kinds import KINDS
from fundoscope.writing import write_files

HOLDS: Final = features.ALL


def write_coco(
    annotations: AnnotationSet, out: Path, *, overwrite: bool = False
) -> tuple[Loss, ...]:
    """Write one file, or a file a split.

    Args:
        annotations: what to write.
        out: a file, if its name ends in ``.json``; else a folder that gets
            ``annotations/instances_SPLIT.json``, and ``annotations/instances.json`` with the
            photographs of no split. Ids are the same in all of them.
        overwrite: replace existing files.

    Returns:
        What is lost: splits in a single file; the mask of an object that also has outlines, or that
        reaches beyond its photograph.

    Raises:
        OutputError: a file exists or cannot be written.
    """
    single = out.suffix.lower() == SUFFIX
    ids = {photo.image: number for number, photo in enumerate(annotations.photos, start=1)}
    parts = {out: tuple(ids)} if single else _parts(annotations, out / ANNOTATIONS)
    document = _document(annotations, ids)
    write_files(
        ((path, to_json(_part(document, ids, names))) for path, names in parts.items()),
        folder=None if single else out,
        overwrite=overwrite,
        old=() if single else earlier_files(out),
    )
    held = HOLDS - {features.SPLITS} if single else HOLDS
    unwritten = sum(
        item.mask is not None and not _has_runs(item, photo)
        for photo in annotations.photos
        for item in photo.annotations
    )
    masks = (Loss(features.MASKS, unwritten),) if unwritten else ()
    return features.losses(annotations, held) + masks


def _parts(annotations: AnnotationSet, folder: Path) -> Mapping[Path, Sequence[str]]:
    parts: dict[Path, Sequence[str]] = {
        folder / f"{INSTANCES}_{split}{SUFFIX}": names
        for split, names in annotations.splits.items()
    }
    placed = {name for names in annotations.splits.values() for name in names}
    others = [photo.image for photo in annotations.photos if photo.image not in placed]
    if others or not parts:
        parts[folder / f"{INSTANCES}{SUFFIX}"] = others
    return parts


def _part(document: CocoDocument, ids: Mapping[str, int], names: Sequence[str]) -> CocoDocument:
    order = {ids[name]: place for place, name in enumerate(names)}
    return CocoDocument(
        images=[document.images[number - 1] for number in order],
        categories=document.categories,
        annotations=[item for item in document.annotations if item.image_id in order],
    )


def _document(annotations: AnnotationSet, ids: Mapping[str, int]) -> CocoDocument:
    categories = {name: id_ for id_, name in enumerate(features.all_kinds(annotations), start=1)}
    return CocoDocument(
        images=[
            CocoImage(ids[photo.image], photo.image, photo.width, photo.height, photo.source)
            for photo in annotations.photos
        ],
        categories=[CocoCategory(id_, name, _group(name)) for name, id_ in categories.items()],
        annotations=list(_annotations(annotations, ids, categories)),
    )


def _group(kind: str) -> str:
    known = KINDS.get(kind)
    return "anatomy" if known is not None and known.anatomy else "lesion"


def _annotations(
    annotations: AnnotationSet, ids: Mapping[str, int], categories: Mapping[str, int]
) -> Iterator[CocoAnnotation]:
    number = 0
    for photo in annotations.photos:
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


def _segmentation(
    item: Annotation, photo: AnnotatedPhoto
) -> list[list[Decimal] | Decimal] | CocoRuns:
    if item.mask is not None and _has_runs(item, photo):
        counts = rle.compress(rle.encode(item.mask, photo.width, photo.height))
        return CocoRuns(counts, (photo.height, photo.width))
    return [
        [exact.decimal(number) for corner in outline for number in corner]
        for outline in item.outlines
    ]


def _has_runs(item: Annotation, photo: AnnotatedPhoto) -> bool:
    """Whether the shape of an object is written as its mask."""
    if item.mask is None or item.outlines:
        return False
    x0, y0, x1, y1 = item.mask.box
    return x0 >= 0 and y0 >= 0 and x1 <= photo.width and y1 <= photo.height


def _area(item: Annotation) -> float:
    """Area in pixels: of the outlines, else of the mask, else of the box."""
    if item.outlines:
        return sum(map(_polygon_area, item.outlines))
    if item.mask is not None:
        return float(item.mask.area)
    x0, y0, x1, y1 = item.box
    return (x1 - x0) * (y1 - y0)


def _polygon_area(outline: Outline) -> float:
    """Area of a polygon in pixels, by the shoelace formula."""
    following = (*outline[1:], outline[0])
    return (
        abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(outline, following, strict=True)))
        / 2
    )
