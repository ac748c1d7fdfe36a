"""Opening a pack of :mod:`fundoscope.train.pack.pack`: a configuration that reads what lies in it.

A pack is unpacked once, into a folder of the cache that is named after its content. From there on
training reads its tables, annotations, pictures and weights as any others: there is no second way
to train.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from fundoscope.errors import OutputError, UsageError
from fundoscope.grading.inputs import CROP
from fundoscope.train.detection import config as detector_config
from fundoscope.train.detection.config import DetectorConfig
from fundoscope.train.grading import config as grader_config
from fundoscope.train.grading.config import GraderConfig
from fundoscope.train.networks import weights
from fundoscope.train.pack.pack import (
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
MOST_BYTES: Final = 4 * 2**30
"""Of all files of a pack: a hundred times what one may have as a rule."""
UNREADABLE: Final = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)
"""What zipfile raises at files that are damaged."""


class Label(msgspec.Struct, frozen=True):
    """What packs of all versions say of themselves."""

    task: str
    version: int


def is_pack(path: Path) -> bool:
    """Whether a file is a pack, by its content."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return CONTENTS in archive.namelist()
    except (*UNREADABLE, OSError):
        return False


def grader(config: GraderConfig, pack: Path) -> GraderConfig:
    """The configuration of a grader with the tables and the starting weights of a pack.

    Args:
        config: its other settings count; of ``data.without``, ``shown`` and ``sample`` too.
        pack: the file.

    Raises:
        UsageError: it is no pack of a grader, of another network, or of smaller crops.
        OutputError: the cache cannot be written.
    """
    folder, contents = _opened(pack, Path(config.data.cache), GRADER)
    if not contents.tables:
        raise _damaged(pack, ValueError())
    size = config.data.crop_size
    if max(sides(size)) > contents.side:
        raise UsageError(
            f"{pack.name}, crops of {contents.side} px",
            f"are smaller than data.crop_size = {size}",
            "lower it, or pack anew",
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
    """The files of the further tables that a configuration names, by what those are called."""
    for table in wanted:
        if Path(table).stem not in packed:
            raise UsageError(
                pack.name, f"holds no further table {Path(table).stem}", "pack anew, with it"
            )
        yield packed[Path(table).stem]


def detector(config: DetectorConfig, pack: Path) -> DetectorConfig:
    """The configuration of a detector with the photographs and the starting weights of a pack.

    Args:
        config: its other settings count.
        pack: the file.

    Raises:
        UsageError: it is no pack of a detector, or of another network.
        OutputError: the cache cannot be written.
    """
    folder, contents = _opened(pack, Path(config.data.cache), DETECTOR)
    there = folder / MASKS
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
            "masks": str(there) if config.data.masks and there.is_dir() else None,
        },
        start=start,
    )


def _init(wanted: str, name: str, folder: Path, contents: Contents, pack: Path) -> str:
    """What the network starts from: the pack's weights where it is to start from what they are."""
    packed = {start.network: start.file for start in contents.starts if start.origin == wanted}
    if not packed:
        return wanted
    if name not in packed:
        raise UsageError(
            f"{pack.name}, weights of {', '.join(packed)}",
            f"are not those of {name}",
            "pack anew with this configuration, or name others with --init",
        )
    return str(folder / packed[name])


def _opened(pack: Path, cache: Path, task: str) -> tuple[Path, Contents]:
    """The folder of a pack's files in the cache, and what it says of itself."""
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
    except (OSError, msgspec.DecodeError) as error:
        raise _damaged(pack, error) from None
    return folder, contents


def _key(pack: Path) -> str:
    with pack.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:KEY]


def _unpack(pack: Path, folder: Path) -> None:
    """Write all files of a pack, so that the folder is there whole or not at all."""
    waiting = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    try:
        waiting.mkdir(parents=True)
        _extract(pack, waiting)
        for file in _further(pack, waiting):
            _extract(file, waiting)
        waiting.rename(folder)
    except OSError as error:
        if not folder.is_dir():  # else another run was quicker
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
    """The other parts of a pack, of which the first is unpacked into a folder."""
    try:
        contents = msgspec.json.decode((folder / CONTENTS).read_bytes(), type=Contents)
    except (OSError, msgspec.DecodeError):
        return  # it is told when the folder is read
    for number in range(2, contents.parts + 1):
        file = part(pack, number)
        if not file.is_file():
            raise UsageError(
                pack.name,
                f"is the first of {contents.parts} files, and {file.name} is not beside it",
                "bring it too",
            )
        try:
            with zipfile.ZipFile(file) as archive:
                said = msgspec.json.decode(archive.read(PART), type=Part)
        except (*UNREADABLE, KeyError, msgspec.DecodeError) as error:
            raise _damaged(file, error) from None
        if said != Part(contents.key, number):
            raise UsageError(file.name, f"is of another pack than {pack.name}", "pack anew")
        yield file


def _require_harmless(archive: zipfile.ZipFile, pack: Path) -> None:
    """Refuse names that lead out of the folder, and more than a disk should get."""
    for info in archive.infolist():
        path = PurePosixPath(info.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in info.filename:
            raise UsageError(
                pack.name, f"holds the name {info.filename!r}", "take it from who made it"
            )
    if sum(info.file_size for info in archive.infolist()) > MOST_BYTES:
        raise UsageError(
            pack.name, f"has more than {MOST_BYTES} bytes unpacked", "make a smaller one"
        )


def _damaged(pack: Path, error: Exception) -> UsageError:
    return UsageError(pack.name, f"is damaged ({type(error).__name__})", "pack anew")
