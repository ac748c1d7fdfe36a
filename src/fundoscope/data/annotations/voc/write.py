"""Annotations to a folder of Pascal VOC."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
from fundoscope.data.annotations.names import without_suffix
from fundoscope.data.annotations.voc.document import (
    Vertices,
    VocDocument,
    VocObject,
    suggests_origin_0,
    to_xml,
)
from fundoscope.data.annotations.voc.layout import (
    ANNOTATIONS,
    LIST_SUFFIX,
    SETS,
    SUFFIX,
    earlier_files,
)
from fundoscope.writing import write_files

HOLDS: Final = features.ALL - {features.MASKS, features.KINDS_ORDER}


def write_voc(
    annotations: AnnotationSet, out: Path, *, overwrite: bool = False
) -> tuple[Loss, ...]:
    """Write ``Annotations/NAME.xml`` for each photograph, and ``ImageSets/Main`` with the splits.

    Coordinates at whole pixels are written as integers. Others keep their decimals, which labelImg
    cuts off. Scores, authors, outlines and attributes are elements that other readers ignore.

    Args:
        annotations: what to write.
        out: the folder.
        overwrite: replace existing files.

    Returns:
        What VOC cannot hold.

    Raises:
        OutputError: a file exists or cannot be written, two photographs differ only in their
            suffix, or a name has a character that XML cannot hold.
    """
    write_files(
        _files(annotations, out),
        folder=out,
        overwrite=overwrite,
        old=earlier_files(out),
    )
    return features.losses(annotations, HOLDS)


def photo_xml(photo: AnnotatedPhoto, path: Path) -> bytes:
    """The content of the XML file of one photograph.

    Args:
        photo: what to write.
        path: the file, for errors.

    Raises:
        OutputError: a name has a character that XML cannot hold.
    """
    return to_xml(_document(photo), str(path))


def _files(annotations: AnnotationSet, out: Path) -> Iterator[tuple[Path, bytes]]:
    for photo in annotations.photos:
        path = out / ANNOTATIONS / f"{without_suffix(photo.image)}{SUFFIX}"
        yield path, photo_xml(photo, path)
    for split, names in annotations.splits.items():
        yield out / SETS / f"{split}{LIST_SUFFIX}", _lines(map(without_suffix, names))


def _document(photo: AnnotatedPhoto) -> VocDocument:
    """The document of one photograph, in VOC's coordinates."""
    objects = tuple(map(_object, photo.annotations))
    misleading = any(suggests_origin_0(corner) for item in objects for corner in item.corners)
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
        corners=(exact.add(x0, exact.ONE), exact.add(y0, exact.ONE), x1, y1),
        polygons=tuple(map(_vertices, item.outlines)),
        score=item.score,
        difficult=item.difficult,
        author=item.author,
        attributes=item.attributes,
    )


def _vertices(outline: Outline) -> Vertices:
    return tuple(
        (exact.add(exact.decimal(x), exact.ONE), exact.add(exact.decimal(y), exact.ONE))
        for x, y in outline
    )


def _lines(names: Iterable[str]) -> bytes:
    return "".join(f"{name}\n" for name in names).encode()
