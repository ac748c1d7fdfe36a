"""Sides, quadrants and distances on the retina."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fundoscope.lesions import anatomy as geometry
from fundoscope.reading import Anatomy, FieldOfView, Fovea, Laterality, OpticDisc

FIELD = FieldOfView(True, (500.0, 500.0), 480.0, 1.0)


def disc_at(x: float, y: float, diameter: float = 130.0, stretch: float = 1.0) -> OpticDisc:
    half = diameter / 2
    box = (x - half / stretch, y - half, x + half / stretch, y + half)
    return OpticDisc(True, box, (x, y), diameter, 0.9, "found")


RIGHT = disc_at(760.0, 480.0)
LEFT = disc_at(240.0, 480.0)


@pytest.mark.parametrize(
    ("disc", "eye"),
    [
        (RIGHT, "right"),
        (LEFT, "left"),
        (disc_at(510.0, 480.0), None),
        (disc_at(600.0, 480.0), None),
        (OpticDisc(found=False), None),
        (OpticDisc(), None),
    ],
)
def test_the_disc_lies_nasal(disc: OpticDisc, eye: str | None) -> None:
    """In a photograph of a right eye it lies on the right."""
    assert geometry.of_disc(disc, FIELD).laterality.eye == eye


@pytest.mark.parametrize(
    ("disc", "told", "expected"),
    [
        (RIGHT, None, Laterality("right", "image", False, 0.9)),
        (RIGHT, "right", Laterality("right", "given", False, 0.9)),
        (RIGHT, "left", Laterality("left", "given", True, pytest.approx(0.1))),
        (OpticDisc(found=False), "left", Laterality("left", "given", contradiction=False)),
        (OpticDisc(found=False), None, Laterality()),
    ],
)
def test_a_told_side_wins(disc: OpticDisc, told: str | None, expected: Laterality) -> None:
    assert geometry.of_disc(disc, FIELD, told).laterality == expected


def test_the_fovea_is_estimated_on_the_temporal_side() -> None:
    right, left = (geometry.of_disc(disc, FIELD).fovea for disc in (RIGHT, LEFT))
    assert right.state == left.state == "estimated"
    assert right.centre == pytest.approx((760 - 2.57 * 130, 480 + 0.24 * 130))
    assert left.centre == pytest.approx((240 + 2.57 * 130, 480 + 0.24 * 130))


def test_a_fovea_outside_of_the_field_is_not_found() -> None:
    """The photograph of a disc, magnified."""
    disc = disc_at(300.0, 500.0, 400.0)
    assert geometry.of_disc(disc, FIELD).fovea == Fovea("not_found")


def found(eye: str) -> Anatomy:
    disc, fovea = (RIGHT, 440.0) if eye == "right" else (LEFT, 560.0)
    return Anatomy(disc, Fovea("found", (fovea, 510.0), 0.9, 0.0), Laterality(eye, "image"))


POINTS = st.tuples(st.floats(60, 940), st.floats(60, 940))


@given(POINTS)
def test_the_mirrored_eye_has_mirrored_quadrants(point: tuple[float, float]) -> None:
    mirrored = (1000 - point[0], point[1])
    if abs(point[0] - 440) > 1e-6:
        right = geometry.quadrant(point, found("right"))
        assert geometry.quadrant(mirrored, found("left")) == right


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ((300.0, 300.0), "superior_temporal"),
        ((600.0, 300.0), "superior_nasal"),
        ((300.0, 700.0), "inferior_temporal"),
        ((900.0, 700.0), "inferior_nasal"),
    ],
)
def test_quadrants_about_the_fovea_of_a_right_eye(
    point: tuple[float, float], expected: str
) -> None:
    assert geometry.quadrant(point, found("right")) == expected


def test_where_only_the_disc_is_found_it_divides() -> None:
    anatomy = geometry.of_disc(RIGHT, FIELD)
    assert geometry.quadrant((600.0, 300.0), anatomy) == "superior_temporal"
    assert geometry.quadrant((800.0, 300.0), anatomy) == "superior_nasal"


def test_without_a_side_there_is_no_quadrant() -> None:
    anatomy = geometry.of_disc(disc_at(505.0, 500.0), FIELD)
    assert geometry.quadrant((300.0, 300.0), anatomy) is None
    assert geometry.quadrants_seen(anatomy, FIELD) == frozenset()
    assert geometry.quadrant((300.0, 300.0), Anatomy()) is None


def test_a_disc_at_the_edge_leaves_the_nasal_quadrants_unseen() -> None:
    anatomy = geometry.of_disc(disc_at(950.0, 500.0), FIELD)
    assert geometry.quadrants_seen(anatomy, FIELD) == {"superior_temporal", "inferior_temporal"}
    assert len(geometry.quadrants_seen(found("right"), FIELD)) == 4


@given(POINTS, st.floats(1.0, 2.0))
def test_squeezing_a_photograph_changes_no_distance(
    point: tuple[float, float], stretch: float
) -> None:
    squeezed = FieldOfView(True, (500.0 / stretch, 500.0), 480.0, stretch)
    natural = geometry.between(point, (440.0, 510.0), RIGHT, FIELD)
    narrow = geometry.between(
        (point[0] / stretch, point[1]), (440.0 / stretch, 510.0),
        disc_at(760.0 / stretch, 480.0, stretch=stretch), squeezed,
    )  # fmt: skip
    assert narrow == pytest.approx(natural)


def test_distances_in_disc_diameters() -> None:
    box = (500.0, 500.0, 520.0, 520.0)
    assert geometry.distance(box, (510.0, 510.0), RIGHT, FIELD) == 0.0
    assert geometry.distance(box, (370.0, 510.0), RIGHT, FIELD) == pytest.approx(1.0)
    assert geometry.distance(box, (500 - 78, 500 - 104), RIGHT, FIELD) == pytest.approx(1.0)
    assert geometry.distance(box, (0.0, 0.0), OpticDisc(found=False), FIELD) is None


def test_the_macula_reaches_the_disc() -> None:
    anatomy = found("right")
    edge = 760 - 65
    radius = math.hypot(760 - 440, 480 - 510) / 130 - 0.5
    assert geometry.in_macula((440.0 + (radius - 0.05) * 130, 510.0), anatomy, FIELD) is True
    assert geometry.in_macula((edge + 30.0, 510.0), anatomy, FIELD) is False
    estimated = replace(anatomy, fovea=replace(anatomy.fovea, state="estimated", error=0.8))
    assert geometry.in_macula((440.0 + radius * 130, 510.0), estimated, FIELD) is None
    assert geometry.in_macula((440.0, 510.0), Anatomy(), FIELD) is None
    no_ruler = replace(anatomy, disc=OpticDisc(True, RIGHT.box, RIGHT.centre, None, 0.9))
    assert geometry.in_macula((440.0, 510.0), no_ruler, FIELD) is None
