"""The photographs of an evaluation of lesions, and what is known to be on them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final, TypeVar

import numpy as np

from fundoscope.data.annotations import formats
from fundoscope.data.annotations.annotation import AnnotatedPhoto, AnnotationSet
from fundoscope.data.annotations.pictures import Pictures, picture_size
from fundoscope.errors import PhotoError, TableError, UsageError
from fundoscope.evaluate.lesions import centres
from fundoscope.evaluate.lesions import masks as mask_files
from fundoscope.evaluate.lesions.centres import Disc
from fundoscope.evaluate.lesions.hits import areas
from fundoscope.evaluate.lesions.ranked import Floats
from fundoscope.kinds import KINDS, OPTIC_DISC

TEST: Final = "test"
REMARK: Final = "#"
NAMED_AT_MOST: Final = 5
Masks = Mapping[str, tuple[Path, ...]]
"""By kind."""
_Photo = TypeVar("_Photo")


@dataclass(frozen=True, slots=True)
class Subject:
    """One photograph and what is known to be on it.

    Attributes:
        image: its path below the folder of photographs.
        path: its file.
        size: width and height in pixels, as the annotations have them.
        boxes: ``float (N, 4)`` by kind; a kind that is not there has no box.
        masks: by kind; ``None`` where the photograph has no mask at all.
        disc: where the optic disc is.
    """

    image: str
    path: Path
    size: tuple[int, int] | None = None
    boxes: Mapping[str, Floats] = field(default_factory=dict)
    masks: Masks | None = None
    disc: Disc | None = None

    def of_kind(self, kind: str) -> Floats:
        """The boxes of a kind, ``(N, 4)``."""
        return self.boxes.get(kind, np.zeros((0, 4)))


@dataclass(frozen=True, slots=True)
class Truth:
    """What an evaluation is held against.

    Attributes:
        subjects: the photographs.
        kinds: that are annotated anywhere in the set; only these can be measured.
        sha256: of all boxes, sizes and names of the photographs.
        test: whether photographs of a test split are among them.
        notes: sentences for the person who reads the figures.
    """

    subjects: tuple[Subject, ...]
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
) -> Truth:
    """Find the photographs and all that is known of them.

    Args:
        images: folder of the photographs.
        annotations: file or folder of any format; without, ``table`` says where the discs are.
        names: text file, a photograph a line, with or without suffix; without, all of them.
        masks: folder of masks.
        table: of the centres of optic discs, see :mod:`centres`.

    Raises:
        UsageError: there is nothing to hold against, or no photograph.
        TableError: a table, an annotation or a mask is wrong, or not of its photograph's size.
    """
    if annotations is None and (table is None or masks is not None):
        raise UsageError(
            "fundoscope evaluate lesions",
            "has nothing to hold against what it finds",
            "name --annotations, or --centres without --masks for the optic disc alone",
        )
    discs = {} if table is None else centres.read(table)
    if annotations is None:
        return _of_centres(images, names, discs)
    found = formats.read(annotations, images=images)
    photos = _chosen({photo.image: photo for photo in found.photos}, names)
    painted = {} if masks is None else mask_files.masks_of(masks, images, photos)
    subjects = tuple(
        _subject(photo, images, painted.get(image), discs) for image, photo in photos.items()
    )
    _check(subjects)
    kinds = [item.kind for photo in found.photos for item in photo.annotations]
    return Truth(
        subjects,
        tuple(kind for kind in KINDS if kind in kinds),
        _digest(subjects),
        _is_test(names) or not set(photos).isdisjoint(found.splits.get(TEST, ())),
        tuple(_notes(found, subjects, masks)),
    )


def _of_centres(images: Path, names: Path | None, discs: Mapping[str, Disc]) -> Truth:
    chosen = _chosen({name: name for name in Pictures.of(images).names}, names)
    known = {name: discs.get(PurePosixPath(name).stem) for name in chosen}
    subjects = tuple(
        Subject(name, images / name, disc=disc) for name, disc in known.items() if disc is not None
    )
    _check(subjects)
    lacking = len(chosen) - len(subjects)
    notes = (f"{lacking} photographs are left out: the table has no centre of them",)
    return Truth(subjects, (), _digest(subjects), _is_test(names), notes if lacking else ())


def _chosen(photos: Mapping[str, _Photo], names: Path | None) -> dict[str, _Photo]:
    """Those that a text file names, in its order."""
    if names is None:
        return dict(photos)
    places: dict[str, list[str]] = {}
    for image in photos:
        path = PurePosixPath(image)
        for key in {path.stem, path.name, str(path.with_suffix("")), image}:
            places.setdefault(key, []).append(image)
    # A whole path is meant as it stands, though another one ends with it.
    places |= {image: [image] for image in photos}
    wanted = list(_lines(names))
    if not wanted:
        raise UsageError(f"--names {names}", "names none", "name photographs, one a line")
    absent = [name for name in wanted if name not in places]
    several = [name for name in wanted if len(places.get(name, ())) > 1]
    for wrong, fault in ((absent, "not there"), (several, "there several times")):
        if wrong:
            raise UsageError(
                f"--names {names}",
                f"names photographs that are {fault}: {_listed(wrong)}",
                "correct the names, or name their folders",
            )
    return {image: photos[image] for name in wanted for image in places[name]}


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED_AT_MOST} more" if len(names) > NAMED_AT_MOST else ""
    return ", ".join(names[:NAMED_AT_MOST]) + more


def _lines(names: Path) -> Iterator[str]:
    try:
        text = names.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"--names {names}", f"cannot be read ({error})", "name a text file"
        ) from None
    for line in text.splitlines():
        name = line.strip()
        if name and not name.startswith(REMARK):
            yield name


def _subject(
    photo: AnnotatedPhoto, images: Path, masks: Masks | None, discs: Mapping[str, Disc]
) -> Subject:
    by_kind: dict[str, list[tuple[float, float, float, float]]] = {}
    for item in photo.annotations:
        by_kind.setdefault(item.kind, []).append(item.box)
    boxes = {kind: np.array(found, np.float64) for kind, found in by_kind.items()}
    return Subject(
        photo.image,
        images / photo.image,
        (photo.width, photo.height),
        boxes,
        masks,
        _disc(boxes, photo, discs),
    )


def _disc(
    boxes: Mapping[str, Floats], photo: AnnotatedPhoto, discs: Mapping[str, Disc]
) -> Disc | None:
    drawn = boxes.get(OPTIC_DISC.key)
    if drawn is None:
        return discs.get(PurePosixPath(photo.image).stem)
    x0, y0, x1, y1 = drawn[areas(drawn).argmax()].tolist()
    return centres.of_box((x0, y0, x1, y1), photo.width)


def _check(subjects: Sequence[Subject]) -> None:
    """All that can be checked before the first photograph is looked at."""
    if not subjects:
        raise UsageError(
            "fundoscope evaluate lesions", "has no photograph to look at", "name other files"
        )
    if not any(subject.path.exists() for subject in subjects):
        raise UsageError(
            str(subjects[0].path.parent),
            f"holds none of the photographs (the first: {subjects[0].image})",
            "name their folder with --images",
        )
    for subject in subjects:
        _check_size(subject.path, subject)
        for paths in (subject.masks or {}).values():
            for path in paths:
                _check_size(path, subject)


def _check_size(path: Path, subject: Subject) -> None:
    try:
        size = picture_size(path)
    except PhotoError as error:
        if path == subject.path:
            return  # Such a photograph counts as one on which nothing was found.
        raise TableError(str(path), error.why, error.remedy) from None
    if subject.size is not None and size != subject.size:
        raise TableError(
            str(path),
            f"has {size[0]} x {size[1]} pixels, the annotations are of a photograph of"
            f" {subject.size[0]} x {subject.size[1]}",
            "give the photographs that were annotated",
        )


def _notes(found: AnnotationSet, subjects: Sequence[Subject], masks: Path | None) -> Iterator[str]:
    yield from found.warnings
    bare = [subject.image for subject in subjects if subject.masks is None]
    if masks is not None and bare:
        yield f"without a mask, and not in the figures of pixels: {', '.join(bare)}"


def _is_test(names: Path | None) -> bool:
    return names is not None and names.stem == TEST


def _digest(subjects: Sequence[Subject]) -> str:
    digest = hashlib.sha256()
    for subject in subjects:
        boxes = sorted((kind, found.tolist()) for kind, found in subject.boxes.items())
        digest.update(repr((subject.image, subject.size, boxes, subject.disc)).encode())
    return digest.hexdigest()
