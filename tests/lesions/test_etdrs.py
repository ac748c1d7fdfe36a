"""The ETDRS grid on eyes whose landmarks are known."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fundoscope.lesions import etdrs
from fundoscope.reading import FOUND, Anatomy, FieldOfView, Fovea, Laterality, OpticDisc

WIDTH, HEIGHT = 1000, 900
FIELD = FieldOfView(True, (500.0, 450.0), 480.0, 1.0)
UNIT = 160.0
RIGHT_EYE = Anatomy(
    OpticDisc(True, (670.0, 370.0, 830.0, 530.0), (750.0, 450.0), UNIT, 0.9, FOUND),
    Fovea(FOUND, (350.0, 450.0), 0.9, 0.0),
    Laterality("right", "image"),
)
within = st.tuples(st.floats(0, WIDTH), st.floats(0, HEIGHT))


def mirrored(anatomy: Anatomy) -> Anatomy:
    """The other eye: the photograph turned over from left to right."""

    def point(at: tuple[float, float] | None) -> tuple[float, float] | None:
        return None if at is None else (WIDTH - at[0], at[1])

    eye = {"right": "left", "left": "right"}.get(anatomy.laterality.eye or "")
    return replace(
        anatomy,
        disc=replace(anatomy.disc, centre=point(anatomy.disc.centre)),
        fovea=replace(anatomy.fovea, centre=point(anatomy.fovea.centre)),
        laterality=replace(anatomy.laterality, eye=eye),
    )


def squeezed(anatomy: Anatomy, stretch: float) -> Anatomy:
    """The same eye on a photograph whose pixels are that much wider than high."""

    def point(at: tuple[float, float] | None) -> tuple[float, float] | None:
        return None if at is None else (at[0] / stretch, at[1])

    return replace(
        anatomy,
        disc=replace(anatomy.disc, centre=point(anatomy.disc.centre)),
        fovea=replace(anatomy.fovea, centre=point(anatomy.fovea.centre)),
    )


@given(within)
def test_a_mirrored_eye_has_the_same_grid(point: tuple[float, float]) -> None:
    field = replace(FIELD, centre=(WIDTH - 500.0, 450.0))
    here = etdrs.retinal_map(RIGHT_EYE, FIELD)
    there = etdrs.retinal_map(mirrored(RIGHT_EYE), field)
    assert here is not None
    assert there is not None
    mirror = (WIDTH - point[0], point[1])
    assert there.point(*mirror) == pytest.approx(here.point(*point), abs=1e-9)


@given(within)
def test_the_other_eye_swaps_temporal_and_nasal(point: tuple[float, float]) -> None:
    faint = replace(RIGHT_EYE, disc=replace(RIGHT_EYE.disc, centre=None))
    right = etdrs.retinal_map(faint, FIELD)
    left = etdrs.retinal_map(replace(faint, laterality=Laterality("left", "given")), FIELD)
    assert right is not None
    assert left is not None
    temporal, up = right.point(*point)
    assert left.point(*point) == pytest.approx((-temporal, up))


@given(within, st.floats(0.7, 1.6))
def test_squeezed_pixels_change_nothing(point: tuple[float, float], stretch: float) -> None:
    field = replace(FIELD, centre=(500.0 / stretch, 450.0), stretch=stretch)
    natural = etdrs.retinal_map(RIGHT_EYE, FIELD)
    other = etdrs.retinal_map(squeezed(RIGHT_EYE, stretch), field)
    assert natural is not None
    assert other is not None
    there = (point[0] / stretch, point[1])
    assert other.point(*there) == pytest.approx(natural.point(*point), abs=1e-6)


def test_the_grid_has_circles_of_a_third_one_and_two_disc_diameters() -> None:
    x, y = 350.0, 450.0
    fields = [etdrs.grid_field((x, y - share * UNIT), RIGHT_EYE, FIELD)
              for share in (0.3, 0.4, 0.9, 1.1, 1.9, 2.1)]  # fmt: skip
    assert fields == ["centre", "inner_superior", "inner_superior", "outer_superior",
                      "outer_superior", None]  # fmt: skip


@pytest.mark.parametrize(
    ("step", "side"),
    [((-1, 0), "temporal"), ((1, 0), "nasal"), ((0, 1), "inferior"), ((0, -1), "superior")],
)
def test_the_sides_of_the_grid_in_a_right_eye(step: tuple[int, int], side: str) -> None:
    point = (350.0 + step[0] * 0.7 * UNIT, 450.0 + step[1] * 0.7 * UNIT)
    assert etdrs.grid_field(point, RIGHT_EYE, FIELD) == f"inner_{side}"


def test_the_nine_fields_of_the_grid() -> None:
    assert len(etdrs.FIELDS) == 9
    axis = range(-330, 331, 15)
    seen = {
        etdrs.grid_field((350.0 + dx, 450.0 + dy), RIGHT_EYE, FIELD) for dx in axis for dy in axis
    }
    assert seen == {*etdrs.FIELDS, None}


@pytest.mark.parametrize(
    "anatomy",
    [
        Anatomy(),
        replace(RIGHT_EYE, fovea=Fovea("not_found")),
        replace(RIGHT_EYE, disc=OpticDisc(False)),
        replace(RIGHT_EYE, fovea=Fovea(FOUND, (750.0, 700.0), 0.9), laterality=Laterality()),
    ],
)
def test_a_grid_that_is_not_known_is_none(anatomy: Anatomy) -> None:
    assert etdrs.grid_field((100.0, 100.0), anatomy, FIELD) is None
