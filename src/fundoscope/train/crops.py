"""Field-of-view crops of all photographs of a manifest, made once and kept in one array file.

They come from :mod:`fundoscope.photo.field` itself, so that what trains is what serves.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from fundoscope.data.manifest import EXCLUDED, Manifest, Row
from fundoscope.errors import OutputError, PhotoError, UsageError

MAX_PROCESSES: Final = 2
CHUNK: Final = 16
"""Photographs that a process takes at a time."""
KEY_CHARACTERS: Final = 12

Progress = Callable[[int, int], None]
"""Called with how many photographs are done and how many there are."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A photograph that cannot be trained on, and why."""

    image: str
    reason: str


@dataclass(frozen=True, slots=True)
class Crops:
    """The crops of a manifest.

    Attributes:
        pixels: uint8 ``(N, S, S, 3)`` RGB, memory-mapped, black outside of the retina.
        rows: the N rows of the manifest that they show, in order.
        left_out: the photographs without a crop.
    """

    pixels: NDArray[np.uint8]
    rows: tuple[Row, ...]
    left_out: tuple[LeftOut, ...]

    def of_split(self, split: str) -> NDArray[np.int64]:
        """Positions of the crops of one split."""
        return np.array([i for i, row in enumerate(self.rows) if row.split == split], np.int64)


def load(
    manifest: Manifest,
    size: int,
    cache: Path,
    *,
    splits: Sequence[str],
    progress: Progress | None = None,
) -> Crops:
    """The crops of some splits, from the cache or made now.

    The cache's name holds a hash of the manifest, the size, the splits and the code that makes a
    crop, so a stale one is never used.

    Raises:
        UsageError: no photograph of these splits could be cropped.
        OutputError: the cache has no room for them.
    """
    rows = tuple(r for r in manifest.rows if r.split in splits and r.split != EXCLUDED)
    stem = cache / f"crops-{size}-{_key(manifest, size, splits)}"
    listing = stem.with_suffix(".json")
    if not listing.is_file():
        _build(manifest, rows, size, stem, progress)
    reasons: list[str | None] = msgspec.json.decode(listing.read_bytes(), type=list[str | None])
    kept = np.array([reason is None for reason in reasons])
    if not kept.any():
        raise UsageError(
            manifest.path.name,
            f"has no photograph with a field of view in split {', '.join(splits)}",
            "check the column split and the photographs",
        )
    return Crops(
        np.load(stem.with_suffix(".npy"), mmap_mode="r")[: kept.sum()],
        tuple(row for row, keep in zip(rows, kept, strict=True) if keep),
        tuple(
            LeftOut(row.image, reason)
            for row, reason in zip(rows, reasons, strict=True)
            if reason is not None
        ),
    )


def crop_file(path: Path, size: int) -> NDArray[np.uint8] | str:
    """The crop of one photograph, uint8 ``(size, size, 3)``, or why there is none."""
    from fundoscope.photo import decode, field

    try:
        photo = decode.decode_file(path, min_side=field.decode_side(size))
    except PhotoError as error:
        return error.why
    view = field.find(photo)
    if not view.found:
        return f"no field of view ({view.reason})"
    return field.crop(photo, view, size)


def _key(manifest: Manifest, size: int, splits: Sequence[str]) -> str:
    """A hash of the table, the size, the splits, and the code that decodes and finds the field."""
    from fundoscope import photo

    digest = hashlib.sha256(f"{manifest.sha256}:{size}:{','.join(splits)}".encode())
    for file in sorted(Path(photo.__path__[0]).iterdir()):
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()[:KEY_CHARACTERS]


def _build(
    manifest: Manifest, rows: Sequence[Row], size: int, stem: Path, progress: Progress | None
) -> None:
    """Write the crops that could be made one behind the other, then the list of reasons."""
    _make_room(stem.parent, len(rows) * size * size * 3)
    partial_file = stem.with_suffix(f".{os.getpid()}.partial")
    try:
        target = np.lib.format.open_memmap(
            partial_file, mode="w+", dtype=np.uint8, shape=(len(rows), size, size, 3)
        )
        paths = [manifest.photograph(row) for row in rows]
        reasons = _fill(target, _crops(paths, size), progress)
        target.flush()
        partial_file.replace(stem.with_suffix(".npy"))
    finally:
        partial_file.unlink(missing_ok=True)
    # The list is written last: it says that the array is whole.
    stem.with_suffix(".json").write_bytes(msgspec.json.encode(reasons))


def _fill(
    target: NDArray[np.uint8],
    found: Iterator[NDArray[np.uint8] | str],
    progress: Progress | None,
) -> list[str | None]:
    """Put the crops into the target; of each photograph, why it has none, or ``None``."""
    reasons: list[str | None] = []
    position = 0
    for done, crop in enumerate(found, start=1):
        reasons.append(crop if isinstance(crop, str) else None)
        if not isinstance(crop, str):
            target[position] = crop
            position += 1
        if progress is not None:
            progress(done, len(target))
    return reasons


def _make_room(folder: Path, needed: int) -> None:
    """Make the cache's folder and see that it has room: a mapped file on a full disk is fatal."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise OutputError(
            str(folder), f"cannot be made ({error.strerror})", "name another cache folder"
        ) from None
    if free < needed:
        raise OutputError(
            str(folder),
            f"has {free / 1e9:.1f} GB free, and the crops need {needed / 1e9:.1f}",
            "free some space, or name another cache folder",
        )


def _crops(paths: Sequence[Path], size: int) -> Iterator[NDArray[np.uint8] | str]:
    make = partial(crop_file, size=size)
    processes = min(MAX_PROCESSES, os.cpu_count() or 1)
    if len(paths) <= CHUNK or processes == 1:
        yield from map(make, paths)
        return
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(make, paths, chunksize=CHUNK)
