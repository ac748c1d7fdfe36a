"""Annotations to masks: one picture of one bit a class a photograph, and a table.

The pictures are named as IDRiD's (``IDRiD_01_MA.png``). The table ``masks.csv`` also holds what
pictures cannot: the full name of the photograph, its source, its splits, and photographs on which
nothing was found. Pixels come from the mask of an object, else its outlines, else its box, see
:mod:`fundoscope.data.annotations.raster`.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from fundoscope import limits
from fundoscope.data.annotations import features
from fundoscope.data.annotations.annotation import (
    AnnotatedPhoto,
    Annotation,
    AnnotationSet,
    Loss,
    Mask,
)
from fundoscope.data.annotations.documents import distinct
from fundoscope.data.annotations.masks.components import entangled
from fundoscope.data.annotations.masks.table import COLUMNS, SPLIT_MARK, TABLE, earlier_files
from fundoscope.data.annotations.names import image_name
from fundoscope.data.annotations.pictures import stated_size
from fundoscope.data.annotations.raster import pixels_of
from fundoscope.errors import UsageError
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
CODES: Final = {
    "microaneurysm": "MA",
    "haemorrhage": "HE",
    "hard_exudate": "EX",
    "soft_exudate": "SE",
    "optic_disc": "OD",
}
"""IDRiD's names of classes; other kinds are named by their key."""
UNFIT: Final = re.compile(r'[\x00-\x1f/\\:*?"<>|%]')
"""Characters that a file name cannot hold on some system, and the one that escapes them."""
TOUCHING: Final = "objects that touch others of their class"
IN_PIECES: Final = "objects in several pieces"
OUTSIDE: Final = "objects outside the photograph"


def write_masks(
    annotations: AnnotationSet, out: Path, *, overwrite: bool = False
) -> tuple[Loss, ...]:
    """Write masks and their table into a folder.

    Args:
        annotations: what to write; every photograph needs its size.
        out: the folder; it gets the subfolders of the photographs.
        overwrite: replace existing files.

    Returns:
        What masks cannot hold. Objects that touch others of their class become one.

    Raises:
        UsageError: the size of a photograph is not known or out of bounds, or its objects are too
            large to be drawn.
        OutputError: a file exists or cannot be written; then nothing was changed.
    """
    own: Counter[str] = Counter()
    write_files(
        _files(annotations, out, own),
        folder=out,
        overwrite=overwrite,
        old=earlier_files(out),
    )
    losses = tuple(Loss(what, count) for what, count in sorted(own.items()) if count)
    return (*features.losses(annotations, HOLDS), *losses)


def _files(
    annotations: AnnotationSet, out: Path, losses: Counter[str]
) -> Iterator[tuple[Path, bytes]]:
    """Masks one by one, so that one at a time is in memory; the table last. Counts losses."""
    table = io.StringIO(newline="")
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(COLUMNS)
    stems = _stems(annotations)
    for photo in annotations.photos:
        width, height = stated_size(photo)
        _require_drawable(photo)
        names = (name for name, images in annotations.splits.items() if photo.image in images)
        ending = (photo.source, SPLIT_MARK.join(names))
        head = (photo.image, width, height)
        kinds = distinct(item.kind for item in photo.annotations)
        for kind in kinds:
            mask = f"{stems[photo.image]}_{CODES.get(kind) or _file_part(kind)}.png"
            rows.writerow((*head, kind, mask, *ending))
            yield out / mask, _png(_union(photo, kind, losses))
        if not kinds:
            rows.writerow((*head, "", "", *ending))
    yield out / TABLE, table.getvalue().encode()


def _union(photo: AnnotatedPhoto, kind: str, losses: Counter[str]) -> NDArray[np.bool_]:
    """All pixels of a kind, bool ``(H, W)``; counts what they lose."""
    pixels = np.zeros((photo.height, photo.width), dtype=bool)
    items = [item for item in photo.annotations if item.kind == kind]
    for mask in _masks(items, photo):
        if mask is None:
            losses[OUTSIDE] += 1
            continue
        height, width = mask.pixels.shape
        pixels[mask.y : mask.y + height, mask.x : mask.x + width] |= mask.pixels
    # Made once more rather than kept: together they may be far larger than the photograph.
    joined, torn = entangled(pixels, filter(None, _masks(items, photo)))
    losses[TOUCHING] += joined
    losses[IN_PIECES] += torn
    return pixels


def _masks(items: list[Annotation], photo: AnnotatedPhoto) -> Iterator[Mask | None]:
    """The pixels of each object; ``None`` for one outside of the photograph."""
    for item in items:
        yield pixels_of(item, photo.width, photo.height)


def _require_drawable(photo: AnnotatedPhoto) -> None:
    """Check the area of all objects of a photograph, which is the work to draw them.

    Raises:
        UsageError: it is above :data:`fundoscope.limits.MAX_DRAWN_PIXELS`.
    """
    area = sum(
        max(min(x1, photo.width) - max(x0, 0.0), 1.0)
        * max(min(y1, photo.height) - max(y0, 0.0), 1.0)
        for x0, y0, x1, y1 in (item.box for item in photo.annotations)
    )
    if area > limits.MAX_DRAWN_PIXELS:
        raise UsageError(
            photo.image,
            f"has objects of {area / 10**6:.0f} million pixels together, more than"
            f" {limits.MAX_DRAWN_PIXELS // 10**6}",
            "convert to a format of boxes, or leave objects out that cover the photograph",
        )


def _png(pixels: NDArray[np.bool_]) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def _stems(annotations: AnnotationSet) -> dict[str, str]:
    """How the masks of each photograph begin: its path, without suffix where that is unique."""
    images = {photo.image: PurePosixPath(photo.image) for photo in annotations.photos}
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
