"""Lesions on the picture of a reading: found by the colours of its pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fundoscope.geometry import Affine
from fundoscope.kinds import KINDS, LESIONS, OPTIC_DISC
from fundoscope.photo.decode import Photo, from_array
from fundoscope.reading import (
    Anatomy,
    FieldOfView,
    Grade,
    Lesion,
    LesionSummary,
    ModelUsed,
    OpticDisc,
    PhotoFacts,
    Quality,
    Reading,
    Referable,
)
from fundoscope.report import lesion_boxes, panels
from fundoscope.report.overlay import (
    MAX_WIDTH,
    MAX_WIDTH_OF_LESIONS,
    MIN_WIDTH_OF_LESIONS,
    draw,
)

GREY = 90
KNOWN = ("microaneurysm", "haemorrhage", "hard_exudate", "soft_exudate")
NO_DISC = OpticDisc()


def canvas(width: int = 400, height: int = 300) -> Image.Image:
    return Image.new("RGB", (width, height), (GREY, GREY, GREY))


def drawn(*lesions: Lesion, disc: OpticDisc = NO_DISC, labels: bool = False) -> np.ndarray:
    """Pixels of a grey picture with lesions on it."""
    picture = canvas()
    font = panels.font_of(lesion_boxes.TYPE) if labels else None
    lesion_boxes.draw(picture, lesions, disc, Affine(), font=font)
    return np.asarray(picture)


def where(pixels: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """``(N, 2)`` x, y of the pixels of a colour."""
    return np.argwhere((pixels == colour).all(axis=2))[:, ::-1]


def photo_of(width: int, height: int, *, true_scale: float = 1.0) -> Photo:
    photo = from_array(np.full((height, width, 3), GREY, np.uint8))
    facts = PhotoFacts("eye.jpg", "ab" * 32, int(width * true_scale), int(height * true_scale))
    return replace(photo, facts=facts, to_pixels=Affine.scale(1 / true_scale))


def reading_of(photo: Photo, *lesions: Lesion, unseen: dict[str, str] | None = None) -> Reading:
    """A reading of the four usual kinds; ``unseen`` gives reasons for others."""
    reasons = unseen or {}
    counts = {kind: sum(one.kind == kind for one in lesions) for kind in KNOWN}
    summary = tuple(
        LesionSummary(kind, True, None, counts[kind], 0.0)
        if kind in counts and kind not in reasons
        else LesionSummary(kind, False, reasons.get(kind, "unknown_to_detector"))
        for kind in LESIONS
    )
    width, height = photo.facts.width, photo.facts.height
    return Reading(
        photo.facts,
        FieldOfView(True, (width / 2, height / 2), 0.45 * height, 1.0),
        Quality(),
        Grade(2, (0.05, 0.15, 0.6, 0.15, 0.05), 2.0, Referable(0.8, True, 0.4)),
        lesions,
        (ModelUsed("grading", "g", "0" * 64), ModelUsed("detection", "d", "1" * 64)),
        (),
        "fundoscope test",
        summary,
    )


def said(reading: Reading, *, labels: bool = False) -> list[str]:
    return [line.text for line in panels._notes(reading, labels=labels)]


@pytest.mark.parametrize("kind", [*LESIONS, "unheard_of"])
def test_the_line_lies_around_the_lesion_in_the_colour_of_its_kind(kind: str) -> None:
    pixels = drawn(Lesion(kind, (100.0, 80.0, 130.0, 100.0), 0.9))
    line = where(pixels, lesion_boxes.colour_of(kind))
    assert line.min(axis=0) == pytest.approx((97, 77))
    assert line.max(axis=0) == pytest.approx((132, 102))
    assert (pixels[80:100, 100:130] == GREY).all()


def test_a_microaneurysm_of_a_few_pixels_is_not_covered() -> None:
    pixels = drawn(Lesion("microaneurysm", (100.0, 80.0, 103.0, 83.0), 0.9))
    line = where(pixels, KINDS["microaneurysm"].colour)
    assert (np.ptp(line, axis=0) >= lesion_boxes.SMALLEST).all()
    assert (pixels[76:87, 96:107] == GREY).all()


def test_a_line_is_one_pixel_and_dark_on_both_sides() -> None:
    pixels = drawn(Lesion("hard_exudate", (100.0, 80.0, 130.0, 100.0), 0.9))
    across = pixels[90, 90:100].astype(int).sum(axis=1)
    assert (across > 3 * GREY).sum() == 1
    assert (across < 3 * GREY).sum() == 2


def test_a_large_lesion_has_a_line_that_an_overview_shows() -> None:
    pixels = drawn(Lesion("haemorrhage", (100.0, 80.0, 300.0, 200.0), 0.9))
    assert (pixels[85, 90:105] == KINDS["haemorrhage"].colour).all(axis=1).sum() == 2


def test_a_small_lesion_in_a_large_one_lies_on_top() -> None:
    small = Lesion("microaneurysm", (98.0, 120.0, 104.0, 126.0), 0.2)
    large = Lesion("haemorrhage", (100.0, 80.0, 300.0, 200.0), 0.9)
    for lesions in ((small, large), (large, small)):
        line = where(drawn(*lesions), KINDS["microaneurysm"].colour)
        assert len(line) == 4 * np.ptp(line[:, 0])


def test_the_optic_disc_is_a_dashed_ring() -> None:
    disc = OpticDisc(True, (100.0, 60.0, 200.0, 160.0), (150.0, 110.0), 100.0, 0.98)
    ring = where(drawn(disc=disc), OPTIC_DISC.colour)
    distance = np.hypot(ring[:, 0] - 149.5, ring[:, 1] - 109.5)
    assert np.abs(distance - 53).max() < 3
    angles = np.sort(np.arctan2(ring[:, 1] - 109.5, ring[:, 0] - 149.5))
    assert (np.diff(angles) > 0.05).sum() == pytest.approx(lesion_boxes.DASHES, abs=2)


def test_labels_stand_beside_their_boxes_and_apart() -> None:
    lesions = [
        Lesion("hard_exudate", (100.0 + 20 * i, 100.0, 108.0 + 20 * i, 108.0), 0.87)
        for i in range(6)
    ]
    with_labels = drawn(*lesions, labels=True)
    changed = np.argwhere((with_labels != drawn(*lesions)).any(axis=2))
    assert len(changed) > 6 * 50
    assert changed[:, 0].min() > 60
    assert changed[:, 0].max() < 150
    for lesion in lesions:
        x0, y0, x1, y1 = (round(side) for side in lesion.box)
        assert (with_labels[y0:y1, x0:x1] == GREY).all()


def test_labels_at_the_rim_stay_on_the_picture() -> None:
    for box in ((0.0, 0.0, 9.0, 9.0), (391.0, 291.0, 400.0, 300.0)):
        bare, full = drawn(Lesion("irma", box, 1.0)), drawn(Lesion("irma", box, 1.0), labels=True)
        assert (bare != full).any(axis=2).sum() > 50


def test_the_disc_is_labelled_too() -> None:
    disc = OpticDisc(True, (100.0, 60.0, 200.0, 160.0), (150.0, 110.0), 100.0, 0.98)
    assert (drawn(disc=disc, labels=True) != drawn(disc=disc)).any()


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*LESIONS, "unheard_of"]),
            st.floats(-500, 900),
            st.floats(-500, 900),
            st.floats(0, 600),
            st.floats(0, 600),
        ),
        max_size=12,
    )
)
def test_boxes_of_any_size_and_place_can_be_drawn(
    boxes: list[tuple[str, float, float, float, float]],
) -> None:
    lesions = [Lesion(kind, (x, y, x + w, y + h), 0.5) for kind, x, y, w, h in boxes]
    assert drawn(*lesions, labels=True).shape == (300, 400, 3)


def test_two_thousand_lesions_are_drawn() -> None:
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 380, (2000, 2))
    lesions = [Lesion("hard_exudate", (x, y, x + 9, y + 9), 0.6) for x, y in corners.tolist()]
    assert drawn(*lesions, labels=True).shape == (300, 400, 3)


@pytest.mark.parametrize(
    ("width", "shown"),
    [(400, MIN_WIDTH_OF_LESIONS), (2144, 2144), (4288, MAX_WIDTH_OF_LESIONS)],
)
def test_the_picture_is_large_where_lesions_were_looked_for(width: int, shown: int) -> None:
    photo = photo_of(width, width * 2 // 3)
    assert draw(photo, reading_of(photo)).width == shown
    bare = replace(reading_of(photo), lesion_summary=())
    assert draw(photo, bare).width <= MAX_WIDTH


def test_boxes_follow_the_scale_of_the_picture() -> None:
    photo = photo_of(800, 600, true_scale=2.0)
    reading = reading_of(photo, Lesion("soft_exudate", (400.0, 600.0, 600.0, 720.0), 0.9))
    picture = draw(photo, reading)
    scale = picture.width / MAX_WIDTH
    top = panels.header(reading, picture.width, scale).height
    line = where(np.asarray(picture)[top : top + 1080], KINDS["soft_exudate"].colour)
    assert line.min(axis=0) == pytest.approx((360, 540), abs=5)
    assert line.max(axis=0) == pytest.approx((540, 648), abs=5)


def test_the_legend_tells_found_from_none_and_none_from_not_assessed() -> None:
    photo = photo_of(800, 600)
    lesion = Lesion("haemorrhage", (200.0, 300.0, 300.0, 360.0), 0.9)
    reading = reading_of(photo, lesion, unseen={"microaneurysm": "photograph_too_small"})
    lines = said(reading)
    assert "haemorrhages: 1" in lines
    assert "hard exudates: none found" in lines
    assert "microaneurysms: not assessed (photograph too small)" in lines
    assert not any(line.startswith(("microaneurysms: none", "laser scars:")) for line in lines)
    missing = next(line for line in lines if line.startswith("Not assessed: "))
    assert "microaneurysms (photograph too small)" in missing
    assert "laser scars (this detector does not find them)" in missing
    swatches = [line.swatch for line in panels._notes(reading) if line.swatch is not None]
    assert swatches == [KINDS[kind].colour for kind in KNOWN[1:]]


def test_the_legend_counts_what_is_not_drawn() -> None:
    reading = reading_of(photo_of(800, 600))
    summary = tuple(
        replace(each, withheld=2) if each.kind == "hard_exudate" else each
        for each in reading.lesion_summary
    )
    lines = said(replace(reading, lesion_summary=summary))
    assert "hard exudates: none drawn, 2 possible" in lines
    assert "haemorrhages: none found" in lines


def test_the_legend_of_labels_says_what_they_stand_for() -> None:
    photo = photo_of(800, 600)
    reading = reading_of(photo, Lesion("unheard_of", (200.0, 300.0, 300.0, 360.0), 0.9))
    lines = said(reading, labels=True)
    assert "microaneurysms (MA): none found" in lines
    assert "unheard_of: 1" in lines


@pytest.mark.parametrize(
    ("disc", "line"),
    [
        (OpticDisc(True, (1.0, 1.0, 9.0, 9.0), (5.0, 5.0), 8.0, 0.9), "optic disc (dashed)"),
        (OpticDisc(False), "optic disc: not found"),
        (OpticDisc(), None),
    ],
)
def test_the_legend_of_the_disc(disc: OpticDisc, line: str | None) -> None:
    reading = replace(reading_of(photo_of(800, 600)), anatomy=Anatomy(disc))
    assert [text for text in said(reading) if "disc" in text and "square" not in text] == (
        [] if line is None else [line]
    )


RETINA = {
    "exudate": (250, 230, 150),
    "bright": (250, 190, 120),
    "light": (235, 150, 90),
    "usual": (180, 85, 40),
    "dark": (90, 30, 10),
    "haemorrhage": (60, 15, 10),
    "shadow": (40, 12, 5),
}
"""Colours of retina, from a bright exudate to the shadow at the rim."""


def luminance(colour: tuple[int, int, int]) -> float:
    """The relative luminance of WCAG 2, 0 to 1."""
    linear = [
        value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4
        for value in (channel / 255 for channel in colour)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("retina", RETINA)
@pytest.mark.parametrize("kind", [*LESIONS, "optic_disc", "fovea", "unheard_of"])
def test_every_frame_has_a_contrast_of_3_on_every_retina(kind: str, retina: str) -> None:
    colour = lesion_boxes.colour_of(kind)
    assert max(contrast(colour, RETINA[retina]), contrast(lesion_boxes.EDGE, RETINA[retina])) >= 3
    assert contrast(colour, lesion_boxes.EDGE) >= 3


def test_the_usual_kinds_have_frames_of_different_shapes() -> None:
    shapes = {}
    for kind in KNOWN:
        line = where(drawn(Lesion(kind, (100.0, 80.0, 140.0, 120.0), 0.9)), KINDS[kind].colour)
        shapes[kind] = frozenset(map(tuple, (line - line.min(axis=0)).tolist()))
    assert len(set(shapes.values())) == len(KNOWN)
    assert set(lesion_boxes.STYLES) == set(KNOWN)


def test_kinds_without_a_frame_of_their_own_are_named_beside_it() -> None:
    def on_picture(kind: str, **options: object) -> np.ndarray:
        picture = canvas()
        lesion = Lesion(kind, (100.0, 80.0, 130.0, 100.0), 0.9)
        lesion_boxes.draw(picture, [lesion], NO_DISC, Affine(), **options)
        return np.asarray(picture)

    font = panels.font_of(lesion_boxes.TYPE)
    for kind in LESIONS:
        named = (on_picture(kind, font=font, labels=False) != on_picture(kind)).any()
        assert named == (kind not in KNOWN), kind


@pytest.mark.parametrize(("width", "line"), [(720, 1), (1440, 2), (2400, 3)])
def test_lines_scale_with_the_picture(width: int, line: int) -> None:
    assert lesion_boxes.line_of(width) == line
    picture = canvas(width, 100)
    lesion = Lesion("microaneurysm", (300.0, 40.0, 330.0, 60.0), 0.9)
    lesion_boxes.draw(picture, [lesion], NO_DISC, Affine())
    row = np.asarray(picture)[50, 280:315]
    assert (row == KINDS["microaneurysm"].colour).all(axis=1).sum() == line
    assert (row == lesion_boxes.EDGE).all(axis=1).sum() == 2


@pytest.mark.parametrize("side", [8, 16, 32, 64])
def test_a_frame_in_a_legend_shows_the_whole_width_of_its_line(side: int) -> None:
    column = np.asarray(lesion_boxes.sample("microaneurysm", side))[:, side // 2]
    coloured = (column == KINDS["microaneurysm"].colour).all(axis=1)
    assert coloured.sum() == 2 * (side // 8)
