"""Which annotated photographs a detector is trained on, and which it is judged on.

Photographs of one eye must not stand on both sides. Which belong together is told by a manifest
(columns ``patient`` and ``group``), and found where two files show one photograph.
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
from fundoscope.data.annotations.pictures import Pictures
from fundoscope.data.annotations.voc import layout as voc_layout
from fundoscope.data.class_folders import SPLITS
from fundoscope.data.fingerprint import Fingerprint
from fundoscope.data.fingerprint_cache import fingerprints
from fundoscope.errors import TableError, UsageError
from fundoscope.train.detection.config import LesionData
from fundoscope.train.detection.views import hold_out as carve
from fundoscope.train.detection.views.photo_names import Names, read_names, stem

CARVED: Final = 6
"""Where nothing names validation photographs, one in so many is carved out."""
SHOWN: Final = 12
"""Names that a message lists; of photographs with faults it lists all."""
TRAIN, VAL, TEST = "train", "val", "test"
BOTH: Final = "trainval"
"""A list of VOC that names training and validation together."""
Sides = tuple[tuple[AnnotatedPhoto, ...], tuple[AnnotatedPhoto, ...]]
"""Training and validation."""
IMAGE, SPLIT, PATIENT, GROUP, SOURCE = "image", "split", "patient", "group", "source"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The photographs that take part.

    Attributes:
        images: folder that their names are relative to.
        kinds: the class list.
        train, val: none of one eye on both sides.
        carved: whether ``val`` was carved out of what would have been ``train``.
        warnings: what the reader of the annotations had to decide, as sentences.
    """

    images: Path
    kinds: tuple[str, ...]
    train: tuple[AnnotatedPhoto, ...]
    val: tuple[AnnotatedPhoto, ...]
    carved: bool
    warnings: tuple[str, ...]

    @property
    def unseen(self) -> tuple[str, ...]:
        """Kinds without a box in validation: no epoch is judged by them."""
        there = _kinds_on(self.val)
        return tuple(kind for kind in self.kinds if kind not in there)


def choose(data: LesionData, seed: int) -> Chosen:
    """Read the annotations and split them.

    Args:
        data: of the configuration.
        seed: of the choice of a validation part that nothing names.

    Raises:
        TableError, PhotoError: a file of annotations, a list or the manifest is wrong.
        UsageError: photographs with faults, an eye on both sides, no box to learn, or none to judge
            by.
    """
    images = photographs(data)
    found = _placed(formats.read(Path(data.annotations), images=images), images)
    names = Names(found.photos, Path(data.annotations))
    listed = _Table.of(data, names)
    train, val = _sides(data, found, names, listed)
    if not train:
        raise UsageError(
            data.train or data.manifest or data.annotations,
            "has no training photograph",
            "check its names, splits and what is left out",
        )
    by_image = {photo.image: photo for photo in found.photos}
    photos = [by_image[image] for image in (*train, *(val or ()))]
    _require_faultless(found, photos, images, data)
    together = _groups(photos, images, listed, Path(data.cache))
    if val is None:
        sides = _carved(photos, together, data, seed)
    else:
        sides = tuple(photos[: len(train)]), tuple(photos[len(train) :])
        _require_apart(train, val, together)
    return Chosen(images, _classes(data, found, *sides), *sides, val is None, found.warnings)


def _placed(found: AnnotationSet, images: Path) -> AnnotationSet:
    """The set with each photograph named by its path, where its file names it otherwise."""
    pictures = Pictures.of(images)
    paths = {photo.image: pictures.find(photo.image) or photo.image for photo in found.photos}
    if len({*paths.values()}) < len(paths):  # two names of one file: the faults will tell
        return found
    photos = tuple(replace(photo, image=paths[photo.image]) for photo in found.photos)
    splits = {name: tuple(map(paths.__getitem__, some)) for name, some in found.splits.items()}
    return replace(found, photos=photos, splits=splits)


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
    """What a manifest says of photographs.

    Attributes:
        splits: the images of each split, where the table has such a column.
        keys: what an image belongs to.
    """

    splits: Mapping[str, tuple[str, ...]] | None = None
    keys: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, data: LesionData, names: Names) -> _Table:
        """Read it; an empty one where there is none."""
        if not data.manifest:
            return cls()
        read = table.read_table(data.manifest, required=(IMAGE,))
        rows = [cells for _, cells in read.rows]
        named = [(names.one(row[IMAGE], data.manifest), row) for row in rows]
        known = [(image, row) for image, row in named if image is not None]
        keys = {image: tuple(_keys(row)) for image, row in known}
        if SPLIT not in read.columns:
            return cls(None, keys)
        splits: dict[str, tuple[str, ...]] = {}
        for split in (TRAIN, VAL, TEST):
            wanted = [row[IMAGE] for row in rows if SPLITS.get(row[SPLIT].lower()) == split]
            if split == TEST:  # it is only kept away from training
                wanted = [name for name in wanted if names.one(name, data.manifest)]
            splits[split] = tuple(names.find(_kept(wanted, data), data.manifest))
        return cls({split: images for split, images in splits.items() if images}, keys)


def _keys(row: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    if row.get(PATIENT):
        yield PATIENT, row.get(SOURCE, ""), row[PATIENT]
    if row.get(GROUP):
        yield GROUP, row[GROUP]


def _sides(
    data: LesionData, found: AnnotationSet, names: Names, listed: _Table
) -> tuple[list[str], list[str] | None]:
    """Training and validation photographs; ``None`` where nothing names these."""
    splits = listed.splits if listed.splits is not None else _own_splits(found)
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
        train = splits.get(BOTH) or [p.image for p in found.photos if p.image not in tested]
    train = _without(train, {*left_out, *(val or ())})
    return train, None if val is None else _without(val, left_out)


def _own_splits(found: AnnotationSet) -> dict[str, tuple[str, ...]]:
    """The annotations' splits under our names."""
    splits: dict[str, tuple[str, ...]] = {}
    for name, members in found.splits.items():
        known = SPLITS.get(name.lower(), name.lower())
        splits[known] = tuple(dict.fromkeys((*splits.get(known, ()), *members)))
    return splits


def _require_one_side(train: Sequence[str], val: Sequence[str], data: LesionData) -> None:
    both = [image for image in train if image in set(val)]
    if both:
        raise TableError(
            data.manifest or data.annotations,
            f"has in training and in validation: {_shown(both)}",
            "put each photograph on one side",
        )


def _kept(names: Sequence[str], data: LesionData) -> list[str]:
    """Listed names without those that are left out, whether they are annotated or not."""
    left_out = {stem(name) for name in data.left_out}
    return [name for name in names if stem(name) not in left_out]


def _left_out(data: LesionData, names: Names) -> set[str]:
    """Images that take no part.

    Raises:
        TableError: a name is neither annotated nor listed, so it is a slip.
    """
    lists = [read_names(path) for path in (data.train, data.val) if path]
    if data.manifest:
        lists.append(list(table.read_table(data.manifest, required=(IMAGE,)).cells[IMAGE]))
    listed = {stem(name) for each in lists for name in each}
    names.find([name for name in data.left_out if stem(name) not in listed], "left_out")
    found = (names.one(name, "left_out") for name in data.left_out)
    return {image for image in found if image is not None}


def _without(images: Sequence[str], others: set[str]) -> list[str]:
    return [image for image in images if image not in others]


def _require_faultless(
    found: AnnotationSet, photos: Sequence[AnnotatedPhoto], images: Path, data: LesionData
) -> None:
    """Check the photographs that take part.

    Raises:
        UsageError: names each one with a fault; or classes that are unknown.
    """
    wrong: dict[str, str] = {}
    for fault in faults.faults(replace(found, photos=tuple(photos)), images):
        if fault.code == faults.UNKNOWN_KIND and not data.kinds:
            raise UsageError(
                f"{data.annotations}, {fault.image}",
                fault.sentence,
                "rename the class, or write the wanted ones into data.kinds",
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
    """A name for each photograph, which those of one eye share."""
    members: dict[tuple[str, ...], list[int]] = {}
    for place, photo in enumerate(photos):
        for key in listed.keys.get(photo.image, ()):
            members.setdefault(key, []).append(place)
    pairs = [pair for places in members.values() for pair in pairwise(places)]
    seen = fingerprints([images / photo.image for photo in photos], cache=cache)
    crops = [one.crop if isinstance(one, Fingerprint) else b"" for one in seen]
    pairs += [(link.first, link.second) for link in duplicates.near_duplicates(crops)]
    named = [photo.image for photo in photos]
    for group in duplicates.groups(len(photos), pairs):
        for place in group:
            named[place] = photos[group[0]].image
    return named


def _carved(
    photos: Sequence[AnnotatedPhoto], groups: Sequence[str], data: LesionData, seed: int
) -> Sides:
    """A validation part that shows its share of every kind."""
    shown = data.kinds or sorted(_kinds_on(photos))
    of_photos = [Counter(item.kind for item in photo.annotations) for photo in photos]
    counts = np.array([[of_photo[kind] for kind in shown] for of_photo in of_photos], np.int64)
    wanted = data.validation or max(1, len(photos) // CARVED)
    taken = carve.carve(counts.reshape(len(photos), len(shown)), groups, wanted, seed)
    marked = list(zip(photos, taken, strict=True))
    return (
        tuple(photo for photo, is_val in marked if not is_val),
        tuple(photo for photo, is_val in marked if is_val),
    )


def _require_apart(train: Sequence[str], val: Sequence[str], groups: Sequence[str]) -> None:
    """Check that no group stands on both sides.

    Args:
        train, val: images.
        groups: of all of them, in this order.

    Raises:
        UsageError: names the photographs.
    """
    first = dict(zip(groups[: len(train)], train, strict=True))
    torn = [
        f"{first[group]} and {image}"
        for group, image in zip(groups[len(train) :], val, strict=True)
        if group in first
    ]
    if torn:
        raise UsageError(
            "training and validation",
            f"show the same eye: {_shown(torn)}",
            "put photographs of one eye on one side, or leave one of them out",
        )


def _classes(
    data: LesionData,
    found: AnnotationSet,
    train: Sequence[AnnotatedPhoto],
    val: Sequence[AnnotatedPhoto],
) -> tuple[str, ...]:
    """The class list.

    Raises:
        UsageError: a wanted kind has no box in training, or no kind has one in validation.
    """
    learned = _kinds_on(train)
    classes = data.kinds or tuple(kind for kind in found.kinds if kind in learned)
    missing = [kind for kind in classes if kind not in learned]
    if missing or not classes:
        raise UsageError(
            data.annotations,
            f"has no box of {', '.join(missing) or 'anything'} on its training photographs",
            "name training photographs that show it, or take it out of data.kinds",
        )
    judged = [kind for kind in classes if kind in _kinds_on(val)]
    lesions = [kind for kind in classes if kind not in kinds.ANATOMY]
    if not judged or (lesions and not any(kind in judged for kind in lesions)):
        raise UsageError(
            data.val or data.annotations,
            f"has no box of {', '.join(lesions or classes)} on its validation photographs",
            "name validation photographs that show lesions: no epoch could be judged",
        )
    return classes


def _kinds_on(photos: Iterable[AnnotatedPhoto]) -> set[str]:
    return {item.kind for photo in photos for item in photo.annotations}


def _shown(names: Sequence[str]) -> str:
    more = f" … ({len(names)} in all)" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
