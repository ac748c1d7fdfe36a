"""The features of photographs, their degraded copies and other pictures, for fitting the judge.

They are cached in a folder part by part, so that an interrupted run goes on where it was.
"""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fundoscope import phantom
from fundoscope.calibrate.judging.degrade import FAULTS, degraded
from fundoscope.data.manifest import Row
from fundoscope.errors import PhotoError
from fundoscope.grading import grader as graders
from fundoscope.grading import inputs
from fundoscope.grading.grader import Grader
from fundoscope.grading.judge import Seen
from fundoscope.phantom import impostors, variety
from fundoscope.photo import field, sources
from fundoscope.photo.decode import Photo, Pixels
from fundoscope.reading import FieldOfView

PART: Final = 50
"""Photographs of a cached part."""
BATCH: Final = 16
GENUINE: Final = "genuine"
STORED: Final = "stored"
STRONG, SLIGHT = "strong", "slight"
"""Kinds of copies: the photograph itself; stored at another size and quality; with a fault."""
SLIGHT_EVERY: Final = 3
"""Each photograph has a copy with a strong fault; one of so many also has one with a slight one."""
STORED_EVERY: Final = 6
"""One photograph of so many is also stored in another way."""
SIDES: Final = (300, 450, 640)
QUALITIES: Final = (50, 70, 85, 95)
"""Longer sides in pixels and JPEG qualities of the copies that are stored in another way."""
CIRCLE_SIDE: Final = 512
CIRCLE_MARGIN: Final = 0.06
"""Side of the square in which a picture is shown in a circle, and the black margin around it."""
TINT: Final = (1.0, 0.45, 0.2)
"""Factors of red, green and blue in a picture that is tinted like a retina."""
BLUR: Final = 6
AS_IT_IS, CIRCLE, TINTED, BLURRED = "as it is", "circle", "tinted", "blurred"
SHOWN: Final = (AS_IT_IS, CIRCLE, TINTED, BLURRED)
"""How a picture of something else is shown."""
DRAWN: Final = "drawn"
PHANTOMS, PHANTOM_SEED = 240, 31
"""Drawn eyes from which those of the fit are taken, and the seed of these and of the drawn pictures
that are not eyes."""
PHANTOM_SIDE: Final = 800
"""Longest side in pixels of a drawn eye; larger ones take long and look the same."""
PICTURES: Final = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True, slots=True)
class Measured:
    """Features of N squares.

    Attributes:
        features: ``float16 (N, K)``.
        stages: ``float16 (N, S)``.
        place: ``int64 (N,)``, which photograph each square shows.
        kind: N texts: how the photograph is shown, e.g. ``"genuine"`` or ``"strong blur"``.
    """

    features: NDArray[np.float16]
    stages: NDArray[np.float16]
    place: NDArray[np.int64]
    kind: NDArray[np.str_]

    @property
    def seen(self) -> Seen:
        """What the judge takes."""
        single = np.float32
        return Seen(self.features.astype(single), self.stages.astype(single))


Copies = Iterator[tuple[str, Pixels]]
Progress = Callable[[], None]


def of_rows(
    grader: Grader,
    rows: Sequence[Row],
    paths: Sequence[Path],
    cache: Path,
    *,
    progress: Progress = lambda: None,
) -> Measured:
    """The features of photographs and of their copies.

    Args:
        grader: whose network has features.
        rows: of the photographs.
        paths: of their files.
        cache: folder of the parts; created if it does not exist.
        progress: called after each photograph.
    """

    def copies(number: int) -> Copies:
        random = np.random.default_rng(_seed(rows[number].image))
        return _of_photograph(grader, paths[number], random)

    names = [row.image for row in rows]
    return _measured(grader, names, copies, cache, progress)


def of_pictures(
    grader: Grader, paths: Sequence[Path], cache: Path, *, progress: Progress = lambda: None
) -> Measured:
    """The features of pictures of something else, shown in each way of :data:`SHOWN`.

    Pictures in which no field of view is located need no judge; they have no features.
    """

    def copies(number: int) -> Copies:
        return _of_picture(grader, paths[number])

    return _measured(grader, [path.name for path in paths], copies, cache, progress)


def of_phantoms(grader: Grader, cache: Path) -> Measured:
    """The features of drawn eyes, so that an installation can be tested with them."""
    specs = [
        spec
        for spec in variety.specimens(PHANTOMS, PHANTOM_SEED)
        if max(spec.width, spec.height) <= PHANTOM_SIDE and "grey" not in spec.shape
    ]

    def copies(number: int) -> Copies:
        return _drawn(grader, GENUINE, phantom.draw(specs[number])[0])

    names = [f"phantom {PHANTOM_SEED} {number}" for number in range(len(specs))]
    return _measured(grader, names, copies, cache, lambda: None)


def of_impostors(grader: Grader, cache: Path) -> Measured:
    """The features of drawn pictures that are not eyes."""
    drawn = list(impostors.made(PHANTOM_SEED))

    def copies(number: int) -> Copies:
        return _drawn(grader, DRAWN, drawn[number][1])

    names = [f"impostor {PHANTOM_SEED} {name}" for name, _ in drawn]
    return _measured(grader, names, copies, cache, lambda: None)


def _drawn(grader: Grader, kind: str, pixels: Pixels) -> Copies:
    photo = sources.photo(sources.content(pixels), min_side=grader.input.decode_side)
    square = located(photo, grader.input)
    if square is not None:
        yield kind, square


def together(*parts: Measured) -> Measured:
    """Features of several sets, one after the other; places count on."""
    offsets = np.cumsum([0, *(int(part.place.max(initial=-1)) + 1 for part in parts)])
    return Measured(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.stages for part in parts]),
        np.concatenate([part.place + offset for part, offset in zip(parts, offsets, strict=False)]),
        np.concatenate([part.kind for part in parts]),
    )


def pictures_in(folder: Path, most: int | None = None) -> list[Path]:
    """The pictures in a folder and its subfolders, in the order of their names.

    Args:
        folder: where to look.
        most: how many of each subfolder are taken; all by default.
    """
    taken = Counter[Path]()
    paths = []
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES):
        if most is None or taken[path.parent] < most:
            taken[path.parent] += 1
            paths.append(path)
    return paths


def chosen(rows: Sequence[Row], most: int | None) -> list[Row]:
    """All photographs of sources with ungradable ones, some of each other source, in random order.

    Args:
        rows: of all photographs.
        most: how many of each other source; all by default.
    """
    whole = {row.source for row in rows if row.gradable is False}
    taken = Counter[str]()
    rest = []
    for row in sorted(rows, key=lambda row: _seed(row.image)):
        taken[row.source] += 1
        if row.source in whole or most is None or taken[row.source] <= most:
            rest.append(row)
    return rest


def _measured(
    grader: Grader,
    names: Sequence[str],
    copies: Callable[[int], Copies],
    cache: Path,
    progress: Progress,
) -> Measured:
    cache.mkdir(parents=True, exist_ok=True)
    parts = []
    for first in range(0, len(names), PART):
        numbers = range(first, min(first + PART, len(names)))
        key = "\n".join((grader.manifest.model_sha256, *(names[n] for n in numbers)))
        path = cache / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"
        if not path.exists():
            part = _part(grader, numbers, copies, progress)
            temporary = path.with_suffix(".tmp.npz")
            np.savez(
                temporary,
                features=part.features,
                stages=part.stages,
                place=part.place,
                kind=part.kind,
            )
            temporary.replace(path)
        with np.load(path, allow_pickle=False) as kept:
            parts.append(
                Measured(
                    kept["features"],
                    kept["stages"],
                    kept["place"] + first,
                    kept["kind"],
                )
            )
    return Measured(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.stages for part in parts]),
        np.concatenate([part.place for part in parts]),
        np.concatenate([part.kind for part in parts]),
    )


def _part(
    grader: Grader, numbers: Sequence[int], copies: Callable[[int], Copies], progress: Progress
) -> Measured:
    seen, places, kinds = list[Seen](), [], []
    waiting = list[Pixels]()
    for number in numbers:
        for kind, square in copies(number):
            places.append(number - numbers[0])
            kinds.append(kind)
            waiting.append(square)
            if len(waiting) == BATCH:
                seen.append(graders.see(grader, np.stack(waiting))[1])
                waiting = []
        progress()
    square = np.zeros((1, grader.input.height, grader.input.width, 3), np.uint8)
    seen.append(graders.see(grader, np.stack(waiting) if waiting else square)[1])
    count, half = len(places), np.float16
    return Measured(
        np.concatenate([each.features for each in seen])[:count].astype(half),
        np.concatenate([each.stages for each in seen])[:count].astype(half),
        np.array(places, np.int64),
        np.array(kinds, np.str_),
    )


def _of_photograph(grader: Grader, path: Path, random: np.random.Generator) -> Copies:
    """A photograph's own square and those of its copies; none where no field is located."""
    try:
        square = square_of(grader, path.read_bytes())
    except PhotoError:
        return
    if square is None:
        return
    yield GENUINE, square
    names = list(FAULTS)
    name = names[random.integers(len(names))]
    yield f"{STRONG} {name}", degraded(square, name, FAULTS[name].strong, random)
    if random.integers(SLIGHT_EVERY) == 0:
        name = names[random.integers(len(names))]
        yield f"{SLIGHT} {name}", degraded(square, name, FAULTS[name].slight, random)
    if random.integers(STORED_EVERY) == 0:
        other = square_of(grader, stored_otherwise(path, random))
        if other is not None:
            yield STORED, other


def square_of(grader: Grader, content: bytes) -> Pixels | None:
    """The grader's input of a photograph's bytes; ``None`` where no field is located."""
    photo = sources.photo(sources.content(content), min_side=grader.input.decode_side)
    return located(photo, grader.input)


def located(photo: Photo, wanted: inputs.Input) -> Pixels | None:
    """The grader's input of a photograph, whatever it shows; ``None`` without a disc."""
    fov: FieldOfView = field.locate(photo)
    return inputs.make(photo, fov, wanted) if fov.found else None


def stored_otherwise(path: Path, random: np.random.Generator) -> bytes:
    """A photograph as a JPEG file of another size and quality."""
    side, quality = int(random.choice(SIDES)), int(random.choice(QUALITIES))
    with Image.open(path) as picture:
        return stored_at(picture.convert("RGB"), side, quality)


def stored_at(picture: Image.Image, side: int, quality: int) -> bytes:
    """A picture as a JPEG file whose longer side has at most ``side`` pixels."""
    small = picture.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    small.save(content, "JPEG", quality=quality)
    return content.getvalue()


def _of_picture(grader: Grader, path: Path) -> Copies:
    try:
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError):
        return
    for way in SHOWN:
        try:
            yield from _drawn(grader, way, np.asarray(shown_as(picture, way)))
        except PhotoError:  # such as a narrow banner
            continue


def shown_as(picture: Image.Image, way: str) -> Image.Image:
    """A picture of something else, shown in one of the ways of :data:`SHOWN`."""
    if way == AS_IT_IS:
        small = picture.copy()
        small.thumbnail((CIRCLE_SIDE, CIRCLE_SIDE))
        return small
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    box = (left, top, left + side, top + side)
    square = np.asarray(picture.resize((CIRCLE_SIDE, CIRCLE_SIDE), box=box), np.float64)
    if way == BLURRED:
        small_side = CIRCLE_SIDE // BLUR
        small = Image.fromarray(square.astype(np.uint8)).resize((small_side, small_side))
        square = np.asarray(small.resize((CIRCLE_SIDE, CIRCLE_SIDE)), np.float64)
    if way in (TINTED, BLURRED):
        square = square.mean(axis=2, keepdims=True) * 0.5 + square * 0.5
        square = square * np.array(TINT)
    axis = (np.arange(CIRCLE_SIDE) + 0.5) * (2 / CIRCLE_SIDE) - 1
    square = square * (np.hypot(axis[:, None], axis) < 1 - CIRCLE_MARGIN)[..., None]
    return Image.fromarray(np.clip(square, 0, 255).astype(np.uint8))


def _seed(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
