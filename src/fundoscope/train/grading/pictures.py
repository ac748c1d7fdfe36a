"""The pictures that a network is trained on, made once and cached.

They are made by :mod:`fundoscope.grading.inputs`, the code that makes them in reading as well.
"""

from __future__ import annotations

import hashlib
import multiprocessing.connection
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from fundoscope.data.manifest import EXCLUDED, Manifest, Row
from fundoscope.errors import FundoscopeError, OutputError, PhotoError, UsageError
from fundoscope.grading import inputs
from fundoscope.grading.inputs import Input
from fundoscope.quoting import encodable
from fundoscope.train.grading import packed_crops
from fundoscope.train.run import refused

MAX_PROCESSES: Final = 8
"""Each may hold a photograph of a hundred megapixels in memory."""
CHUNK: Final = 16
"""Photographs that a process takes at a time."""
KEY_CHARACTERS: Final = 12
MIXED: Final = 1.1
"""Room for native inputs over their area, because their sides are rounded."""
SUFFIX: Final = ".pixels"

Progress = Callable[[int, int], None]
"""Called with the number of photographs that are done, and the number of all."""
Pixels = NDArray[np.uint8]
Maker = Callable[[Path], Pixels | str]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A photograph that cannot be used.

    Attributes:
        image: its path in the table.
        reason: why.
    """

    image: str
    reason: str


class Made(msgspec.Struct, frozen=True):
    """What was made of one photograph.

    Attributes:
        height, width: of its picture, in pixels; 0 where there is none.
        reason: why there is no picture.
    """

    height: int = 0
    width: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Pictures:
    """The pictures of some rows of one table or several.

    Attributes:
        rows: the N rows that have one, in order.
        left_out: the photographs without one.
        pixels: of each row, ``uint8 (H, W, 3)`` RGB; parts of memory-mapped files.
    """

    rows: tuple[Row, ...]
    left_out: tuple[LeftOut, ...]
    pixels: tuple[Pixels, ...]

    def __add__(self, other: Pictures) -> Pictures:
        """These pictures, followed by the others."""
        return Pictures(
            self.rows + other.rows, self.left_out + other.left_out, self.pixels + other.pixels
        )

    @cached_property
    def sides(self) -> NDArray[np.int64]:
        """Height and width of each picture in pixels, ``(N, 2)``."""
        return np.array([picture.shape[:2] for picture in self.pixels], np.int64)

    @cached_property
    def shapes(self) -> NDArray[np.int64]:
        """A number for each picture, from 0, ``(N,)``; pictures of equal sides have the same."""
        _, numbers = np.unique(self.sides, axis=0, return_inverse=True)
        return numbers.reshape(-1).astype(np.int64)

    def take(self, positions: NDArray[np.int64]) -> Pixels:
        """Pictures of one shape, uint8 ``(n, H, W, 3)`` RGB.

        Args:
            positions: ``(n,)`` positions among the pictures.

        Raises:
            ValueError: they are of several shapes.
        """
        return np.stack([self.pixels[position] for position in positions])

    def batches(self, positions: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
        """Indices into ``positions``, in groups of one shape.

        Args:
            positions: ``(n,)`` positions among the pictures.
            size: largest number of pictures in a group.
        """
        shapes = self.shapes[positions]
        for shape in np.unique(shapes):
            same = np.flatnonzero(shapes == shape)
            for start in range(0, len(same), size):
                yield same[start : start + size]

    def of_split(self, split: str) -> NDArray[np.int64]:
        """Positions of the pictures of one split."""
        return np.array([i for i, row in enumerate(self.rows) if row.split == split], np.int64)


def load(
    manifest: Manifest,
    rows: Sequence[Row],
    wanted: Input,
    cache: Path,
    *,
    trusted: bool = False,
    progress: Progress | None = None,
) -> Pictures:
    """The pictures of some rows, read from the cache or made now.

    Each source and split has a file of its own, so that a run without a source, or an export that
    needs validation alone, finds what an earlier run made. The name of a file holds a hash of its
    rows, the input and the code that makes it, so a stale file is never used.

    Args:
        manifest: the table.
        rows: of the table; excluded ones are left out.
        wanted: what is made of a photograph.
        cache: the folder of the cache.
        trusted: whether all photographs are known to show retinas; they are then not checked for
            it.
        progress: a callback for pictures that are not cached.

    Raises:
        UsageError: no photograph of these rows has a field of view, or one cannot be read and may
            be readable another time (:func:`make`).
        FundoscopeError: the system ended a process that made pictures.
        OutputError: the cache cannot be written, or has no room.
    """
    rows = tuple(row for row in rows if row.split != EXCLUDED)
    groups: dict[tuple[str, str], list[int]] = {}
    for place, row in enumerate(rows):
        groups.setdefault((row.source, row.split), []).append(place)
    seen: dict[int, Pixels | str] = {}
    for places in groups.values():
        of_group = [rows[place] for place in places]
        reported = _from(len(seen), len(rows), progress)
        seen |= zip(
            places, _of_group(manifest, of_group, wanted, cache, trusted, reported), strict=True
        )
    kept = [(row, seen[place]) for place, row in enumerate(rows)]
    if not any(not isinstance(picture, str) for _, picture in kept):
        raise UsageError(
            manifest.path.name,
            "has no photograph with a field of view in the splits that are needed",
            "check the column split and the photographs",
        )
    return Pictures(
        tuple(row for row, picture in kept if not isinstance(picture, str)),
        tuple(LeftOut(row.image, why) for row, why in kept if isinstance(why, str)),
        tuple(picture for _, picture in kept if not isinstance(picture, str)),
    )


def _from(done_before: int, count: int, progress: Progress | None) -> Progress | None:
    """The progress of a part of some photographs, as progress of all."""
    return progress and (lambda done, _: progress(done_before + done, count))


def _of_group(
    manifest: Manifest,
    rows: Sequence[Row],
    wanted: Input,
    cache: Path,
    trusted: bool,
    progress: Progress | None,
) -> Iterator[Pixels | str]:
    """The picture of each row out of one file, or why there is none."""
    name = f"{wanted.kind}-{wanted.height}x{wanted.width}-{_key(manifest, rows, wanted, trusted)}"
    stem = cache / name
    made = _listed(stem, len(rows))
    if made is None:
        paths = [manifest.photograph(row) for row in rows]
        made = _build(paths, partial(make, wanted=wanted, trusted=trusted), wanted, stem, progress)
    sides = [(each.height, each.width) for each in made if not each.reason]
    if not sides:
        return (each.reason for each in made)
    content = np.memmap(stem.with_suffix(SUFFIX), np.uint8, "r")
    pictures = iter(parts(content, sides))
    return (each.reason or next(pictures) for each in made)


def parts(content: Pixels, sides: Sequence[tuple[int, int]]) -> tuple[Pixels, ...]:
    """The pictures of a file that holds one behind the other.

    Args:
        content: of the file, uint8 ``(bytes,)``.
        sides: height and width of each picture.

    Returns:
        Views of the content, ``uint8 (H, W, 3)`` RGB each.
    """
    plain = np.asarray(content)  # slices of a memmap are made ten times as slowly
    ends = np.cumsum([3 * height * width for height, width in sides]).tolist()
    return tuple(
        plain[end - 3 * height * width : end].reshape(height, width, 3)
        for end, (height, width) in zip(ends, sides, strict=True)
    )


def make(path: Path, wanted: Input, *, trusted: bool = False) -> Pixels | str:
    """The picture of one photograph, uint8 ``(H, W, 3)``, or why there is none.

    Args:
        path: of the photograph.
        wanted: what is made of it.
        trusted: whether it is known to show a retina; it is then not checked for it.

    Raises:
        UsageError: it may be readable another time: there is too little memory, or no permission,
            or the disk fails.
    """
    try:
        return _made(path, wanted, trusted)
    except (PhotoError, MemoryError) as error:
        return refused.lasting(error, path)


def _made(path: Path, wanted: Input, trusted: bool) -> Pixels | str:
    from fundoscope.photo import decode, field

    if packed_crops.is_crop(path):
        return packed_crops.read(path, wanted)
    photo = decode.decode_file(path, min_side=wanted.decode_side)
    view = field.locate(photo) if trusted else field.find(photo)
    if not view.found:
        return f"no field of view ({view.reason})"
    return inputs.make(photo, view, wanted)


def _key(manifest: Manifest, rows: Sequence[Row], wanted: Input, trusted: bool) -> str:
    """A hash of the rows, the sizes of their files, the input, and the code that makes it of them.

    Without the sizes two folders whose photographs have the same names would share a cache.
    """
    from fundoscope import photo

    mark = "trusted:" if trusted else ""
    digest = hashlib.sha256(f"{manifest.sha256}:{wanted}:{mark}".encode())
    for row in rows:
        size = _size(manifest.photograph(row))
        digest.update(f"{row.image}\0{size}\0".encode("utf-8", "surrogateescape"))
    code = [file for file in Path(photo.__path__[0]).iterdir() if file.is_file()]
    for file in (*sorted(code), Path(inputs.__file__)):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:KEY_CHARACTERS]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        why = f"cannot be read ({error.strerror})"
        raise UsageError(encodable(str(path)), why, "check the disk, then try again") from None


def _listed(stem: Path, count: int) -> list[Made] | None:
    """What an earlier run made of ``count`` rows; ``None`` where that is missing or incomplete."""
    try:
        made = msgspec.json.decode(stem.with_suffix(".json").read_bytes(), type=list[Made])
        length = stem.with_suffix(SUFFIX).stat().st_size
    except (OSError, msgspec.DecodeError):
        return None
    whole = len(made) == count and length == sum(3 * each.height * each.width for each in made)
    return made if whole else None


def _build(
    paths: Sequence[Path], maker: Maker, wanted: Input, stem: Path, progress: Progress | None
) -> list[Made]:
    """Write the pictures that could be made, one behind the other, and then their list."""
    _make_room(stem.parent, round(len(paths) * wanted.height * wanted.width * 3 * MIXED))
    partial_file = stem.with_suffix(f".{os.getpid()}.partial")
    listing = []
    try:
        with partial_file.open("wb") as target:
            for done, picture in enumerate(_pictures(paths, maker), start=1):
                if isinstance(picture, str):
                    listing.append(Made(reason=picture))
                else:
                    listing.append(Made(*picture.shape[:2]))
                    target.write(np.ascontiguousarray(picture).data)
                if progress is not None:
                    progress(done, len(paths))
        partial_file.replace(stem.with_suffix(SUFFIX))
        # The list is written last: where it exists, the pictures are complete.
        partial_file.write_bytes(msgspec.json.encode(listing))
        partial_file.replace(stem.with_suffix(".json"))
    except OSError as error:
        raise _unwritable(stem.parent, error) from None
    finally:
        partial_file.unlink(missing_ok=True)
    return listing


def _make_room(folder: Path, needed: int) -> None:
    """Make the cache's folder and check that it has room."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise _unwritable(folder, error) from None
    if free < needed:
        raise OutputError(
            str(folder),
            f"has {free / 1e9:.1f} GB free, and the pictures need {needed / 1e9:.1f}",
            "free some space, or name another cache folder",
        )


def _unwritable(folder: Path, error: OSError) -> OutputError:
    return OutputError(
        str(folder), f"cannot be written ({error.strerror})", "name another cache folder"
    )


def _pictures(paths: Sequence[Path], maker: Maker) -> Iterator[Pixels | str]:
    processes = min(MAX_PROCESSES, os.cpu_count() or 1)
    if len(paths) <= CHUNK or processes == 1:
        yield from map(maker, paths)
        return
    try:
        with ProcessPoolExecutor(processes, initializer=_end_with_parent) as pool:
            yield from pool.map(maker, paths, chunksize=CHUNK)
    except BrokenProcessPool:
        raise FundoscopeError(
            "the making of pictures",
            "was ended by the system, most likely for want of memory",
            "close other programs, then start again",
        ) from None


def _end_with_parent() -> None:
    """End this process of the pool when the process that started it is killed.

    Otherwise it would wait for work for ever.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_wait_and_leave, args=(parent.sentinel,), daemon=True).start()


def _wait_and_leave(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)
