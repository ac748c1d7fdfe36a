"""Choosing the annotated photographs that a detector is trained and validated on.

Photographs of one eye must be on one side. They are recognised by a manifest (columns ``patient``
and ``group``), and by files that show the same photograph.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from fundoscope import kinds
from fundoscope.data import duplicates, table
from fundoscope.data.annotations import faults, formats
from fundoscope.data.annotations.annotation import AnnotatedPhoto, AnnotationSet
from fundoscope.data.annotations.machine import require_confirmed
from fundoscope.data.annotations.pictures import Pictures
from fundoscope.data.annotations.voc import layout as voc_layout
from fundoscope.data.class_folders import SPLITS
from fundoscope.data.fingerprint import Fingerprint
from fundoscope.data.fingerprint_cache import fingerprints
from fundoscope.data.manifest import with_known_names
from fundoscope.errors import TableError, UsageError
from fundoscope.train.detection.config import LesionData
from fundoscope.train.detection.views import hold_out
from fundoscope.train.detection.views.photo_names import ListedNames, read_names, stem

HELD_OUT: Final = 6
"""Where nothing names validation photographs, one in six is held out."""
SHOWN: Final = 12
"""Names that a message lists; photographs with faults are all listed."""
TRAIN, VAL, TEST = "train", "val", "test"
BOTH: Final = "trainval"
"""A list of VOC that names training and validation together."""
Sides = tuple[tuple[AnnotatedPhoto, ...], tuple[AnnotatedPhoto, ...]]
"""Training and validation."""
IMAGE, SPLIT, PATIENT, GROUP, SOURCE = "image", "split", "patient", "group", "source"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The photographs of a run.

    Attributes:
        images: folder that their names are relative to.
        kinds: the class list.
        train, val: the photographs of each side; no eye is on both.
        held_out: whether ``val`` was held out of the training photographs.
        warnings: decisions that the reader of the annotations had to make, as sentences.
    """

    images: Path
    kinds: tuple[str, ...]
    train: tuple[AnnotatedPhoto, ...]
    val: tuple[AnnotatedPhoto, ...]
    held_out: bool
    warnings: tuple[str, ...]

    @property
    def unseen(self) -> tuple[str, ...]:
        """Kinds without a box in validation: they are not used to choose the epoch."""
        shown = _kinds_on(self.val)
        return tuple(kind for kind in self.kinds if kind not in shown)


def choose(data: LesionData, seed: int) -> Chosen:
    """Read the annotations and split them.

    Args:
        data: the part of the configuration that names photographs.
        seed: of the random choice of a validation part.

    Raises:
        TableError, PhotoError: a file of annotations, a list or the manifest is wrong.
        UsageError: photographs have faults or boxes that nobody confirmed, an eye is on both sides,
            or there is no box to learn from or none to validate with.
    """
    images = photographs(data)
    annotated = _placed(formats.read(Path(data.annotations), images=images), images)
    names = ListedNames(annotated.photos, Path(data.annotations))
    listed = _Table.of(data, names)
    train, val = _sides(data, annotated, names, listed)
    if not train:
        raise UsageError(
            data.train or data.manifest or data.annotations,
            "has no training photograph",
            "check its names, its splits and data.left_out",
        )
    by_image = {photo.image: photo for photo in annotated.photos}
    photos = [by_image[image] for image in (*train, *(val or ()))]
    _require_faultless(annotated, photos, images, data)
    machine = require_confirmed(
        photos,
        data.annotations,
        allowed=data.machine_boxes,
        setting="data.machine_boxes = true",
    )
    together = _groups(photos, images, listed, Path(data.cache))
    if val is None:
        sides = _held_out(photos, together, data, seed)
    else:
        sides = tuple(photos[: len(train)]), tuple(photos[len(train) :])
        _require_apart(train, val, together)
    warnings = (*annotated.warnings, *machine)
    return Chosen(images, _classes(data, annotated, *sides), *sides, val is None, warnings)


def _placed(annotated: AnnotationSet, images: Path) -> AnnotationSet:
    """The set with each photograph named by its path in the folder ``images``."""
    pictures = Pictures.of(images)
    paths = {photo.image: pictures.find(photo.image) or photo.image for photo in annotated.photos}
    if len({*paths.values()}) < len(paths):  # two names of one file: it is reported as a fault
        return annotated
    photos = tuple(replace(photo, image=paths[photo.image]) for photo in annotated.photos)
    splits = {
        name: tuple(map(paths.__getitem__, members)) for name, members in annotated.splits.items()
    }
    return replace(annotated, photos=photos, splits=splits)


def photographs(data: LesionData) -> Path:
    """The folder of the photographs."""
    root = Path(data.annotations)
    if data.images:
        return Path(data.images)
    folder = root if root.is_dir() else root.parent
    beside = folder.parent if folder.name == voc_layout.ANNOTATIONS else folder
    return beside / voc_layout.PHOTOS if (beside / voc_layout.PHOTOS).is_dir() else folder


@dataclass(frozen=True, slots=True)
class _Table:
    """The contents of a manifest.

    Attributes:
        splits: the images of each split; ``None`` without a column ``split``.
        keys: the patients and groups that each image belongs to.
    """

    splits: Mapping[str, tuple[str, ...]] | None = None
    keys: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, data: LesionData, names: ListedNames) -> _Table:
        """Read the manifest; the value is empty without one."""
        if not data.manifest:
            return cls()
        read = with_known_names(table.read_table(data.manifest, required=(IMAGE,)))
        rows = [cells for _, cells in read.rows]
        named = [(names.image_of(row[IMAGE], data.manifest), row) for row in rows]
        known = [(image, row) for image, row in named if image is not None]
        keys = {image: tuple(_keys(row)) for image, row in known}
        if SPLIT not in read.columns:
            return cls(None, keys)
        splits: dict[str, tuple[str, ...]] = {}
        for split in (TRAIN, VAL, TEST):
            wanted = [row[IMAGE] for row in rows if SPLITS.get(row[SPLIT].lower()) == split]
            if split == TEST:  # test photographs need no annotations
                wanted = [name for name in wanted if names.image_of(name, data.manifest)]
            splits[split] = tuple(names.find(_kept(wanted, data), data.manifest))
        return cls({split: images for split, images in splits.items() if images}, keys)


def _keys(row: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    if row.get(PATIENT):
        yield PATIENT, row.get(SOURCE, ""), row[PATIENT]
    if row.get(GROUP):
        yield GROUP, row[GROUP]


def _sides(
    data: LesionData, annotated: AnnotationSet, names: ListedNames, listed: _Table
) -> tuple[list[str], list[str] | None]:
    """Training and validation photographs; these are ``None`` where nothing names them."""
    splits = listed.splits if listed.splits is not None else _own_splits(annotated)
    left_out = _left_out(data, names)
    val: Sequence[str] | None = None if data.validation else splits.get(VAL)
    if data.val:
        val = names.find(_kept(read_names(data.val), data), data.val)
    train: Sequence[str]
    if data.train:
        train = names.find(_kept(read_names(data.train), data), data.train)
    elif TRAIN in splits:
        train = splits[TRAIN]
        if not data.val:
            _require_one_side(train, val or (), data)
    else:
        tested = set(splits.get(TEST, ()))
        train = splits.get(BOTH) or [
            photo.image for photo in annotated.photos if photo.image not in tested
        ]
    train = _without(train, {*left_out, *(val or ())})
    return train, None if val is None else _without(val, left_out)


def _own_splits(annotated: AnnotationSet) -> dict[str, tuple[str, ...]]:
    """The splits of the annotations, by the names ``train``, ``val`` and ``test``."""
    splits: dict[str, tuple[str, ...]] = {}
    for name, members in annotated.splits.items():
        known = SPLITS.get(name.lower(), name.lower())
        splits[known] = tuple(dict.fromkeys((*splits.get(known, ()), *members)))
    return splits


def _require_one_side(train: Sequence[str], val: Sequence[str], data: LesionData) -> None:
    both = [image for image in train if image in set(val)]
    if both:
        raise TableError(
            data.manifest or data.annotations,
            f"has photographs in training and in validation: {_shown(both)}",
            "put each photograph on one side",
        )


def _kept(names: Sequence[str], data: LesionData) -> list[str]:
    """Listed names without those of ``left_out``, annotated or not."""
    left_out = {stem(name) for name in data.left_out}
    return [name for name in names if stem(name) not in left_out]


def _left_out(data: LesionData, names: ListedNames) -> set[str]:
    """The images to ignore.

    Raises:
        TableError: a name is neither annotated nor listed, so it must be a mistake.
    """
    lists = [read_names(path) for path in (data.train, data.val) if path]
    if data.manifest:
        lists.append(list(table.read_table(data.manifest, required=(IMAGE,)).cells[IMAGE]))
    listed = {stem(name) for each in lists for name in each}
    names.find([name for name in data.left_out if stem(name) not in listed], "left_out")
    images = (names.image_of(name, "left_out") for name in data.left_out)
    return {image for image in images if image is not None}


def _without(images: Sequence[str], others: set[str]) -> list[str]:
    return [image for image in images if image not in others]


def _require_faultless(
    annotated: AnnotationSet, photos: Sequence[AnnotatedPhoto], images: Path, data: LesionData
) -> None:
    """Check the photographs of the run.

    Raises:
        UsageError: a class is unknown, or photographs have faults; it names all of these.
    """
    wrong: dict[str, str] = {}
    for fault in faults.faults(replace(annotated, photos=tuple(photos)), images):
        if fault.code == faults.UNKNOWN_KIND and not data.kinds:
            raise UsageError(
                f"{data.annotations}, {fault.image}",
                fault.sentence,
                "rename the class, or list the classes to learn in data.kinds",
            )
        if fault.code not in (faults.NO_ANNOTATION, faults.UNKNOWN_KIND):
            number = f"object {fault.number}: " if fault.number else ""
            wrong.setdefault(fault.image, f"{fault.image} ({number}{fault.sentence})")
    if wrong:
        raise UsageError(
            data.annotations,
            f"has faults on {len(wrong)} photographs: {', '.join(wrong.values())}",
            "correct them, or leave these photographs out: data.left_out or --leave-out FILE",
        )


def _groups(
    photos: Sequence[AnnotatedPhoto], images: Path, listed: _Table, cache: Path
) -> list[str]:
    """A name for each photograph; photographs of one eye share it."""
    members: dict[tuple[str, ...], list[int]] = {}
    for place, photo in enumerate(photos):
        for key in listed.keys.get(photo.image, ()):
            members.setdefault(key, []).append(place)
    pairs = [pair for places in members.values() for pair in pairwise(places)]
    prints = fingerprints([images / photo.image for photo in photos], cache=cache)
    crops = [each.crop if isinstance(each, Fingerprint) else b"" for each in prints]
    pairs += [(link.first, link.second) for link in duplicates.near_duplicates(crops)]
    named = [photo.image for photo in photos]
    for group in duplicates.groups(len(photos), pairs):
        for place in group:
            named[place] = photos[group[0]].image
    return named


def _held_out(
    photos: Sequence[AnnotatedPhoto], groups: Sequence[str], data: LesionData, seed: int
) -> Sides:
    """Both sides, with a validation part that shows its share of every kind."""
    wanted = data.kinds or sorted(_kinds_on(photos))
    of_photos = [Counter(item.kind for item in photo.annotations) for photo in photos]
    counts = np.array([[of_photo[kind] for kind in wanted] for of_photo in of_photos], np.int64)
    counts = counts.reshape(len(photos), len(wanted))
    number = data.validation or max(1, len(photos) // HELD_OUT)
    chosen = hold_out.validation_part(counts, groups, number, seed)
    marked = list(zip(photos, chosen, strict=True))
    return (
        tuple(photo for photo, is_val in marked if not is_val),
        tuple(photo for photo, is_val in marked if is_val),
    )


def _require_apart(train: Sequence[str], val: Sequence[str], groups: Sequence[str]) -> None:
    """Check that no group is on both sides.

    Args:
        train: the training images.
        val: the validation images.
        groups: the group of each image, of ``train`` and then of ``val``.

    Raises:
        UsageError: names the photographs.
    """
    first = dict(zip(groups[: len(train)], train, strict=True))
    split = [
        f"{first[group]} and {image}"
        for group, image in zip(groups[len(train) :], val, strict=True)
        if group in first
    ]
    if split:
        raise UsageError(
            "training and validation",
            f"show the same eye: {_shown(split)}",
            "put photographs of one eye on one side, or leave one of them out",
        )


def _classes(
    data: LesionData,
    annotated: AnnotationSet,
    train: Sequence[AnnotatedPhoto],
    val: Sequence[AnnotatedPhoto],
) -> tuple[str, ...]:
    """The class list.

    Raises:
        UsageError: a wanted kind has no box in training, or no kind has one in validation.
    """
    learned = _kinds_on(train)
    classes = data.kinds or tuple(kind for kind in annotated.kinds if kind in learned)
    missing = [kind for kind in classes if kind not in learned]
    if missing or not classes:
        raise UsageError(
            data.annotations,
            f"has no box of {', '.join(missing) or 'anything'} on its training photographs",
            "name training photographs that show it, or remove it from data.kinds",
        )
    validated = [kind for kind in classes if kind in _kinds_on(val)]
    lesions = [kind for kind in classes if kind not in kinds.ANATOMY]
    if not validated or (lesions and not any(kind in validated for kind in lesions)):
        raise UsageError(
            data.val or data.annotations,
            f"has no box of {', '.join(lesions or classes)} on its validation photographs",
            "name validation photographs that show lesions: they choose the best epoch",
        )
    return classes


def _kinds_on(photos: Iterable[AnnotatedPhoto]) -> set[str]:
    return {item.kind for photo in photos for item in photo.annotations}


def _shown(names: Sequence[str]) -> str:
    more = f" … ({len(names)} in all)" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
