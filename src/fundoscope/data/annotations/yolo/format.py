"""YOLO: a text file a photograph, a line an object, and ``data.yaml`` with the class names.

A line is the class's number, then centre x, centre y, width and height in parts of the photograph,
or the corners of a polygon; a score may follow. From Ultralytics' documentation ("Object Detection
Datasets Overview", "Instance Segmentation Datasets Overview").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
from fundoscope.data.annotations.coco.format import bounds
from fundoscope.data.annotations.documents import distinct, read_bytes
from fundoscope.data.annotations.pictures import Pictures
from fundoscope.data.annotations.yolo import data_yaml, relative
from fundoscope.data.annotations.yolo.data_yaml import DataYaml
from fundoscope.errors import TableError
from fundoscope.geometry import Box
from fundoscope.kinds import find
from fundoscope.writing import write_files

HOLDS: Final = frozenset(
    {
        features.SUB_PIXEL,
        features.OUTLINES,
        features.SCORE,
        features.EMPTY_PHOTOS,
        features.SPLITS,
        features.KINDS_ORDER,
    }
)
PHOTOS, LABELS = "images", "labels"
CONFIG: Final = "data.yaml"
CLASSES: Final = "classes.txt"
"""List of class names that labelImg and Label Studio write, one a line."""
NO_LABELS: Final = frozenset({"train.txt", "val.txt", "valid.txt", "test.txt", "README.txt"})
"""Other text files that may lie beside photographs and labels."""
BOX_WORDS: Final = 5
MIN_POLYGON_WORDS: Final = 7
"""A line's words: the class, and four numbers or three corners."""
BEYOND: Final = "boxes beyond the photograph (cut off)"


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where a set lies.

    Attributes:
        root: the folder of ``data.yaml``.
        labels: the folder of the text files.
        photos: the folder of photographs.
    """

    root: Path
    labels: Path
    photos: Path


def read(path: Path, *, images: Path | None = None) -> AnnotationSet:
    """Read a folder of YOLO, or its ``data.yaml``.

    Photographs lie in ``images`` where labels lie in ``labels`` (in the folder, or in one a split),
    or both lie together. A photograph's size is taken from its header. An empty text file means
    that somebody looked; a photograph without one is not in the set, and a warning counts these.

    Args:
        path: the folder or file.
        images: folder of photographs.

    Raises:
        TableError: a line is no box or polygon, a number is not from 0 to 1, a class has no name,
            or a photograph is not found.
        PhotoError: a photograph cannot be read.
    """
    config, layout = _config(path), _layout(path, images)
    files = _label_files(layout)
    if not files:
        raise TableError(str(path), "has no YOLO labels", "name the folder of the text files")
    names = config.names or _classes(layout)
    pictures = Pictures.of(layout.photos)
    photos: dict[str, AnnotatedPhoto] = {}
    for file in files:
        photo = _photo(file, layout, pictures, names)
        if photo.image in photos:
            raise TableError(str(file), f"is a second one for {photo.image}", "keep one of both")
        photos[photo.image] = photo
    splits, missing = _splits(config, layout, photos)
    bare = len(set(pictures.names) - set(photos))
    unlabelled = [f"{bare} photographs in {layout.photos} have no label file"] if bare else []
    return AnnotationSet(
        photos=tuple(photos[image] for image in sorted(photos)),
        kinds=distinct(map(_kind, names)),
        splits=splits,
        warnings=(*unlabelled, *missing),
    )


def _config(path: Path) -> DataYaml:
    if path.is_file():
        return data_yaml.read(path)
    files = sorted([*path.glob("*.yaml"), *path.glob("*.yml")])
    named = [file for file in files if file.name == CONFIG] or files
    return data_yaml.read(named[0]) if named else DataYaml()


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
    files = (file for file in layout.labels.rglob("*.txt") if not file.name.startswith("."))
    beside = NO_LABELS if layout.labels == layout.root and layout.root.name != LABELS else ()
    return sorted(
        file
        for file in files
        if file.name != CLASSES and not (file.parent == layout.root and file.name in beside)
    )


def _classes(layout: _Layout) -> tuple[str, ...]:
    for folder in (layout.root, layout.labels):
        if (folder / CLASSES).is_file():
            return tuple(line.strip() for line in _lines(folder / CLASSES) if line.strip())
    return ()


def _photo(
    file: Path, layout: _Layout, pictures: Pictures, names: tuple[str, ...]
) -> AnnotatedPhoto:
    below = file.relative_to(layout.labels).with_suffix("")
    # Beside a folder of labels the photographs lie in a folder of images (Roboflow).
    parts = [PHOTOS if part == LABELS else part for part in below.parts[:-1]]
    image = pictures.with_stem("/".join([*parts, below.name]))
    if image is None:
        raise TableError(
            str(file),
            f"its photograph is not found in {layout.photos}, or not a single one",
            "name the folder of photographs with --images",
        )
    width, height = pictures.size(image)
    annotations = tuple(
        _annotation(line.split(), names, (width, height), f"{file}, line {number}")
        for number, line in enumerate(_lines(file), start=1)
        if line.strip()
    )
    return AnnotatedPhoto(image=image, width=width, height=height, annotations=annotations)


def _lines(path: Path) -> list[str]:
    if path.stat().st_size == 0:
        return []
    try:
        return read_bytes(path).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise TableError(str(path), "is not UTF-8 text", "save it as UTF-8") from None


def _annotation(
    words: list[str], names: tuple[str, ...], size: tuple[int, int], where: str
) -> Annotation:
    if len(words) < BOX_WORDS:
        raise TableError(
            where,
            f"has {len(words)} numbers",
            "give class, centre x, centre y, width and height, or class and corners",
        )
    # Corners come in pairs behind the class: one number more is a score.
    is_box = len(words) < MIN_POLYGON_WORDS
    has_score = len(words) > BOX_WORDS if is_box else len(words) % 2 == 0
    kind = _kind(_name(words[0], names, where))
    parts = [_part(word, where) for word in words[1:]]
    score = float(parts.pop()) if has_score else None
    if is_box:
        return Annotation(kind=kind, box=_box(parts, size), score=score)
    outline = _outline(parts, size)
    return Annotation(kind=kind, box=bounds([outline]), outlines=(outline,), score=score)


def _name(word: str, names: tuple[str, ...], where: str) -> str:
    try:
        number = exact.parse(word)  # some tools write 0.0
    except ValueError as error:
        raise TableError(where, f"its class: {error}", "write the class's number") from None
    if number != int(number) or not 0 <= number < len(names):
        raise TableError(
            where,
            f"is of class {word}, where {len(names)} classes have a name",
            f"name the classes in {CONFIG} or {CLASSES}",
        )
    return names[int(number)]


def _part(word: str, where: str) -> Decimal:
    try:
        number = exact.parse(word)
    except ValueError as error:
        raise TableError(where, str(error), "write numbers from 0 to 1") from None
    if not 0 <= number <= 1:
        raise TableError(where, f"{word} is not from 0 to 1", "divide by the photograph's size")
    return number


def _box(parts: list[Decimal], size: tuple[int, int]) -> Box:
    x, y, width, height = parts
    x0, x1 = relative.span(x, width, size[0])
    y0, y1 = relative.span(y, height, size[1])
    return (x0, y0, x1, y1)


def _outline(parts: list[Decimal], size: tuple[int, int]) -> Outline:
    return tuple(
        (relative.point(x, size[0]), relative.point(y, size[1]))
        for x, y in zip(parts[::2], parts[1::2], strict=True)
    )


def _kind(name: str) -> str:
    known = find(name)
    return name if known is None else known.key


def _splits(
    config: DataYaml, layout: _Layout, photos: Mapping[str, AnnotatedPhoto]
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The photographs of each split, and a warning for each that names what is not in the set."""
    by_stem = {PurePosixPath(image).with_suffix("").as_posix(): image for image in photos}
    splits: dict[str, tuple[str, ...]] = {}
    warnings = []
    for split, entries in config.folders.items():
        named: list[str | None] = []
        for entry in entries:
            if entry.endswith(data_yaml.LIST):
                listed = [_below(line.strip(), layout) for line in _list(entry, config, layout)]
                stems = [PurePosixPath(name).with_suffix("").as_posix() for name in listed]
                named += [by_stem.get(stem) for stem in stems]
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
    return _lines(path)


def _below(entry: str, layout: _Layout) -> str:
    """The place of an entry of a split below the folder of photographs."""
    parts = [
        part for part in PurePosixPath(entry.replace("\\", "/")).parts if part not in ("..", "/")
    ]
    if layout.labels != layout.root and PHOTOS in parts:
        parts = parts[parts.index(PHOTOS) + 1 :]
    return "/".join(parts)


def _is_below(image: str, folder: str) -> bool:
    return not folder or image.startswith(f"{folder}/")


def write(
    found: AnnotationSet,
    out: Path,
    *,
    images: Path | None = None,  # noqa: ARG001 (every format's writer is called alike)
    overwrite: bool = False,
) -> tuple[Loss, ...]:
    """Write ``labels/NAME.txt`` for each photograph, ``data.yaml``, and a list a split.

    The lists name photographs in ``images`` beside ``labels``, where Ultralytics looks for them.
    An object is written as a polygon where one polygon says all of it, else as a box; numbers have
    six decimals, and more where its box would move.

    Args:
        found: what to write.
        out: the folder.
        images: not needed; photographs are left where they are.
        overwrite: replace files that are there.

    Returns:
        What YOLO cannot hold; among it the boxes that reach so far beyond their photograph that
        they had to be cut off, or left out where nothing was left.

    Raises:
        OutputError: a file is there already or cannot be written, or two photographs differ in
            their suffix alone.
    """
    write_files(_written(found, out), overwrite=overwrite)
    items = [(item, photo) for photo in found.photos for item in photo.annotations]
    unwritten = sum(bool(item.outlines) and not _is_polygon(item, photo) for item, photo in items)
    cut = sum(_clipped(item.box, photo) != item.box for item, photo in items)
    told = (Loss(features.OUTLINES, unwritten), Loss(BEYOND, cut))
    return (*features.losses(found, HOLDS), *(loss for loss in told if loss.count))


def _written(found: AnnotationSet, out: Path) -> Iterator[tuple[Path, bytes]]:
    kinds = features.all_kinds(found)
    numbers = {kind: number for number, kind in enumerate(kinds)}
    for photo in found.photos:
        stem = PurePosixPath(photo.image).with_suffix("").as_posix()
        lines = (_line(item, numbers[item.kind], photo) for item in photo.annotations)
        text = "".join(f"{line}\n" for line in lines if line)
        yield out / LABELS / f"{stem}.txt", text.encode()
    for split, names in found.splits.items():
        text = "".join(f"./{PHOTOS}/{name}\n" for name in names)
        yield out / f"{split}{data_yaml.LIST}", text.encode()
    folders = {split: f"{split}{data_yaml.LIST}" for split in found.splits}
    yield out / CONFIG, data_yaml.to_yaml(kinds, folders).encode()


def _line(item: Annotation, number: int, photo: AnnotatedPhoto) -> str:
    """The line of an object; empty where all of it lies beyond the photograph."""
    if _is_polygon(item, photo):
        words = [_corner(x, y, photo) for x, y in item.outlines[0]]
    else:
        x0, y0, x1, y1 = _clipped(item.box, photo)
        if x0 > x1 or y0 > y1:
            return ""
        centre_x, width = relative.span_text(x0, x1, photo.width)
        centre_y, height = relative.span_text(y0, y1, photo.height)
        words = [centre_x, centre_y, width, height]
    if item.score is not None:
        words.append(exact.plain(exact.decimal(item.score)))
    return " ".join([str(number), *words])


def _corner(x: float, y: float, photo: AnnotatedPhoto) -> str:
    return f"{relative.point_text(x, photo.width)} {relative.point_text(y, photo.height)}"


def _is_polygon(item: Annotation, photo: AnnotatedPhoto) -> bool:
    """Whether one polygon inside the photograph says all of an object's shape."""
    return (
        len(item.outlines) == 1 and bounds(item.outlines) == item.box and _inside(item.box, photo)
    )


def _inside(box: Box, photo: AnnotatedPhoto) -> bool:
    return box[0] >= 0 and box[1] >= 0 and box[2] <= photo.width and box[3] <= photo.height


def _clipped(box: Box, photo: AnnotatedPhoto) -> Box:
    """The box, cut off at the photograph's edge where YOLO's numbers would leave 0 to 1."""
    x0, y0, x1, y1 = box
    if not (0 <= x0 + x1 <= 2 * photo.width and x1 - x0 <= photo.width):
        x0, x1 = max(x0, 0.0), min(x1, float(photo.width))
    if not (0 <= y0 + y1 <= 2 * photo.height and y1 - y0 <= photo.height):
        y0, y1 = max(y0, 0.0), min(y1, float(photo.height))
    return (x0, y0, x1, y1)
