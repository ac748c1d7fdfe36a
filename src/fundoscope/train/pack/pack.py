"""Packs: everything besides the repository that a training needs, in one file for another machine.

A pack is a zip file. A grader's holds the label tables and a crop of every photograph of train and
validation; a detector's the annotated photographs of train and validation, without their metadata,
and their annotations. Both hold the weights that the network starts from, in half precision. A pack
never holds a photograph of a test split. :mod:`fundoscope.train.pack.unpack` opens packs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from fundoscope.data import manifest as manifests
from fundoscope.data.annotations.annotation import AnnotatedPhoto, AnnotationSet
from fundoscope.data.annotations.coco.write import write_coco
from fundoscope.data.manifest import Manifest, Row
from fundoscope.errors import UsageError
from fundoscope.grading.inputs import CROP
from fundoscope.photo import decode
from fundoscope.quoting import bare
from fundoscope.train.detection.config import DetectorConfig
from fundoscope.train.detection.views import choose as detection_data
from fundoscope.train.detection.views.photo_names import stem
from fundoscope.train.grading import packed_crops, photographs, pictures
from fundoscope.train.grading.config import GraderConfig
from fundoscope.train.grading.photographs import VAL
from fundoscope.train.grading.pictures import Pictures
from fundoscope.train.networks import backbones, weights
from fundoscope.train.pack import archive, starts
from fundoscope.train.pack.archive import MEBIBYTE, Entry
from fundoscope.train.pack.contents import (
    ANNOTATIONS,
    CONTENTS,
    CROPS,
    DETECTOR,
    EARLIER_BEST,
    GRADER,
    MASKS,
    PART,
    PHOTOGRAPHS,
    TRAIN_LIST,
    VAL_LIST,
    Contents,
    Part,
    Start,
    distinct,
    part,
)
from fundoscope.train.pack.metadata import without_metadata
from fundoscope.train.run import provenance
from fundoscope.writing import refuse_existing

QUALITY: Final = 95
"""Of the crops. On validation crops of 320 px stored so, the shipped grader's mean AUC is 0.939
(12.3 kB each); 0.948 of what was not stored, 0.931 at 90 (7.4 kB) and 0.906 at 77 (3.6 kB): the
small lesions are what a picture loses first (bench/pack_quality.py, docs/notebook/grader.md)."""
NO_LIMIT: Final = math.inf
"""Mebibytes of a file. Set a limit where the way to the other machine has one."""
SPLIT, SOURCE = "split", "source"
COLUMN: Final = "photograph"
"""Column of a packed table: the bare file name of the photograph that was packed."""


@dataclass(frozen=True, slots=True)
class Packed:
    """What was packed.

    Attributes:
        path: the pack, or the first of its files.
        train, val: number of photographs to train and to validate on.
        mebibytes: size of each file.
    """

    path: Path
    train: int
    val: int
    mebibytes: tuple[float, ...]


def write_grader(
    config: GraderConfig,
    path: Path,
    *,
    others: Sequence[GraderConfig] = (),
    quality: int = QUALITY,
    limit: float = NO_LIMIT,
    overwrite: bool = False,
    progress: pictures.Progress | None = None,
) -> Packed:
    """Pack what a grader is trained on: the crops that training itself would make.

    Every photograph of train and validation is packed as its table has it, whatever
    ``data.sample``, ``data.without`` and ``data.unmarked`` say, so that one pack serves several
    configurations.

    Args:
        config: names tables, crop size, cache and network.
        path: of the pack.
        others: further configurations that are to be trained from it: the weights that they start
            from are packed too.
        quality: of the crops' WebP, 1 to 100.
        limit: mebibytes that a file may have; crops that do not fit go into further parts beside
            it, see :func:`part`.
        overwrite: replace existing files.
        progress: a callback for crops: how many are done, and their number.

    Raises:
        UsageError: the data cannot be trained on, or the limit has no room for weights and tables.
        OutputError: the pack cannot be written.
    """
    _require_crops(config)
    refuse_existing(path, overwrite=overwrite)
    tables, loaded = _loaded(config, progress)
    names = tuple(table.path.stem for table in tables)
    if len({*names[1:]}) < len(names) - 1:
        raise UsageError("data.also", "names two tables of one name", "rename the file of one")
    wanted = [(each.network.name, each.network.init) for each in (config, *others)]
    begun, started = starts.of_networks(dict.fromkeys(wanted))
    entries, crops = list(started), list[Entry]()
    for table, its, name in zip(tables, loaded, distinct(names), strict=True):
        entries += _table(table, its, name)
        crops += _crops(table, its, name, quality)
    groups = archive.divided(crops, limit * MEBIBYTE, sum(map(archive.room, entries)))
    contents = Contents(
        GRADER,
        begun,
        tables=names,
        side=config.data.wanted.height,
        parts=len(groups),
        key=archive.key_of(crops) if len(groups) > 1 else "",
    )
    files = _parts(contents, entries, groups)
    written = [part(path, number) for number in range(1, len(files) + 1)]
    for file in written:
        refuse_existing(file, overwrite=overwrite)
    sizes = tuple(archive.write(file, its) for file, its in zip(written, files, strict=True))
    rows = [row for its in loaded for row in its.rows]
    val = sum(row.split == VAL for row in rows)
    return Packed(path, len(rows) - val, val, sizes)


def _require_crops(config: GraderConfig) -> None:
    if config.data.input != CROP or config.data.only_aspect is not None:
        raise UsageError(
            "a pack",
            "holds square crops of all photographs",
            f'pack with data.input = "{CROP}" and without data.only_aspect',
        )
    if config.maps.boxes:
        raise UsageError("a pack", "does not carry boxes for maps", "pack without maps.boxes")


def _loaded(
    config: GraderConfig, progress: pictures.Progress | None
) -> tuple[tuple[Manifest, ...], list[Pictures]]:
    """The tables of a configuration, and the crops of train and validation of each."""
    data = config.data
    everything = msgspec.structs.replace(data, sample=0, without=(), unmarked=())
    table = photographs.read(data.manifest)
    also = photographs.read_also(data, table)
    chosen = [photographs.choose(table, everything, config.seed), *(each.rows for each in also)]
    tables = (table, *also)
    cache = Path(data.cache)
    loaded = [
        pictures.load(each, rows, data.wanted, cache, trusted=each is not table, progress=progress)
        for each, rows in zip(tables, chosen, strict=True)
    ]
    return tables, loaded


def _crops(table: Manifest, loaded: Pictures, name: str, quality: int) -> Iterator[Entry]:
    for number, (row, pixels) in enumerate(zip(loaded.rows, loaded.pixels, strict=True)):
        small = packed_crops.no_larger(pixels, table.photograph(row))
        yield _crop_name(name, number), packed_crops.encode(small, quality)


def _parts(
    contents: Contents, entries: Sequence[Entry], groups: Sequence[Sequence[Entry]]
) -> list[list[Entry]]:
    """The files of each part of a pack; all but the first hold nothing but crops."""
    parts = [[(CONTENTS, msgspec.json.encode(contents)), *entries, *groups[0]]]
    for number, group in enumerate(groups[1:], start=2):
        parts.append([(PART, msgspec.json.encode(Part(contents.key, number))), *group])
    return parts


def _crop_name(table: str, number: int) -> str:
    return f"{CROPS}/{table}/{number:05d}{packed_crops.SUFFIX}"


def _table(table: Manifest, loaded: Pictures, name: str) -> Iterator[Entry]:
    """A table of the crops, and the SHA-256 of the table that was packed."""
    rows = tuple(_packed_row(row, _crop_name(name, n)) for n, row in enumerate(loaded.rows))
    columns = tuple(dict.fromkeys((*table.columns, SPLIT, SOURCE, COLUMN)))
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"{name}.csv"
        manifests.write(Manifest(file, columns, rows, table.sha256), file)
        yield file.name, file.read_bytes()
    yield file.name + provenance.ORIGIN, f"{table.sha256}\n".encode()


def _packed_row(row: Row, image: str) -> Row:
    return msgspec.structs.replace(row, image=image, other={**row.other, COLUMN: bare(row.image)})


def write_detector(
    config: DetectorConfig,
    path: Path,
    *,
    masks: Path | None = None,
    limit: float = NO_LIMIT,
    overwrite: bool = False,
) -> Packed:
    """Pack what a detector is trained on: the photographs' own files and their annotations.

    The photographs are packed as they are (IDRiD's 54 have 21 MiB) but for their metadata, which
    may name a patient. So training sees the very tiles that it sees without the pack.

    Args:
        config: names annotations, lists and network.
        path: of the pack.
        masks: folder of masks: files called ``NAME.*`` or ``NAME_*`` after a packed photograph; by
            default that of the configuration.
        limit: mebibytes that the pack may have.
        overwrite: replace an existing file.

    Raises:
        TableError, PhotoError, UsageError: the data cannot be trained on, or the pack would be
            larger than the limit.
        OutputError: the pack cannot be written.
    """
    _require_one_set(config)
    refuse_existing(path, overwrite=overwrite)
    if masks is None and config.data.masks:
        masks = Path(config.data.masks)
    if masks is not None and not masks.is_dir():
        raise UsageError(f"--masks {masks}", "is not a folder", "name the folder of the masks")
    chosen = detection_data.choose(config.data, config.seed)
    contents, started = _start(config)
    photos = (*chosen.train, *chosen.val)

    def entries() -> Iterator[Entry]:
        yield CONTENTS, msgspec.json.encode(contents)
        yield from started
        yield ANNOTATIONS, _annotations(photos, chosen.kinds)
        yield TRAIN_LIST, _list(chosen.train)
        yield VAL_LIST, _list(chosen.val)
        for photo in photos:
            data = decode.read_bytes(chosen.images / photo.image)
            yield f"{PHOTOGRAPHS}/{photo.image}", without_metadata(data, photo.image)
        if masks is not None:
            yield from _masks(masks, photos)

    size = archive.write(path, entries(), limit)
    return Packed(path, len(chosen.train), len(chosen.val), (size,))


def _require_one_set(config: DetectorConfig) -> None:
    if config.healthy.tables or config.partial:
        raise UsageError(
            "a pack",
            "holds the photographs of [data] only, not those of [healthy] and [[partial]]",
            "pack a configuration without these",
        )


def _start(config: DetectorConfig) -> tuple[Contents, tuple[Entry, ...]]:
    """The contents of a detector's pack, and the files of the weights that it starts from."""
    if config.start:  # the whole network
        return Contents(DETECTOR, start=EARLIER_BEST), starts.of_run(Path(config.start))
    name, init = config.backbone.name, config.backbone.init
    if name == backbones.VGG16 and init != weights.NONE:
        raise UsageError(
            f"backbone {name}", "cannot be packed with its weights", 'take init = "none"'
        )
    started = starts.of_network(name, init)
    backbone = (Start(name, init, started[0][0]),) if started else ()
    return Contents(DETECTOR, backbone), started


def _annotations(photos: Sequence[AnnotatedPhoto], kinds: Sequence[str]) -> bytes:
    """As a COCO file, whose boxes are exact."""
    ordered = tuple(sorted(photos, key=lambda photo: photo.image))
    with TemporaryDirectory() as folder:
        file = Path(folder) / ANNOTATIONS
        write_coco(AnnotationSet(photos=ordered, kinds=tuple(kinds)), file)
        return file.read_bytes()


def _list(photos: Sequence[AnnotatedPhoto]) -> bytes:
    return "".join(f"{photo.image}\n" for photo in photos).encode()


def _masks(folder: Path, photos: Sequence[AnnotatedPhoto]) -> Iterator[Entry]:
    names = {stem(photo.image) for photo in photos}
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        if any(file.name.startswith((f"{name}.", f"{name}_")) for name in names):
            yield (
                f"{MASKS}/{file.relative_to(folder).as_posix()}",
                without_metadata(file.read_bytes(), file.name),
            )
