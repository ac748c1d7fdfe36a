"""A contact sheet of the photographs that a detector did worst on.

A row a photograph, a column a kind of lesion: found lesions, missed ones and false boxes, each in
its own colour and line. One picture of all kinds would hide them behind each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fundoscope.errors import PhotoError
from fundoscope.evaluate.lesions import hits
from fundoscope.evaluate.lesions.centres import FOUND_WITHIN
from fundoscope.evaluate.lesions.evaluation import Compared, Evaluation
from fundoscope.evaluate.lesions.ranked import Floats
from fundoscope.geometry import Affine
from fundoscope.kinds import KINDS, LESIONS, OPTIC_DISC, Colour
from fundoscope.photo.decode import Photo, decode_file
from fundoscope.report.wording import printable

ROWS: Final = 6
COLUMNS: Final = 4
CELL: Final = 900
"""Width of a panel in pixels: a microaneurysm of 17 at 4288 is 4 wide there, its box 8."""
CAPTION, GAP, TEXT_SIZE = 26, 8, 17
GROUND: Final[Colour] = (24, 24, 24)
INK: Final[Colour] = (235, 235, 235)
DIMMED: Final = 0.75
"""The photograph's brightness, so that lines stand out on it."""
HIT: Final[Colour] = (86, 180, 233)
MISSED: Final[Colour] = (255, 255, 255)
FALSE: Final[Colour] = (240, 228, 66)
"""Okabe and Ito's sky blue and yellow, and white: told apart by the colour-blind."""
MARGIN: Final = 2
"""In pixels, between a lesion and the line around it."""
DASH: Final = 4
"""Length of a dash in pixels; a side has at least four."""
QUALITY: Final = 90


@dataclass(frozen=True, slots=True)
class _Panel:
    """What is drawn of one kind on one photograph; boxes ``(n, 4)`` in its pixels."""

    kind: str
    hit: Floats
    missed: Floats
    false: Floats


def order(evaluation: Evaluation) -> list[Compared]:
    """The photographs, the worst first, without those that nothing could be seen on.

    By F1 of all lesions together; where there is none, and nothing was found, by how far off the
    optic disc was.
    """
    scored = [
        (*_score(each, evaluation), place)
        for place, each in enumerate(evaluation.photographs)
        if each.seen.boxes
    ]
    return [evaluation.photographs[place] for *_, place in sorted(scored)]


def draw(evaluation: Evaluation, path: Path) -> None:
    """Write the sheet as JPEG: up to :data:`ROWS` photographs."""
    kinds = _kinds(evaluation)
    rows = [
        row
        for each in order(evaluation)[:ROWS]
        if (row := _row(each, kinds, evaluation)) is not None
    ]
    width = len(kinds) * (CELL + GAP) + GAP
    height = sum(row.height + GAP for row in rows) + 2 * CAPTION + 2 * GAP
    sheet = Image.new("RGB", (width, height), GROUND)
    _legend(sheet)
    top = 2 * CAPTION
    for row in rows:
        sheet.paste(row, (GAP, top))
        top += row.height + GAP
    sheet.save(path, "JPEG", quality=QUALITY, subsampling=0)


def _kinds(evaluation: Evaluation) -> list[str]:
    """The kinds with the most lesions; the optic disc where no lesion is annotated."""
    figures = evaluation.figures.kinds
    there = [kind for kind, each in figures.items() if kind in LESIONS and each.lesions]
    most = sorted(there, key=lambda kind: -figures[kind].lesions)[:COLUMNS]
    return [kind for kind in there if kind in most] or [OPTIC_DISC.key]


def _score(each: Compared, evaluation: Evaluation) -> tuple[float, float]:
    right = both = 0
    for kind, matched in each.matched.items():
        if kind in LESIONS and kind in evaluation.thresholds:
            taken = matched.scores >= evaluation.thresholds[kind]
            right += int(matched.hit[taken].sum())
            both += int(taken.sum()) + matched.lesions
    off = 0.0 if each.disc_distance is None else -each.disc_distance
    return (2 * right / both if both else 1.0, off)


def _row(each: Compared, kinds: Sequence[str], evaluation: Evaluation) -> Image.Image | None:
    try:
        photo = decode_file(each.subject.path, min_side=CELL)
    except (PhotoError, MemoryError):  # It was read before; it is gone by now.
        return None
    cells = [_cell(photo, each, _panel(each, kind, evaluation)) for kind in kinds]
    row = Image.new("RGB", (len(kinds) * (CELL + GAP), cells[0].height), GROUND)
    for place, cell in enumerate(cells):
        row.paste(cell, (place * (CELL + GAP), 0))
    return row


def _panel(each: Compared, kind: str, evaluation: Evaluation) -> _Panel:
    """Found, missed and false boxes of a kind at its threshold."""
    boxes, lesions = each.boxes(kind), each.subject.of_kind(kind)
    taken = boxes.scores >= evaluation.thresholds.get(kind, np.inf)
    found, scores = boxes.corners[taken], boxes.scores[taken]
    if kind not in each.matched:
        return _disc_panel(each, found[:1])
    given = hits.pairs(found, scores, lesions)
    missed = np.setdiff1d(np.arange(len(lesions)), given)
    return _Panel(kind, found[given != hits.NOTHING], lesions[missed], found[given == hits.NOTHING])


def _disc_panel(each: Compared, found: Floats) -> _Panel:
    """The optic disc, of which the centre alone is known: a box of the usual size stands for it."""
    none = np.zeros((0, 4))
    if each.subject.disc is None or each.seen.size is None:
        return _Panel(OPTIC_DISC.key, none, none, none)
    if each.disc_distance is not None and each.disc_distance <= FOUND_WITHIN:
        return _Panel(OPTIC_DISC.key, found, none, none)
    disc = each.subject.disc.on(each.seen.size[0])
    half = disc.half_diameter
    place = np.array([[disc.x - half, disc.y - half, disc.x + half, disc.y + half]])
    return _Panel(OPTIC_DISC.key, none, place, found)


def _cell(photo: Photo, each: Compared, panel: _Panel) -> Image.Image:
    height, width = photo.pixels.shape[:2]
    scale = CELL / width
    size = (CELL, max(1, round(height * scale)))
    picture = Image.fromarray(photo.pixels).resize(size, Image.Resampling.BICUBIC)
    picture = picture.point(lambda value: value * DIMMED)
    to_cell = photo.to_pixels.then(Affine.scale(scale, size[1] / height))
    pen = ImageDraw.Draw(picture)
    for boxes, colour, dashed in (
        (panel.false, FALSE, False),
        (panel.hit, HIT, False),
        (panel.missed, MISSED, True),
    ):
        for box in boxes.tolist():
            _outline(pen, to_cell.box(tuple(box)), colour, dashed=dashed)
    cell = Image.new("RGB", (CELL, size[1] + CAPTION), GROUND)
    cell.paste(picture, (0, CAPTION))
    said = (
        f"{printable(each.subject.image)}   {KINDS[panel.kind].name}: {len(panel.hit)} found,"
        f" {len(panel.missed)} missed, {len(panel.false)} false"
    )
    _write(ImageDraw.Draw(cell), (4, 3), said)
    return cell


def _outline(
    pen: ImageDraw.ImageDraw,
    box: tuple[float, float, float, float],
    colour: Colour,
    *,
    dashed: bool,
) -> None:
    """A thin line around a lesion, not on it."""
    x0, y0 = (round(edge) - MARGIN for edge in box[:2])
    x1, y1 = (round(edge) + MARGIN - 1 for edge in box[2:])
    if not dashed:
        pen.rectangle((x0, y0, max(x0, x1), max(y0, y1)), outline=colour)
        return
    # Small boxes have short dashes, or their corners would be all there is of them.
    dash = max(1, min(DASH, (min(x1 - x0, y1 - y0) + 1) // DASH))
    for x in range(x0, x1 + 1, 2 * dash):
        end = min(x + dash - 1, x1)
        pen.line((x, y0, end, y0), colour)
        pen.line((x, y1, end, y1), colour)
    for y in range(y0, y1 + 1, 2 * dash):
        end = min(y + dash - 1, y1)
        pen.line((x0, y, x0, end), colour)
        pen.line((x1, y, x1, end), colour)


def _legend(sheet: Image.Image) -> None:
    pen = ImageDraw.Draw(sheet)
    x = GAP
    for colour, dashed, words in (
        (HIT, False, "found"),
        (MISSED, True, "missed"),
        (FALSE, False, "false"),
    ):
        _outline(pen, (x + 3, 14, x + 23, 34), colour, dashed=dashed)
        _write(pen, (x + 34, 14), words)
        x += 130
    _write(pen, (x, 14), "the worst first, at the thresholds of the bundle")


def _write(pen: ImageDraw.ImageDraw, place: tuple[int, int], text: str) -> None:
    # The font that comes with Pillow has no sign for much of what a name may hold.
    plain = text.encode("ascii", "replace").decode()
    pen.text(place, plain, INK, font=ImageFont.load_default(TEXT_SIZE))
