"""Which box is the optic disc, which boxes are lesions, and on what nothing can be seen."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fundoscope.lesions import cleaning, discs, exposure
from fundoscope.photo.decode import from_array
from fundoscope.reading import FieldOfView, Lesion, OpticDisc

FIELD = FieldOfView(True, (300.0, 300.0), 290.0, 1.0)
DISC = (420.0, 250.0, 510.0, 340.0)


def retina(disc: tuple[float, float, float, float] | None = DISC) -> NDArray[np.uint8]:
    """A disc of retina, with an optic disc and a vessel through it, ``uint8 (600, 600, 3)``."""
    y, x = np.mgrid[:600, :600] + 0.5
    pixels = np.zeros((600, 600, 3))
    rng = np.random.default_rng(3)
    inside = np.hypot(x - 300, y - 300) < 290
    pixels[inside] = (150, 75, 35)
    pixels[inside] += rng.normal(0, 6, (int(inside.sum()), 1))
    if disc is not None:
        x0, y0, x1, y1 = disc
        shape = np.hypot((x - (x0 + x1) / 2) / (x1 - x0), (y - (y0 + y1) / 2) / (y1 - y0)) < 0.5
        pixels[shape] = (235, 185, 110)
        pixels[shape & (np.abs(x - (x0 + x1) / 2) < 5)] = (130, 55, 30)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def best(*boxes: tuple[float, float, float, float], score: float = 0.97) -> Lesion | None:
    photo = from_array(retina())
    return discs.best([Lesion("optic_disc", box, score) for box in boxes], photo, FIELD)


def test_the_disc_is_found() -> None:
    detected = best(DISC)
    assert detected is not None
    assert detected.box == DISC


@pytest.mark.parametrize(
    "box",
    [
        (30.0, 200.0, 250.0, 320.0),  # a ring in empty retina, larger than any disc
        (150.0, 250.0, 240.0, 340.0),  # of a disc's size, in empty retina
        (440.0, 280.0, 460.0, 300.0),  # too small
        (200.0, 380.0, 400.0, 440.0),  # too flat
        (560.0, 20.0, 650.0, 110.0),  # outside of the field
    ],
)
def test_other_boxes_are_not_the_disc_whatever_their_score(
    box: tuple[float, float, float, float],
) -> None:
    assert best(box, score=0.999) is None
    detected = discs.best(
        [Lesion("optic_disc", box, 0.999), Lesion("optic_disc", DISC, 0.9)],
        from_array(retina()),
        FIELD,
    )
    assert detected is not None
    assert detected.box == DISC


def test_a_shadow_is_not_the_disc() -> None:
    pixels = retina(None)
    y, x = np.mgrid[:600, :600]
    pixels[np.hypot(x - 200, y - 300) < 45] //= 2
    shadow = Lesion("optic_disc", (155.0, 255.0, 245.0, 345.0), 0.99)
    assert discs.best([shadow], from_array(pixels), FIELD) is None


def test_nothing_to_choose_from() -> None:
    assert discs.best([], from_array(retina()), FIELD) is None
    black = from_array(np.zeros((600, 600, 3), np.uint8))
    assert discs.best([Lesion("optic_disc", DISC, 0.99)], black, FIELD) is None


@pytest.mark.parametrize(
    ("centre", "is_turned"),
    [((465.0, 295.0), False), ((150.0, 250.0), False), ((300.0, 120.0), True),
     ((310.0, 470.0), True), ((300.0, 280.0), False)],
)  # fmt: skip
def test_a_disc_above_or_below_the_middle_tells_of_a_turned_photograph(
    centre: tuple[float, float], is_turned: bool
) -> None:
    disc = OpticDisc(True, (0.0, 0.0, 1.0, 1.0), centre, 90.0, 0.9)
    assert bool(discs.warnings(disc, FIELD)) == is_turned
    assert not discs.warnings(OpticDisc(found=False), FIELD)


FOUND = OpticDisc(True, DISC, (465.0, 295.0), 90.0, 0.9)


def kept(*lesions: Lesion, disc: OpticDisc = FOUND) -> tuple[Lesion, ...]:
    return cleaning.lesions_only(lesions, disc, FIELD)


@pytest.mark.parametrize("kind", ["hard_exudate", "soft_exudate"])
def test_what_is_bright_on_the_disc_is_the_disc(kind: str) -> None:
    on_disc = Lesion(kind, (450.0, 280.0, 470.0, 300.0), 0.9)
    beside = Lesion(kind, (300.0, 280.0, 320.0, 300.0), 0.8)
    in_corner = Lesion(kind, (421.0, 251.0, 425.0, 255.0), 0.7)
    assert kept(on_disc, beside, in_corner) == (beside, in_corner)
    assert kept(on_disc, disc=OpticDisc(found=False)) == (on_disc,)


def test_a_haemorrhage_on_the_disc_stays() -> None:
    haemorrhage = Lesion("haemorrhage", (450.0, 280.0, 470.0, 300.0), 0.9)
    assert kept(haemorrhage) == (haemorrhage,)


def test_outside_of_the_field_is_no_lesion() -> None:
    assert kept(Lesion("haemorrhage", (2.0, 2.0, 30.0, 30.0), 0.9)) == ()


def test_two_boxes_of_one_lesion_are_one() -> None:
    better = Lesion("haemorrhage", (100.0, 280.0, 140.0, 320.0), 0.9)
    nested = Lesion("haemorrhage", (105.0, 285.0, 132.0, 314.0), 0.8)
    other_kind = Lesion("microaneurysm", (102.0, 282.0, 138.0, 318.0), 0.7)
    spot_in_group = Lesion("haemorrhage", (105.0, 285.0, 115.0, 295.0), 0.6)
    beside = Lesion("haemorrhage", (141.0, 280.0, 180.0, 320.0), 0.5)
    exudate = Lesion("hard_exudate", (100.0, 280.0, 140.0, 320.0), 0.4)
    assert kept(better, nested, other_kind, spot_in_group, beside, exudate) == (
        better, spot_in_group, beside, exudate,
    )  # fmt: skip


def test_a_washed_out_photograph_is_overexposed() -> None:
    pixels = retina()
    assert not exposure.is_overexposed(from_array(pixels), FIELD)
    pixels[200:400, 100:300] = 254
    assert exposure.is_overexposed(from_array(pixels), FIELD)
