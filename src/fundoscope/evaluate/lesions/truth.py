"""The photographs of a detector's evaluation, with their annotations."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final, TypeVar

import numpy as np

from fundoscope.data.annotations import formats
from fundoscope.data.annotations.annotation import (
    POINT,
    AnnotatedPhoto,
    Annotation,
    AnnotationSet,
)
from fundoscope.data.annotations.flags import flag
from fundoscope.data.annotations.machine import require_confirmed
from fundoscope.data.annotations.pictures import Pictures, picture_size
from fundoscope.errors import PhotoError, TableError, UsageError
from fundoscope.evaluate.lesions import centres
from fundoscope.evaluate.lesions.centres import Disc
from fundoscope.evaluate.lesions.hits import BoxArray, areas
from fundoscope.evaluate.lesions.masks import masks_of
from fundoscope.kinds import KINDS, OPTIC_DISC
from fundoscope.quoting import bare

TEST: Final = "test"
REMARK: Final = "#"
NAMED_AT_MOST: Final = 5
Masks = Mapping[str, tuple[Path, ...]]
"""Files of masks, by kind."""
_Photo = TypeVar("_Photo")


@dataclass(frozen=True, slots=True)
class Photograph:
    """One photograph with its annotations.

    Attributes:
        image: its path below the folder of photographs.
        path: its file.
        size: width and height in pixels, as the annotations have them.
        boxes: ``float (N, 4)`` by kind; a kind without a box has no entry.
        masks: their files, by kind; ``None`` where the photograph has no mask at all.
        disc: the true place of the optic disc; ``None`` where unknown.
    """

    image: str
    path: Path
    size: tuple[int, int] | None = None
    boxes: Mapping[str, BoxArray] = field(default_factory=dict)
    masks: Masks | None = None
    disc: Disc | None = None

    def of_kind(self, kind: str) -> BoxArray:
        """Boxes of a kind, ``(N, 4)``."""
        return self.boxes.get(kind, np.zeros((0, 4)))


@dataclass(frozen=True, slots=True)
class Truth:
    """The photographs and annotations that detections are compared with.

    Attributes:
        photographs: in the order in which they are read.
        kinds: that are annotated anywhere in the set; only these can be measured.
        sha256: of all boxes, sizes and names of the photographs.
        test: whether photographs of a test split are among them.
        notes: sentences for the person who reads the figures.
    """

    photographs: tuple[Photograph, ...]
    kinds: tuple[str, ...]
    sha256: str
    test: bool = False
    notes: tuple[str, ...] = ()


def gather(
    images: Path,
    annotations: Path | None,
    *,
    names: Path | None = None,
    masks: Path | None = None,
    table: Path | None = None,
    machine_boxes: bool = False,
) -> Truth:
    """Find the photographs and their annotations.

    Args:
        images: folder of the photographs.
        annotations: file or folder of any format. May be left out where ``table`` is given.
        names: text file with a photograph on each line, with or without suffix; all photographs
            when left out.
        masks: folder of masks.
        table: of the centres of optic discs, see :mod:`centres`.
        machine_boxes: whether boxes that a detector made and nobody confirmed are taken for true.

    Raises:
        UsageError: there are no annotations, no photographs, or boxes that nobody confirmed.
        TableError: a table, an annotation or a mask is wrong, or not of its photograph's size.
    """
    if annotations is None and (table is None or masks is not None):
        raise UsageError(
            "fundoscope evaluate lesions",
            "has no annotations to compare with",
            "give --annotations, or --centres without --masks to evaluate the optic disc alone",
        )
    if annotations is None:
        return _of_centres(images, names, table)
    annotated = formats.read(annotations, images=images)
    every = {photo.image: photo for photo in annotated.photos}
    photos = _chosen(every, names)
    unconfirmed = require_confirmed([*photos.values()], str(annotations), allowed=machine_boxes)
    photos, points = _looked_at(photos)
    discs = _discs(table, every, [image for image, photo in photos.items() if not _drawn(photo)])
    by_image = {} if masks is None else masks_of(masks, images, photos, every)
    photographs = tuple(
        _photograph(photo, images, by_image.get(image), discs) for image, photo in photos.items()
    )
    _check(photographs)
    kinds = [item.kind for photo in every.values() for item in photo.annotations if _is_box(item)]
    return Truth(
        photographs,
        tuple(kind for kind in KINDS if kind in kinds),
        _digest(photographs),
        _is_test(names) or not set(photos).isdisjoint(annotated.splits.get(TEST, ())),
        (*unconfirmed, *points, *_notes(annotated, photographs, masks)),
    )


def _is_box(item: Annotation) -> bool:
    """Whether an object has a box, not just a point."""
    return flag(item.attributes.get(POINT, "")) is False


def _drawn(photo: AnnotatedPhoto) -> bool:
    """Whether the annotations of a photograph say where the disc is."""
    return any(item.kind == OPTIC_DISC.key for item in photo.annotations)


def _looked_at(
    photos: Mapping[str, AnnotatedPhoto],
) -> tuple[dict[str, AnnotatedPhoto], tuple[str, ...]]:
    """The photographs on which somebody looked for lesions, and a sentence about the others.

    Where only points are marked (IDRiD's centres of disc and fovea), nobody has looked for lesions:
    every true one would count as false. If all photographs are like this, all are used: their
    lesions are not measured.
    """
    pointed = {
        image
        for image, photo in photos.items()
        if photo.annotations and not any(map(_is_box, photo.annotations))
    }
    looked = {image: photo for image, photo in photos.items() if image not in pointed}
    if not pointed or not any(photo.annotations for photo in looked.values()):
        return dict(photos), ()
    note = (
        f"{len(pointed)} photographs are left out: only points are marked on them, so nobody looked"
        " for lesions; name them with --names to evaluate the optic disc"
    )
    return looked, (note,)


def _discs(table: Path | None, known: Iterable[str], wanted: Iterable[str]) -> Mapping[str, Disc]:
    """The discs of a table by the stem of their photograph; none without a table."""
    if table is None:
        return {}
    stems = ({PurePosixPath(image).stem for image in images} for images in (wanted, known))
    return centres.read(table, *stems)


def _of_centres(images: Path, names: Path | None, table: Path | None) -> Truth:
    every = Pictures.of(images).names
    chosen = _chosen({name: name for name in every}, names)
    discs = _discs(table, every, chosen)
    known = {name: discs.get(PurePosixPath(name).stem) for name in chosen}
    photographs = tuple(
        Photograph(name, images / name, disc=disc)
        for name, disc in known.items()
        if disc is not None
    )
    _check(photographs)
    left_out = len(chosen) - len(photographs)
    notes = (f"{left_out} photographs are left out: the table does not give their optic disc",)
    return Truth(photographs, (), _digest(photographs), _is_test(names), notes if left_out else ())


def _chosen(photos: Mapping[str, _Photo], names: Path | None) -> dict[str, _Photo]:
    """Select the photographs that a text file names, in its order."""
    if names is None:
        return dict(photos)
    places: dict[str, list[str]] = {}
    for image in photos:
        path = PurePosixPath(image)
        for key in {path.stem, path.name, str(path.with_suffix("")), image}:
            places.setdefault(key, []).append(image)
    # A whole path means that file, even where another path ends with it.
    places |= {image: [image] for image in photos}
    named = list(_lines(names))
    if not named:
        raise UsageError(
            f"--names {names}", "names no photograph", "write one photograph on each line"
        )
    absent = [name for name in named if name not in places]
    ambiguous = [name for name in named if len(places.get(name, ())) > 1]
    for wrong, fault in ((absent, "not in the set"), (ambiguous, "in the set several times")):
        if wrong:
            raise UsageError(
                f"--names {names}",
                f"names photographs that are {fault}: {_listed(wrong)}",
                "correct the names, or add their folders",
            )
    return {image: photos[image] for name in named for image in places[name]}


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED_AT_MOST} more" if len(names) > NAMED_AT_MOST else ""
    return ", ".join(names[:NAMED_AT_MOST]) + more


def _lines(names: Path) -> Iterator[str]:
    try:
        text = names.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"--names {names}", f"cannot be read ({error})", "give a text file"
        ) from None
    for line in text.splitlines():
        name = line.strip()
        if name and not name.startswith(REMARK):
            yield name


def _photograph(
    photo: AnnotatedPhoto, images: Path, masks: Masks | None, discs: Mapping[str, Disc]
) -> Photograph:
    by_kind: dict[str, list[tuple[float, float, float, float]]] = {}
    for item in filter(_is_box, photo.annotations):
        by_kind.setdefault(item.kind, []).append(item.box)
    boxes = {kind: np.array(corners, np.float64) for kind, corners in by_kind.items()}
    return Photograph(
        photo.image,
        images / photo.image,
        (photo.width, photo.height),
        boxes,
        masks,
        _disc(boxes, photo, discs),
    )


def _disc(
    boxes: Mapping[str, BoxArray], photo: AnnotatedPhoto, discs: Mapping[str, Disc]
) -> Disc | None:
    drawn = boxes.get(OPTIC_DISC.key)
    if drawn is None:
        points = [item.box for item in photo.annotations if item.kind == OPTIC_DISC.key]
        for x0, y0, x1, y1 in points:
            return centres.of_centre((x0 + x1) / 2, (y0 + y1) / 2, photo.width)
        return discs.get(PurePosixPath(photo.image).stem)
    x0, y0, x1, y1 = drawn[areas(drawn).argmax()].tolist()
    return centres.of_box((x0, y0, x1, y1), photo.width)


def _check(photographs: Sequence[Photograph]) -> None:
    """Check all that can be checked before the first photograph is read."""
    if not photographs:
        raise UsageError(
            "fundoscope evaluate lesions", "has no photographs to read", "give other files"
        )
    if not any(photograph.path.exists() for photograph in photographs):
        raise UsageError(
            str(photographs[0].path.parent),
            f"holds none of the photographs (the first: {photographs[0].image})",
            "give their folder with --images",
        )
    for photograph in photographs:
        _check_size(photograph.path, photograph)
        for paths in (photograph.masks or {}).values():
            for path in paths:
                _check_size(path, photograph)


def _check_size(path: Path, photograph: Photograph) -> None:
    try:
        size = picture_size(path)
    except PhotoError as error:
        if path == photograph.path:
            return  # Such a photograph counts as one on which nothing was found.
        raise TableError(str(path), error.why, error.remedy) from None
    if photograph.size is not None and size != photograph.size:
        raise TableError(
            str(path),
            f"has {size[0]} x {size[1]} pixels, but the annotations are of a photograph of"
            f" {photograph.size[0]} x {photograph.size[1]}",
            "give the photographs that were annotated",
        )


def _notes(
    annotated: AnnotationSet, photographs: Sequence[Photograph], masks: Path | None
) -> Iterator[str]:
    yield from annotated.warnings
    without = [bare(photograph.image) for photograph in photographs if photograph.masks is None]
    if masks is not None and without:
        yield f"without a mask, so not in the figures of pixels: {', '.join(without)}"


def _is_test(names: Path | None) -> bool:
    return names is not None and names.stem == TEST


def _digest(photographs: Sequence[Photograph]) -> str:
    digest = hashlib.sha256()
    for photograph in photographs:
        boxes = sorted((kind, corners.tolist()) for kind, corners in photograph.boxes.items())
        content = (photograph.image, photograph.size, boxes, photograph.disc)
        digest.update(repr(content).encode())
    return digest.hexdigest()
