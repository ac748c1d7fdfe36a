"""A folder of YOLO to annotations.

A line is the number of a class, then centre x, centre y, width and height as fractions of the
photograph's size, or the corners of a polygon; a score may follow. From Ultralytics' documentation
("Object Detection Datasets Overview", "Instance Segmentation Datasets Overview").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Final

from fundoscope import limits
from fundoscope.data.annotations import exact
from fundoscope.data.annotations.annotation import (
    AnnotatedPhoto,
    Annotation,
    AnnotationSet,
    Outline,
)
from fundoscope.data.annotations.documents import distinct, read_lines
from fundoscope.data.annotations.names import PhotographNames, kind_key, without_suffix
from fundoscope.data.annotations.pictures import Pictures, PictureSize
from fundoscope.data.annotations.shapes import extent
from fundoscope.data.annotations.yolo import relative
from fundoscope.data.annotations.yolo.data_yaml import DataYaml, read_data_yaml
from fundoscope.data.annotations.yolo.layout import (
    CLASSES,
    CONFIG,
    CONFIG_SUFFIXES,
    DARKNET,
    DARKNET_NAMES,
    LABELS,
    LIST_SUFFIX,
    PHOTOS,
)
from fundoscope.data.files.walk import files_below
from fundoscope.errors import TableError
from fundoscope.geometry import Box
from fundoscope.quoting import shown

NO_LABELS: Final = frozenset(
    {
        *("train.txt", "val.txt", "valid.txt", "test.txt", "trainval.txt"),
        *("README.txt", "README.dataset.txt", "README.roboflow.txt"),
    }
)
"""Other text files that may lie beside photographs and labels."""
DARKNET_SPLITS: Final = ("train", "valid", "val", "test")
DARKNET_FOLDER: Final = "data/"
LARGEST_EXCESS: Final = Decimal("0.1")
"""By which a number may lie beyond 0 to 1: tools round, and let boxes reach beyond the edge. What
is larger is in pixels."""
BOX_WORDS: Final = 5
MIN_POLYGON_WORDS: Final = 7
"""Words of a line: the class, and four numbers or three corners."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """The folders of a set.

    Attributes:
        root: the folder of ``data.yaml``.
        labels: the folder of the text files.
        photos: the folder of photographs.
    """

    root: Path
    labels: Path
    photos: Path


def read_yolo(path: Path, *, images: Path | None = None) -> AnnotationSet:
    """Read a folder of YOLO, or its ``data.yaml``.

    Photographs lie in ``images`` and labels in ``labels`` (in the folder, or in one a split), or
    both lie together. The size of a photograph is taken from its header. An empty text file means
    that somebody looked and found nothing; a photograph without a text file is not in the set, and
    a warning counts these.

    Args:
        path: the folder or file.
        images: the folder of photographs.

    Raises:
        TableError: a line is not a box or polygon, a number is not from 0 to 1, a class has no
            name, or a photograph is not found.
        PhotoError: a photograph cannot be read.
    """
    config, layout = _config(path), _layout(path, images)
    files = _label_files(layout)
    if not files:
        raise TableError(str(path), "has no YOLO labels", "name the folder of the text files")
    names = config.names or _classes(layout)
    pictures = Pictures.of(layout.photos)
    photos: dict[str, AnnotatedPhoto] = {}
    cut: list[str] = []
    for file in files:
        photo = _photo(file, layout, pictures, names, cut)
        if photo.image in photos:
            raise TableError(
                str(file), f"is a second file for {photo.image}", "keep one of the two"
            )
        photos[photo.image] = photo
    splits, missing = _splits(config, layout, photos)
    count = len(set(pictures.names) - set(photos))
    unlabelled = [f"{count} photographs in {layout.photos} have no label file"] if count else []
    return AnnotationSet(
        photos=tuple(photos[image] for image in sorted(photos)),
        kinds=distinct(map(kind_key, names)),
        splits=splits,
        warnings=(*unlabelled, *_cut(cut), *missing),
    )


def _cut(places: list[str]) -> Iterator[str]:
    if places:
        yield (
            f"{len(places)} objects reached beyond their photograph and were cut off at its edge"
            f" (the first: {shown(places[0])})"
        )


def _config(path: Path) -> DataYaml:
    if path.is_file():
        return read_data_yaml(path)
    files = sorted(file for suffix in CONFIG_SUFFIXES for file in path.glob(f"*{suffix}"))
    named = [file for file in files if file.name == CONFIG] or files
    if named:
        return read_data_yaml(named[0])
    return _darknet(path / DARKNET) if (path / DARKNET).is_file() else DataYaml()


def _darknet(path: Path) -> DataYaml:
    """The lists of photographs in Darknet's configuration; ``data`` is the folder itself."""
    entries = (line.partition("=") for line in read_lines(path))
    values = {key.strip(): value.strip() for key, _, value in entries}
    return DataYaml(
        folders={
            split: (values[split].removeprefix(DARKNET_FOLDER),)
            for split in DARKNET_SPLITS
            if values.get(split)
        }
    )


def _layout(path: Path, images: Path | None) -> _Layout:
    root = path if path.is_dir() else path.parent
    if root.name == LABELS and not (root / LABELS).is_dir():
        beside = root.parent / PHOTOS
        return _Layout(root, root, images or (beside if beside.is_dir() else root))
    if (root / LABELS).is_dir():
        return _Layout(root, root / LABELS, images or _existing(root / PHOTOS, root))
    return _Layout(root, root, images or root)


def _existing(folder: Path, otherwise: Path) -> Path:
    return folder if folder.is_dir() else otherwise


def _label_files(layout: _Layout) -> list[Path]:
    files = (file for file in files_below(layout.labels) if file.suffix.lower() == LIST_SUFFIX)
    beside = NO_LABELS if layout.labels == layout.root and layout.root.name != LABELS else ()
    return sorted(
        file
        for file in files
        if file.name not in (CLASSES, *DARKNET_NAMES)
        and not (file.parent == layout.root and file.name in beside)
    )


def _classes(layout: _Layout) -> tuple[str, ...]:
    places = (
        folder / name
        for folder in (layout.root, layout.labels)
        for name in (CLASSES, *DARKNET_NAMES)
    )
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        return ()
    return tuple(line.strip() for line in read_lines(path) if line.strip())


def _photo(
    file: Path, layout: _Layout, pictures: Pictures, names: tuple[str, ...], cut: list[str]
) -> AnnotatedPhoto:
    below = file.relative_to(layout.labels).with_suffix("")
    # In Roboflow's layout the photographs lie in a folder `images` beside `labels`.
    parts = [PHOTOS if part == LABELS else part for part in below.parts[:-1]]
    image = pictures.with_stem("/".join([*parts, below.name]))
    if image is None:
        raise TableError(
            str(file),
            f"its photograph is not found in {layout.photos}, or is not unique",
            "name the folder of photographs with --images",
        )
    width, height = pictures.size(image)
    annotations = tuple(
        _annotation(line.split(), names, (width, height), f"{file}, line {number}", cut)
        for number, line in enumerate(read_lines(file), start=1)
        if line.strip()
    )
    return AnnotatedPhoto(image=image, width=width, height=height, annotations=annotations)


def _annotation(
    words: list[str], names: tuple[str, ...], size: PictureSize, where: str, cut: list[str]
) -> Annotation:
    """The object of a line; ``cut`` gets the place of one that reached beyond the photograph."""
    if len(words) < BOX_WORDS:
        raise TableError(
            where,
            f"has {len(words)} numbers",
            "give class, centre x, centre y, width and height, or class and corners",
        )
    if len(words) > 2 * limits.MAX_CORNERS:
        raise TableError(where, f"has more than {limits.MAX_CORNERS} corners", "draw it with fewer")
    # Corners come in pairs after the class: an extra number is a score.
    is_box = len(words) < MIN_POLYGON_WORDS
    has_score = len(words) > BOX_WORDS if is_box else len(words) % 2 == 0
    kind = kind_key(_class_name(words[0], names, where))
    fractions = [_fraction(word, where) for word in words[1:]]
    score = _score(fractions.pop(), where) if has_score else None
    beyond = not all(0 <= fraction <= 1 for fraction in fractions)
    if beyond:
        cut.append(where)
    if is_box:
        return Annotation(kind=kind, box=_box(fractions, size, cut=beyond), score=score)
    fractions = [min(max(fraction, Decimal(0)), exact.ONE) for fraction in fractions]
    outline = _outline(fractions, size)
    return Annotation(kind=kind, box=extent([outline]), outlines=(outline,), score=score)


def _class_name(word: str, names: tuple[str, ...], where: str) -> str:
    try:
        number = exact.parse(word)  # some tools write 0.0
    except ValueError as error:
        raise TableError(where, f"its class: {error}", "write the number of the class") from None
    if number != int(number) or not 0 <= number < len(names):
        raise TableError(
            where,
            f"is of class {shown(word)}, where {len(names)} classes have a name",
            f"name the classes in {CONFIG}, {CLASSES} or {DARKNET_NAMES[0]}",
        )
    return names[int(number)]


def _fraction(word: str, where: str) -> Decimal:
    try:
        number = exact.parse(word)
    except ValueError as error:
        raise TableError(where, str(error), "write numbers from 0 to 1") from None
    if not -LARGEST_EXCESS <= number <= 1 + LARGEST_EXCESS:
        raise TableError(
            where,
            f"{shown(word)} is not from 0 to 1",
            "divide coordinates in pixels by the photograph's width or height",
        )
    return number


def _score(number: Decimal, where: str) -> float:
    if not 0 <= number <= 1:
        raise TableError(where, f"its score {shown(number)} is not from 0 to 1", "correct it")
    return float(number)


def _box(fractions: list[Decimal], size: PictureSize, *, cut: bool) -> Box:
    x, y, width, height = fractions
    width, height = max(width, Decimal(0)), max(height, Decimal(0))
    x0, x1 = relative.span(x, width, size[0])
    y0, y1 = relative.span(y, height, size[1])
    if not cut:
        return (x0, y0, x1, y1)
    x0, x1 = (min(max(x, 0.0), float(size[0])) for x in (x0, x1))
    y0, y1 = (min(max(y, 0.0), float(size[1])) for y in (y0, y1))
    return (x0, y0, x1, y1)


def _outline(fractions: list[Decimal], size: PictureSize) -> Outline:
    return tuple(
        (relative.point(x, size[0]), relative.point(y, size[1]))
        for x, y in zip(fractions[::2], fractions[1::2], strict=True)
    )


def _splits(
    config: DataYaml, layout: _Layout, photos: Mapping[str, AnnotatedPhoto]
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The photographs of each split, and a warning for each with names that are not in the set."""
    by_stem = {without_suffix(image): image for image in photos}
    index = PhotographNames(photos)
    splits: dict[str, tuple[str, ...]] = {}
    warnings = []
    for split, entries in config.folders.items():
        named: list[str | None] = []
        for entry in entries:
            if entry.endswith(LIST_SUFFIX):
                listed = [_below(line.strip(), layout) for line in _list(entry, config, layout)]
                # Tools also write paths of the machine on which they ran.
                named += [
                    by_stem.get(without_suffix(name)) or index.with_stem(without_suffix(name))
                    for name in listed
                    if PurePosixPath(name).name
                ]
            else:
                folder = _below(entry, layout)
                named += [image for image in photos if _is_below(image, folder)]
        splits[split] = distinct(image for image in named if image is not None)
        if None in named:
            warnings.append(f"{split} names {named.count(None)} photographs without a label file")
    return splits, warnings


def _list(entry: str, config: DataYaml, layout: _Layout) -> list[str]:
    candidates = (layout.root / config.root / entry, layout.root / entry)
    path = next((each for each in candidates if each.is_file()), candidates[-1])
    return [line for line in _lines_of_list(path) if line.strip()]


def _lines_of_list(path: Path) -> list[str]:
    if not path.is_file():
        raise TableError(str(path), "does not exist", f"correct its name in {CONFIG}")
    return read_lines(path)


def _below(entry: str, layout: _Layout) -> str:
    """The path of an entry of a split below the folder of photographs."""
    parts = [
        part for part in PurePosixPath(entry.replace("\\", "/")).parts if part not in ("..", "/")
    ]
    if layout.labels != layout.root and PHOTOS in parts:
        parts = parts[parts.index(PHOTOS) + 1 :]
    return "/".join(parts)


def _is_below(image: str, folder: str) -> bool:
    return not folder or image.startswith(f"{folder}/")
