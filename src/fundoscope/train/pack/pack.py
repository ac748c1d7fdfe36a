"""Packs: everything besides the repository that a training needs, in one file for another machine.

A pack is a zip file. A grader's holds the label tables and a crop of every photograph of train and
validation; a detector's the annotated photographs of train and validation as they are, and their
annotations. Both hold the weights that the network starts from, in half precision. No photograph
of a test split is ever in one. :mod:`fundoscope.train.pack.unpack` opens them.
"""

from __future__ import annotations

import hashlib
import math
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import msgspec

from fundoscope.data import manifest as manifests
from fundoscope.data.annotations.annotation import AnnotatedPhoto, AnnotationSet
from fundoscope.data.annotations.coco import format as coco
from fundoscope.data.manifest import Manifest, Row
from fundoscope.errors import UsageError
from fundoscope.grading.inputs import CROP
from fundoscope.photo import decode
from fundoscope.train.detection.config import DetectorConfig
from fundoscope.train.detection.views import choose as detection_data
from fundoscope.train.detection.views.photo_names import stem
from fundoscope.train.grading import packed_crops, photographs, pictures
from fundoscope.train.grading.config import GraderConfig
from fundoscope.train.grading.photographs import VAL
from fundoscope.train.networks import backbones, weights
from fundoscope.train.networks import catalogue as networks
from fundoscope.train.run import folder as runs
from fundoscope.train.run import loop, torch_files
from fundoscope.writing import explained, refuse_existing, replacing

if TYPE_CHECKING:
    from torch import Tensor

CONTENTS, PART = "pack.json", "part.json"
VERSION: Final = 3
GRADER, DETECTOR = "grader", "detector"
START: Final = "{name}.pth"
"""The weights to start from, named after their network."""
EARLIER: Final = "start"
"""Folder of the best network, configuration and figures of an earlier run that is gone on from, so
that a bundle can say of it what it would say without the pack."""
GONE_ON: Final = f"{EARLIER}/{loop.BEST}"
ANNOTATIONS, PHOTOGRAPHS, MASKS = "annotations.json", "photographs", "masks"
TRAIN_LIST, VAL_LIST = "train.txt", "val.txt"
CROPS: Final = "crops"
QUALITY: Final = 95
"""Of the crops. On validation crops of 320 px stored so, the shipped grader's mean area is 0.939
(12.3 kB each); 0.948 of what was not stored, 0.931 at 90 (7.4 kB) and 0.906 at 77 (3.6 kB): the
small lesions are what a picture loses first (bench/pack_quality.py, docs/notebook/grader.md)."""
LIMIT: Final = 34
"""Mebibytes of a file. With a repository of 28 they make the 64 that travel at a time to a lent
machine with a GPU."""
MEBIBYTE: Final = 2**20
ZIP_HEADS: Final = 30 + 46
"""Bytes that a zip file spends on each file besides its content and twice its name."""
CONTENTS_ROOM: Final = 4096
"""Bytes that are kept for ``pack.json`` or ``part.json`` and the end of a zip file."""
KEY: Final = 12
"""Hexadecimal digits."""
ROOM: Final = "free some space"
SPLIT, SOURCE = "split", "source"
COLUMN: Final = "photograph"
"""Column of a packed table: what the photograph is called in the table that was packed."""
SHRINKING: Final = (".csv", ".json", ".txt")
"""What is compressed; pictures and weights are not."""

Entry = tuple[str, bytes]
"""Name and content of a file in a pack."""


class Start(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Weights that a network starts from.

    Attributes:
        network: whose they are.
        origin: ``init`` of the configuration that starts from them.
        file: that holds them.
    """

    network: str
    origin: str
    file: str


class Contents(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``pack.json`` says.

    Attributes:
        task: ``grader`` or ``detector``.
        starts: the weights that are packed, of a network or of a detector's backbone.
        tables: what a grader's label tables are called; the first is the one that is validated on.
        side: of a grader's crops.
        start: file of the whole network that a detector goes on from; ``""`` where there is none.
        parts: files that the pack consists of; the further ones hold nothing but crops.
        key: the same in all parts of a pack, and in no other's.
    """

    task: str
    starts: tuple[Start, ...] = ()
    tables: tuple[str, ...] = ()
    side: int = 0
    start: str = ""
    parts: int = 1
    key: str = ""
    version: int = VERSION

    @property
    def files(self) -> tuple[str, ...]:
        """The file of each table."""
        return tuple(f"{name}.csv" for name in distinct(self.tables))


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``part.json`` says in the parts of a pack but the first: whose it is, and which."""

    key: str
    number: int


@dataclass(frozen=True, slots=True)
class Packed:
    """What was packed: how many photographs to train and to validate on, and the files' sizes."""

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
        others: further configurations that are to be trained from it: the weights that they start
            from are packed too.
        quality: of the crops' WebP, 1 to 100.
        limit: mebibytes that a file may have; what does not fit goes into further parts beside it,
            see :func:`part`.
        overwrite: replace files that are there.
        progress: is told how many crops are made.

    Raises:
        UsageError: the data cannot be trained on, or the limit has no room for weights and tables.
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
    tables = tuple(each.path.stem for each in (table, *also))
    if len({*tables[1:]}) < len(also):
        raise UsageError("data.also", "names two tables of one name", "rename the file of one")
    begun = [(each.network.name, each.network.init) for each in (config, *others)]
    starts, started = _starts(dict.fromkeys(begun))
    entries, crops = list(started), list[Entry]()
    for each, its, table_name in zip((table, *also), loaded, distinct(tables), strict=True):
        entries += _table(each, its, table_name)
        for number, (row, pixels) in enumerate(zip(its.rows, its.pixels, strict=True)):
            small = packed_crops.no_larger(pixels, each.photograph(row))
            crops.append((_crop_name(table_name, number), packed_crops.encode(small, quality)))
    groups = _divided(crops, limit * MEBIBYTE, sum(_room(entry) for entry in entries))
    contents = Contents(
        GRADER,
        starts,
        tables=tables,
        side=data.wanted.height,
        parts=len(groups),
        key=_key(crops) if len(groups) > 1 else "",
    )
    files = [[(CONTENTS, msgspec.json.encode(contents)), *entries, *groups[0]]]
    for number, group in enumerate(groups[1:], start=2):
        files.append([(PART, msgspec.json.encode(Part(contents.key, number))), *group])
    written = [part(path, number) for number in range(1, len(files) + 1)]
    for file in written:
        refuse_existing(file, overwrite=overwrite)
    sizes = tuple(_write(file, its) for file, its in zip(written, files, strict=True))
    rows = [row for each in loaded for row in each.rows]
    val = sum(row.split == VAL for row in rows)
    return Packed(path, len(rows) - val, val, sizes)


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
    if masks is not None and not masks.is_dir():
        raise UsageError(f"--masks {masks}", "is no folder", "name the folder of the masks")
    chosen = detection_data.choose(config.data, config.seed)
    name, init = config.backbone.name, config.backbone.init
    if config.start:  # the whole network is gone on from
        started, init = _earlier(Path(config.start)), ""
    elif name == backbones.VGG16 and init != weights.NONE:
        raise UsageError(
            f"backbone {name}", "cannot be packed with its weights", 'take init = "none"'
        )
    else:
        started = _start(name, init)
    backbone = (Start(name, init, started[0][0]),) if started and not config.start else ()
    contents = Contents(DETECTOR, backbone, start=GONE_ON if config.start else "")
    photos = (*chosen.train, *chosen.val)

    def entries() -> Iterator[Entry]:
        yield CONTENTS, msgspec.json.encode(contents)
        yield from started
        yield ANNOTATIONS, _annotations(photos, chosen.kinds)
        yield TRAIN_LIST, _list(chosen.train)
        yield VAL_LIST, _list(chosen.val)
        for photo in photos:
            yield f"{PHOTOGRAPHS}/{photo.image}", decode.read_bytes(chosen.images / photo.image)
        if masks is not None:
            yield from _masks(masks, photos)

    size = _write(path, entries(), limit)
    return Packed(path, len(chosen.train), len(chosen.val), (size,))


def part(path: Path, number: int) -> Path:
    """The file of a part of a pack: ``grader.zip``, then ``grader-2.zip`` beside it."""
    return path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")


def _room(entry: Entry) -> int:
    """Bytes that a file takes in a zip file, at most."""
    name, content = entry
    return len(content) + 2 * len(name) + ZIP_HEADS


def _divided(crops: Sequence[Entry], limit: float, first: int) -> list[list[Entry]]:
    """Crops in their order, so many in each part as it has room for.

    Args:
        crops: what is divided.
        limit: bytes of a part.
        first: bytes that the first part holds besides.

    Raises:
        UsageError: a part has no room for what cannot be divided.
    """
    most = max([first, *map(_room, crops)]) + CONTENTS_ROOM
    if most > limit:
        raise UsageError(
            f"a file of {limit / MEBIBYTE:g} MiB",
            f"has no room for {most / MEBIBYTE:.1f} that belong together",
            "raise the limit",
        )
    groups: list[list[Entry]] = [[]]
    used = first + CONTENTS_ROOM
    for crop in crops:
        needed = _room(crop)
        if used + needed > limit:
            groups.append([])
            used = CONTENTS_ROOM
        groups[-1].append(crop)
        used += needed
    return groups


def _key(entries: Sequence[Entry]) -> str:
    digest = hashlib.sha256()
    for name, content in entries:
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:KEY]


def distinct(names: Sequence[str]) -> list[str]:
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


def _starts(begun: Iterable[tuple[str, str]]) -> tuple[tuple[Start, ...], tuple[Entry, ...]]:
    """What is packed for networks by name and ``init``; all but the first in numbered folders."""
    starts: list[Start] = []
    entries: list[Entry] = []
    for name, init in begun:
        folder = f"{len(starts)}/" if starts else ""
        files = [(folder + file, content) for file, content in _start(name, init)]
        if files:
            starts.append(Start(name, init, files[0][0]))
            entries += files
    return tuple(starts), tuple(entries)


def _start(name: str, init: str) -> tuple[Entry, ...]:
    """The files of the weights to start from, those in half precision first; none of ``none``."""
    if init == weights.NONE:
        return ()
    if Path(init).name == loop.BEST:
        return _earlier(Path(init))
    file = START.format(name=Path(name).name)
    found = _by_name(name, init) if init in weights.BY_NAME else weights.stored(Path(init))
    origin = f"{Path(init).name}\n".encode()
    return (file, torch_files.content(torch_files.halved(found))), (
        file + packed_crops.ORIGIN,
        origin,
    )


def _by_name(name: str, init: str) -> dict[str, Tensor]:
    """Of a network without its last layer, which starts from random weights."""
    network = weights.start(name, 1, backbones.IMAGENET_SIZE, dropout=0.0, init=init)
    last = networks.last_layer(network) + "."
    return {key: value for key, value in network.state_dict().items() if not key.startswith(last)}


def _earlier(best: Path) -> tuple[Entry, ...]:
    """``best.pt`` of a run in half precision, and what its folder says of the run."""
    stored = loop.read_checkpoint(best) if best.is_file() else {}
    if "network" not in stored:
        raise UsageError(str(best), "is no best network of a run", "name best.pt of an earlier run")
    halved = torch_files.content({**stored, "network": torch_files.halved(stored["network"])})
    beside = (best.with_name(name) for name in (runs.CONFIG, loop.METRICS))
    told = ((f"{EARLIER}/{file.name}", file.read_bytes()) for file in beside if file.is_file())
    return (GONE_ON, halved), *told


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


def _write(path: Path, entries: Iterable[Entry], limit: float = math.inf) -> float:
    """Write a file of a pack, whole or not at all; its size in mebibytes.

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
            raise UsageError(
                path.name,
                f"would have {size:.1f} MiB, over {limit:g}",
                "leave photographs out, or raise the limit",
            )
    return size
