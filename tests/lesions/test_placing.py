"""From peaks to an anatomy: states, the other landmark, and which eye it is."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from fundoscope.lesions import landmarks, laterality, placing
from fundoscope.lesions.landmarks import Peak
from fundoscope.models.manifest import LandmarksManifest, TrainedOn
from fundoscope.reading import FieldOfView

FIELD = FieldOfView(True, (500.0, 450.0), 400.0, 1.0)
MANIFEST = LandmarksManifest(
    name="landmarks", task="landmarks", input_size=64, opset=18,
    model_sha256=hashlib.sha256(b"").hexdigest(),
    trained_on=TrainedOn(manifest_sha256="", photographs={}, seed=1), licence="", versions={},
    found={"optic_disc": 0.5, "fovea": 0.4}, estimated={"optic_disc": 0.2, "fovea": 0.1},
    minimum_radius=40.0,
)  # fmt: skip
DISC = Peak(x=0.6, y=0.0, score=0.9, diameter=0.3)
FOVEA = Peak(x=-0.15, y=0.1, score=0.9, diameter=0.3)


def maps_of(*spots: tuple[int, int, int, float]) -> landmarks.Maps:
    """Maps with a Gaussian at each spot: map, row, column, height."""
    maps = np.full((3, 32, 32), -8.0, np.float32)
    maps[2] = np.log(0.3)
    rows, columns = np.mgrid[:32, :32]
    for which, row, column, height in spots:
        peak = height * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 4.5)
        maps[which] = np.maximum(maps[which], np.log((peak + 1e-4) / (1 - peak + 1e-4)))
    return maps


def test_a_peak_lies_at_the_middle_of_its_cell() -> None:
    disc, fovea = landmarks.peaks(maps_of((0, 16, 24, 0.9), (1, 16, 10, 0.8)))
    assert (disc.x, disc.y) == pytest.approx((24.5 / 16 - 1, 16.5 / 16 - 1), abs=1e-6)
    assert (fovea.x, fovea.y) == pytest.approx((10.5 / 16 - 1, 16.5 / 16 - 1), abs=1e-6)
    assert disc.score == pytest.approx(0.9, abs=0.01)
    assert disc.diameter == pytest.approx(0.3, rel=1e-3)
    assert disc.rival < 0.01


def test_a_second_peak_is_a_rival_and_makes_the_disc_uncertain() -> None:
    seen = landmarks.peaks(maps_of((0, 16, 26, 0.9), (0, 16, 4, 0.8), (1, 16, 15, 0.9)))
    assert seen[0].rival == pytest.approx(0.8, abs=0.01)
    disc = placing.anatomy_of(seen, MANIFEST, FIELD).disc
    assert (disc.state, disc.found, disc.box) == ("estimated", False, None)
    assert disc.centre is not None


def test_a_peak_at_the_edge_stays_within_the_picture() -> None:
    disc, _ = landmarks.peaks(maps_of((0, 0, 31, 0.9), (1, 16, 10, 0.8)))
    assert -1 <= disc.y <= 1
    assert -1 <= disc.x <= 1


def test_what_is_found_is_in_pixels_of_the_photograph() -> None:
    anatomy = placing.anatomy_of((DISC, FOVEA), MANIFEST, FIELD)
    assert anatomy.disc.centre == pytest.approx((740.0, 450.0))
    assert anatomy.disc.box == pytest.approx((680.0, 390.0, 800.0, 510.0))
    assert anatomy.disc.diameter == pytest.approx(120.0)
    assert anatomy.fovea.centre == pytest.approx((440.0, 490.0))
    assert anatomy.disc.state == anatomy.fovea.state == "found"
    assert anatomy.laterality.eye == "right"
    assert anatomy.laterality.source == "image"


def test_on_squeezed_pixels_the_box_is_narrower_and_the_diameter_the_same() -> None:
    squeezed = replace(FIELD, stretch=1.5)
    disc = placing.anatomy_of((DISC, FOVEA), MANIFEST, squeezed).disc
    assert disc.box is not None
    assert disc.box[2] - disc.box[0] == pytest.approx(80.0)
    assert disc.diameter == pytest.approx(120.0)


def test_mirrored_landmarks_show_the_other_eye() -> None:
    mirrored = (replace(DISC, x=-DISC.x), replace(FOVEA, x=-FOVEA.x))
    assert placing.anatomy_of(mirrored, MANIFEST, FIELD).laterality.eye == "left"


def test_the_given_eye_wins_and_a_contradiction_is_reported() -> None:
    eye = placing.anatomy_of((DISC, FOVEA), MANIFEST, FIELD, "left").laterality
    assert (eye.eye, eye.source, eye.contradiction) == ("left", "given", True)
    assert "shows a right eye" in laterality.warnings(eye)[0]
    agreed = placing.anatomy_of((DISC, FOVEA), MANIFEST, FIELD, "right").laterality
    assert not agreed.contradiction
    assert laterality.warnings(agreed) == ()


def test_one_of_two_look_alike_foveas_is_not_taken() -> None:
    """The other one is too far away for the error of an estimate."""
    rivalled = replace(FOVEA, rival=0.99)
    fovea = placing.anatomy_of((DISC, rivalled), MANIFEST, FIELD).fovea
    assert (fovea.state, fovea.score) == ("estimated", None)  # by the disc
    alone = placing.anatomy_of((replace(DISC, x=0.0), rivalled), MANIFEST, FIELD).fovea
    assert alone.state == "not_found"


def test_no_fovea_is_estimated_on_a_side_that_the_photograph_contradicts() -> None:
    unseen = replace(FOVEA, score=0.05)
    anatomy = placing.anatomy_of((DISC, unseen), MANIFEST, FIELD, "left")
    assert anatomy.laterality.contradiction
    assert anatomy.fovea.state == "not_found"


def test_two_estimates_do_not_contradict_the_eye_that_was_given() -> None:
    weak = [replace(peak, score=0.3) for peak in (DISC, FOVEA)]
    anatomy = placing.anatomy_of((weak[0], weak[1]), MANIFEST, FIELD, "left")
    assert (anatomy.disc.state, anatomy.fovea.state) == ("estimated", "estimated")
    assert not anatomy.laterality.contradiction


def test_an_unseen_fovea_is_estimated_from_the_disc() -> None:
    unseen = replace(FOVEA, score=0.05)
    fovea = placing.anatomy_of((DISC, unseen), MANIFEST, FIELD).fovea
    assert fovea.state == "estimated"
    assert fovea.score is None
    assert fovea.centre == pytest.approx((740.0 - 2.57 * 120, 450.0 + 0.24 * 120))


def test_an_unseen_fovea_of_an_unknown_eye_or_outside_of_the_field_is_not_found() -> None:
    unseen = replace(FOVEA, score=0.05)
    in_the_middle = replace(DISC, x=0.0)
    assert placing.anatomy_of((in_the_middle, unseen), MANIFEST, FIELD).fovea.state == "not_found"
    nasal_field = replace(DISC, x=-0.5)
    outside = placing.anatomy_of((nasal_field, unseen), MANIFEST, FIELD, "right")
    assert outside.fovea.centre is None


def test_without_a_disc_nothing_is_drawn() -> None:
    anatomy = placing.anatomy_of((replace(DISC, score=0.1), FOVEA), MANIFEST, FIELD)
    assert (anatomy.disc.state, anatomy.disc.found, anatomy.disc.box) == ("not_found", False, None)
    assert anatomy.laterality.eye is None
    told = placing.anatomy_of((replace(DISC, score=0.1), FOVEA), MANIFEST, FIELD, "left")
    assert (told.laterality.eye, told.laterality.certainty) == ("left", None)


@pytest.mark.parametrize("fovea_score", [0.95, 0.6])
def test_of_two_landmarks_that_cannot_belong_together_the_less_certain_is_dropped(
    fovea_score: float,
) -> None:
    on_the_disc = replace(FOVEA, x=DISC.x, y=DISC.y, score=fovea_score)
    anatomy = placing.anatomy_of((DISC, on_the_disc), MANIFEST, FIELD, "right")
    dropped = anatomy.disc if fovea_score > DISC.score else anatomy.fovea
    assert dropped.state in ("not_found", "estimated")
    if fovea_score > DISC.score:
        assert anatomy.disc.centre is None


def test_discs_straight_above_the_fovea_do_not_show_an_eye() -> None:
    above = (replace(DISC, x=0.0, y=-0.5), replace(FOVEA, x=0.0, y=0.3))
    assert placing.anatomy_of(above, MANIFEST, FIELD).laterality.eye is None
