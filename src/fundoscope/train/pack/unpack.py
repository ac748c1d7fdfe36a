"""Opening a pack of :mod:`fundoscope.train.pack.pack`: a configuration that reads its files.

A pack is unpacked once, into a folder of the cache that is named after its content. After that,
training reads its tables, annotations, pictures and weights as any others.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from fundoscope import limits
from fundoscope.compression import LZMA_ERRORS
from fundoscope.errors import OutputError, UsageError
from fundoscope.grading.inputs import CROP
from fundoscope.train.detection import config as detector_config
from fundoscope.train.detection.config import DetectorConfig
from fundoscope.train.grading import config as grader_config
from fundoscope.train.grading.config import GraderConfig
from fundoscope.train.networks import weights
from fundoscope.train.pack.contents import (
    ANNOTATIONS,
    CONTENTS,
    DETECTOR,
    GRADER,
    MASKS,
    PART,
    PHOTOGRAPHS,
    TRAIN_LIST,
    VAL_LIST,
    VERSION,
    Contents,
    Part,
    part,
)
from fundoscope.train.run.settings import sides

KEY: Final = 12
"""Hexadecimal digits of a folder's name in the cache."""
UNREADABLE: Final[tuple[type[Exception], ...]] = (
    EOFError,
    IndexError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
    *LZMA_ERRORS,
)
"""What zipfile raises on damaged files."""
NOT_JSON: Final = (msgspec.MsgspecError, OverflowError, RecursionError, ValueError)
"""What msgspec raises at wrong JSON. ValueError: not UTF-8, or a number of thousands of digits."""

NOT_OPENED: Final[tuple[type[Exception], ...]] = (*UNREADABLE, OSError)
NOT_A_PART: Final[tuple[type[Exception], ...]] = (*UNREADABLE, KeyError, *NOT_JSON)


class Label(msgspec.Struct, frozen=True):
    """The part of ``pack.json`` that packs of all versions have."""

    task: str
    version: int


def is_pack(path: Path) -> bool:
    """Whether a file is a pack, by its content."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return CONTENTS in archive.namelist()
    except NOT_OPENED:
        return False


def grader(config: GraderConfig, pack: Path) -> GraderConfig:
    """The configuration of a grader with the tables and the starting weights of a pack.

    Args:
        config: all other settings stay, ``data.without``, ``shown`` and ``sample`` among them.
        pack: the file.

    Raises:
        UsageError: the file is not a pack of a grader, or is one of another network or of smaller
            crops.
        OutputError: the cache cannot be written.
    """
    folder, contents = _opened(pack, Path(config.data.cache), GRADER)
    if not contents.tables or len(contents.tables) != len(contents.files):
        raise _damaged(pack, ValueError())
    size = config.data.crop_size
    if max(sides(size)) > contents.side:
        raise UsageError(
            f"{pack.name}, crops of {contents.side} px",
            f"are smaller than data.crop_size = {size}",
            "lower it, or pack again",
        )
    if config.data.only_aspect is not None or config.data.input != CROP:
        raise UsageError(
            pack.name,
            "holds square crops of the field",
            f'take data.input = "{CROP}", and leave data.only_aspect out',
        )
    manifest, *further = contents.files
    also = _chosen(config.data.also, dict(zip(contents.tables[1:], further, strict=True)), pack)
    name = config.network.name
    return grader_config.replaced(
        config,
        network={"init": _init(config.network.init, name, folder, contents, pack)},
        data={
            "manifest": str(folder / manifest),
            "also": tuple(str(folder / table) for table in also),
        },
    )


def _chosen(wanted: Sequence[str], packed: Mapping[str, str], pack: Path) -> Iterator[str]:
    """The files of the further tables that a configuration names."""
    for table in wanted:
        if Path(table).stem not in packed:
            why = f"lacks the table {Path(table).stem} of data.also"
            raise UsageError(pack.name, why, "pack again with that table")
        yield packed[Path(table).stem]


def detector(config: DetectorConfig, pack: Path) -> DetectorConfig:
    """The configuration of a detector with the photographs and the starting weights of a pack.

    Args:
        config: all other settings stay.
        pack: the file.

    Raises:
        UsageError: the file is not a pack of a detector, or is one of another network.
        OutputError: the cache cannot be written.
    """
    folder, contents = _opened(pack, Path(config.data.cache), DETECTOR)
    masks = folder / MASKS
    start, init = config.start, weights.NONE
    if start and contents.start:
        start = str(folder / contents.start)
    if not start:
        init = _init(config.backbone.init, config.backbone.name, folder, contents, pack)
    return detector_config.replaced(
        detector_config.on_other_data(config, folder / ANNOTATIONS),
        backbone={"init": init},
        data={
            "images": str(folder / PHOTOGRAPHS),
            "train": str(folder / TRAIN_LIST),
            "val": str(folder / VAL_LIST),
            "validation": 0,
            "masks": str(masks) if config.data.masks and masks.is_dir() else None,
        },
        start=start,
        healthy=config.healthy,
        partial=config.partial,
    )


def _init(wanted: str, name: str, folder: Path, contents: Contents, pack: Path) -> str:
    """What the network starts from: the pack's weights where their origin is the wanted one."""
    packed = {start.network: start.file for start in contents.starts if start.origin == wanted}
    if not packed:
        return wanted
    if name not in packed:
        raise UsageError(
            f"{pack.name}, weights of {', '.join(packed)}",
            f"are not those of {name}",
            "pack again with this configuration, or name others with --init",
        )
    return str(folder / packed[name])


def _opened(pack: Path, cache: Path, task: str) -> tuple[Path, Contents]:
    """The folder of a pack's files in the cache, and its contents."""
    folder = cache / f"pack-{_key(pack)}"
    if not folder.is_dir():
        _unpack(pack, folder)
    try:
        said = (folder / CONTENTS).read_bytes()
        label = msgspec.json.decode(said, type=Label)
        if label.version != VERSION or label.task != task:
            raise UsageError(
                pack.name,
                f"is a pack of a {label.task}, version {label.version}",
                f"name a pack of a {task}, version {VERSION}",
            )
        contents = msgspec.json.decode(said, type=Contents)
    except (OSError, *NOT_JSON) as error:
        raise _damaged(pack, error) from None
    return folder, contents


def _key(pack: Path) -> str:
    with pack.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:KEY]


def _unpack(pack: Path, folder: Path) -> None:
    """Write all files of a pack; the folder is complete or does not exist."""
    waiting = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    try:
        waiting.mkdir(parents=True)
        _extract(pack, waiting)
        for file in _further(pack, waiting):
            _extract(file, waiting)
        waiting.rename(folder)
    except OSError as error:
        if not folder.is_dir():  # else another run was faster
            raise OutputError(
                str(folder), f"cannot be written ({error.strerror})", "free some space"
            ) from None
    finally:
        shutil.rmtree(waiting, ignore_errors=True)


def _extract(pack: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(pack) as archive:
            _require_harmless(archive, pack)
            archive.extractall(folder)
    except UNREADABLE as error:
        raise _damaged(pack, error) from None


def _further(pack: Path, folder: Path) -> Iterator[Path]:
    """The other parts of a pack whose first part is unpacked into a folder."""
    try:
        contents = msgspec.json.decode((folder / CONTENTS).read_bytes(), type=Contents)
    except (OSError, *NOT_JSON):
        return  # reported when the folder is read
    for number in range(2, contents.parts + 1):
        file = part(pack, number)
        if not file.is_file():
            raise UsageError(
                pack.name,
                f"is part 1 of {contents.parts}, and {file.name} is missing",
                "put all parts into one folder",
            )
        try:
            with zipfile.ZipFile(file) as archive:
                said = msgspec.json.decode(archive.read(PART), type=Part)
        except NOT_A_PART as error:
            raise _damaged(file, error) from None
        if said != Part(contents.key, number):
            raise UsageError(file.name, f"does not belong to {pack.name}", "pack again")
        yield file


def _require_harmless(archive: zipfile.ZipFile, pack: Path) -> None:
    """Reject names that lead out of the folder, and more bytes than ``limits.MAX_PACK_BYTES``."""
    for info in archive.infolist():
        path = PurePosixPath(info.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in info.filename:
            raise UsageError(
                pack.name,
                f"holds the name {info.filename!r}, which leads out of its folder",
                "pack again",
            )
    if sum(info.file_size for info in archive.infolist()) > limits.MAX_PACK_BYTES:
        raise UsageError(
            pack.name, f"has more than {limits.MAX_PACK_BYTES} bytes unpacked", "make a smaller one"
        )


def _damaged(pack: Path, error: Exception) -> UsageError:
    return UsageError(pack.name, f"is damaged ({type(error).__name__})", "pack again")
