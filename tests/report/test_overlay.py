"""The picture of a reading: what a person can see on it, measured in its pixels."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fundoscope.geometry import Affine
from fundoscope.lesions import laterality
from fundoscope.opinions import HeatMap
from fundoscope.photo.decode import Photo, from_array
from fundoscope.reading import (
    Anatomy,
    FieldOfView,
    Fovea,
    Grade,
    Laterality,
    ModelUsed,
    NextStep,
    OpticDisc,
    PhotoFacts,
    Quality,
    Reading,
    Referable,
)
from fundoscope.report import grid, panels
from fundoscope.report.overlay import MAX_WIDTH, MIN_WIDTH, OUTLINE, draw

GREY = 90


def photo_of(width: int, height: int, *, true_scale: float = 1.0) -> Photo:
    """A grey photograph; ``true_scale`` times larger as stored than as decoded."""
    photo = from_array(np.full((height, width, 3), GREY, np.uint8))
    facts = PhotoFacts("eye.jpg", "ab" * 32, int(width * true_scale), int(height * true_scale))
    return replace(photo, facts=facts, to_pixels=Affine.scale(1 / true_scale))


def reading_of(photo: Photo, field: FieldOfView) -> Reading:
    grade = Grade(2, (0.05, 0.15, 0.6, 0.15, 0.05), 2.0, Referable(0.8, True, 0.4))
    return Reading(
        photo.facts,
        field,
        Quality(),
        grade if field.found else Grade(),
        (),
        (ModelUsed("grading", "g", "0" * 64),),
        (),
        "fundoscope test",
    )


def coloured(picture: Image.Image, colour: tuple[int, int, int], tolerance: int = 12) -> np.ndarray:
    """``(N, 2)`` x, y of the pixels of a colour."""
    away = np.abs(np.asarray(picture).astype(int) - colour).max(axis=2)
    return np.argwhere(away <= tolerance)[:, ::-1]


def body(picture: Image.Image, reading: Reading) -> Image.Image:
    """The part of the page that shows the photograph."""
    scale = max(1.0, picture.width / MAX_WIDTH)
    top = panels.header(reading, picture.width, scale).height
    bottom = picture.height - panels.footer(reading, picture.width, scale).height
    return picture.crop((0, top, picture.width, bottom))


@pytest.mark.parametrize(
    ("width", "height", "true_scale"), [(800, 600, 1.0), (800, 600, 5.0), (224, 224, 1.0)]
)
def test_the_outline_lies_on_the_rim_of_the_field(
    width: int, height: int, true_scale: float
) -> None:
    photo = photo_of(width, height, true_scale=true_scale)
    centre = (photo.facts.width * 0.5, photo.facts.height * 0.5)
    radius = photo.facts.height * 0.4
    reading = reading_of(photo, FieldOfView(True, centre, radius, 1.0))
    shown = body(draw(photo, reading), reading)
    line = coloured(shown, OUTLINE)
    scale = shown.height / photo.facts.height
    middle = (shown.width / 2, shown.height / 2)
    distance = np.hypot(line[:, 0] + 0.5 - middle[0], line[:, 1] + 0.5 - middle[1])
    assert len(line) > math.pi * radius * scale
    assert np.abs(distance - radius * scale).max() < 2.5


def test_a_stretched_field_is_an_ellipse() -> None:
    photo = photo_of(800, 800)
    reading = reading_of(photo, FieldOfView(True, (400.0, 400.0), 300.0, 1.5))
    line = coloured(body(draw(photo, reading), reading), OUTLINE)
    across, down = np.ptp(line[:, 0]), np.ptp(line[:, 1])
    assert across == pytest.approx(2 * 300 / 1.5, abs=4)
    assert down == pytest.approx(2 * 300, abs=4)


def of_grade(grade: Grade) -> Reading:
    photo = photo_of(800, 800)
    field = FieldOfView(True, centre=(400.0, 400.0), radius=380.0, stretch=1.0)
    return replace(reading_of(photo, field), grade=grade)


def test_the_header_leads_with_referable_and_keeps_clear_of_the_bars() -> None:
    grade = Grade(0, (0.5, 0.0, 0.0, 0.0, 0.5), 2.0, Referable(0.3702, True, 0.37))
    lines = list(panels._graded(of_grade(grade)))
    assert [line.text for line in lines] == [
        "Referable",
        "0 no apparent retinopathy, certainty 50 %",
        "No retinopathy is likeliest; moderate or worse has 37.02 %, and from 37.00 % on it is"
        " referred",
    ]
    calm = Grade(0, (0.97, 0.02, 0.01, 0.0, 0.0), 0.1, Referable(0.01, False, 0.37))
    said = [line.text for line in panels._graded(of_grade(calm))]
    assert said[0] == "Not referable"
    assert said[2] == "Moderate or worse: 1 %; referable from 37 % on"
    doubtful = replace(calm, set=(0, 1), set_coverage=0.9)
    told = replace(of_grade(doubtful), next_step=NextStep("routine_recall", "not_referable", ""))
    lines = list(panels._graded(told))
    assert lines[-1].text == "Grades 0 to 1 plausible (90 %); next for this eye: recall as usual"


WIDE_SET = NextStep("reader", "wide_set", "the grade is uncertain: 0 to 3 are plausible")
OEDEMA = "macular oedema is possible: hard exudates near the fovea"


@pytest.mark.parametrize("width", [MIN_WIDTH, 800, MAX_WIDTH])
@pytest.mark.parametrize(
    ("grade", "following"),
    [
        (Grade(0, (0.3, 0.2, 0.2, 0.2, 0.1), 1.6, Referable(0.5, True, 0.28)), WIDE_SET),
        (
            Grade(0, (0.8, 0.1, 0.1, 0.0, 0.0), 0.3, Referable(0.1, False, 0.28), (0, 1), 0.9),
            NextStep("reader", "possible_oedema", OEDEMA),
        ),
        (
            Grade(1, (0.3, 0.4, 0.3, 0.0, 0.0), 1.0, Referable(0.3, True, 0.28), (0, 1), 0.9),
            NextStep("refer", "referable", ""),
        ),
    ],
)
def test_nothing_of_the_header_reaches_the_bars(
    width: int, grade: Grade, following: NextStep
) -> None:
    reading = replace(of_grade(grade), next_step=following)
    head = np.asarray(panels.header(reading, width)).astype(int)
    bars = np.asarray(panels.header(replace(reading, next_step=None), width)).astype(int)
    left = width - panels.MARGIN - panels.BARS_WIDTH
    shared = min(len(head), len(bars))
    assert (head[:shared, left - panels.MARGIN :] == bars[:shared, left - panels.MARGIN :]).all()
    assert (head[-panels.MARGIN :] == panels.GROUND).all()
    said = " ".join(line.text for line in panels._graded(reading))
    assert (panels.plausible_in_words(grade).capitalize() or "plausible") in said


def test_without_a_field_nothing_is_outlined_and_it_is_said() -> None:
    photo = photo_of(800, 600)
    reading = reading_of(photo, FieldOfView(False, reason="too_dark"))
    picture = draw(photo, reading)
    assert len(coloured(body(picture, reading), OUTLINE)) == 0
    said = [line.text for line in panels._notes(reading)]
    assert "No field of view was found, so none is outlined." in said


@pytest.mark.parametrize(
    ("width", "height"), [(64, 64), (224, 224), (3000, 2000), (64, 1600), (5000, 64)]
)
def test_any_shape_gives_a_page_that_a_screen_shows(width: int, height: int) -> None:
    photo = photo_of(width, height)
    reading = reading_of(photo, FieldOfView(True, (width / 2, height / 2), 30.0, 1.0))
    picture = draw(photo, reading)
    assert picture.mode == "RGB"
    assert MIN_WIDTH <= picture.width <= MAX_WIDTH
    assert picture.height <= 1800


def test_nothing_of_the_photograph_is_covered() -> None:
    photo = photo_of(900, 700)
    reading = reading_of(photo, FieldOfView(True, (450.0, 350.0), 340.0, 1.0))
    shown = np.asarray(body(draw(photo, reading), reading))
    assert shown.shape == (700, 900, 3)
    assert (shown == GREY).all(axis=2).mean() > 0.98


def test_the_bars_show_the_probabilities() -> None:
    photo = photo_of(800, 600)
    reading = reading_of(photo, FieldOfView(True, (400.0, 300.0), 290.0, 1.0))
    head = panels.header(reading, 800)
    bars = np.asarray(head)[:, 800 - panels.MARGIN - panels.BARS_WIDTH :]
    given = (bars == panels.TEXT).all(axis=2).sum(axis=1)
    assert (given >= panels.BAR).sum() == pytest.approx(0.6 * panels.BAR_HEIGHT, abs=2)


def test_the_page_does_not_depend_on_the_machine_or_the_hour() -> None:
    photo = photo_of(400, 300)
    reading = reading_of(photo, FieldOfView(True, (200.0, 150.0), 140.0, 1.0))
    assert draw(photo, reading).tobytes() == draw(photo, reading).tobytes()


def test_long_texts_wrap_inside_the_page() -> None:
    font = panels.font_of(panels.SMALL)
    text = "a warning of many words " * 20 + "x" * 500
    lines = list(panels._wrapped(text, font, 300))
    assert all(font.getlength(line) <= 300 for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_a_grade_without_details_is_still_drawn() -> None:
    photo = photo_of(400, 300)
    reading = reading_of(photo, FieldOfView(True, (200.0, 150.0), 140.0, 1.0))
    bare = replace(reading, grade=Grade(icdr=1), photo=replace(photo.facts, name=None))
    assert draw(photo, bare).width == MIN_WIDTH


@pytest.mark.parametrize(
    ("text", "shown"), [("Müller", "Muller"), ("漢字.jpg", "??.jpg"), ("a\nb", "a?b")]
)
def test_letters_that_the_font_lacks(text: str, shown: str) -> None:
    assert panels._plain(text) == shown


def test_a_pillow_without_freetype_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import ImageFont

    monkeypatch.setattr(ImageFont, "load_default", lambda size: ImageFont.ImageFont())
    panels.font_of.cache_clear()
    with pytest.raises(TypeError, match="FreeType"):
        panels.font_of(12)


def test_heat_colours_only_the_places_that_speak_for_a_referable_grade() -> None:
    photo = photo_of(800, 800)
    field = FieldOfView(True, centre=(400.0, 400.0), radius=380.0, stretch=1.0)
    plain = reading_of(photo, field)
    values = tuple(tuple(30.0 if column < 5 else -30.0 for column in range(10)) for _ in range(10))
    warm = replace(plain, heat=HeatMap(values))
    before, after = (
        np.asarray(body(draw(photo, each), each)).astype(int) for each in (plain, warm)
    )
    changed = np.abs(after - before).max(axis=2) > 3
    assert changed[:, :380].mean() > 0.5
    assert not changed[:, 440:].any()
    corner = changed[:40, :40]
    assert not corner.any()  # outside of the field


def test_the_grid_names_the_quadrants_and_circles_the_fovea() -> None:
    photo = photo_of(800, 800)
    field = FieldOfView(True, centre=(400.0, 400.0), radius=380.0, stretch=1.0)
    disc = OpticDisc(
        True, (600.0, 360.0, 680.0, 440.0), centre=(640.0, 400.0), diameter=80.0, score=1.0
    )
    anatomy = Anatomy(
        disc, Fovea("found", (430.0, 410.0), score=1.0, error=0.0), Laterality("right", "image")
    )
    reading = replace(reading_of(photo, field), anatomy=anatomy)
    plain, gridded = (
        np.asarray(body(draw(photo, reading, quadrants=on), reading)).astype(int)
        for on in (False, True)
    )
    changed = np.abs(gridded - plain).max(axis=2) > 60
    assert changed[408:413].sum() > 300  # the horizontal line, dashed
    assert changed[:, 428:433].sum() > 300
    for radius in (80 / 3, 80, 160):
        assert changed[405:416, round(430 + radius) - 3 : round(430 + radius) + 3].any()
    names = [name for name, _ in grid._names(anatomy, field, (800, 800))]
    assert sorted(names) == ["IN", "IT", "SN", "ST"]
    for name, (x, y) in grid._names(anatomy, field, (800, 800)):
        assert (x > 430) == name.endswith("N")  # nasal is where the disc is
        assert (y < 410) == name.startswith("S")
        assert math.hypot(x - 400, y - 400) <= 0.95 * 380
    bare = replace(reading, anatomy=Anatomy())
    assert draw(photo, bare, quadrants=True) == draw(photo, bare)
    # A 3:2 camera shows the disc of retina without its upper part: 20 pixels above the fovea.
    cut = replace(anatomy, fovea=replace(anatomy.fovea, centre=(430.0, 20.0)))
    assert {name[0] for name, _ in grid._names(cut, field, (800, 800))} == {"I"}


def test_quadrants_have_no_names_if_the_photograph_shows_the_other_eye() -> None:
    """A right eye given as a left one: temporal and nasal would be swapped."""
    photo = photo_of(800, 800)
    field = FieldOfView(True, centre=(400.0, 400.0), radius=380.0, stretch=1.0)
    disc = OpticDisc(True, None, (640.0, 400.0), 80.0, 0.9, "found")
    fovea = Fovea("found", (430.0, 410.0), 0.9, 0.0)
    side = laterality.of(disc, fovea, field, "left")
    assert side.contradiction
    anatomy = Anatomy(disc, fovea, side)
    assert list(grid._names(anatomy, field, (800, 800))) == []
    reading = replace(reading_of(photo, field), anatomy=anatomy)
    assert draw(photo, reading, quadrants=True) != draw(photo, reading)  # the lines stay


@pytest.mark.parametrize(
    ("disc", "fovea", "said"),
    [
        ("found", "found", ""),
        ("found", "estimated", "the place of the fovea is"),
        ("estimated", "estimated", "the places of the optic disc and the fovea are"),
    ],
)
def test_a_grid_about_estimated_places_is_dashed_and_says_so(disc, fovea, said) -> None:
    photo = photo_of(800, 800)
    field = FieldOfView(True, centre=(400.0, 400.0), radius=380.0, stretch=1.0)
    anatomy = Anatomy(
        OpticDisc(disc == "found", None, (640.0, 400.0), 80.0, 0.9, disc),
        Fovea(fovea, (430.0, 410.0), 0.9, 0.8 * (fovea != "found")),
        Laterality("right", "image"),
    )
    reading = replace(reading_of(photo, field), anatomy=anatomy)
    lines = [line.text for line in panels._notes(reading, quadrants=True)]
    doubts = [line for line in lines if line.startswith("Quadrants and grid")]
    assert doubts == ([f"Quadrants and grid: {said} only estimated."] if said else [])
    assert "optic disc: not found" not in lines
    found = replace(anatomy.disc, state="found"), replace(anatomy.fovea, state="found")
    certain = replace(reading, anatomy=Anatomy(*found, anatomy.laterality))
    drawn, solid = (
        (np.asarray(body(draw(photo, each, quadrants=True), each)).min(axis=2) > 200).sum()
        - (np.asarray(body(draw(photo, each), each)).min(axis=2) > 200).sum()
        for each in (reading, certain)
    )
    assert (drawn < 0.9 * solid) == bool(said)
