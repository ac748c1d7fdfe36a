"""Packs: everything besides the repository that a training needs, in one file for another machine.

A pack is a zip file. A grader's holds the label tables and a crop of every photograph of train and
validation; a detector's the annotated photographs of train and validation as they are, and their
annotations. Both hold the weights that the network starts from, in half precision. No photograph
of a test split is ever in one. :mod:`fundoscope.train.unpack` opens them.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import msgspec

from fundoscope.data import manifest as manifests
from fundoscope.data.annotations import coco
from fundoscope.data.annotations.annotation import AnnotatedPhoto, AnnotationSet
from fundoscope.data.manifest import Manifest, Row
from fundoscope.errors import UsageError
from fundoscope.grading.inputs import CROP
from fundoscope.photo import decode
from fundoscope.train import (
    backbones,
    detection_data,
    loop,
    networks,
    packed_crops,
    photographs,
    pictures,
    weights,
)
from fundoscope.train.config import GraderConfig
from fundoscope.train.detector_config import DetectorConfig
from fundoscope.train.photo_names import stem
from fundoscope.train.photographs import VAL
from fundoscope.writing import explained, refuse_existing, replacing

if TYPE_CHECKING:
    from torch import Tensor

CONTENTS: Final = "pack.json"
VERSION: Final = 1
GRADER, DETECTOR = "grader", "detector"
START: Final = "{name}.pth"
"""The weights to start from, named after their network."""
GONE_ON: Final = "start.pt"
"""The best network of an earlier run, which ``start`` of a detector names."""
ANNOTATIONS, PHOTOGRAPHS, MASKS = "annotations.json", "photographs", "masks"
TRAIN_LIST, VAL_LIST = "train.txt", "val.txt"
CROPS: Final = "crops"
QUALITY: Final = 77
"""Of the crops. The 6,489 crops of the five sources at 320 px have 22.6 MiB at 75 and 28.2 at 80,
as every sixteenth says."""
LIMIT: Final = 34
"""Mebibytes. With a repository of 28 they make the 64 that travel to a lent machine with a GPU."""
MEBIBYTE: Final = 2**20
ROOM: Final = "free some space"
SPLIT, SOURCE = "split", "source"
COLUMN: Final = "photograph"
"""Column of a packed table: what the photograph is called in the table that was packed."""
SHRINKING: Final = (".csv", ".json", ".txt")
"""What is compressed; pictures and weights are not."""

Entry = tuple[str, bytes]
"""Name and content of a file in a pack."""


class Contents(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``pack.json`` says.

    Attributes:
        task: ``grader`` or ``detector``.
        init: file of the weights to start from; ``""`` where there are none.
        network: whose weights they are.
        tables: label tables of a grader; the first is the one that is validated on.
        side: of a grader's crops.
        start: file of the whole network that a detector goes on from; ``""`` where there is none.
    """

    task: str
    network: str
    init: str = ""
    tables: tuple[str, ...] = ()
    side: int = 0
    start: str = ""
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Packed:
    """What was packed: how many photographs to train and to validate on, and the file's size."""

    path: Path
    train: int
    val: int
    mebibytes: float


def write_grader(
    config: GraderConfig,
    path: Path,
    *,
    quality: int = QUALITY,
    limit: float = LIMIT,
    overwrite: bool = False,
    progress: pictures.Progress | None = None,
) -> Packed:
    """Pack what a grader is trained on: the crops that training itself would make.

    Every photograph of train and validation is packed, whatever ``data.sample`` and
    ``data.without`` say, so that one pack serves several configurations.

    Args:
        config: names tables, crop size, cache and network.
        path: of the pack.
        quality: of the crops' WebP, 1 to 100.
        limit: mebibytes that the pack may have.
        overwrite: replace a file that is there.
        progress: is told how many crops are made.

    Raises:
        UsageError: the data cannot be trained on, or the pack would be larger than the limit.
        OutputError: it cannot be written.
    """
    data = config.data
    if data.input != CROP or data.only_aspect is not None:
        raise UsageError(
            "a pack",
            "holds square crops of all photographs",
            f'pack with data.input = "{CROP}" and without data.only_aspect',
        )
    refuse_existing(path, overwrite=overwrite)
    everything = msgspec.structs.replace(data, sample=0, without=())
    table = photographs.read(data.manifest)
    also = photographs.read_also(data)
    chosen = [photographs.choose(table, everything, config.seed), *(each.rows for each in also)]
    loaded = [
        pictures.load(
            each, rows, data.wanted, Path(data.cache), vouched=each is not table, progress=progress
        )
        for each, rows in zip((table, *also), chosen, strict=True)
    ]
    names = _distinct([each.path.stem for each in (table, *also)])
    name = config.network.name
    started = _start(name, lambda: _stored_weights(name, config.network.init), config.network.init)
    contents = Contents(
        GRADER,
        name,
        init="" if started is None else started[0],
        tables=tuple(f"{each}.csv" for each in names),
        side=data.wanted.height,
    )

    def entries() -> Iterator[Entry]:
        yield CONTENTS, msgspec.json.encode(contents)
        if started is not None:
            yield started
        for each, its, table_name in zip((table, *also), loaded, names, strict=True):
            yield from _table(each, its, table_name)
            for number, pixels in enumerate(its.pixels):
                yield _crop_name(table_name, number), packed_crops.encode(pixels, quality)

    size = _write(path, entries(), limit, "lower the quality or data.crop_size")
    rows = [row for each in loaded for row in each.rows]
    val = sum(row.split == VAL for row in rows)
    return Packed(path, len(rows) - val, val, size)


def write_detector(
    config: DetectorConfig,
    path: Path,
    *,
    masks: Path | None = None,
    limit: float = LIMIT,
    overwrite: bool = False,
) -> Packed:
    """Pack what a detector is trained on: the photographs' own files and their annotations.

    IDRiD's 54 have 21 MiB, so nothing need be lost: training sees the very tiles that it sees
    without the pack.

    Args:
        config: names annotations, lists and network.
        path: of the pack.
        masks: folder of masks to take along: files called ``NAME.*`` or ``NAME_*`` after a
            photograph that is packed; that of the configuration when left out.
        limit: mebibytes that the pack may have.
        overwrite: replace a file that is there.

    Raises:
        TableError, PhotoError, UsageError: the data cannot be trained on, or the pack would be
            larger than the limit.
        OutputError: it cannot be written.
    """
    refuse_existing(path, overwrite=overwrite)
    if masks is None and config.data.masks:
        masks = Path(config.data.masks)
    chosen = detection_data.choose(config.data, config.seed)
    name, init = config.backbone.name, config.backbone.init
    if config.start:
        init = weights.NONE  # the whole network is gone on from
    started = _start(name, lambda: _backbone_weights(config), init)
    gone_on = (GONE_ON, _halved_run(Path(config.start))) if config.start else None
    contents = Contents(
        DETECTOR,
        name,
        init="" if started is None else started[0],
        start=GONE_ON if gone_on else "",
    )
    photos = (*chosen.train, *chosen.val)

    def entries() -> Iterator[Entry]:
        yield CONTENTS, msgspec.json.encode(contents)
        yield from (each for each in (started, gone_on) if each is not None)
        yield ANNOTATIONS, _annotations(photos, chosen.kinds)
        yield TRAIN_LIST, _list(chosen.train)
        yield VAL_LIST, _list(chosen.val)
        for photo in photos:
            yield f"{PHOTOGRAPHS}/{photo.image}", decode.read_bytes(chosen.images / photo.image)
        if masks is not None:
            yield from _masks(masks, photos)

    size = _write(path, entries(), limit, "leave photographs out, or raise the limit")
    return Packed(path, len(chosen.train), len(chosen.val), size)


def _distinct(names: Sequence[str]) -> list[str]:
    """The names; where two are the same, the later ones with a number."""
    return [
        name if name not in names[:place] else f"{name}-{place}" for place, name in enumerate(names)
    ]


def _crop_name(table: str, number: int) -> str:
    return f"{CROPS}/{table}/{number:05d}{packed_crops.SUFFIX}"


def _table(table: Manifest, made: pictures.Pictures, name: str) -> Iterator[Entry]:
    """A table of the crops, and the hash of the one that was packed."""
    rows = tuple(_packed_row(row, _crop_name(name, n)) for n, row in enumerate(made.rows))
    columns = tuple(dict.fromkeys((*table.columns, SPLIT, SOURCE, COLUMN)))
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"{name}.csv"
        manifests.write(Manifest(file, columns, rows, table.sha256), file)
        yield file.name, file.read_bytes()
    yield file.name + packed_crops.ORIGIN, f"{table.sha256}\n".encode()


def _packed_row(row: Row, image: str) -> Row:
    return msgspec.structs.replace(row, image=image, other={**row.other, COLUMN: row.image})


def _start(name: str, read: Callable[[], dict[str, Tensor]], init: str) -> Entry | None:
    """The file of the weights to start from, in half precision; ``None`` where it is from none."""
    if init == weights.NONE:
        return None
    return START.format(name=Path(name).name), _bytes(_halved(read()))


def _stored_weights(name: str, init: str) -> dict[str, Tensor]:
    """Of a network without its last layer, which starts from random weights."""
    network = weights.start(name, 1, backbones.IMAGENET_SIZE, dropout=0.0, init=init)
    last = networks.last_layer(network) + "."
    return {key: value for key, value in network.state_dict().items() if not key.startswith(last)}


def _backbone_weights(config: DetectorConfig) -> dict[str, Tensor]:
    name = config.backbone.name
    if name == backbones.VGG16:
        raise UsageError(
            f"backbone {name}", "cannot be packed with its weights", 'take init = "none"'
        )
    return _stored_weights(name, config.backbone.init)


def _halved_run(best: Path) -> bytes:
    """``best.pt`` of a run in half precision."""
    content: dict[str, Any] = loop.read_checkpoint(best)
    return _bytes({**content, "network": _halved(content["network"])})


def _halved(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        key: value.half() if value.is_floating_point() else value for key, value in tensors.items()
    }


def _bytes(content: dict[str, Any]) -> bytes:
    import torch

    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _annotations(photos: Sequence[AnnotatedPhoto], kinds: Sequence[str]) -> bytes:
    """As a COCO file, whose boxes are exact."""
    ordered = tuple(sorted(photos, key=lambda photo: photo.image))
    with TemporaryDirectory() as folder:
        file = Path(folder) / ANNOTATIONS
        coco.write(AnnotationSet(photos=ordered, kinds=tuple(kinds)), file)
        return file.read_bytes()


def _list(photos: Sequence[AnnotatedPhoto]) -> bytes:
    return "".join(f"{photo.image}\n" for photo in photos).encode()


def _masks(folder: Path, photos: Sequence[AnnotatedPhoto]) -> Iterator[Entry]:
    names = {stem(photo.image) for photo in photos}
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        called = file.name
        if any(called.startswith((f"{name}.", f"{name}_")) for name in names):
            yield f"{MASKS}/{file.relative_to(folder).as_posix()}", file.read_bytes()


def _write(path: Path, entries: Iterator[Entry], limit: float, remedy: str) -> float:
    """Write a pack, whole or not at all; its size in mebibytes.

    The same entries make the same bytes: no time is written.
    """
    with explained(path, remedy=ROOM):
        path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, remedy=ROOM) as waiting:
        with zipfile.ZipFile(waiting, "w") as archive:
            for name, content in entries:
                info = zipfile.ZipInfo(name)
                small = name.endswith(SHRINKING)
                info.compress_type = zipfile.ZIP_DEFLATED if small else zipfile.ZIP_STORED
                archive.writestr(info, content)
        size = waiting.stat().st_size / MEBIBYTE
        if size > limit:
            raise UsageError(path.name, f"would have {size:.1f} MiB, over {limit:g}", remedy)
    return size
