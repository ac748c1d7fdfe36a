"""The features of photographs, their degraded copies and other pictures, for fitting the judge."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from fundoscope import phantom
from fundoscope.calibrate.judging import slides
from fundoscope.calibrate.judging.degrade import FAULTS, degraded
from fundoscope.calibrate.judging.measured import Copies, Measured, Progress, measure
from fundoscope.calibrate.versions import version
from fundoscope.data.manifest import Row
from fundoscope.errors import PhotoError
from fundoscope.grading import inputs
from fundoscope.grading.grader import Grader
from fundoscope.phantom import impostors, variety
from fundoscope.photo import decode, field, sources
from fundoscope.photo.decode import Photo, Pixels
from fundoscope.photo.reasons import NO_FIELD, OTHERWISE
from fundoscope.photo.refusals import PASSING
from fundoscope.quoting import encodable
from fundoscope.reading import FieldOfView

GENUINE: Final = "genuine"
STORED: Final = "stored"
SLIDE: Final = "slide"
STRONG, SLIGHT = "strong", "slight"
"""Kinds of copies: the photograph itself; stored at another size and quality; as a scanned slide;
with a fault."""
SLIGHT_EVERY: Final = 3
"""Each photograph has a copy with a strong fault; one in this number also has a slight one."""
STORED_EVERY: Final = 6
"""One photograph in this number is also stored in another way."""
SLIDE_EVERY: Final = 4
"""One photograph, or drawn eye, in this number is also shown as a slide."""
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
UNREADABLE: Final = "unreadable"
PICTURES: Final = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True, slots=True)
class Lacking:
    """A photograph without features.

    Attributes:
        row: of the label table.
        reason, remedy: why it has none, two halves of a sentence.
        opened: whether it could be read, and no field of view is located.
    """

    row: Row
    reason: str
    remedy: str
    opened: bool


def lacking(
    grader: Grader, rows: Sequence[Row], paths: Sequence[Path], measured: Measured
) -> list[Lacking]:
    """The photographs that :func:`of_rows` has no features of, in their order.

    Args:
        grader: as for :func:`of_rows`, and so are rows and paths.
        rows: of the photographs.
        paths: of their files.
        measured: what it returned.
    """
    missing = sorted(set(range(len(rows))) - set(measured.place.tolist()))
    return [Lacking(rows[number], *_why_lacking(grader, paths[number])) for number in missing]


def _why_lacking(grader: Grader, path: Path) -> tuple[str, str, bool]:
    try:
        photo = sources.photo(sources.content(path), min_side=grader.input.decode_side)
    except PhotoError as error:
        return error.why, error.remedy, False
    return *NO_FIELD.get(field.locate(photo).reason or "", OTHERWISE), True


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

    names = [f"{row.image} {version(path)}" for row, path in zip(rows, paths, strict=True)]
    return measure(grader, names, copies, cache, progress)


def of_slides(
    grader: Grader,
    rows: Sequence[Row],
    paths: Sequence[Path],
    cache: Path,
    *,
    progress: Progress = lambda: None,
) -> Measured:
    """The features of one photograph of :data:`SLIDE_EVERY`, shown as a slide.

    Args:
        grader: as for :func:`of_rows`, and so are the others.
        rows: of all photographs, so that places are those of :func:`of_rows`.
        paths: likewise.
        cache: folder of the parts, another one than for :func:`of_rows`.
        progress: called after each photograph.
    """

    def copies(number: int) -> Copies:
        if number % SLIDE_EVERY == 0:
            random = np.random.default_rng(_seed(rows[number].image))
            yield from _slide_of(grader, paths[number], random)

    names = [f"{SLIDE} {row.image} {version(path)}" for row, path in zip(rows, paths, strict=True)]
    return measure(grader, names, copies, cache, progress)


def of_pictures(
    grader: Grader, paths: Sequence[Path], cache: Path, *, progress: Progress = lambda: None
) -> Measured:
    """The features of pictures of something else, shown in each way of :data:`SHOWN`.

    Pictures in which no field of view is located need no judge; they have no features.

    Raises:
        PhotoError: the disk fails; the picture would be missing from the cache for good.
    """

    def copies(number: int) -> Copies:
        return _of_picture(grader, paths[number])

    return measure(grader, [version(path) for path in paths], copies, cache, progress)


def of_phantoms(grader: Grader, cache: Path) -> Measured:
    """The features of drawn eyes and slides, so that an installation can be tested with them."""
    specs = [
        spec
        for spec in variety.specimens(PHANTOMS, PHANTOM_SEED)
        if max(spec.width, spec.height) <= PHANTOM_SIDE and "grey" not in spec.shape
    ]

    def copies(number: int) -> Copies:
        pixels = phantom.draw(specs[number])[0]
        yield from _drawn(grader, GENUINE, pixels)
        if number % SLIDE_EVERY == 0:
            random = np.random.default_rng([PHANTOM_SEED, number])
            yield from _slide_of(grader, pixels, random)

    names = [f"phantom with slides {PHANTOM_SEED} {number}" for number in range(len(specs))]
    return measure(grader, names, copies, cache)


def of_impostors(grader: Grader, cache: Path) -> Measured:
    """The features of drawn pictures that are not eyes."""
    drawn = list(impostors.made(PHANTOM_SEED))

    def copies(number: int) -> Copies:
        return _drawn(grader, DRAWN, drawn[number][1])

    names = [f"impostor {PHANTOM_SEED} {name}" for name, _ in drawn]
    return measure(grader, names, copies, cache)


def _drawn(grader: Grader, kind: str, pixels: Pixels) -> Copies:
    photo = sources.photo(sources.content(pixels), min_side=grader.input.decode_side)
    square = located(photo, grader.input)
    if square is not None:
        yield kind, square


def _slide_of(grader: Grader, source: Path | Pixels, random: np.random.Generator) -> Copies:
    """A photograph's slide; none where no field is located, or the file is no photograph."""
    try:
        photo = sources.photo(sources.content(source), min_side=field.decode_side(slides.SIDE))
        fov = field.locate(photo)
        if fov.found:
            square = field.crop(photo, fov, slides.SIDE)
            yield from _drawn(grader, SLIDE, slides.slide(square, random))
    except PhotoError as error:
        if error.code in PASSING:
            raise  # The path is wrong, or the disk, not the photograph.


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


def _of_photograph(grader: Grader, path: Path, random: np.random.Generator) -> Copies:
    """A photograph's own square and those of its copies; none where no field is located."""
    try:
        square = square_of(grader, decode.read_bytes(path))
    except PhotoError as error:
        if error.code in PASSING:
            raise  # The path is wrong, or the disk, not the photograph.
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
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the disk, not of Pillow
            why = f"cannot be read ({error.strerror})"
            raise PhotoError(encodable(str(path)), why, "check the disk", code=UNREADABLE) from None
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
