"""A contact sheet of the photographs with a detector's worst results.

Each row is a photograph, each column a kind of lesion. Found lesions, missed ones and false boxes
have their own colour and line. In one picture of all kinds they would hide each other.
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
from fundoscope.evaluate.lesions.hits import BoxArray
from fundoscope.geometry import Affine
from fundoscope.kinds import KINDS, LESIONS, OPTIC_DISC, Colour
from fundoscope.photo.decode import Photo, decode_file
from fundoscope.quoting import printable

ROWS: Final = 6
COLUMNS: Final = 4
CELL: Final = 900
"""Width of a panel in pixels. A microaneurysm 17 wide at 4288 is 4 wide there, its box 8."""
CAPTION, GAP, TEXT_SIZE = 26, 8, 17
GROUND: Final[Colour] = (24, 24, 24)
INK: Final[Colour] = (235, 235, 235)
DIMMED: Final = 0.75
"""Factor on the photograph's brightness, so that lines stand out on it."""
HIT: Final[Colour] = (86, 180, 233)
MISSED: Final[Colour] = (255, 255, 255)
FALSE: Final[Colour] = (240, 228, 66)
"""Okabe and Ito's sky blue and yellow, and white: colour-blind people can tell them apart."""
MARGIN: Final = 2
"""In pixels, between a lesion and the line around it."""
DASH: Final = 4
"""Length of a dash in pixels; a side has at least four."""
QUALITY: Final = 90


@dataclass(frozen=True, slots=True)
class _Panel:
    """The boxes ``(n, 4)`` of one kind that are drawn on one photograph, in its pixels."""

    kind: str
    hit: BoxArray
    missed: BoxArray
    false: BoxArray


def order(evaluation: Evaluation) -> list[Compared]:
    """Sort the photographs on which the detector could look, the worst first.

    They are sorted by F1 of all lesions together. Photographs without lesions or boxes are sorted
    by the distance of the found optic disc from the true one.
    """
    scored = [
        (*_score(compared, evaluation), place)
        for place, compared in enumerate(evaluation.photographs)
        if compared.detections.boxes
    ]
    return [evaluation.photographs[place] for *_, place in sorted(scored)]


def draw(evaluation: Evaluation, path: Path) -> None:
    """Write a sheet of up to :data:`ROWS` photographs as JPEG."""
    kinds = _kinds(evaluation)
    rows = [
        row
        for compared in order(evaluation)[:ROWS]
        if (row := _row(compared, kinds, evaluation)) is not None
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
    """Choose the kinds with the most lesions; the optic disc where no lesion is annotated."""
    figures = evaluation.figures.kinds
    present = [kind for kind in figures if kind in LESIONS and figures[kind].lesions]
    most = sorted(present, key=lambda kind: -figures[kind].lesions)[:COLUMNS]
    return [kind for kind in present if kind in most] or [OPTIC_DISC.key]


def _score(compared: Compared, evaluation: Evaluation) -> tuple[float, float]:
    hit = boxes_and_lesions = 0
    for kind, matched in compared.matched.items():
        if kind in LESIONS and kind in evaluation.thresholds:
            taken = matched.scores >= evaluation.thresholds[kind]
            hit += int(matched.hit[taken].sum())
            boxes_and_lesions += int(taken.sum()) + matched.lesions
    f1 = 2 * hit / boxes_and_lesions if boxes_and_lesions else 1.0
    return (f1, 0.0 if compared.disc_distance is None else -compared.disc_distance)


def _row(compared: Compared, kinds: Sequence[str], evaluation: Evaluation) -> Image.Image | None:
    try:
        photo = decode_file(compared.photograph.path, min_side=CELL)
    except (PhotoError, MemoryError):  # It could be read before, but has gone since.
        return None
    cells = [_cell(photo, compared, _panel(compared, kind, evaluation)) for kind in kinds]
    row = Image.new("RGB", (len(kinds) * (CELL + GAP), cells[0].height), GROUND)
    for place, cell in enumerate(cells):
        row.paste(cell, (place * (CELL + GAP), 0))
    return row


def _panel(compared: Compared, kind: str, evaluation: Evaluation) -> _Panel:
    """Sort the boxes of a kind at its threshold into found, missed and false ones."""
    boxes, lesions = compared.boxes(kind), compared.photograph.of_kind(kind)
    taken = boxes.scores >= evaluation.thresholds.get(kind, np.inf)
    corners, scores = boxes.corners[taken], boxes.scores[taken]
    if kind not in compared.matched:
        return _disc_panel(compared, corners[:1])
    hit = hits.pairs(corners, scores, lesions)
    missed = np.setdiff1d(np.arange(len(lesions)), hit)
    false = hit == hits.NOTHING
    return _Panel(kind, corners[~false], lesions[missed], corners[false])


def _disc_panel(compared: Compared, corners: BoxArray) -> _Panel:
    """Draw an optic disc of which only the centre is known as a box of the usual size."""
    none = np.zeros((0, 4))
    true_disc, size = compared.photograph.disc, compared.detections.size
    if true_disc is None or size is None:
        return _Panel(OPTIC_DISC.key, none, none, none)
    if compared.disc_distance is not None and compared.disc_distance <= FOUND_WITHIN:
        return _Panel(OPTIC_DISC.key, corners, none, none)
    disc = true_disc.on(size[0])
    half = disc.half_diameter
    missed = np.array([[disc.x - half, disc.y - half, disc.x + half, disc.y + half]])
    return _Panel(OPTIC_DISC.key, none, missed, corners)


def _cell(photo: Photo, compared: Compared, panel: _Panel) -> Image.Image:
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
    caption = (
        f"{printable(compared.photograph.image)}   {KINDS[panel.kind].name}:"
        f" {len(panel.hit)} found, {len(panel.missed)} missed, {len(panel.false)} false"
    )
    _write(ImageDraw.Draw(cell), (4, 3), caption)
    return cell


def _outline(
    pen: ImageDraw.ImageDraw,
    box: tuple[float, float, float, float],
    colour: Colour,
    *,
    dashed: bool,
) -> None:
    """Draw a thin line around a lesion, not on it."""
    x0, y0 = (round(edge) - MARGIN for edge in box[:2])
    x1, y1 = (round(edge) + MARGIN - 1 for edge in box[2:])
    if not dashed:
        pen.rectangle((x0, y0, max(x0, x1), max(y0, y1)), outline=colour)
        return
    # Short dashes for small boxes, or only their corners would be drawn.
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
    _write(pen, (x, 14), "worst photographs first, at the thresholds of the bundle")


def _write(pen: ImageDraw.ImageDraw, place: tuple[int, int], text: str) -> None:
    # The font that comes with Pillow lacks many of the characters that a name may hold.
    plain = text.encode("ascii", "replace").decode()
    pen.text(place, plain, INK, font=ImageFont.load_default(TEXT_SIZE))
